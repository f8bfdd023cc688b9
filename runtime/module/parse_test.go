// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/runtime/module"
	mt "github.com/wasmill/wasmill/runtime/module/moduletest"
)

// refusal parses bin and returns the error, which must be there.
func refusal(t *testing.T, bin []byte, p module.Policy) *module.Error {
	t.Helper()
	_, err := module.Parse(bin, p)
	var refused *module.Error
	if !errors.As(err, &refused) {
		t.Fatalf("accepted: %v", err)
	}
	return refused
}

func TestWhatIsNoModuleIsCalledByItsName(t *testing.T) {
	for _, c := range []struct{ bin, want string }{
		{"", "the file is empty"},
		{"\x00asm", "the file ends after 4 bytes"},
		{"\x00asm\x0d\x00\x01\x00", "a component"},
		{"\x00asm\x02\x00\x00\x00", "unknown binary version 2"},
		{"\x1f\x8b\x08\x00", "gunzip"},
		{"\x28\xb5\x2f\xfd", "unzstd"},
		{"PK\x03\x04", "unzip"},
		{"\x7fELF\x02\x01", "GOOS=wasip1"},
		{"!<arch>\n", "-buildmode=c-shared"},
		{"(module)", "wat2wasm"},
		{"package main\n", "looks like text"},
		{"\x01\x02\x03\x04\x05", "begins with 01 02 03 04"},
	} {
		err := refusal(t, []byte(c.bin), module.Policy{})
		if err.Kind != module.NotWasm || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.bin, err, c.want)
		}
	}
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	var b mt.Builder
	b.Func("first", "->", "", "")
	b.Func("", "-> i32", "", "i64.const 1")
	names := join(mt.Name("name"), []byte{1}, mt.Name(string(join([]byte{1}, mt.U32(1), mt.Name("main.run")))))
	bin := append(b.Bytes(), mt.Section(0, names)...)
	err := refusal(t, bin, module.Policy{})
	if bin[err.Offset] != byte(module.OpEnd) || bin[err.Offset-2] != byte(module.OpI64Const) {
		t.Errorf("offset %#x is not that of the function's end", err.Offset)
	}
	if err.Kind != module.Invalid || err.Func != 1 || err.Name != "main.run" || err.Section != "code" {
		t.Errorf("%+v", err)
	}
	want := `module invalid: type mismatch: end finds i64, it takes i32 (code section, function 1 "main.run", offset 0x2c)`
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestPolicyOfImports(t *testing.T) {
	policy := module.Policy{Imports: []module.Import{
		{Module: "wasmill", Name: "emit", Params: []module.ValueType{module.I32, module.I32}, Results: []module.ValueType{module.I32}},
		{Module: "wasmill", Name: "log", Params: []module.ValueType{module.I32, module.I32}},
	}}
	build := func(mod, name, sig string) []byte {
		var b mt.Builder
		b.Import(mod, name, sig)
		return b.Bytes()
	}
	if _, err := module.Parse(build("wasmill", "emit", "i32 i32 -> i32"), policy); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		bin  []byte
		want []string
	}{
		{build("wasmill", "emitt", "i32 i32 -> i32"), []string{`"wasmill" "emitt"`, `nearest that is: "wasmill" "emit"`}},
		{build("wasmill", "emit", "i32 -> i32"), []string{"(i32) -> i32", "(i32, i32) -> i32"}},
		{build("wasmill", "log", "i32 i32 -> i32"), []string{"(i32, i32) -> i32", "(i32, i32) -> nothing"}},
		{build(module.ReservedPrefix, "refill", "i64 -> i64"), []string{"belong to the meter"}},
		{raw(mt.Section(2, join(mt.U32(1), mt.Name("env"), mt.Name("memory"), []byte{2, 0, 1}))), []string{"of a memory", "--import-memory"}},
		{raw(mt.Section(2, join(mt.U32(1), mt.Name("env"), mt.Name("t"), []byte{1, 0x70, 0, 1}))), []string{"of a table"}},
		{raw(mt.Section(2, join(mt.U32(1), mt.Name("env"), mt.Name("g"), []byte{3, 0x7f, 0}))), []string{"of a global"}},
	} {
		err := refusal(t, c.bin, policy)
		for _, want := range c.want {
			if err.Kind != module.Refused || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
	if err := refusal(t, build("a", "b", "->"), module.Policy{}); !strings.Contains(err.Error(), "offers no functions") {
		t.Error(err)
	}
}

func TestPolicyOfStartAndReservedNames(t *testing.T) {
	var b mt.Builder
	b.Start(b.Func("", "->", "", ""))
	if err := refusal(t, b.Bytes(), module.Policy{}); err.Kind != module.Refused || !strings.Contains(err.Error(), "_initialize") {
		t.Error(err)
	}
	m, err := module.Parse(b.Bytes(), module.Policy{AllowStart: true})
	if err != nil || !m.HasStart || m.Start != 0 {
		t.Errorf("%v, %+v", err, m)
	}
	var e mt.Builder
	e.Func(module.ReservedPrefix+" fuel", "->", "", "")
	if err := refusal(t, e.Bytes(), module.Policy{}); err.Kind != module.Refused {
		t.Error(err)
	}
}

func TestFeaturesAfter2AreUnsupported(t *testing.T) {
	body := func(code ...byte) []byte { return oneBody(append([]byte{0}, code...)) }
	for _, c := range []struct {
		bin  []byte
		want string
	}{
		{raw(mt.Section(5, []byte{1, 3, 1, 1})), "threads"},
		{raw(mt.Section(5, []byte{1, 4, 1})), "wasm32"},
		{raw(mt.Section(13, []byte{0})), "exceptions"},
		{raw(mt.Section(1, []byte{1, 0x5e, 0x7f, 0})), "garbage collection"},
		{body(0x12, 0, 0x0b), "tail calls"},
		{body(0x06, 0x40, 0x0b, 0x0b), "exceptions"},
		{body(0xfe, 0x03, 0, 0x0b), "threads"},
		{body(0xfd, 0x80, 0x02, 0x0b), "relaxed SIMD"},
	} {
		if err := refusal(t, c.bin, module.Policy{}); err.Kind != module.Unsupported || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestEveryLimitHasABomb keeps bombs and Limits together.
func TestEveryLimitHasABomb(t *testing.T) {
	have := map[string]bool{
		// Broken by sums that would need large modules; TestSumsAreLimited has them small.
		"Results": true, "ModuleMerges": true, "ModuleTargets": true,
	}
	for _, b := range bombs {
		have[b.limit] = true
	}
	for i := range reflect.TypeFor[module.Limits]().NumField() {
		if name := reflect.TypeFor[module.Limits]().Field(i).Name; !have[name] {
			t.Errorf("no bomb breaks %s", name)
		}
	}
}

func TestSumsAreLimited(t *testing.T) {
	branchy := join(locals(10), bytes.Repeat(mt.Code("block void end"), 10), []byte{0x0b})
	table := join([]byte{0}, mt.Code("i32.const 0 br_table 0,0,0,0"), []byte{0x0b})
	var wide mt.Builder
	wide.Type("-> i32 i32 i32")
	for _, c := range []struct {
		limit string
		l     module.Limits
		bin   []byte
	}{
		{"Results", module.Limits{Results: 2}, wide.Bytes()},
		{"ModuleMerges", module.Limits{ModuleMerges: 1000}, withBodies(20, branchy)},
		{"ModuleTargets", module.Limits{ModuleTargets: 10}, withBodies(5, table)},
	} {
		if err := refusal(t, c.bin, module.Policy{Limits: c.l}); err.Limit != c.limit {
			t.Errorf("want the limit %s, got %v", c.limit, err)
		}
		if _, err := module.Parse(c.bin, module.Policy{}); err != nil {
			t.Errorf("%s: refused under the defaults: %v", c.limit, err)
		}
	}
}

func TestModuleTellsWhatItHolds(t *testing.T) {
	var b mt.Builder
	b.Import("env", "log", "i32 ->")
	run := b.Func("run", "i32 i64 -> i64", "f64 f64", "local.get 0 if void nop end local.get 1")
	b.Memory(2, 9)
	b.Table(3, -1)
	b.Elements(1, run)
	b.Global("i64", true, "i64.const 4")
	b.Data(8, "hello")
	bin := append(b.Bytes(), mt.Section(0, join(mt.Name("name"),
		[]byte{0}, mt.Name(string(mt.Name("demo"))),
		[]byte{1}, mt.Name(string(join([]byte{2}, mt.U32(0), mt.Name("host.log"), mt.U32(1), mt.Name("demo.run"))))))...)
	m, err := module.Parse(bin, module.Policy{AnyImport: true})
	if err != nil {
		t.Fatal(err)
	}
	if m.ImportedFuncs != 1 || m.ModuleName != "demo" || m.FuncName(1) != "demo.run" || m.FuncName(0) != "host.log" || m.FuncName(2) != "" {
		t.Errorf("names: %d %q %v", m.ImportedFuncs, m.ModuleName, m.FuncNames)
	}
	if e, ok := m.Export("run"); !ok || e.Index != 1 || e.Type.String() != "(i32, i64) -> i64" {
		t.Errorf("export: %+v", e)
	}
	if diff := cmp.Diff(&module.MemoryType{Min: 2, Max: 9, HasMax: true}, m.Memory); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]module.GlobalType{{Type: module.I64, Mutable: true}}, m.Globals); diff != "" {
		t.Error(diff)
	}
	f := m.Functions[0]
	if f.Locals != 2 || f.MaxStack != 1 || f.Slots != 5 || !m.Declared(1) || m.Declared(0) {
		t.Errorf("function: %+v", f)
	}
	s := m.Stats
	if s.Functions != 1 || s.DataBytes != 5 || s.Nesting != 1 || s.Size != len(bin) || s.CodeBytes != f.End-f.Start {
		t.Errorf("stats: %+v", s)
	}
	if len(m.FuncUses) != 2 {
		t.Errorf("function uses: %+v", m.FuncUses)
	}
	for _, u := range m.FuncUses {
		if !bytes.Equal(bin[u.Start:u.End], mt.U32(u.Index)) {
			t.Errorf("use %+v is not at its place", u)
		}
	}
}

func TestBrokenNamesAreLeftOut(t *testing.T) {
	var b mt.Builder
	b.Func("run", "->", "", "")
	for name, section := range map[string][]byte{
		"count past the end":  join([]byte{1}, mt.Name(string(mt.U32(1<<32-1)))),
		"index out of range":  join([]byte{1}, mt.Name(string(join([]byte{1}, mt.U32(77), mt.Name("x"))))),
		"length past end":     join([]byte{1}, mt.Name(string(join([]byte{1}, mt.U32(0), mt.U32(1<<32-1))))),
		"subsection too long": {1, 0xff, 0xff, 0xff, 0xff, 0x0f},
	} {
		m, err := module.Parse(append(b.Bytes(), mt.Section(0, append(mt.Name("name"), section...))...), module.Policy{})
		if err != nil || len(m.FuncNames) != 0 {
			t.Errorf("%s: %v, %v", name, err, m)
		}
	}
}

func TestScannerVisitsEveryInstruction(t *testing.T) {
	var b mt.Builder
	b.Memory(1, 1)
	b.Func("run", "->", "i32", `
		block void loop void
			i32.const -5  local.set 0  local.get 0  i64.load offset=300  drop
			local.get 0  br_table 0,1,0
		end end
		f64.const 1.5 drop`)
	m, err := module.Parse(b.Bytes(), module.Policy{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	var in module.Instr
	for s := m.Scan(0); s.Next(&in); {
		got = append(got, in.Op.String())
		if in.Op == module.OpI32Const && in.Value != -5 {
			t.Errorf("i32.const %d", in.Value)
		}
		if in.Op == module.OpBrTable {
			var labels []uint32
			m.Labels(&in, func(l uint32) { labels = append(labels, l) })
			if diff := cmp.Diff([]uint32{0, 1, 0}, labels); diff != "" {
				t.Error(diff)
			}
		}
	}
	want := "block loop i32.const local.set local.get i64.load drop local.get br_table end end f64.const drop end"
	if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
		t.Error(diff)
	}
}
