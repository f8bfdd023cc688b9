// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// TestInsertsOnlyStayInsertsOnly: an inner or semi join of such inputs can go to a sink that takes
// no updates.
func TestInsertsOnlyStayInsertsOnly(t *testing.T) {
	for _, typ := range types {
		s := regular(typ, 0)
		s.Inputs[0].Changes, s.Inputs[1].Changes = false, false
		if want := typ != Inner && typ != Semi; s.Changes() != want {
			t.Errorf("results of a %v join of inserts are a changelog: %v", typ, s.Changes())
		}
		s.Inputs[InputRight].Changes = true
		if !s.Changes() {
			t.Errorf("results of a %v join of a changelog are none", typ)
		}
	}
	b := open(t, within(Inner, 0, 1))
	if err := b.give(InputLeft, row{Kind: batch.Delete, Values: left(1, "k", 0).Values}); err == nil {
		t.Error("an interval join took a deletion")
	}
}

func TestColumnsOfTheResults(t *testing.T) {
	for _, tc := range []struct{ spec, want string }{
		{"inner", "{id: int64, key: string, note: string, right_key: string, right_id: int64}"},
		{"prefix", "{id: int64, key: string, note: string, r_key: string, r_id: int64}"},
		{"anti", "{id: int64, key: string, note: string}"},
		{"window", "{id: int64, key: string, note: string, right_key: string, right_id: int64, window_start: timestamp, window_end: timestamp}"},
		{"window of windows", "{key: string, window_start: timestamp, right_key: string, id: int64, window_end: timestamp}"},
		{"clash", `two columns "right_id"`},
	} {
		s := regular(Inner, 0)
		switch tc.spec {
		case "prefix":
			s.Prefix = "r_"
		case "anti":
			s.Type = Anti
		case "window":
			s = windows(Left, 5, 5)
		case "window of windows":
			s = windows(Left, 5, 5)
			s.Inputs[0] = Input{Schema: &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "window_start", Type: abi.Timestamp}}}, Key: []int{0}}
		case "clash":
			s.Inputs[1].Schema = &abi.Schema{Fields: append(slices.Clone(rightSchema.Fields), abi.Field{Name: "right_id", Type: abi.Bool})}
		}
		schema, err := s.Output()
		if err == nil && schema.String() != tc.want || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v; want %s", tc.spec, schema, err, tc.want)
		}
	}
}

func TestSpecSaysWhatIsNotPossible(t *testing.T) {
	two := regular(Inner, 0)
	two.Temporal = true
	types := regular(Inner, 0)
	types.Inputs[1].Key = []int{1}
	keyless := regular(Inner, 0)
	keyless.Inputs[1].Key = nil
	changes := within(Inner, 0, 1)
	changes.Inputs[1].Changes = true
	old := temporal(Inner)
	old.Inputs[0].Changes = true
	for want, s := range map[string]Spec{
		"one of window, interval, temporal and regular": spec(Inner),
		"is one of window": two,
		`"key" is of type string and "id" of type int64`:            types,
		"key of 1 columns and the right ones of 0":                  keyless,
		"the right rows are a changelog":                            changes,
		"the left rows are a changelog":                             old,
		"a temporal join is inner or left, not full":                temporal(Full),
		"no join type number 9":                                     regular(Type(9), 0),
		"ttl is -1s; it can be 0s to":                               regular(Inner, -time.Second),
		"from 5µs to 4µs":                                           within(Inner, 5, 4),
		"to is 2562047h":                                            {Inputs: spec(Inner).Inputs, Interval: &Interval{To: math.MaxInt64}},
		"the size of the window is 0s":                              windows(Inner, 0, 0),
		"slides by 3µs and has a size of 2µs":                       windows(Inner, 2, 3),
		"its offset is 1ns; it can be -2190000h0m0s to 2190000h0m0": {Inputs: spec(Inner).Inputs, Window: &Window{Size: time.Second, Offset: 1}},
	} {
		if _, err := s.Output(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, should be %q", err, want)
		}
	}
}

func TestTypesAreReadByName(t *testing.T) {
	for _, name := range TypeNames() {
		var typ Type
		if err := typ.UnmarshalText([]byte(name)); err != nil || typ.String() != name {
			t.Errorf("%s is read as %v, %v", name, typ, err)
		}
	}
	var typ Type
	if err := typ.UnmarshalText([]byte("outer")); err == nil {
		t.Errorf("outer is read as %v", typ)
	}
	if got := fmt.Sprint(Type(77)); got != "type(77)" {
		t.Errorf("an unknown type is %s", got)
	}
}
