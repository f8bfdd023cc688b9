// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/wasmill/wasmill/runtime/meter"
	"github.com/wasmill/wasmill/runtime/module"
)

// specDir returns the folder of wazero's copies of the WebAssembly core test suites.
func specDir(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	if err != nil {
		t.Fatalf("find wazero's source: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "integration_test", "spectest")
}

// specScript is a script of the test suites, as wast2json writes it.
type specScript struct {
	Commands []specCommand `json:"commands"`
}

type specCommand struct {
	Type       string      `json:"type"`
	Line       int         `json:"line"`
	Name       string      `json:"name"`
	Filename   string      `json:"filename"`
	As         string      `json:"as"`
	ModuleType string      `json:"module_type"`
	Text       string      `json:"text"`
	Action     specAction  `json:"action"`
	Expected   []specValue `json:"expected"`
}

type specAction struct {
	Type   string      `json:"type"`
	Module string      `json:"module"`
	Field  string      `json:"field"`
	Args   []specValue `json:"args"`
}

// specRun is one script in one runtime.
type specRun struct {
	t        *testing.T
	suite    string
	dir      string
	metered  bool
	compiled bool // by the compiler, not interpreted
	runtime  wazero.Runtime
	named    map[string]api.Module
	last     api.Module
	counts   map[string]int
}

// wideOpen is a policy for the suites: they import anything, start at will and test large values.
var wideOpen = module.Policy{
	AnyImport: true, AllowStart: true,
	Limits: module.Limits{TableEntries: 1<<32 - 1, MemoryPages: 65536},
}

func TestSpecSuitesBehaveTheSameUnderTheMeter(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 assertions, each four times")
	}
	root := specDir(t)
	for _, suite := range []struct {
		name     string
		features api.CoreFeatures
	}{
		// 1.0 checks all active segments before it writes any, 2.0 writes until one does not fit.
		{"v1", api.CoreFeaturesV1},
		{"v2", api.CoreFeaturesV2},
	} {
		dir := filepath.Join(root, suite.name, "testdata")
		scripts, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil || len(scripts) < 50 {
			t.Fatalf("%s: %d scripts, %v", dir, len(scripts), err)
		}
		for _, engine := range engines {
			for _, metered := range []bool{false, true} {
				name := fmt.Sprintf("%s/%s/metered=%v", suite.name, engine.name, metered)
				t.Run(name, func(t *testing.T) {
					counts := map[string]int{}
					for _, script := range scripts {
						s := &specRun{t: t, suite: suite.name, dir: dir, metered: metered, compiled: engine.name == "compiler", counts: counts}
						s.script(script, filepath.Join(root, "testdata", "spectest.wasm"), engine.config().WithCoreFeatures(suite.features))
					}
					total := 0
					for kind, n := range counts {
						if kind != "module" && kind != "text" {
							total += n
						}
					}
					t.Logf("%d assertions passed: %v", total, counts)
				})
			}
		}
	}
}

// script runs the script at path in a runtime of its own.
func (s *specRun) script(path, spectest string, config wazero.RuntimeConfig) {
	t, ctx := s.t, context.Background()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var script specScript
	if err := json.Unmarshal(raw, &script); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	s.named = map[string]api.Module{}
	s.runtime = wazero.NewRuntimeWithConfig(ctx, config)
	defer func() {
		if err := s.runtime.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	newHost(t, s.runtime, plentyOfFuel, plentyAtATime)
	bin, err := os.ReadFile(spectest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.instantiate(bin, "spectest"); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(script.Commands); i++ {
		c := &script.Commands[i]
		as := ""
		if next := i + 1; c.Type == "module" && next < len(script.Commands) && script.Commands[next].Type == "register" {
			as = script.Commands[next].As
			i++
		}
		if err := s.command(c, as); err != nil {
			t.Errorf("%s line %d: %s: %v", filepath.Base(path), c.Line, c.Type, err)
		}
	}
}

// errInvalid marks a module that the parser refuses.
var errInvalid = errors.New("refused by the parser")

func (s *specRun) instantiate(bin []byte, name string) (api.Module, error) {
	m, err := module.Parse(bin, wideOpen)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	if s.metered {
		bin = rewriteUnclamped(s.t, m)
	}
	return s.runtime.InstantiateWithConfig(context.Background(), bin, wazero.NewModuleConfig().WithName(name))
}

func (s *specRun) command(c *specCommand, as string) error {
	kind := c.Type
	if c.ModuleType == "text" {
		kind = "text" // a text that is no module: no business of a binary parser
	}
	s.counts[kind]++
	var bin []byte
	if c.Filename != "" && kind != "text" {
		var err error
		if bin, err = os.ReadFile(filepath.Join(s.dir, c.Filename)); err != nil {
			return err
		}
	}
	switch kind {
	case "text":
		return nil
	case "module":
		m, err := s.instantiate(bin, as)
		if err != nil {
			return err
		}
		if s.last = m; c.Name != "" {
			s.named[c.Name] = m
		}
		return nil
	case "action", "assert_return":
		return s.assertReturn(c)
	case "assert_trap", "assert_exhaustion":
		return s.assertTrap(c)
	case "assert_malformed", "assert_invalid":
		return s.assertRefused(c, bin)
	case "assert_unlinkable", "assert_uninstantiable":
		_, err := s.instantiate(bin, "")
		if errors.Is(err, errInvalid) {
			return err
		}
		// An active element segment out of bounds: wazero keeps such an instance alive on purpose,
		// since the functions that it wrote to a shared table before stay callable.
		if lenient := kind == "assert_uninstantiable" && c.Text == "out of bounds table access"; (err == nil) != lenient {
			return fmt.Errorf("instantiated: %v", err)
		}
		return nil
	}
	return fmt.Errorf("unknown command")
}

// validSince2 lists the modules that the 1.0 suite calls invalid and 2.0 admits, with what it added.
var validSince2 = map[string]string{
	"func.20.wasm":              "functions of several results",
	"func.21.wasm":              "functions of several results",
	"type.3.wasm":               "function types of several results",
	"type.4.wasm":               "function types of several results",
	"imports.47.wasm":           "several tables",
	"imports.48.wasm":           "several tables",
	"imports.49.wasm":           "several tables",
	"unreached-invalid.87.wasm": "br_table labels that differ in type but not in arity, in unreachable code",
}

// assertRefused holds that the parser refuses bin.
func (s *specRun) assertRefused(c *specCommand, bin []byte) error {
	_, err := module.Parse(bin, wideOpen)
	if reason, ok := validSince2[c.Filename]; ok && s.suite == "v1" {
		if err != nil {
			return fmt.Errorf("%s is refused (%v), though 2.0 has %s", c.Filename, err, reason)
		}
		return nil
	}
	var refused *module.Error
	if errors.As(err, &refused) {
		// A sum of locals over 2**32 is far over the limit, which is looked at first.
		if refused.Kind == module.OverLimit && c.Text != "too many locals" {
			return fmt.Errorf("refused for a limit only: %v", err)
		}
		return nil
	}
	return fmt.Errorf("%s is accepted, the suite says %q", c.Filename, c.Text)
}

func (s *specRun) call(c *specCommand) ([]uint64, api.Function, error) {
	m := s.last
	if c.Action.Module != "" {
		m = s.named[c.Action.Module]
	}
	var args []uint64
	for _, a := range c.Action.Args {
		args = append(args, a.words()...)
	}
	f := m.ExportedFunction(c.Action.Field)
	if f == nil {
		return nil, nil, fmt.Errorf("no function %q", c.Action.Field)
	}
	// The suites go on with instances that trapped, which a host of real guests must not: what the
	// frames that were cut off had taken from the stack is not given back.
	stack, hasStack := m.ExportedGlobal(meter.StackExport).(api.MutableGlobal)
	before := uint64(0)
	if hasStack {
		before = stack.Get()
	}
	results, err := f.Call(context.Background(), args...)
	if hasStack {
		if after := stack.Get(); err == nil && after != before {
			return nil, nil, fmt.Errorf("%s: %d bytes of stack are missing after it", c.Action.Field, before-after)
		}
		stack.Set(before)
	}
	return slices.Clone(results), f, err
}

func (s *specRun) assertReturn(c *specCommand) error {
	if c.Action.Type == "get" {
		m := s.last
		if c.Action.Module != "" {
			m = s.named[c.Action.Module]
		}
		return c.Expected[0].matches([]uint64{m.ExportedGlobal(c.Action.Field).Get()})
	}
	results, _, err := s.call(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Action.Field, err)
	}
	for i, want := range c.Expected {
		n := want.width()
		if len(results) < n {
			return fmt.Errorf("%s: result %d is missing", c.Action.Field, i)
		}
		if err := want.matches(results[:n]); err != nil {
			return fmt.Errorf("%s: result %d: %w", c.Action.Field, i, err)
		}
		results = results[n:]
	}
	if len(c.Expected) > 0 && len(results) > 0 {
		return fmt.Errorf("%s: %d results too many", c.Action.Field, len(results))
	}
	return nil
}

// trapText is what wazero calls the traps of the suites.
var trapText = map[string]string{
	"out of bounds memory access":   "out of bounds memory access",
	"indirect call type mismatch":   "indirect call type mismatch",
	"indirect call":                 "indirect call type mismatch",
	"undefined element":             "invalid table access",
	"undefined":                     "invalid table access",
	"out of bounds table access":    "invalid table access",
	"integer overflow":              "integer overflow",
	"invalid conversion to integer": "invalid conversion to integer",
	"integer divide by zero":        "integer divide by zero",
	"unreachable":                   "unreachable",
	"call stack exhausted":          "stack overflow",
	"uninitialized":                 "invalid table access",
	"uninitialized element":         "invalid table access",
	"uninitialized element 2":       "invalid table access",
	"null function":                 "invalid table access",
}

func (s *specRun) assertTrap(c *specCommand) error {
	_, _, err := s.call(c)
	want := trapText[strings.TrimRight(c.Text, " 0123456789")]
	switch {
	case err == nil:
		return fmt.Errorf("%s: no trap, want %q", c.Action.Field, c.Text)
	case want == "":
		return fmt.Errorf("%s: the suite's trap %q is unknown here, got %v", c.Action.Field, c.Text, err)
	case s.metered && c.Type == "assert_exhaustion":
		// The interpreter stops at 2,000 calls by itself, which may come before the meter's limit.
		if !errors.Is(err, errStack) && (s.compiled || !strings.Contains(err.Error(), want)) {
			return fmt.Errorf("%s: want the stack's end, got %v", c.Action.Field, err)
		}
	case !strings.Contains(err.Error(), want):
		return fmt.Errorf("%s: want %q, got %v", c.Action.Field, want, err)
	}
	return nil
}
