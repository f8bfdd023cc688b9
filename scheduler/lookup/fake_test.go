// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The stream, the keys and the table of the tests. Key k has k%3 rows in the table, of the names "k.0",
// "k.1".
var (
	input = &abi.Schema{Fields: []abi.Field{{Name: "n", Type: abi.Int64}, {Name: "key", Type: abi.Int64}}}
	keys  = &abi.Schema{Fields: []abi.Field{{Name: "id", Type: abi.Int64}}}
	known = &abi.Schema{Fields: []abi.Field{{Name: "id", Type: abi.Int64}, {Name: "name", Type: abi.String}}}
)

func matches(key int64) (names []string) {
	for i := range key % 3 {
		names = append(names, fmt.Sprintf("%d.%d", key, i))
	}
	return names
}

// far is a table that takes its time: behaviour says what comes of the key that a request begins with.
type far struct {
	pool      *batch.Pool
	behaviour func(ctx context.Context, first int64, attempt int) error
	refused   func(key int64) error // of single keys

	mu       sync.Mutex
	attempts map[int64]int
	flying   int
	most     int   // in flight at a time
	asked    []int // keys of each request
	opened   int
}

func (f *far) Open(context.Context) error  { f.opened++; return nil }
func (f *far) Close(context.Context) error { f.opened--; return nil }

func (f *far) Get(ctx context.Context, b *batch.Batch) (*operator.Answer, error) {
	first := b.Columns[0].Int64s()[0]
	f.mu.Lock()
	if f.attempts == nil {
		f.attempts = map[int64]int{}
	}
	attempt := f.attempts[first]
	f.attempts[first]++
	f.flying++
	f.most = max(f.most, f.flying)
	f.asked = append(f.asked, b.Rows())
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.flying--
		f.mu.Unlock()
	}()
	if f.behaviour != nil {
		if err := f.behaviour(ctx, first, attempt); err != nil {
			return nil, err
		}
	}
	a, rows := &operator.Answer{}, f.pool.NewBuilder(known)
	for n, key := range b.Columns[0].Int64s() {
		if f.refused != nil {
			if err := f.refused(key); err != nil {
				a.Failed = append(a.Failed, operator.FailedKey{Row: n, Reason: err})
				continue
			}
		}
		for _, name := range matches(key) {
			rows.Column(0).AppendInt64(key)
			rows.Column(1).AppendString(name)
			rows.EndRow()
			a.Origin = append(a.Origin, uint32(n))
		}
	}
	a.Rows = rows.Finish()
	return a, nil
}

// after waits, unless ctx is done before.
func after(ctx context.Context, t time.Duration) error { return sleep(ctx, t) }

// near is a bounded source of a table's rows.
type near struct {
	operator.Source
	rows  func() [][2]any // id, name
	fails func() error    // of reading
}

func (s *near) Schema() *abi.Schema { return known }
func (s *near) Bounded() bool       { return true }

func (s *near) Splits(context.Context) ([]operator.Split, error) {
	return []operator.Split{{Name: "table.csv", Unit: "line"}}, nil
}

func (s *near) Read(_ context.Context, _ operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	return &reader{source: s, opts: opts, rest: s.rows()}, nil
}

type reader struct {
	source *near
	opts   operator.ReadOptions
	rest   [][2]any
}

func (r *reader) Next(context.Context) (*batch.Batch, error) {
	if r.source.fails != nil {
		if err := r.source.fails(); err != nil {
			return nil, r.opts.Reject([]byte("x"), batch.At(0, 7), err)
		}
	}
	if len(r.rest) == 0 {
		return nil, io.EOF
	}
	b := r.opts.Pool.NewBuilder(known)
	for _, row := range r.rest[:min(3, len(r.rest))] {
		if id, ok := row[0].(int64); ok {
			b.Column(0).AppendInt64(id)
		} else {
			b.Column(0).AppendNull()
		}
		b.Column(1).AppendString(row[1].(string))
		b.AppendPosition(batch.At(0, 1))
		b.EndRow()
	}
	r.rest = r.rest[min(3, len(r.rest)):]
	return b.Finish(), nil
}

func (r *reader) Close() error { return nil }

var errBroken = errors.New("it is broken")
