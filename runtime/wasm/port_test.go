// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// line writes a row of a batch of numbers and strings: its columns, time, kind and position.
func line(b *batch.Batch, row int) string {
	var out strings.Builder
	for i := range b.Columns {
		switch c := &b.Columns[i]; {
		case c.Null(row):
			out.WriteString("- ")
		case c.Type == abi.String:
			fmt.Fprintf(&out, "%s ", c.Bytes(row))
		default:
			fmt.Fprintf(&out, "%d ", c.Int64s()[row])
		}
	}
	if b.Times != nil {
		fmt.Fprintf(&out, "@%d ", b.Times[row])
	}
	if b.Kinds != nil {
		fmt.Fprintf(&out, "!%d ", b.Kinds[row])
	}
	if b.Positions != nil {
		fmt.Fprintf(&out, "#%d", b.Positions[row])
	}
	return out.String()
}

// numbered builds rows of numbers and strings that differ everywhere.
func numbered(p *batch.Pool, r *rand.Rand, fields []abi.Field, n int, base int64, time, kind bool) *batch.Batch {
	b := p.NewBuilder(&abi.Schema{Fields: fields})
	for row := range n {
		for i := range fields {
			switch v := base + int64(10*row+i); {
			case r.IntN(6) == 0:
				b.Column(i).AppendNull()
			case fields[i].Type == abi.String:
				b.Column(i).AppendString(fmt.Sprint("s", v))
			default:
				b.Column(i).AppendInt64(v)
			}
		}
		if time {
			b.AppendTime(abi.EventTime(base + int64(row)))
		}
		if kind {
			b.AppendKind(batch.RowKind(r.IntN(4)))
		}
		b.AppendPosition(batch.Position(base + int64(row)))
		b.EndRow()
	}
	return b.Finish()
}

// TestAPortJoinsWhatIsWrittenWithWhatPassesBy holds resolve against a join row by row.
func TestAPortJoinsWhatIsWrittenWithWhatPassesBy(t *testing.T) {
	in := []abi.Field{{Name: "a", Type: abi.Int64}, {Name: "b", Type: abi.String}, {Name: "c", Type: abi.Int64}}
	written := []abi.Field{{Name: "x", Type: abi.String}, {Name: "b", Type: abi.Int64}}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		pool := &batch.Pool{}
		d := &describe.Port{Fields: written[:r.IntN(3)], Forward: r.IntN(3) > 0, Time: r.IntN(2) == 0}
		out, from := &abi.Schema{Fields: d.Fields}, []int(nil)
		if d.Forward {
			out, from = operator.Forward(&abi.Schema{Fields: in}, d.Fields)
		} else {
			for i := range d.Fields {
				from = append(from, -1-i)
			}
		}
		p, err := newPort(pool, d, &abi.Schema{Fields: in}, out)
		if err != nil {
			t.Fatal(err)
		}
		n := 1 + r.IntN(20)
		input := numbered(pool, r, in, n, 1000, r.IntN(2) == 0, r.IntN(2) == 0)
		m := &batch.Message{}
		emitted := n
		if r.IntN(3) > 0 {
			emitted = r.IntN(30)
			m.Origin = make([]uint32, emitted)
			for i := range m.Origin {
				m.Origin[i] = uint32(r.IntN(n))
			}
		}
		m.Batch = numbered(pool, r, d.Fields, emitted, 5000, d.Time && emitted > 0, r.IntN(2) == 0 && emitted > 0)
		m.Batch.Positions = nil // a guest gives none
		var failed []bool
		if r.IntN(2) == 0 {
			failed = make([]bool, n)
			for i := range failed {
				failed[i] = r.IntN(3) == 0
			}
		}
		wanted := joined(input, m, failed, from, d)
		b, err := p.resolve(input, m, failed, &allowance{left: 1 << 30})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		input.Release()
		m.Batch.Release()
		var got []string
		if b != nil {
			for row := range b.Rows() {
				got = append(got, line(b, row))
			}
			b.Release()
		}
		if diff := cmp.Diff(wanted, got); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// joined is what resolve must return, a line a row.
func joined(in *batch.Batch, m *batch.Message, failed []bool, from []int, d *describe.Port) []string {
	var out []string
	for row := range m.Batch.Rows() {
		origin := row
		if m.Origin != nil {
			origin = int(m.Origin[row])
		}
		if failed != nil && failed[origin] {
			continue
		}
		one := &batch.Batch{}
		rows := []*batch.Batch{}
		for _, f := range from {
			if f < 0 {
				one.Columns, rows = append(one.Columns, m.Batch.Columns[-1-f]), append(rows, m.Batch)
			} else {
				one.Columns, rows = append(one.Columns, in.Columns[f]), append(rows, in)
			}
		}
		text := ""
		for i := range one.Columns {
			at := origin
			if rows[i] == m.Batch {
				at = row
			}
			text += line(&batch.Batch{Columns: one.Columns[i : i+1]}, at)
		}
		switch {
		case d.Time:
			text += fmt.Sprintf("@%d ", m.Batch.Times[row])
		case in.Times != nil:
			text += fmt.Sprintf("@%d ", in.Times[origin])
		}
		switch {
		case m.Batch.Kinds != nil:
			text += fmt.Sprintf("!%d ", m.Batch.Kinds[row])
		case in.Kinds != nil:
			text += fmt.Sprintf("!%d ", in.Kinds[origin])
		}
		out = append(out, text+fmt.Sprintf("#%d", in.Positions[origin]))
	}
	return out
}

func TestOutputThatGrowsByNamingARowAgainAndAgainIsBounded(t *testing.T) {
	pool := &batch.Pool{}
	in := &abi.Schema{Fields: []abi.Field{{Name: "text", Type: abi.String}}}
	b := pool.NewBuilder(in)
	b.Column(0).AppendString(strings.Repeat("x", 1<<20))
	b.EndRow()
	input := b.Finish()
	p, err := newPort(pool, &describe.Port{Forward: true}, in, in)
	if err != nil {
		t.Fatal(err)
	}
	empty := pool.NewBuilder(&abi.Schema{})
	empty.EndRows(abi.MaxRows)
	_, err = p.resolve(input, &batch.Message{Batch: empty.Finish(), Origin: make([]uint32, abi.MaxRows)}, nil, &allowance{left: 64 << 20, limit: 64 << 20})
	if err == nil || !strings.Contains(err.Error(), "more than 64 MiB of output in one call") {
		t.Errorf("64 GiB of output from a row of 1 MiB: %v", err)
	}
}

func TestAccumulatorsKeepTheirValuesWhileOthersGrowAndGo(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 4))
		store, model := &accumulators{}, map[uint32]string{}
		for range 3000 {
			slot := r.Uint32N(50)
			if r.IntN(5) == 0 {
				store.clear(slot)
				delete(model, slot)
				continue
			}
			value := strings.Repeat(string(rune('a'+slot%26)), 1+r.IntN(400))
			store.set(slot, []byte(value))
			model[slot] = value
		}
		for slot := range uint32(60) {
			if got := string(store.get(slot)); got != model[slot] {
				t.Fatalf("seed %d: slot %d holds %q, not %q", seed, slot, got, model[slot])
			}
		}
		live := 0
		for _, v := range model {
			live += len(v)
		}
		if len(store.data) > 4*live+2*packAbove {
			t.Errorf("seed %d: %d bytes are kept for %d", seed, len(store.data), live)
		}
	}
}
