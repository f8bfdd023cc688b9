// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/nearest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Connector returns the connector "generator".
func Connector() operator.Connector {
	return operator.Connector{Name: "generator", Source: newSource}
}

type source struct {
	opts    Options
	columns []column
	schema  *abi.Schema
}

var _ operator.Source = (*source)(nil)

func newSource(c operator.Config, spec operator.SourceSpec) (operator.Source, error) {
	opts := Options{Splits: 1}
	if err := c.Decode(&opts); err != nil {
		return nil, err
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if spec.Format != nil {
		return nil, fmt.Errorf("a generator makes rows, not bytes: it has no format")
	}
	s := &source{opts: opts, schema: &abi.Schema{}}
	for _, name := range slices.Sorted(maps.Keys(opts.Columns)) {
		spec := opts.Columns[name]
		c, err := spec.column(name)
		if err != nil {
			return nil, err
		}
		s.columns = append(s.columns, c)
		s.schema.Fields = append(s.schema.Fields, c.field)
	}
	if err := s.schema.Check(); err != nil {
		return nil, err
	}
	if spec.Schema != nil {
		return s, s.agree(spec.Schema)
	}
	return s, nil
}

// agree checks a declared schema, and puts the columns in its order.
func (s *source) agree(declared *abi.Schema) error {
	if len(declared.Fields) != len(s.schema.Fields) {
		return fmt.Errorf("the schema declares %d columns, and the generator makes %d; a generator needs no schema", len(declared.Fields), len(s.schema.Fields))
	}
	columns := make([]column, len(declared.Fields))
	for i := range declared.Fields {
		f := &declared.Fields[i]
		at := s.schema.Index(f.Name)
		if at < 0 {
			return fmt.Errorf("the schema declares column %q, which the generator does not make; %s", f.Name, nearest.Hint(f.Name, s.schema.Names()))
		}
		if made := &s.schema.Fields[at]; !made.SameType(f) {
			return fmt.Errorf("the schema declares column %q as %s, and the generator makes it as %s", f.Name, f.TypeString(), made.TypeString())
		}
		columns[i] = s.columns[at]
	}
	s.columns, s.schema = columns, declared
	return nil
}

// Schema returns the schema of the rows.
func (s *source) Schema() *abi.Schema { return s.schema }

// Bounded says whether the number of rows is given.
func (s *source) Bounded() bool { return s.opts.Rows != nil }

// Splits lists the splits.
func (s *source) Splits(context.Context) ([]operator.Split, error) {
	splits := make([]operator.Split, s.opts.Splits)
	for i := range splits {
		splits[i] = operator.Split{Name: "generator " + strconv.Itoa(i), Unit: "row"}
	}
	return splits, nil
}

// Read begins to make the rows of a split.
func (s *source) Read(_ context.Context, split operator.Split, opts operator.ReadOptions) (operator.Reader, error) {
	var number int
	if _, err := fmt.Sscanf(split.Name, "generator %d", &number); err != nil {
		return nil, fmt.Errorf("%q is no split of the generator: %w", split.Name, err)
	}
	r := &reader{
		source: s, split: int64(number), builder: opts.Pool.NewBuilder(s.schema), opts: opts,
		rows: -1, rate: s.opts.Rate / float64(s.opts.Splits), most: opts.Rows,
	}
	width := 8 // of the position
	for i := range s.columns {
		c := &s.columns[i]
		width += c.make.bytes()
		name := fnv.New64a()
		_, _ = name.Write([]byte(c.field.Name)) // never fails
		seed := name.Sum64() ^ uint64(number)<<48
		r.random = append(r.random, rand.NewPCG(opts.Seed, seed))
		r.nulls = append(r.nulls, rand.NewPCG(opts.Seed, ^seed))
	}
	r.most = max(1, min(r.most, opts.Bytes/width))
	if s.opts.Rows != nil {
		total, splits := *s.opts.Rows, int64(s.opts.Splits)
		r.rows = total / splits
		if int64(number) < total%splits {
			r.rows++
		}
	}
	return r, nil
}

// reader makes the rows of one split.
type reader struct {
	source  *source
	split   int64
	builder *batch.Builder
	opts    operator.ReadOptions
	random  []*rand.PCG // a column
	nulls   []*rand.PCG
	made    int64
	rows    int64 // to make, -1 without end
	most    int   // rows of a batch

	rate   float64 // rows a second, 0 as many as are taken
	start  time.Time
	before int64 // rows that were made before start
}

var _ operator.Reader = (*reader)(nil)

// Close does nothing.
func (r *reader) Close() error { return nil }

// Next makes the next rows.
func (r *reader) Next(ctx context.Context) (*batch.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := r.most
	if r.rows >= 0 {
		n = int(min(int64(n), r.rows-r.made))
	}
	if n == 0 {
		return nil, io.EOF
	}
	if r.rate > 0 {
		var err error
		if n, err = r.pace(ctx, n); err != nil {
			return nil, err
		}
	}
	splits := int64(r.source.opts.Splits)
	for i := range r.source.columns {
		column, c := &r.source.columns[i], r.builder.Column(i)
		limit := threshold(column.nulls)
		for k := range int64(n) {
			if limit > 0 && hit(r.nulls[i], limit) {
				c.AppendNull()
				continue
			}
			column.make.next(c, r.random[i], (r.made+k)*splits+r.split)
		}
	}
	for k := range int64(n) {
		r.builder.AppendPosition(batch.At(r.opts.Number, r.made+k))
	}
	r.made += int64(n)
	r.builder.EndRows(n)
	return r.builder.Finish(), nil
}

// pace waits until some of the next rows are due, and returns how many: all, or as many as the
// rate gives within the longest wait, at least one.
func (r *reader) pace(ctx context.Context, most int) (int, error) {
	now := r.opts.Now()
	if r.start.IsZero() {
		r.start = now
	}
	want := int64(max(1, min(float64(most), r.rate*r.opts.Wait.Seconds())))
	due := r.due(r.made + want)
	if behind := now.Sub(due); behind > time.Second {
		// What the consumer could not take is not made up for at once.
		r.start, r.before = now.Add(-time.Second), r.made
	}
	if wait := due.Sub(now); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-timer.C:
			return int(want), nil
		}
	}
	// Late already: what else is due by now goes into the same batch.
	late := r.before + int64(now.Sub(r.start).Seconds()*r.rate) - r.made
	return int(min(max(want, late), int64(most))), nil
}

// due returns when so many rows may have been made.
func (r *reader) due(rows int64) time.Time {
	return r.start.Add(time.Duration(float64(rows-r.before) / r.rate * float64(time.Second)))
}
