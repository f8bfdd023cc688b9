// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// accumulators encodes rows of mean's accumulator.
func accumulators(number uint32, n int, origin []uint32) []byte {
	p := &batch.Pool{}
	acc := abi.Field{Name: "accumulator", Type: abi.Struct, Children: []abi.Field{{Name: "sum", Type: abi.Float64}, {Name: "count", Type: abi.Int64}}}
	b := p.NewBuilder(&abi.Schema{Fields: []abi.Field{acc}})
	for range n {
		b.Column(0).Child(0).AppendFloat64(1)
		b.Column(0).Child(1).AppendInt64(1)
		b.Column(0).EndStruct()
		b.EndRow()
	}
	return encode(number, b.Finish(), origin)
}

// means encodes rows of mean's output.
func means(n int, origin []uint32) []byte {
	p := &batch.Pool{}
	b := p.NewBuilder(&abi.Schema{Fields: []abi.Field{{Name: "mean", Type: abi.Float64}, {Name: "count", Type: abi.Int64}}})
	for range n {
		b.Column(0).AppendFloat64(1)
		b.Column(1).AppendInt64(1)
		b.EndRow()
	}
	return encode(0, b.Finish(), origin)
}

func encode(number uint32, b *batch.Batch, origin []uint32) []byte {
	m := batch.Message{Number: number, Batch: b, Origin: origin}
	out := make([]byte, m.Size()+8)
	return out[:m.Encode(out)]
}

// steps makes an aggregate that emits, in each step, the message of that step: none where it is nil.
func steps(t *testing.T, add, merge, result []byte) *assembly {
	a := operatorModule(t)
	var body []byte
	for step, m := range [][]byte{add, merge, result} {
		if m == nil {
			continue
		}
		at := uint32(messageAt + 4096*step)
		a.holds(at, m)
		body = append(body, code(local(0), i32(int64(step)), 0x46, opIf, empty,
			i32(int64(at)), i32(int64(len(m))), call(emitIndex), opEnd)...)
	}
	return a.does(aggregateIndex, body, i32(0))
}

func TestAnAggregateThatLiesIsToldWhatIsWrong(t *testing.T) {
	good, merged := accumulators(abi.SchemaAccumulator, 1, nil), accumulators(abi.SchemaAccumulator, 1, nil)
	// A batch of three rows in two slots; row by row it is one slot each.
	two := accumulators(abi.SchemaAccumulator, 2, nil)
	for name, test := range map[string]struct {
		a    *assembly
		want string
	}{
		"emits nothing":                {steps(t, nil, nil, nil), "it emitted 0 batches in a step of an aggregate"},
		"too many accumulators":        {steps(t, accumulators(abi.SchemaAccumulator, 9, nil), nil, nil), "it emitted 9 accumulators for 1"},
		"accumulators out of order":    {steps(t, accumulators(abi.SchemaAccumulator, 1, []uint32{0}), nil, nil), "accumulators come back in the order"},
		"results for accumulators":     {steps(t, means(1, nil), nil, nil), "schema 0, which was never agreed"},
		"accumulators of another kind": {steps(t, encode(abi.SchemaAccumulator, oneRow(&batch.Pool{}, []abi.Field{{Name: "n", Type: abi.Int64}}), nil), nil, nil), "accumulator"},
		"merges into too many":         {steps(t, two, two, nil), "it emitted 2 accumulators for 1"},
		"merges into nothing":          {steps(t, two, nil, nil), "it emitted 0 batches"},
		"too few results":              {steps(t, two, merged, means(1, nil)), "it emitted 1 results for 2 accumulators"},
		"one result twice":             {steps(t, two, merged, means(2, []uint32{1, 1})), "a result of accumulator 1 of 2 twice"},
		"a result of nothing":          {steps(t, two, merged, means(2, []uint32{0, 5})), "a result of accumulator 5 of 2"},
		"results that are not there":   {steps(t, two, merged, good), "schema 65536, which was never agreed"},
	} {
		t.Run(name, func(t *testing.T) { attack(t, test.a.bytes(), meanOperator, test.want) })
	}
	t.Run("none", func(t *testing.T) {
		if text := attack(t, steps(t, two, merged, means(2, []uint32{1, 0})).bytes(), meanOperator).String(); text != "" {
			t.Errorf("it failed: %s", text)
		}
	})
}
