// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/aggregate"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// over returns an operator over a store.
func over(t testing.TB, pool *batch.Pool, store state.Store, spec Spec) *Aligned {
	t.Helper()
	spec.Input = input()
	w, err := New(operator.Context{Pool: pool, State: store, Groups: state.DefaultGroups, Watermark: watermark.Min}, spec)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func all() state.Groups { return state.Groups{To: state.DefaultGroups} }

func TestStateOfOtherWindowsIsRefused(t *testing.T) {
	pool, store := &batch.Pool{}, memory.New(all())
	w := over(t, pool, store, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: sumOf(1)})
	process(t, w, &recorder{}, rows(pool, row{7, 1, 15}))
	if err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := over(t, pool, store, Spec{Key: []int{0}, Size: 15 * time.Microsecond, Aggregates: sumOf(1)})
	if err := other.Open(t.Context()); err == nil || !strings.Contains(err.Error(), "windows of another size") {
		t.Errorf("the error is %v", err)
	}
}

func TestStateThatIsNoneIsAnError(t *testing.T) {
	for _, value := range []string{"", "\x00", "\x00\x01", "\x00\x01\x01\x02\x03", "\x00\x00\x00"} {
		pool, store := &batch.Pool{}, memory.New(all())
		w := over(t, pool, store, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: sumOf(1)})
		process(t, w, &recorder{}, rows(pool, row{7, 1, 15}))
		if err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var keys, values state.Strings
		if _, err := store.Scan(nil, []byte{0xff}, state.Limit{}, &keys, &values); err != nil {
			t.Fatal(err)
		}
		if err := store.Put(keys.At(0), []byte(value)); err != nil {
			t.Fatal(err)
		}
		w = over(t, pool, store, Spec{Key: []int{0}, Size: 10 * time.Microsecond, Aggregates: sumOf(1)})
		if err := w.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.Watermark(t.Context(), watermark.Max, &recorder{}); err == nil || !strings.Contains(err.Error(), "a group is stored as") {
			t.Errorf("of %q the error is %v", value, err)
		}
	}
}

func TestGroupsStayWithinTheirMemory(t *testing.T) {
	for _, spec := range []Spec{{Size: time.Hour}, {Size: time.Hour, Slide: 20 * time.Minute}} {
		pool, out := &batch.Pool{}, &sizes{}
		spec.Key, spec.Memory, spec.Input = []int{0}, 1<<20, input()
		spec.Aggregates = []Aggregate{
			{Name: "rows", Call: &aggregate.Call{Function: "count"}}, {Name: "different", Call: &aggregate.Call{Function: "count_distinct", Columns: []int{1}}},
		}
		w := over(t, pool, memory.New(all()), spec)
		most := 0
		for i := range int64(200) {
			var in []row
			for n := range int64(500) {
				in = append(in, row{(i*500 + n) * 7919 % 40_000, n, abi.EventTime(i)})
			}
			process(t, w, out, rows(pool, in...))
			most = max(most, w.groups.live)
			if m := w.memory(); m > spec.Memory {
				t.Fatalf("after %d batches groups take %d bytes", i+1, m)
			}
		}
		advance(t, w, out, watermark.Max)
		total := 0
		for _, n := range out.rows {
			total += n
		}
		if windows := len(windowsOf(&spec, 0)); total != 40_000*windows || most > 20_000 {
			t.Errorf("%d results of %d keys in %d windows; %d groups lay in memory", total, 40_000, windows, most)
		}
		if w.groups.live != 0 || len(w.slices) != 0 {
			t.Errorf("%d groups in %d slices are left", w.groups.live, len(w.slices))
		}
		if left := inStore(t, w); left != 0 {
			t.Errorf("%d groups are left in the store", left)
		}
	}
}

func inStore(t *testing.T, w *Aligned) int {
	t.Helper()
	var keys, values state.Strings
	if _, err := w.keeper.store.Scan(nil, []byte{0xff, 0xff}, state.Limit{}, &keys, &values); err != nil {
		t.Fatal(err)
	}
	return keys.Len()
}

func TestNothingIsLeftInTheStoreOfWindowsThatAreOver(t *testing.T) {
	for _, updates := range []Updates{Append, Retract} {
		pool, out := &batch.Pool{}, &sizes{}
		w := over(t, pool, memory.New(all()), Spec{
			Key: []int{0}, Size: 30 * time.Microsecond, Slide: 10 * time.Microsecond, Lateness: 5 * time.Microsecond, Updates: updates, Aggregates: sumOf(1),
		})
		for i := range int64(20) {
			process(t, w, out, rows(pool, row{i % 3, i, abi.EventTime(10 * i)}, row{i % 5, i, abi.EventTime(10*i - 7)}))
			if err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			advance(t, w, out, abi.EventTime(10*i))
		}
		if n := inStore(t, w); n == 0 || n > 60 {
			t.Errorf("%d entries of the last windows are in the store", n)
		}
		advance(t, w, out, 1000)
		if n := inStore(t, w); n != 0 {
			t.Errorf("%s: %d entries are left", updates, n)
		}
	}
}

// A hundred thousand groups that are added to and written.
func BenchmarkFlush(b *testing.B) {
	pool := &batch.Pool{}
	w := over(b, pool, memory.New(all()), Spec{Key: []int{0}, Size: time.Hour, Aggregates: sumOf(1)})
	const groups = 100_000
	var in []*batch.Batch
	for at := int64(0); at < groups; at += 1000 {
		var some []row
		for n := range int64(1000) {
			some = append(some, row{at + n, 1, 5})
		}
		in = append(in, rows(pool, some...))
	}
	for b.Loop() {
		for _, one := range in {
			if err := w.Process(b.Context(), 0, one, discard{}); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Flush(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/groups, "ns/group")
}
