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
	"github.com/wasmill/wasmill/scheduler/operatortest"
	"github.com/wasmill/wasmill/scheduler/watermark"
)

// collecting returns a spec of text by key.
func collecting(spec Spec) Spec {
	spec.Input = &abi.Schema{Fields: []abi.Field{{Name: "user", Type: abi.String}, {Name: "page", Type: abi.String}}}
	spec.Key = []int{0}
	spec.Aggregates = []Aggregate{{Name: "pages", Call: &aggregate.Call{Function: "collect", Columns: []int{1}}}}
	return spec
}

func made(t *testing.T, pool *batch.Pool, spec Spec) operator.Operator {
	t.Helper()
	var w operator.Operator
	var err error
	if spec.PerKey() {
		w, err = NewPerKey(operator.Context{Pool: pool}, spec)
	} else {
		w, err = New(operator.Context{Pool: pool}, spec)
	}
	if err == nil {
		err = w.Open(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func textOf(pool *batch.Pool, user string, size int, at abi.EventTime) *batch.Batch {
	b := pool.NewBuilder(collecting(Spec{}).Input)
	b.Column(0).AppendString(user)
	b.Column(1).AppendString(strings.Repeat("x", size))
	b.AppendTime(at)
	b.EndRow()
	return b.Finish()
}

func TestWindowThatIsTooFullNamesItsKey(t *testing.T) {
	for _, spec := range []Spec{
		{Size: time.Second}, {Size: time.Second, Slide: 100 * time.Millisecond}, {Session: &Session{Gap: time.Second}},
	} {
		pool, out := &batch.Pool{}, &sizes{}
		w := made(t, pool, collecting(spec))
		process(t, w, out, textOf(pool, "ann", 10, 1))
		var err error
		for at := abi.EventTime(0); at < 900_000 && err == nil; at += 50_000 {
			b := textOf(pool, "bob", aggregate.MaxCollectBytes/15, at)
			err = w.Process(t.Context(), 0, b, out)
			b.Release()
		}
		if err == nil {
			err = w.Watermark(t.Context(), watermark.Max, out)
		}
		if err == nil || !strings.Contains(err.Error(), `a window of key user "bob": collect has 1`) {
			t.Errorf("%v: the error is %v", spec, err)
		}
		if err := w.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestWindowThatKeepsTooMuchNamesItsKey(t *testing.T) {
	pool, out := &batch.Pool{}, &sizes{}
	w := made(t, pool, collecting(Spec{Global: true, Keep: &Keep{Time: time.Second}}))
	for at := abi.EventTime(0); at < 10_000_000; at += 100_000 { // ten rows are kept at a time
		process(t, w, out, textOf(pool, "ann", MaxKeepBytes/12, at))
	}
	var err error
	for at := abi.EventTime(0); at < 900_000 && err == nil; at += 50_000 {
		b := textOf(pool, "bob", MaxKeepBytes/15, at)
		err = w.Process(t.Context(), 0, b, out)
		b.Release()
	}
	if err == nil || !strings.Contains(err.Error(), `a window of key user "bob" keeps 15 rows`) {
		t.Errorf("the error is %v", err)
	}
}

func TestLargeResultsComeInSmallBatches(t *testing.T) {
	for _, spec := range []Spec{{Size: time.Second}, {Session: &Session{Gap: time.Second}}} {
		pool, out := &batch.Pool{}, &sizes{}
		w := made(t, pool, collecting(spec))
		for i := range 40 {
			process(t, w, out, textOf(pool, strings.Repeat("u", i), 100<<10, 1))
		}
		advance(t, w, out, watermark.Max)
		for i, n := range out.bytes {
			if n > 3*resultBytes {
				t.Errorf("batch %d has %d rows of %d bytes", i, out.rows[i], n)
			}
		}
		if len(out.bytes) < 10 {
			t.Errorf("%d batches", len(out.bytes))
		}
	}
}

// Lists are the same whatever slices or sessions they come from, and wherever state was written and read.
func TestCollectedRowsAreInOrderWhateverWindowsAreMadeOf(t *testing.T) {
	for seed := range uint64(10) {
		for _, spec := range []Spec{{Size: 40 * time.Microsecond, Slide: 10 * time.Microsecond}, {Session: &Session{Gap: 10 * time.Microsecond}}} {
			spec = collecting(spec)
			events := []operatortest.Event{}
			var lists []string
			for _, at := range []abi.EventTime{15, 3, 31, 22, 9, 39} {
				text := strings.Repeat("x", int(at)) // as long as its time
				events = append(events, operatortest.Rows(0, operatortest.At(at, "ann", text)))
			}
			events = append(events, operatortest.Watermark(watermark.Max))
			subject := operatortest.Subject{
				New: func(c operator.Context) (operator.Operator, error) {
					if spec.PerKey() {
						return NewPerKey(c, spec)
					}
					return New(c, spec)
				},
				Inputs: []operatortest.Input{{Schema: spec.Input, Key: spec.Key}},
			}
			c := operatortest.Case{Seed: seed, Parallelism: 2, BatchRows: 2, Backend: operatortest.Memory(), Restores: 0.4}
			for _, r := range operatortest.Run(t, subject, c, events).Port(PortResults) {
				last := 0
				for _, item := range r.Values[3].([]any) {
					if n := len(item.(string)); n <= last {
						t.Errorf("%v: %v is not in order", c, r)
					} else {
						last = n
					}
				}
				lists = append(lists, r.String())
			}
			if len(lists) == 0 {
				t.Errorf("%v: there is nothing", c)
			}
		}
	}
}
