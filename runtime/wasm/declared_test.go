// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

func columns(t *testing.T, text string) []abi.Field {
	t.Helper()
	f, err := abi.ParseType("struct<" + text + ">")
	if err != nil {
		t.Fatal(err)
	}
	return f.Children
}

// written returns the context of a job whose operator has kept those states.
func written(t *testing.T, op *describe.Operator, key []abi.Field) *operator.Context {
	t.Helper()
	c := &operator.Context{State: memory.New(state.Groups{To: 8}), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if _, err := declare(c, op, key); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStateThatIsDeclaredOtherwiseThanItWasWrittenIsRefusedWithWhatDiffers(t *testing.T) {
	base := func() *describe.State {
		return &describe.State{Name: "s", Kind: describe.MapState, Key: columns(t, "name: string"), Fields: columns(t, "sum: int64, at: timestamp")}
	}
	for name, test := range map[string]struct {
		change func(s *describe.State)
		want   string
	}{
		"kind":            {func(s *describe.State) { s.Kind, s.Key = describe.Value, nil }, `it was a map and is a value`},
		"scope":           {func(s *describe.State) { s.Scope = describe.ScopeBroadcast }, `it was of a key and is of all subtasks`},
		"a field's type":  {func(s *describe.State) { s.Fields = columns(t, "sum: float64, at: timestamp") }, `its fields were {sum: int64, at: timestamp} and are {sum: float64, at: timestamp}`},
		"a field's name":  {func(s *describe.State) { s.Fields = columns(t, "total: int64, at: timestamp") }, `and are {total: int64, at: timestamp}`},
		"a field less":    {func(s *describe.State) { s.Fields = columns(t, "sum: int64") }, `none can go or change`},
		"a field between": {func(s *describe.State) { s.Fields = columns(t, "sum: int64, n: int64, at: timestamp") }, `fields can be added at the end`},
		"the map's key":   {func(s *describe.State) { s.Key = columns(t, "name: string, n: int32") }, `its key was {name: string} and is {name: string, n: int32}`},
		"a time to live":  {func(s *describe.State) { s.TTL.After = time.Hour }, `it had no time to live and has a time to live in processing time`},
	} {
		t.Run(name, func(t *testing.T) {
			op := &describe.Operator{Name: "op", States: []describe.State{*base()}}
			c := written(t, op, columns(t, "id: int64"))
			changed := base()
			test.change(changed)
			_, err := declare(c, &describe.Operator{Name: "op", States: []describe.State{*changed}}, columns(t, "id: int64"))
			var fault *operator.Error
			if !errors.As(err, &fault) || fault.Fault != operator.FaultConfig || !strings.Contains(err.Error(), `state "s" of operator "op": `) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("declare = %v; want a fault of the configuration that says %q", err, test.want)
			}
		})
	}
}

func TestStateOfAnotherKeyIsRefused(t *testing.T) {
	op := &describe.Operator{Name: "op"}
	c := written(t, op, columns(t, "id: int64"))
	if _, err := declare(c, op, columns(t, "renamed: int64")); err != nil {
		t.Errorf("a key that is only called otherwise is refused: %v", err)
	}
	if _, err := declare(c, op, columns(t, "id: string")); err == nil || !strings.Contains(err.Error(), `the key of operator "op": its key was {1: int64} and is {1: string}`) {
		t.Errorf("declare = %v", err)
	}
}

func TestStatesAreFoundByNameAndMayGrow(t *testing.T) {
	value := func(name, fields string) describe.State {
		return describe.State{Name: name, Kind: describe.Value, Fields: columns(t, fields)}
	}
	key := columns(t, "id: int64")
	c := written(t, &describe.Operator{States: []describe.State{value("a", "n: int64"), value("b", "n: int64"), value("gone", "n: int64")}}, key)
	ids, err := declare(c, &describe.Operator{States: []describe.State{value("new", "x: bool"), value("b", "n: int64, m: string"), value("a", "n: int64")}}, key)
	if err != nil || !slices.Equal(ids, []state.ID{3, 1, 0}) {
		t.Errorf("the states have the numbers %v, %v; want 3, 1, 0", ids, err)
	}
	if _, err := declare(c, &describe.Operator{States: []describe.State{value("b", "n: int64")}}, key); err == nil {
		t.Error("a field that was added and may have values can go again")
	}
}

func FuzzWhatIsNoDescriptionOfAStateIsAnError(f *testing.F) {
	d := declaration{number: 3, kind: 1, key: []abi.Field{{Name: "k", Type: abi.String}}, fields: []abi.Field{{Name: "f", Type: abi.Int64}}}
	f.Add(d.encode())
	f.Add([]byte{0, 1, 2, 3, 4, 0xff, 0xff, 0x01})
	f.Fuzz(func(_ *testing.T, src []byte) {
		if d, err := decodeDeclaration(src); err == nil {
			_ = d.differs(&declaration{})
		}
	})
}
