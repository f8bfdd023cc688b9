// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package join

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

type row = operatortest.Row

// The key of a left row is its second column, that of a right row its first.
var (
	leftSchema = &abi.Schema{Fields: []abi.Field{
		{Name: "id", Type: abi.Int64}, {Name: "key", Type: abi.String}, {Name: "note", Type: abi.String},
	}}
	rightSchema = &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.String}, {Name: "id", Type: abi.Int64}}}
	keyColumns  = [2]int{1, 0}
	widths      = [2]int{3, 2}
)

func spec(typ Type) Spec {
	return Spec{Type: typ, Inputs: [2]Input{{Schema: leftSchema, Key: []int{1}}, {Schema: rightSchema, Key: []int{0}}}}
}

func subject(s Spec) operatortest.Subject {
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: leftSchema, Key: []int{1}}, {Schema: rightSchema, Key: []int{0}}},
		New: func(ctx operator.Context) (operator.Operator, error) {
			return New(ctx, s)
		},
	}
}

// micros is a duration of so many microseconds.
func micros(n int) time.Duration { return time.Duration(n) * time.Microsecond }

var types = []Type{Inner, Left, Right, Full, Semi, Anti}

// The types whose results have left or right rows without a partner, in the oracles' own words.
var (
	keepsLeft  = map[Type]bool{Left: true, Full: true}
	keepsRight = map[Type]bool{Right: true, Full: true}
)

// bench is one subtask whose store can be looked at.
type bench struct {
	testing.TB
	operator.Stateful
	pool     *batch.Pool
	store    state.Store
	now      time.Time
	mark     abi.EventTime
	rows     []row
	largest  int // batch
	failures []string
	counters operator.Counters
}

func open(t testing.TB, s Spec) *bench {
	t.Helper()
	b := &bench{TB: t, pool: &batch.Pool{}, store: memory.New(state.Groups{To: state.DefaultGroups}), now: operatortest.Start, mark: watermark.Min}
	op, err := New(operator.Context{
		Pool: b.pool, State: b.store, Groups: state.DefaultGroups, Watermark: b.mark, Counters: &b.counters, Now: func() time.Time { return b.now },
	}, s)
	if err != nil {
		t.Fatal(err)
	}
	b.Stateful = op
	return b
}

func (b *bench) Emit(_ context.Context, port int, rows *batch.Batch) error {
	defer rows.Release()
	b.largest = max(b.largest, rows.Rows())
	for _, r := range operatortest.RowsOf(rows) {
		if port == PortResults && rows.Times != nil && r.Time < b.mark {
			b.Fatalf("%v comes out after the watermark %d", r, b.mark)
		}
		if port == PortResults {
			b.rows = append(b.rows, r)
		}
	}
	return nil
}

func (b *bench) Fail(_ context.Context, _ *batch.Batch, _ int, reason error) error {
	b.failures = append(b.failures, reason.Error())
	return nil
}

// give gives rows to an input, all in one batch.
func (b *bench) give(input int, rows ...row) error {
	builder := b.pool.NewBuilder([]*abi.Schema{leftSchema, rightSchema}[input])
	for _, r := range rows {
		for i, v := range r.Values {
			switch v := v.(type) {
			case int64:
				builder.Column(i).AppendInt64(v)
			case string:
				builder.Column(i).AppendString(v)
			}
		}
		builder.AppendTime(r.Time)
		builder.AppendKind(r.Kind)
		builder.EndRow()
	}
	in := builder.Finish()
	defer in.Release()
	return b.Process(b.Context(), input, in, b)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// advance advances the watermark. What it lets out may be as old as the one before.
func (b *bench) advance(t abi.EventTime) {
	b.Helper()
	b.must(b.Watermark(b.Context(), t, b))
	b.mark = t
}

// tick moves the clock.
func (b *bench) tick(d time.Duration) {
	b.Helper()
	to := b.now.Add(d)
	c := b.Stateful.(operator.Clocked)
	for at := c.Next(); !at.IsZero() && !at.After(to); at = c.Next() {
		b.now = at
		b.must(c.Tick(b.Context(), at, b))
	}
	b.now = to
}

func (b *bench) want(lines ...string) {
	b.Helper()
	if got := operatortest.Lines(b.rows); !slices.Equal(got, lines) {
		b.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(lines, "\n"))
	}
	b.rows = nil
}

func left(id int, key string, t abi.EventTime) row {
	return operatortest.At(t, int64(id), key, nil)
}

func right(key string, id int, t abi.EventTime) row { return operatortest.At(t, key, int64(id)) }

func within(typ Type, from, to int) Spec {
	s := spec(typ)
	s.Interval = &Interval{micros(from), micros(to)}
	return s
}

func windows(typ Type, size, slide int) Spec {
	s := spec(typ)
	s.Window = &Window{Size: micros(size), Slide: micros(slide)}
	return s
}

func temporal(typ Type) Spec {
	s := spec(typ)
	s.Temporal = true
	return s
}

func regular(typ Type, ttl time.Duration) Spec {
	s := spec(typ)
	s.Regular = &Regular{TTL: ttl}
	s.Inputs[0].Changes, s.Inputs[1].Changes = true, true
	return s
}
