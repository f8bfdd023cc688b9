// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package task

import (
	"errors"
	"testing"

	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/exchange"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// BenchmarkDeadLetter makes dead letters of rows and puts them into an inbox, one after the other.
func BenchmarkDeadLetter(b *testing.B) {
	pool := &batch.Pool{}
	f := failures(pool, operator.PolicyDeadLetter)
	in := rows(pool, row{n: 1}, row{n: 2})
	inbox := exchange.NewInbox(1)
	reason := errors.New("it is odd")
	b.ReportAllocs()
	for b.Loop() {
		letter, err := f.Row(in, 1, reason)
		if err != nil {
			b.Fatal(err)
		}
		if err := inbox.Put(b.Context(), 0, exchange.Element{Batch: letter}); err != nil {
			b.Fatal(err)
		}
		inbox.Drain()
	}
}
