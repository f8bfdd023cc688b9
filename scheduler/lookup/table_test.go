// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operatortest"
)

func TestTableIsReadAnewByTheClockOnceForAllSubtasks(t *testing.T) {
	reads := 0
	source := &near{rows: func() [][2]any {
		reads++
		return [][2]any{{int64(1), fmt.Sprint("read ", reads)}}
	}}
	source.fails = func() error {
		if reads == 3 {
			return errBroken
		}
		return nil
	}
	table := NewTable(TableSpec{Source: source, Key: []int{0}, Columns: []int{1}, Reload: time.Minute})
	var script []operatortest.Event
	for minutes := range 5 {
		script = append(script, operatortest.Clock(operatortest.Start.Add(time.Duration(minutes)*time.Minute)), rowsOf(1))
	}
	c := operatortest.Case{Parallelism: 7, BatchRows: 1, Backend: operatortest.Memory()}
	r := operatortest.Run(t, subject(tableSpec(table)), c, script)
	var got []any
	for _, row := range r.Port(PortJoined) {
		got = append(got, row.Values[2])
	}
	// The third time it can't be read, and stays as it was.
	if want := []any{"read 1", "read 2", "read 2", "read 4", "read 5"}; !slices.Equal(got, want) || reads != 5 {
		t.Errorf("got %q after %d reads, want %q", got, reads, want)
	}
	if r.Counters["lookup_reload_failures"] != 1 || table.current != nil {
		t.Errorf("counted %v, the table is held: %v", r.Counters, table.current != nil)
	}
}

func TestTableThatCannotBeReadSaysWhere(t *testing.T) {
	source := &near{rows: all, fails: func() error { return errBroken }}
	err := run(t.Context(), t, tableSpec(NewTable(TableSpec{Source: source, Key: []int{0}, Columns: []int{1}})), 1)
	if err == nil || !strings.Contains(err.Error(), "reading the table: table.csv: line 7: it is broken") {
		t.Error(err)
	}
}

func TestTableMayHaveNoRows(t *testing.T) {
	source := &near{rows: func() [][2]any { return nil }}
	r := operatortest.Run(t, subject(tableSpec(NewTable(TableSpec{Source: source, Key: []int{0}, Columns: []int{1}}))), one, []operatortest.Event{rowsOf(1)})
	if got := r.Port(PortJoined); len(got) != 1 || got[0].Values[2] != nil {
		t.Error(got)
	}
}

func BenchmarkTable(b *testing.B) {
	rows := make([][2]any, 100_000)
	for n := range rows {
		rows[n] = [2]any{int64(n), "some airport"}
	}
	ctx, out := operatortest.Bench(b)
	j, err := New(ctx, tableSpec(NewTable(TableSpec{Source: &near{rows: func() [][2]any { return rows }}, Key: []int{0}, Columns: []int{1}})))
	if err != nil {
		b.Fatal(err)
	}
	if err := j.Open(b.Context()); err != nil {
		b.Fatal(err)
	}
	builder := ctx.Pool.NewBuilder(input)
	for n := range 1024 {
		builder.Column(0).AppendInt64(int64(n))
		builder.Column(1).AppendInt64(int64(n * 7919 % 110_000))
		builder.AppendTime(abi.EventTime(n))
		builder.EndRow()
	}
	in := builder.Finish()
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Process(b.Context(), 0, in, out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1024*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
