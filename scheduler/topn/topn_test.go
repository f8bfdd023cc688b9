// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package topn

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/rows"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

var schema = &abi.Schema{Fields: []abi.Field{
	{Name: "name", Type: abi.String}, {Name: "key", Type: abi.Int64}, {Name: "score", Type: abi.Int64}, {Name: "until", Type: abi.Timestamp},
}}

func subject(spec Spec) operatortest.Subject {
	spec.Input, spec.Timed = schema, true
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: schema, Key: spec.Key}},
		New: func(ctx operator.Context) (operator.Operator, error) {
			top, err := New(ctx, spec)
			if err == nil && ctx.Parallelism == 2 {
				top.heads.bound = 1 // no two heads are held
			}
			return top, err
		},
	}
}

// oracle keeps all rows, and sorts them anew for each.
type oracle struct {
	spec      Spec
	mark      abi.EventTime
	keys      map[any][]operatortest.Row // by key, and with a window by its end
	top, late []operatortest.Row
	unknown   int64
}

func less(a, b any) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(fmt.Sprint(a == nil), fmt.Sprint(b == nil)) * -1
	case a == b:
		return 0
	}
	if a, ok := a.(string); ok {
		return cmp.Compare(a, b.(string))
	}
	return cmp.Compare(a.(int64), b.(int64))
}

func (o *oracle) compare(a, b operatortest.Row) int {
	for _, by := range o.spec.By {
		if c := less(a.Values[by.Column], b.Values[by.Column]); c != 0 && by.Descending {
			return -c
		} else if c != 0 {
			return c
		}
	}
	for i := range a.Values {
		if c := less(a.Values[i], b.Values[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Time, b.Time)
}

func (o *oracle) first(all []operatortest.Row) []operatortest.Row {
	return slices.Clone(all[:min(len(all), o.spec.Rows)])
}

func (o *oracle) row(r operatortest.Row) {
	var key any
	if len(o.spec.Key) > 0 {
		key = r.Values[1]
	}
	if o.spec.Window != nil {
		end := r.Values[3].(int64)
		if size := o.spec.Window.Size.Microseconds(); o.spec.Window.End < 0 {
			for end = -100 * size; end <= int64(r.Time); { // naive: from window to window
				end += size
			}
		}
		if end <= int64(o.mark) {
			o.late = append(o.late, r)
			return
		}
		key = [2]any{end, key}
	}
	all := o.keys[key]
	before := o.first(all)
	kind := r.Kind
	r.Kind = batch.Insert
	if kind == batch.Insert || kind == batch.UpdateAfter {
		all = append(all, r)
	} else {
		at := slices.IndexFunc(all, func(other operatortest.Row) bool { return o.compare(other, r) == 0 })
		if at < 0 {
			at = slices.IndexFunc(all, func(other operatortest.Row) bool { return fmt.Sprint(other.Values) == fmt.Sprint(r.Values) })
		}
		if at < 0 {
			o.unknown++
			return
		}
		all = slices.Delete(slices.Clone(all), at, at+1)
	}
	slices.SortStableFunc(all, o.compare)
	o.keys[key] = all
	if o.spec.Window == nil {
		o.changes(before, o.first(all))
	}
}

// changes says what makes one top of another.
func (o *oracle) changes(before, after []operatortest.Row) {
	if o.spec.Rank == "" {
		count := map[string]int{}
		for _, r := range after {
			count[r.String()]++
		}
		for _, r := range before {
			if count[r.String()]--; count[r.String()] < 0 {
				o.emit(r, batch.Delete, -1)
			}
		}
		for _, r := range after {
			if count[r.String()] > 0 {
				count[r.String()]--
				o.emit(r, batch.Insert, -1)
			}
		}
		return
	}
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(before):
			o.emit(after[i], batch.Insert, i)
		case i >= len(after):
			o.emit(before[i], batch.Delete, i)
		case before[i].String() != after[i].String():
			o.emit(before[i], batch.UpdateBefore, i)
			o.emit(after[i], batch.UpdateAfter, i)
		}
	}
}

func (o *oracle) emit(r operatortest.Row, kind batch.RowKind, place int, more ...any) {
	r.Kind = kind
	r.Values = append(slices.Clone(r.Values), more...)
	if o.spec.Rank != "" {
		r.Values = append(r.Values, int64(place)+1)
	}
	o.top = append(o.top, r)
}

func (o *oracle) pass(mark abi.EventTime) {
	o.mark = mark
	if o.spec.Window == nil {
		return
	}
	for key, all := range o.keys {
		end := key.([2]any)[0].(int64)
		if end > int64(mark) {
			continue
		}
		for i, r := range o.first(all) {
			r.Time = abi.EventTime(end - 1)
			if o.spec.tumbling() {
				o.emit(r, batch.Insert, i, end-o.spec.Window.Size.Microseconds(), end)
			} else {
				o.emit(r, batch.Insert, i)
			}
		}
		delete(o.keys, key)
	}
}

func (o *oracle) run(script []operatortest.Event) {
	o.keys, o.mark = map[any][]operatortest.Row{}, watermark.Min
	for _, e := range script {
		for _, r := range e.Rows {
			o.row(r)
		}
		if e.Watermark != 0 { // no script has it at 0
			o.pass(e.Watermark)
		}
	}
}

// script makes rows, so many at a time at most; with changes some are taken back, or change, or are taken
// back and were never there.
func script(r *rand.Rand, changes bool, most int) []operatortest.Event {
	var script []operatortest.Event
	mark := abi.EventTime(1)
	var live []operatortest.Row
	for range 1 + r.IntN(12) {
		var some []operatortest.Row
		fewer := r.Float64()
		for range r.IntN(most) {
			t := mark + abi.EventTime(r.IntN(10)) - 3
			fresh := operatortest.At(t, string(rune('a'+r.IntN(3))), int64(r.IntN(3)), int64(r.IntN(5)), int64(t+abi.EventTime(r.IntN(6))))
			if r.IntN(10) == 0 {
				fresh.Values[2] = nil
			}
			if !changes || len(live) == 0 || r.Float64() > fewer {
				some, live = append(some, fresh), append(live, fresh)
				continue
			}
			at := r.IntN(len(live))
			old := live[at]
			live = slices.Delete(live, at, at+1)
			old.Kind = batch.Delete
			if r.IntN(5) == 0 {
				old.Time++ // taken back as of another time
			}
			if r.IntN(20) == 0 {
				old.Values = append([]any{"never"}, old.Values[1:]...)
			}
			if r.IntN(2) == 0 {
				old.Kind, fresh.Kind, fresh.Values[1] = batch.UpdateBefore, batch.UpdateAfter, old.Values[1]
				some, live = append(some, old, fresh), append(live, fresh)
				live[len(live)-1].Kind = batch.Insert
				continue
			}
			some = append(some, old)
		}
		script = append(script, operatortest.Rows(0, some...))
		if r.IntN(2) == 0 {
			mark += abi.EventTime(r.IntN(9))
			script = append(script, operatortest.Watermark(mark))
		}
	}
	return append(script, operatortest.Watermark(watermark.Max))
}

func specs() map[string]Spec {
	by := []rows.By{{Column: 2, Descending: true}}
	return map[string]Spec{
		"inserts":         {Key: []int{1}, Rows: 3, By: by},
		"inserts, ranked": {Key: []int{1}, Rows: 3, By: by, Rank: "rank"},
		"ascending":       {Key: []int{1}, Rows: 1, By: []rows.By{{Column: 2}, {Column: 0, Descending: true}}},
		"no key":          {Rows: 4, By: by, Rank: "rank"},
		"changes":         {Key: []int{1}, Rows: 2, By: by, Changes: true},
		"changes, ranked": {Key: []int{1}, Rows: 2, By: by, Rank: "rank", Changes: true},
		"changes, no key": {Rows: 3, By: by, Changes: true},
		"changes, ranks":  {Rows: 5, By: by, Rank: "rank", Changes: true},
		"tumbling":        {Key: []int{1}, Rows: 2, By: by, Rank: "rank", Window: &Window{End: -1, Size: 5 * time.Microsecond}},
		"tumbling, all":   {Rows: 3, By: by, Window: &Window{End: -1, Size: 3 * time.Microsecond}},
		"end":             {Key: []int{1}, Rows: 2, By: by, Rank: "rank", Window: &Window{End: 3}},
	}
}

func TestTopIsThatOfANaiveSort(t *testing.T) {
	seeds := uint64(12)
	if testing.Short() {
		seeds = 2
	}
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				compare(t, spec, seed)
			}
		})
	}
}

func FuzzTopIsThatOfANaiveSort(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, spec := range specs() {
			compare(t, spec, seed)
		}
	})
}

func compare(t *testing.T, spec Spec, seed uint64) {
	t.Helper()
	most := 14
	if len(spec.Key) == 0 { // more than a head holds
		most = 80
	}
	script := script(rand.New(rand.NewPCG(seed, 0)), spec.Changes, most)
	o := &oracle{spec: spec}
	o.run(script)
	for _, c := range operatortest.Cases(seed) {
		if len(spec.Key) == 0 && c.Parallelism > 1 {
			continue
		}
		r := operatortest.Run(t, subject(spec), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortTop)), operatortest.Lines(o.top))
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortLate)), operatortest.Lines(o.late))
		if got := r.Counters["late"]; got != int64(len(o.late)) {
			t.Fatalf("%v: %d rows are counted as late, should be %d", c, got, len(o.late))
		}
		if got := r.Counters["unknown_deletions"]; got != o.unknown {
			t.Fatalf("%v: %d rows taken back that were not there, should be %d", c, got, o.unknown)
		}
		if _, err := operatortest.Table(r.Port(PortTop)); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
	}
}

func TestStateOnDiskGivesTheSame(t *testing.T) {
	disk := operatortest.Pebble(t)
	for name, spec := range specs() {
		script := script(rand.New(rand.NewPCG(1, 2)), spec.Changes, 40)
		o := &oracle{spec: spec}
		o.run(script)
		c := operatortest.Case{Seed: 1, Parallelism: min(2, 1+len(spec.Key)), BatchRows: 3, Backend: disk, Restores: 0.1}
		r := operatortest.Run(t, subject(spec), c, script)
		t.Log(name)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortTop)), operatortest.Lines(o.top))
	}
}

func TestOthersMoveUpAsRowsOfTheTopAreTakenBack(t *testing.T) {
	var in, back []operatortest.Row
	for n := range int64(100) {
		row := operatortest.At(1, "name", int64(1), n/3, int64(0))
		in = append(in, row)
		row.Kind = batch.Delete
		back = append(back, row)
	}
	slices.Reverse(back)
	script := []operatortest.Event{operatortest.Rows(0, in...), operatortest.Rows(0, back...)}
	for _, rank := range []string{"", "rank"} {
		spec := Spec{Key: []int{1}, Rows: 2, By: []rows.By{{Column: 2, Descending: true}}, Rank: rank, Changes: true}
		o := &oracle{spec: spec}
		o.run(script)
		for _, c := range operatortest.Cases(1) {
			r := operatortest.Run(t, subject(spec), c, script)
			operatortest.Same(t, c, operatortest.Lines(r.Port(PortTop)), operatortest.Lines(o.top))
		}
	}
}

func TestTopOfAWindowComesInOrder(t *testing.T) {
	spec := Spec{Rows: 3, By: []rows.By{{Column: 2, Descending: true}}, Rank: "rank", Window: &Window{End: 3}}
	c := operatortest.Case{Parallelism: 1, BatchRows: 2, Backend: operatortest.Memory()}
	r := operatortest.Run(t, subject(spec), c, []operatortest.Event{
		operatortest.Rows(0, operatortest.At(1, "a", 1, 10, 20), operatortest.At(2, "b", 1, 30, 20), operatortest.At(3, "c", 1, 20, 20),
			operatortest.At(4, "d", 1, 5, 20), operatortest.At(5, "e", 1, 1, nil)),
		operatortest.Watermark(20), operatortest.Rows(0, operatortest.At(21, "late", 1, 99, 20)),
	})
	var names []any
	for _, row := range r.Port(PortTop) {
		names = append(names, row.Values[0], row.Values[4])
	}
	if want := []any{"b", int64(1), "c", int64(2), "a", int64(3)}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if len(r.Port(PortLate)) != 1 || len(r.Failed) != 1 {
		t.Errorf("%d rows are late, %q failed", len(r.Port(PortLate)), r.Failed)
	}
}

func TestRowThatNoHeadCanHoldFails(t *testing.T) {
	spec := Spec{Rows: MaxRows, By: []rows.By{{Column: 2}}}
	c := operatortest.Case{Parallelism: 1, BatchRows: 2, Backend: operatortest.Memory()}
	r := operatortest.Run(t, subject(spec), c, []operatortest.Event{
		operatortest.Rows(0, operatortest.At(1, string(make([]byte, 1<<20)), 1, 10, 20), operatortest.At(2, "b", 1, 30, 20)),
	})
	if len(r.Failed) != 1 || len(r.Port(PortTop)) != 1 {
		t.Errorf("%d rows failed, %d are the top", len(r.Failed), len(r.Port(PortTop)))
	}
}

func TestHeadsStayWithinTheirBound(t *testing.T) {
	ctx, out := operatortest.Bench(t)
	top, err := New(ctx, Spec{Input: schema, Key: []int{1}, Rows: 10, By: []rows.By{{Column: 2}}, Changes: true})
	if err != nil {
		t.Fatal(err)
	}
	most := 0
	for n := range 200 {
		b := input(ctx.Pool, rand.New(rand.NewPCG(uint64(n), 1)), 1<<40)
		if err := top.Process(t.Context(), 0, b, out); err != nil {
			t.Fatal(err)
		}
		b.Release()
		most = max(most, top.heads.bytes)
	}
	if most > cacheBytes || most < cacheBytes/2 {
		t.Errorf("heads have taken up to %d bytes of %d", most, cacheBytes)
	}
}

func input(pool *batch.Pool, r *rand.Rand, keys int64) *batch.Batch {
	b := pool.NewBuilder(schema)
	for range 1024 {
		b.Column(0).AppendString("some name")
		b.Column(1).AppendInt64(r.Int64N(keys))
		b.Column(2).AppendInt64(r.Int64())
		b.EndRow()
	}
	return b.Finish()
}

func BenchmarkTop(b *testing.B) {
	for name, spec := range map[string]Spec{"inserts": {}, "ranked": {Rank: "rank"}, "changes": {Changes: true}} {
		for _, keys := range []int64{100, 100_000} {
			b.Run(fmt.Sprint(name, "/", keys), func(b *testing.B) {
				ctx, out := operatortest.Bench(b)
				spec.Input, spec.Key, spec.Rows, spec.By = schema, []int{1}, 10, []rows.By{{Column: 2, Descending: true}}
				top, err := New(ctx, spec)
				if err != nil {
					b.Fatal(err)
				}
				r := rand.New(rand.NewPCG(1, 1))
				b.ReportAllocs()
				for b.Loop() {
					in := input(ctx.Pool, r, keys)
					if err := top.Process(b.Context(), 0, in, out); err != nil {
						b.Fatal(err)
					}
					in.Release()
				}
				b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
