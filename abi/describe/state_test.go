// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package describe_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/fbs"
	"github.com/wasmill/wasmill/abi/internal/relay"
)

// process returns a module of a process with a state of each kind, a new one each time.
func process() *describe.Module {
	id := func() []abi.Field { return []abi.Field{{Name: "id", Type: abi.Int64, Required: true}} }
	field := func(name string, typ abi.Type) []abi.Field { return []abi.Field{{Name: name, Type: typ}} }
	list := abi.Field{Name: "l", Type: abi.List, Children: field("item", abi.Int64)}
	return &describe.Module{ABI: 1, Operators: []describe.Operator{{
		Name: "p", Kind: describe.Process, Key: id(),
		Inputs:  []describe.Port{{Name: "a", Fields: append(id(), list)}, {Name: "b", Fields: id()}, {Name: "rules", Fields: field("r", abi.String), Broadcast: true}},
		Outputs: []describe.Port{{Fields: id(), Time: true}},
		States: []describe.State{
			{Name: "value", Kind: describe.Value, Doc: "the last", Fields: append(field("s", abi.String), list),
				TTL: describe.TTL{After: time.Hour, Renew: describe.RenewReadAndWrite, EventTime: true}},
			{Name: "list", Kind: describe.List, Fields: field("t", abi.Timestamp), Scope: describe.ScopeOperator},
			{Name: "map", Kind: describe.MapState, Key: append(field("k", abi.String), field("n", abi.Float64)...), Fields: field("v", abi.Bool), Scope: describe.ScopeBroadcast},
			{Name: "reducing", Kind: describe.Reducing, Merge: []describe.Merge{describe.MergeAdd, describe.MergeMin, describe.MergeAppend, describe.MergeAppend},
				Fields: append(append(append(field("sum", abi.Float64), field("least", abi.Bytes)...), field("text", abi.String)...), list),
				TTL:    describe.TTL{After: time.Microsecond, Renew: describe.RenewWrite}},
		}}}}
}

func TestParseReadsStates(t *testing.T) {
	got, err := describe.Parse(relay.Module(process()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(process(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, f := range got.Operators[0].States[2].StoredFields() {
		names = append(names, f.Name)
	}
	if s := strings.Join(names, " "); s != "k n v" {
		t.Errorf("a batch of the map's rows has the columns %s, should have k n v", s)
	}
}

func TestParseSaysWhatIsWrongWithAProcess(t *testing.T) {
	n := abi.Field{Name: "n", Type: abi.Int64}
	for want, change := range map[string]func(op *describe.Operator, value, list, mapped, reducing *describe.State){
		`a process has one or two keyed inputs and at least one output, not 0 and 1`: func(op *describe.Operator, _, _, _, _ *describe.State) { op.Inputs = op.Inputs[2:] },
		`a process has one or two keyed inputs and at least one output, not 3 and 1`: func(op *describe.Operator, _, _, _, _ *describe.State) {
			op.Inputs[2] = describe.Port{Name: "c", Fields: op.Inputs[0].Fields}
		},
		`a process has one or two keyed inputs and at least one output, not 2 and 0`: func(op *describe.Operator, _, _, _, _ *describe.State) { op.Outputs = nil },
		`input 1: it lacks the key's field "id"`:                                     func(op *describe.Operator, _, _, _, _ *describe.State) { op.Inputs[1].Fields[0].Name = "no" },
		`input 1: field "id" is of type string, in the key of type int64`:            func(op *describe.Operator, _, _, _, _ *describe.State) { op.Inputs[1].Fields[0].Type = abi.String },
		`key: column "id" is there twice`:                                            func(op *describe.Operator, _, _, _, _ *describe.State) { op.Key = append(op.Key, op.Key[0]) },
		`state 1: its name "value" is used twice`:                                    func(_ *describe.Operator, _, s, _, _ *describe.State) { s.Name = "value" },
		`state 0 "": it has no name`:                                                 func(_ *describe.Operator, s, _, _, _ *describe.State) { s.Name = "" },
		`state 0 "value": its kind 5 is none that this version knows`:                func(_ *describe.Operator, s, _, _, _ *describe.State) { s.Kind = 5 },
		`state 0 "value": its scope 3 is none that this version knows`:               func(_ *describe.Operator, s, _, _, _ *describe.State) { s.Scope = 3 },
		`state 0 "value": its renew 3 is none that this version knows`:               func(_ *describe.Operator, s, _, _, _ *describe.State) { s.TTL.Renew = 3 },
		`state "value": its time to live is -1 us; it can be 0 to 9223372036854775`:  func(_ *describe.Operator, s, _, _, _ *describe.State) { s.TTL.After = -time.Microsecond },
		`state 0 "value": a map has key fields, any other state has none`:            func(_ *describe.Operator, s, _, _, _ *describe.State) { s.Key = []abi.Field{n} },
		`state 2 "map": a map has key fields, any other state has none`:              func(_ *describe.Operator, _, _, s, _ *describe.State) { s.Key = nil },
		`state 2 "map": column "v" is there twice`:                                   func(_ *describe.Operator, _, _, s, _ *describe.State) { s.Key[0].Name = "v" },
		`state 2 "map": key field "k" is of type list<int64>; a map's key can't be a list or a struct`: func(_ *describe.Operator, _, _, s, _ *describe.State) {
			s.Key[0] = abi.Field{Name: "k", Type: abi.List, Children: []abi.Field{n}}
		},
		`state 1 "list": a list state merges nothing`:                                  func(_ *describe.Operator, _, s, _, _ *describe.State) { s.Merge = []describe.Merge{describe.MergeAdd} },
		`state 3 "reducing": it has 4 fields and says of 3 how they are merged`:        func(_ *describe.Operator, _, _, _, s *describe.State) { s.Merge = s.Merge[:3] },
		`state 3 "reducing": field "sum": its merge 5 is none that this version knows`: func(_ *describe.Operator, _, _, _, s *describe.State) { s.Merge[0] = 5 },
		`state 3 "reducing": field "least" of type bytes can't be merged so`:           func(_ *describe.Operator, _, _, _, s *describe.State) { s.Merge[1] = describe.MergeAdd },
		`state 3 "reducing": field "sum" of type float64 can't be merged so`:           func(_ *describe.Operator, _, _, _, s *describe.State) { s.Merge[0] = describe.MergeAppend },
		`state 3 "reducing": field "l" of type list<int64> can't be merged so`:         func(_ *describe.Operator, _, _, _, s *describe.State) { s.Merge[3] = describe.MergeMax },
		`a map has no key and no states`:                                               func(op *describe.Operator, _, _, _, _ *describe.State) { op.Kind = describe.Map },
		`input 2: a map has no broadcast inputs`: func(op *describe.Operator, _, _, _, _ *describe.State) {
			op.Kind, op.Key, op.States = describe.Map, nil, nil
		},
	} {
		m := process()
		op := &m.Operators[0]
		change(op, &op.States[0], &op.States[1], &op.States[2], &op.States[3])
		_, err := describe.Parse(relay.Module(m))
		if err == nil || !strings.HasPrefix(err.Error(), `description: operator 1 "p": `) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("\n got %v\nwant description: operator 1 \"p\": %s", err, want)
		}
	}
}

func TestTheEnumsOfStatesAreThoseOfTheFlatBuffersSchema(t *testing.T) {
	for number, name := range fbs.EnumNamesStateKind {
		if got := describe.StateKind(number).String(); got != strings.ToLower(name) {
			t.Errorf("kind %d of state is %s in wasmill.fbs, %s here", number, name, got)
		}
	}
	if got := describe.StateKind(len(fbs.EnumNamesStateKind) + 1).String(); got != "kind(5)" {
		t.Errorf("one more kind of state is %s", got)
	}
	for name, pair := range map[string][2]uint8{
		"Key": {uint8(fbs.ScopeKey), uint8(describe.ScopeKey)}, "Operator": {uint8(fbs.ScopeOperator), uint8(describe.ScopeOperator)}, "Broadcast": {uint8(fbs.ScopeBroadcast), uint8(describe.ScopeBroadcast)},
		"Add": {uint8(fbs.MergeAdd), uint8(describe.MergeAdd)}, "Min": {uint8(fbs.MergeMin), uint8(describe.MergeMin)}, "Max": {uint8(fbs.MergeMax), uint8(describe.MergeMax)}, "Append": {uint8(fbs.MergeAppend), uint8(describe.MergeAppend)},
		"Create": {uint8(fbs.RenewCreate), uint8(describe.RenewCreate)}, "Write": {uint8(fbs.RenewWrite), uint8(describe.RenewWrite)}, "ReadAndWrite": {uint8(fbs.RenewReadAndWrite), uint8(describe.RenewReadAndWrite)},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s is %d in wasmill.fbs, %d here", name, pair[0], pair[1])
		}
	}
}
