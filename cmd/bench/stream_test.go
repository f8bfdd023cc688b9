// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math/rand/v2"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// rowsPerBatch is the size at which a batch still lies in the cache.
const rowsPerBatch = 1024

// cities are the strings of filter's input; wanted is one of them, of the same length as another.
var cities = []string{"Amsterdam", "São Paulo", "Barcelona", "Rome"}

func numbers(names ...string) *abi.Schema {
	s := &abi.Schema{}
	for _, name := range names {
		s.Fields = append(s.Fields, abi.Field{Name: name, Type: abi.Int64})
	}
	return s
}

// inputOf returns a schema that has the columns of an operator.
func inputOf(name string) *abi.Schema {
	s := numbers("a", "b", "c", "d")
	if name == "filter" {
		s.Fields = append(s.Fields[:1:1], abi.Field{Name: "s", Type: abi.String})
	}
	return s
}

// stream returns a batch with times and positions, as a source makes it.
func stream(pool *batch.Pool, schema *abi.Schema) *batch.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	b := pool.NewBuilder(schema)
	for row := range rowsPerBatch {
		for i := range schema.Fields {
			if schema.Fields[i].Type == abi.String {
				b.Column(i).AppendString(cities[r.IntN(len(cities))])
			} else {
				b.Column(i).AppendInt64(r.Int64())
			}
		}
		b.AppendTime(abi.EventTime(row))
		b.AppendPosition(batch.At(0, int64(row)))
		b.EndRow()
	}
	return b.Finish()
}
