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
	"github.com/wasmill/wasmill/scheduler/table"
)

// MaxTableBytes is the most that a Table may take.
const MaxTableBytes = 1 << 30

// Table is the rows of a bounded source, read whole. All subtasks of a node share it: the first that
// opens reads it, the last that closes frees it.
type Table struct {
	spec TableSpec

	reading sync.Mutex // held while the source is read
	mu      sync.Mutex
	current *content // nil while nobody uses it
	users   int
	readAt  time.Time
}

// TableSpec says what a Table reads.
type TableSpec struct {
	Source  operator.Source // bounded
	Key     []int           // columns of the source; a row in which one is null is left out
	Columns []int           // that are kept, in this order
	Reload  time.Duration   // how often it is read anew, by processing time; 0: never
}

// content is a Table as it was read once. It is immutable.
type content struct {
	rows  *batch.Batch
	keys  table.Table
	first []uint32 // of each key's number its first row
	next  []uint32 // of each row the next one with its key, or none
}

// NewTable returns a table that nobody has read.
func NewTable(spec TableSpec) *Table { return &Table{spec: spec} }

// open adds a user.
func (t *Table) open(ctx context.Context, c *operator.Context) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	if t.current == nil {
		fresh, err := t.read(ctx, c)
		if err != nil {
			return &operator.Error{Fault: operator.FaultEnvironment, Err: fmt.Errorf("reading the table: %w", err)}
		}
		t.swap(fresh, c.Now())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.users++
	return nil
}

// close takes a user away.
func (t *Table) close() {
	t.reading.Lock()
	defer t.reading.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.users--; t.users == 0 {
		t.current.rows.Release()
		t.current = nil
	}
}

// acquire returns the table as it is now. The caller releases its rows.
func (t *Table) acquire() *content {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.current.rows.Retain()
	return t.current
}

// swap takes over what was read.
func (t *Table) swap(fresh *content, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		t.current.rows.Release()
	}
	t.current, t.readAt = fresh, now
}

// due returns when the table is to be read anew, the zero time for never.
func (t *Table) due() time.Time {
	if t.spec.Reload == 0 {
		return time.Time{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.readAt.Add(t.spec.Reload)
}

// reload reads the table anew where no other subtask has. Where that fails the table stays as it is, which is
// logged and counted, until the next time.
func (t *Table) reload(ctx context.Context, c *operator.Context, now time.Time) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	if now.Before(t.due()) {
		return nil
	}
	fresh, err := t.read(ctx, c)
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	if err != nil {
		c.Log.Warn("a lookup's table could not be read anew; it stays as it was", "node", c.Node, "error", err)
		c.Counters.Get("lookup_reload_failures").Add(1)
		t.mu.Lock()
		defer t.mu.Unlock()
		t.readAt = now
		return nil
	}
	t.swap(fresh, now)
	return nil
}

// read reads the source.
func (t *Table) read(ctx context.Context, c *operator.Context) (*content, error) {
	splits, err := t.spec.Source.Splits(ctx)
	if err != nil {
		return nil, err
	}
	schema := &abi.Schema{}
	for _, col := range t.spec.Columns {
		schema.Fields = append(schema.Fields, t.spec.Source.Schema().Fields[col])
	}
	l := loader{spec: &t.spec, content: &content{}, builder: c.Pool.NewBuilder(schema)}
	for n, split := range splits {
		if err := l.split(ctx, c, n, split); err != nil {
			return nil, fmt.Errorf("%s: %w", split.Name, err)
		}
	}
	l.content.rows = l.builder.Finish()
	return l.content, nil
}

// loader is a table that is being read.
type loader struct {
	spec    *TableSpec
	content *content
	builder *batch.Builder
	last    []uint32 // of each key's number its last row
	key     []byte
	kept    []uint32
	bytes   int // of keys and of what leads from them to rows
}

func (l *loader) split(ctx context.Context, c *operator.Context, n int, split operator.Split) (err error) {
	reader, err := l.spec.Source.Read(ctx, split, operator.ReadOptions{
		Number: n, Pool: c.Pool, Rows: resultRows, Bytes: resultBytes, Now: c.Now, Seed: c.Seed,
		Reject: func(_ []byte, at batch.Position, reason error) error {
			return fmt.Errorf("%s %d: %w", split.Unit, at.Offset(), reason)
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reader.Close()) }()
	for {
		b, err := reader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = l.add(b)
		b.Release()
		if err != nil {
			return err
		}
	}
}

// add adds rows.
func (l *loader) add(b *batch.Batch) error {
	t := l.content
	l.kept = l.kept[:0]
	for row := range b.Rows() {
		if !l.encode(b, row) {
			continue
		}
		number := uint32(len(t.next))
		n, fresh := t.keys.Put(l.key, table.Hash(l.key))
		if fresh {
			t.first, l.last = append(t.first, number), append(l.last, number)
			l.bytes += len(l.key) + keyBytes
		} else {
			t.next[l.last[n]], l.last[n] = number, number
		}
		t.next = append(t.next, none)
		l.kept = append(l.kept, uint32(row))
	}
	for i, col := range l.spec.Columns {
		l.builder.Column(i).AppendRows(&b.Columns[col], l.kept)
	}
	l.builder.EndRows(len(l.kept))
	if l.bytes+4*len(t.next)+l.builder.Bytes() > MaxTableBytes {
		return fmt.Errorf("the table takes more than %d MiB; join it as a stream", MaxTableBytes>>20)
	}
	return nil
}

// keyBytes is about what a key takes besides its bytes.
const keyBytes = 40

// encode encodes the key of a row, and says false where a column of it is null.
func (l *loader) encode(b *batch.Batch, row int) bool {
	l.key = l.key[:0]
	for _, col := range l.spec.Key {
		if b.Columns[col].Null(row) {
			return false
		}
		l.key = batch.AppendValue(l.key, &b.Columns[col], row)
	}
	return true
}

// find returns the first row with a key, or none.
func (c *content) find(key []byte) uint32 {
	n := c.keys.Get(key, table.Hash(key))
	if n == table.None {
		return none
	}
	return c.first[n]
}
