// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/runtime/wasm"
)

const header = "\x00asm\x01\x00\x00\x00"

// most is 0xFFFFFFFF in LEB128.
var most = []byte{0xff, 0xff, 0xff, 0xff, 0x0f}

func TestBytesThatWouldKillTheDecoderAreRefusedBeforeIt(t *testing.T) {
	bombs := map[string][]byte{}
	for _, id := range []byte{1, 2, 3, 4, 6, 7, 9, 10, 11} {
		bombs[fmt.Sprintf("section %d of 4 G entries", id)] = append([]byte(header), section(id, most)...)
	}
	bombs["4 G locals"] = slices.Concat([]byte(header), section(1, list([][]byte{funcType("", "")})), section(3, []byte{1, 0}),
		section(10, list([][]byte{slices.Concat(leb(8), []byte{1}, most, []byte{0x7f, opEnd})})))
	bombs["a name of 4 GiB"] = append([]byte(header), section(0, most)...)
	bombs["a section of 4 GiB"] = slices.Concat([]byte(header), []byte{1}, most)
	bombs["an endless number"] = append([]byte(header), bytes.Repeat([]byte{0x80}, 1<<20)...)
	for name, bin := range bombs {
		t.Run(name, func(t *testing.T) {
			if o := attack(t, bin, routeOperator, "module "); o.load == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func TestWhatIsNoOperatorModuleIsRefusedInWords(t *testing.T) {
	without := func(export string) []byte {
		a := operatorModule(t)
		for i := range a.functions {
			if a.functions[i].export == export {
				a.functions[i].export = ""
			}
		}
		return a.bytes()
	}
	change := func(f func(a *assembly)) []byte {
		a := operatorModule(t)
		f(a)
		return a.bytes()
	}
	tests := map[string]struct {
		bin  []byte
		want string
	}{
		"nothing":              {nil, "the file is empty"},
		"text":                 {[]byte("hello\n"), "looks like text"},
		"text format":          {[]byte("(module)"), "text format"},
		"a component":          {[]byte("\x00asm\x0d\x00\x01\x00"), "component"},
		"gzip":                 {[]byte("\x1f\x8b\x08\x00"), "gzip"},
		"an ELF program":       {[]byte("\x7fELF\x02\x01\x01"), "native Linux program"},
		"cut short":            {operatorModule(t).bytes()[:200], "module malformed"},
		"an empty module":      {[]byte(header), "exports no function of wasmill's"},
		"too large":            {append([]byte(header), section(0, append(name("x"), make([]byte, 11<<20)...))...), "10485760"},
		"a huge custom name":   {append([]byte(header), section(0, name(strings.Repeat("n", 1<<20)))...), "name"},
		"a huge export":        {change(func(a *assembly) { a.has(function{export: strings.Repeat("n", 1<<20)}) }), "export name"},
		"no version":           {without(abi.ExportVersion), "does not export the function wasmill_version"},
		"no describe":          {without(abi.ExportDescribe), "does not export the function wasmill_describe"},
		"no buffer":            {without(abi.ExportBuffer), "does not export the function wasmill_buffer"},
		"no open":              {without(abi.ExportOpen), "does not export the function wasmill_open"},
		"no process":           {without(abi.ExportProcess), `operator "everything": it is of kind map, but the module does not export wasmill_process`},
		"no aggregate":         {without(abi.ExportAggregate), `operator "mean": it is of kind aggregate, but the module does not export wasmill_aggregate`},
		"no memory":            {change(func(a *assembly) { a.memory, a.data = [2]uint32{}, nil }), `exports no memory by the name "memory"`},
		"a wrong type":         {change(func(a *assembly) { a.functions[openIndex-importCount].params = "iil" }), "its export wasmill_open has the type"},
		"a start function":     {change(func(a *assembly) { a.start = initializeIndex }), "start section is not allowed"},
		"an unknown import":    {change(func(a *assembly) { a.imports[0] = imported{"wasmill", "emitt", "ii", ""} }), `the nearest that is: "wasmill" "emit"`},
		"an import's type":     {change(func(a *assembly) { a.imports[0].params = "il" }), "has the type (i32, i64)"},
		"a foreign import":     {change(func(a *assembly) { a.imports[0] = imported{"env", "system", "i", "i"} }), `import "env" "system" is not offered`},
		"the meter's import":   {change(func(a *assembly) { a.imports[0] = imported{"wasmill:meter", "refill", "l", "l"} }), "belong to the meter"},
		"the meter's export":   {change(func(a *assembly) { a.has(function{export: "wasmill:meter fuel"}) }), "belong to the meter"},
		"too much memory":      {change(func(a *assembly) { a.memory = [2]uint32{2000, 3000} }), "at most 1024 pages (64 MiB) are allowed"},
		"a large table":        {change(func(a *assembly) { a.table = 5_000_000 }), "entries of a table"},
		"data outside":         {change(func(a *assembly) { a.holds(firstPages<<16-2, []byte("data")) }), "out of bounds"},
		"a program":            {change(func(a *assembly) { a.functions = []function{{export: "_start"}} }), "it is a program with a _start"},
		"an unknown operation": {change(func(a *assembly) { a.does(processIndex, 0xfe, 0, 0) }), "threads"},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			if o := attack(t, test.bin, routeOperator, test.want); o.load == nil {
				t.Error("it was loaded")
			}
		})
	}
}

func TestACompileBombIsStoppedByTheBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("a bomb takes time and memory")
	}
	var fills []byte // within all limits of package module, and ten seconds to compile
	for range 20_000 {
		fills = append(fills, code(i32(0), i32(0), i32(1<<20), memoryFill())...)
	}
	bin := operatorModule(t).does(processIndex, fills, opUnreachable).bytes()
	for name, test := range map[string]struct {
		budget wasm.Budget
		want   string
	}{
		"of time":   {wasm.Budget{Time: 300 * time.Millisecond}, "it takes longer than 300ms"},
		"of memory": {wasm.Budget{Memory: 24 << 20}, "it takes more than 24 MiB of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := wasm.NewEngine(wasm.Options{Compiler: compiler, CacheDir: t.TempDir(), Budget: test.budget})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			start := time.Now()
			_, err = e.LoadBytes(t.Context(), bin)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want an error that says %q", err, test.want)
			}
			if took := time.Since(start); took > mostTime {
				t.Errorf("it took %v", took)
			}
		})
	}
}
