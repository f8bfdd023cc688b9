// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package describe_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/fbs"
	"github.com/wasmill/wasmill/abi/internal/relay"
)

// valid returns a module of a map and an aggregate, a new one each time.
func valid() *describe.Module {
	n := func() []abi.Field { return []abi.Field{{Name: "n", Type: abi.Int64, Required: true, Doc: "a number"}} }
	return &describe.Module{ABI: 1, SDK: "test 1", Operators: []describe.Operator{
		{Name: "m", Kind: describe.Map, Doc: "maps", Inputs: []describe.Port{{Fields: n(), Time: true}},
			Outputs:  []describe.Port{{Fields: n(), Forward: true, Time: true}, {Name: "side", Fields: n()}},
			Config:   []abi.Field{{Name: "d", Type: abi.Decimal, Scale: 2, Default: "1.50"}, {Name: "l", Type: abi.List, Children: []abi.Field{{Name: "item", Type: abi.String}}}},
			Counters: []string{"a", "b"}},
		{Name: "a", Kind: describe.Aggregate, Inputs: []describe.Port{{Name: "in", Fields: n()}}, Outputs: []describe.Port{{Fields: n()}},
			Accumulator: &abi.Field{Name: "accumulator", Type: abi.Struct, Children: n()}},
	}}
}

func TestParseReadsWhatGeneratedCodeWrote(t *testing.T) {
	got, err := describe.Parse(relay.Module(valid()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(valid(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	if n, op := got.Operator("a"); n != 1 || op.Kind != describe.Aggregate {
		t.Errorf("operator a is number %d", n)
	}
	if n, op := got.Operator("b"); n != -1 || op != nil {
		t.Errorf("operator b is number %d", n)
	}
}

func TestParseNamesAnAccumulatorThatHasNoName(t *testing.T) {
	m := valid()
	m.Operators[1].Accumulator.Name = ""
	got, err := describe.Parse(relay.Module(m))
	if err != nil || got.Operators[1].Accumulator.Name != "accumulator" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheKindsAreThoseOfTheFlatBuffersSchema(t *testing.T) {
	for number, name := range fbs.EnumNamesKind {
		if got := describe.Kind(number).String(); got != strings.ToLower(name) {
			t.Errorf("kind %d is %s in wasmill.fbs, %s here", number, name, got)
		}
	}
	if got := describe.Kind(len(fbs.EnumNamesKind) + 1).String(); got != "kind(7)" {
		t.Errorf("one more kind is %s", got)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for want, change := range map[string]func(m *describe.Module, mapper, agg *describe.Operator){
		`the module holds no operator`:                                             func(m *describe.Module, _, _ *describe.Operator) { m.Operators = nil },
		`operator 1 "": it has no name`:                                            func(_ *describe.Module, op, _ *describe.Operator) { op.Name = "" },
		`operator "m" is there twice, as number 1 and 2`:                           func(_ *describe.Module, _, op *describe.Operator) { op.Name = "m" },
		`operator 1 "m": its kind 7 is none that this version knows`:               func(_ *describe.Module, op, _ *describe.Operator) { op.Kind = 7 },
		`operator 1 "m": a map has one input and at least one output, not 0 and 2`: func(_ *describe.Module, op, _ *describe.Operator) { op.Inputs = nil },
		`operator 1 "m": a map has one input and at least one output, not 1 and 0`: func(_ *describe.Module, op, _ *describe.Operator) { op.Outputs = nil },
		`operator 1 "m": output 1: it has no name; only the first may have none`:   func(_ *describe.Module, op, _ *describe.Operator) { op.Outputs[1].Name = "" },
		`operator 1 "m": output 1: its name "side" is used twice`:                  func(_ *describe.Module, op, _ *describe.Operator) { op.Outputs[0].Name = "side" },
		`operator 1 "m": input 0: column "n": unknown type 0`:                      func(_ *describe.Module, op, _ *describe.Operator) { op.Inputs[0].Fields[0].Type = 0 },
		`operator 1 "m": configuration: column "l" is there twice`:                 func(_ *describe.Module, op, _ *describe.Operator) { op.Config[0].Name = "l" },
		`operator 1 "m": configuration: field "l" has the type list<bytes>; a pipeline can give bool, int32, int64, float64, decimal, string, timestamp and lists of these`: func(_ *describe.Module, op, _ *describe.Operator) {
			op.Config[1].Children[0].Type = abi.Bytes
		},
		`operator 1 "m": a map has no accumulator`:                                 func(_ *describe.Module, op, agg *describe.Operator) { op.Accumulator = agg.Accumulator },
		`operator 1 "m": counter 1 has the name "a", which is empty or used twice`: func(_ *describe.Module, op, _ *describe.Operator) { op.Counters[1] = "a" },
		`operator 1 "m": a string has 129 bytes; 128 are allowed`: func(_ *describe.Module, op, _ *describe.Operator) {
			op.Inputs[0].Fields[0].Name = strings.Repeat("n", 129)
		},
		`operator 2 "a": an aggregate declares its accumulator`:                                           func(_ *describe.Module, _, op *describe.Operator) { op.Accumulator = nil },
		`operator 2 "a": an aggregate has one input and one output, not 1 and 2`:                          func(_ *describe.Module, op, agg *describe.Operator) { agg.Outputs = op.Outputs },
		`operator 2 "a": an aggregate's output neither forwards columns nor has an event time of its own`: func(_ *describe.Module, _, op *describe.Operator) { op.Outputs[0].Time = true },
		`operator 2 "a": accumulator: column "accumulator": a struct has at least one field`:              func(_ *describe.Module, _, op *describe.Operator) { op.Accumulator.Children = nil },
	} {
		m := valid()
		change(m, &m.Operators[0], &m.Operators[1])
		if _, err := describe.Parse(relay.Module(m)); err == nil || err.Error() != "description: "+want {
			t.Errorf("\n got %v\nwant description: %s", err, want)
		}
	}
}

func TestParseRefusesBytesThatAreNoDescription(t *testing.T) {
	good := relay.Module(valid())
	for n := range len(good) - 3 { // the last bytes end a string that is read by its length
		if _, err := describe.Parse(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken", n, len(good))
		}
	}
	if _, err := describe.Parse(make([]byte, abi.MaxDescribe+1)); err == nil || err.Error() != "description: it has 1048577 bytes; 1048576 are allowed" {
		t.Error(err)
	}
}

// laughs writes few tables that name each other often: operators whose ports all have the same
// fields, each with the same long documentation and, where nested, the same children again.
func laughs(operators, fields, depth int) []byte {
	b := flatbuffers.NewBuilder(0)
	doc, name := b.CreateString(strings.Repeat("ha", abi.MaxDoc/2)), b.CreateString("n")
	var vector flatbuffers.UOffsetT
	for level := range depth {
		fbs.FieldStart(b)
		fbs.FieldAddName(b, name)
		fbs.FieldAddDoc(b, doc)
		fbs.FieldAddType(b, fbs.TypeInt64)
		if level > 0 {
			fbs.FieldAddType(b, fbs.TypeStruct)
			fbs.FieldAddChildren(b, vector)
		}
		field := fbs.FieldEnd(b)
		tables := make([]flatbuffers.UOffsetT, fields)
		for i := range tables {
			tables[i] = field
		}
		vector = b.CreateVectorOfTables(tables)
	}
	var ops []flatbuffers.UOffsetT
	for i := range operators {
		own := b.CreateString(strings.Repeat("o", 1+i%100) + strings.Repeat("p", i/100))
		fbs.PortStart(b)
		fbs.PortAddFields(b, vector)
		port := b.CreateVectorOfTables([]flatbuffers.UOffsetT{fbs.PortEnd(b)})
		fbs.OperatorStart(b)
		fbs.OperatorAddName(b, own)
		fbs.OperatorAddInputs(b, port)
		fbs.OperatorAddOutputs(b, port)
		ops = append(ops, fbs.OperatorEnd(b))
	}
	list := b.CreateVectorOfTables(ops)
	fbs.ModuleStart(b)
	fbs.ModuleAddOperators(b, list)
	b.Finish(fbs.ModuleEnd(b))
	return b.FinishedBytes()
}

func TestSharedTablesDoNotMultiply(t *testing.T) {
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"wide":          {laughs(1, 1000, 1), `operator 1 "o": it names more than 1048576 bytes, shared ones counted each time`},
		"nested":        {laughs(1, 2, 8), `operator 1 "o": it names more than 1048576 bytes, shared ones counted each time`},
		"too deep":      {laughs(1, 1, 9), `operator 1 "o": types are nested more than 8 deep`},
		"a long vector": {laughs(1, 1025, 1), `operator 1 "o": a vector has 1025 entries; 1024 are allowed`},
		"operators":     {laughs(256, 1, 1), `operator 126 "` + strings.Repeat("o", 26) + `p": it names more than 1048576 bytes, shared ones counted each time`},
		"257 operators": {laughs(257, 0, 1), `a vector has 257 entries; 256 are allowed`},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := describe.Parse(test.data)
		runtime.ReadMemStats(&after)
		if err == nil || err.Error() != "description: "+test.want {
			t.Errorf("%s, of %d bytes:\n got %v\nwant description: %s", name, len(test.data), err, test.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
			t.Errorf("%s: %d bytes became %d", name, len(test.data), n)
		}
	}
}

func FuzzParseDescription(f *testing.F) {
	golden, err := os.ReadFile("../testdata/describe-conformance.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(relay.Module(valid()))
	f.Add(relay.Module(process()))
	f.Add(laughs(1, 2, 8))
	f.Add(laughs(3, 2, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := describe.Parse(data)
		if err != nil {
			return
		}
		again, err := describe.Parse(relay.Module(m))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, again, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
