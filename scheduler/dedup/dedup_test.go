// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package dedup

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
)

var schema = &abi.Schema{Fields: []abi.Field{{Name: "key", Type: abi.Int64}, {Name: "value", Type: abi.String}}}

func subject(spec Spec) operatortest.Subject {
	spec.Input, spec.Key, spec.Timed = schema, []int{0}, true
	return operatortest.Subject{
		Inputs: []operatortest.Input{{Schema: schema, Key: spec.Key}},
		New:    func(ctx operator.Context) (operator.Operator, error) { return New(ctx, spec), nil },
	}
}

// known is what the oracle knows of a key.
type known struct {
	row   operatortest.Row
	stamp int64
	count int
}

// oracle goes through a script row by row, as the package comment says it.
type oracle struct {
	spec       Spec
	mark       abi.EventTime
	now        time.Time
	keys       map[any]*known
	kept, late []operatortest.Row
}

func (o *oracle) over(stamp int64) bool {
	if o.spec.TTL == 0 {
		return false
	}
	if o.spec.By == Arrival {
		return stamp+o.spec.TTL.Microseconds() <= o.now.UnixMicro()
	}
	return o.mark != watermark.Max && stamp+o.spec.TTL.Microseconds() <= int64(o.mark)
}

func (o *oracle) row(r operatortest.Row) {
	stamp := int64(r.Time)
	if o.spec.By == Arrival {
		stamp = o.now.UnixMicro()
	}
	k := o.keys[r.Values[0]]
	if k != nil && o.over(k.stamp) {
		k = nil
	}
	switch r.Kind {
	case batch.UpdateBefore:
		return
	case batch.Delete:
		if k != nil {
			k.row.Kind = batch.Delete
			o.kept = append(o.kept, k.row)
		}
		delete(o.keys, r.Values[0])
		return
	}
	r.Kind = batch.Insert
	late := o.spec.By == Time && (o.over(stamp) || o.spec.Final && r.Time < o.mark)
	if k != nil {
		better := o.spec.Keep == Last && (stamp >= k.stamp || o.spec.By == Arrival) || o.spec.Keep == First && o.spec.By == Time && stamp < k.stamp
		if !better {
			if k.count < o.spec.Rows {
				k.count++
				o.kept = append(o.kept, r)
			}
			return
		}
	}
	if late {
		o.late = append(o.late, r)
		return
	}
	o.keys[r.Values[0]] = &known{r, stamp, 1}
	switch {
	case o.spec.Final: // at the end of the script
	case k == nil:
		o.kept = append(o.kept, r)
	case k.row.String() != r.String():
		before, after := k.row, r
		before.Kind, after.Kind = batch.UpdateBefore, batch.UpdateAfter
		o.kept = append(o.kept, before, after)
	}
}

// pass gives what a watermark has passed, and forgets what it is over.
func (o *oracle) pass(mark abi.EventTime) {
	for _, k := range o.keys {
		if o.spec.Final && k.row.Time < mark && k.row.Time >= o.mark {
			o.kept = append(o.kept, k.row)
		}
	}
	o.mark = mark
	for key, k := range o.keys {
		if o.over(k.stamp) {
			delete(o.keys, key)
		}
	}
}

// script makes rows, of any kind where they are a changelog.
func script(r *rand.Rand, changelog bool) []operatortest.Event {
	var script []operatortest.Event
	mark, now := abi.EventTime(1), operatortest.Start
	for range 1 + r.IntN(15) {
		switch r.IntN(4) {
		case 0:
			mark += abi.EventTime(r.IntN(8))
			script = append(script, operatortest.Watermark(mark))
		case 1:
			now = now.Add(time.Duration(r.IntN(8)) * time.Microsecond)
			script = append(script, operatortest.Clock(now))
		default:
			var some []operatortest.Row
			for range r.IntN(10) {
				some = append(some, operatortest.At(mark+abi.EventTime(r.IntN(12))-4, r.IntN(4), fmt.Sprint(r.IntN(3))))
			}
			if len(some) > 0 && r.IntN(30) == 0 {
				some[0].Time = []abi.EventTime{watermark.MaxEventTime, -watermark.MaxEventTime}[r.IntN(2)]
			}
			for i := range some {
				if changelog {
					some[i].Kind = batch.RowKind(r.IntN(4))
				}
			}
			script = append(script, operatortest.Rows(0, some...))
		}
	}
	return append(script, operatortest.Watermark(watermark.Max))
}

func (o *oracle) run(script []operatortest.Event) {
	o.keys, o.mark, o.now = map[any]*known{}, watermark.Min, operatortest.Start
	for _, e := range script {
		switch {
		case !e.Clock.IsZero():
			o.now = e.Clock
		case e.Watermark != 0: // no script has it at 0
			o.pass(e.Watermark)
		}
		for _, row := range e.Rows {
			row.Values = []any{int64(row.Values[0].(int)), row.Values[1]}
			o.row(row)
		}
	}
}

func specs() map[string]Spec {
	specs := map[string]Spec{}
	for _, ttl := range []time.Duration{0, 3 * time.Microsecond} {
		specs[fmt.Sprint("first by arrival ", ttl)] = Spec{Keep: First, By: Arrival, TTL: ttl}
		specs[fmt.Sprint("first three by arrival ", ttl)] = Spec{Keep: First, By: Arrival, TTL: ttl, Rows: 3}
		specs[fmt.Sprint("last by arrival ", ttl)] = Spec{Keep: Last, By: Arrival, TTL: ttl}
		specs[fmt.Sprint("last of a changelog ", ttl)] = Spec{Keep: Last, By: Arrival, TTL: ttl, Changelog: true}
		specs[fmt.Sprint("first by time ", ttl)] = Spec{Keep: First, By: Time, TTL: ttl}
		specs[fmt.Sprint("first by time, final ", ttl)] = Spec{Keep: First, By: Time, Final: true, TTL: ttl}
		specs[fmt.Sprint("last by time ", ttl)] = Spec{Keep: Last, By: Time, TTL: ttl}
	}
	return specs
}

func TestKeepsTheRowsThatANaiveDeduplicationKeeps(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for name, spec := range specs() {
		t.Run(name, func(t *testing.T) {
			for seed := range seeds {
				compare(t, spec, seed)
			}
		})
	}
}

func FuzzKeepsTheRowsThatANaiveDeduplicationKeeps(f *testing.F) {
	f.Fuzz(func(t *testing.T, seed uint64) {
		for _, spec := range specs() {
			compare(t, spec, seed)
		}
	})
}

func compare(t *testing.T, spec Spec, seed uint64) {
	t.Helper()
	script := script(rand.New(rand.NewPCG(seed, 0)), spec.Changelog)
	o := &oracle{spec: spec}
	o.run(script)
	for _, c := range operatortest.Cases(seed) {
		r := operatortest.Run(t, subject(spec), c, script)
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortKept)), operatortest.Lines(o.kept))
		operatortest.Same(t, c, operatortest.Lines(r.Port(PortLate)), operatortest.Lines(o.late))
	}
}

func TestStateOnDiskGivesTheSame(t *testing.T) {
	disk := operatortest.Pebble(t)
	for name, spec := range specs() {
		for seed := range uint64(2) {
			script := script(rand.New(rand.NewPCG(seed, 2)), spec.Changelog)
			o := &oracle{spec: spec}
			o.run(script)
			c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 2, Backend: disk, Restores: 0.1}
			r := operatortest.Run(t, subject(spec), c, script)
			t.Log(name)
			operatortest.Same(t, c, operatortest.Lines(r.Port(PortKept)), operatortest.Lines(o.kept))
			operatortest.Same(t, c, operatortest.Lines(r.Port(PortLate)), operatortest.Lines(o.late))
		}
	}
}

func TestBrokenStateIsAnError(t *testing.T) {
	for name, spec := range specs() {
		for _, broken := range []string{"short", "\x80\x00\x00\x00\x00\x00\x00\x00 and no row"} {
			if !spec.Changes() && spec.Rows == 0 && broken != "short" {
				continue // nobody reads a row
			}
			ctx, out := operatortest.Bench(t)
			spec.Input, spec.Key, spec.Timed = schema, []int{0}, true
			d := New(ctx, spec)
			builder := ctx.Pool.NewBuilder(schema)
			builder.Column(0).AppendInt64(1)
			builder.AppendTime(map[Keep]abi.EventTime{First: -1, Last: 1}[spec.Keep]) // the value's is 0
			builder.EndRow()
			b := builder.Finish()
			key := operatortest.Key(b, spec.Key, 0)
			if err := ctx.State.Put(state.AppendKey(nil, state.GroupOf(key, ctx.Groups), kept, key, nil), []byte(broken)); err != nil {
				t.Fatal(err)
			}
			err := d.Process(t.Context(), 0, b, out)
			b.Release()
			if over := spec.TTL > 0 && spec.By == Arrival && broken != "short"; err == nil && !over {
				t.Errorf("%s: a value %q in the store was taken", name, broken)
			}
		}
	}
}

func TestChangelogLeavesOneRowOfEachKey(t *testing.T) {
	for name, spec := range specs() {
		if spec.TTL > 0 || spec.Rows > 1 {
			continue // a key that was forgotten has several
		}
		for seed := range uint64(50) {
			script := script(rand.New(rand.NewPCG(seed, 1)), spec.Changelog)
			c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 3, Backend: operatortest.Memory(), Restores: 0.2}
			r := operatortest.Run(t, subject(spec), c, script)
			if !spec.Changes() && slices.ContainsFunc(r.Port(PortKept), func(row operatortest.Row) bool { return row.Kind != batch.Insert }) {
				t.Fatalf("%s: %v: something is taken back", name, c)
			}
			left, err := operatortest.Table(r.Port(PortKept))
			if err != nil {
				t.Fatalf("%s: %v: %v", name, c, err)
			}
			keys := map[byte]bool{}
			for _, line := range left {
				if keys[line[0]] {
					t.Fatalf("%s: %v: two rows of a key are left: %q", name, c, left)
				}
				keys[line[0]] = true
			}
		}
	}
}

func TestKeysThatAreForgottenLeaveNothingInTheStore(t *testing.T) {
	for name, spec := range specs() {
		if spec.TTL == 0 {
			continue
		}
		ctx, out := operatortest.Bench(t)
		now := operatortest.Start
		ctx.Now = func() time.Time { return now }
		spec.Input, spec.Key, spec.Timed = schema, []int{0}, true
		d := New(ctx, spec)
		builder := ctx.Pool.NewBuilder(schema)
		for n := range 5000 {
			builder.Column(0).AppendInt64(int64(n % 3000))
			builder.AppendTime(abi.EventTime(n % 7))
			builder.EndRow()
		}
		b := builder.Finish()
		if err := d.Process(t.Context(), 0, b, out); err != nil {
			t.Fatal(err)
		}
		b.Release()
		if err := d.Watermark(t.Context(), 1000, out); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			next := d.Next()
			if next.IsZero() {
				break
			}
			if next.After(now) {
				now = next
			}
			if err := d.Tick(t.Context(), now, out); err != nil {
				t.Fatal(err)
			}
		}
		if n := ctx.State.Stats().Entries; n != 0 {
			t.Errorf("%s: %d entries are left", name, n)
		}
	}
}

func BenchmarkDedup(b *testing.B) {
	for _, spec := range []Spec{
		{Keep: First, By: Arrival}, {Keep: First, By: Arrival, TTL: time.Hour}, {Keep: Last, By: Arrival}, {Keep: Last, By: Time},
	} {
		b.Run(fmt.Sprint(spec.Keep, "/", spec.By, "/", spec.TTL), func(b *testing.B) {
			ctx, out := operatortest.Bench(b)
			spec.Input, spec.Key, spec.Timed = schema, []int{0}, true
			d := New(ctx, spec)
			var batches []*batch.Batch
			builder, r := ctx.Pool.NewBuilder(schema), rand.New(rand.NewPCG(1, 1))
			for n := range 100 {
				for range 1024 {
					builder.Column(0).AppendInt64(r.Int64N(100_000))
					builder.Column(1).AppendString("a value")
					builder.AppendTime(abi.EventTime(n*1024 + r.IntN(1000)))
					builder.EndRow()
				}
				batches = append(batches, builder.Finish())
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if err := d.Process(b.Context(), 0, batches[n%len(batches)], out); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
