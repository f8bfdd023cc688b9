// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package batch_test

import (
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
)

// The race detector makes sync.Pool forget, so that this holds without it only. A collection
// empties the pool at times: what is allowed is an average below 1.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	p := &batch.Pool{}
	schema := shapes(t)["10xmixed"]
	in := filled(p, schema, benchRows)
	m := batch.Message{Batch: in, Columns: []int{3, 1, 0, 4}, Origin: count(benchRows), Time: true}
	src := make([]byte, m.Size())
	src = src[:m.Encode(src)]
	picked := &abi.Schema{}
	for _, i := range m.Columns {
		picked.Fields = append(picked.Fields, schema.Fields[i])
	}
	byNumber := agreed(picked)
	builder := p.NewBuilder(schema)
	even := count(benchRows / 2)
	empty := p.NewBuilder(picked).Finish()
	absent := edit(encode(&batch.Message{Batch: empty}))
	absent.set(0, atOffsets, 0)
	for name, f := range map[string]func(){
		"Size":              func() { m.Size() },
		"Encode":            func() { m.Encode(src) },
		"Decode":            func() { release(p.Decode(src, byNumber)) },
		"Decode of no rows": func() { release(p.Decode(absent, byNumber)) },
		"build": func() {
			fill(builder, benchRows)
			builder.Finish().Release()
		},
		"Take":    func() { p.Take(in, even).Release() },
		"Compose": func() { p.Compose(picked, in, nil).Release() },
	} {
		if n := testing.AllocsPerRun(200, f); n >= 1 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func release(m batch.Message, err error) {
	if err != nil {
		panic(err)
	}
	m.Batch.Release()
}
