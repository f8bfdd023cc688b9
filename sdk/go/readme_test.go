// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// The operators of README.md, word for word.

type Payment struct {
	Account string `wasmill:",key"`
	Amount  int64
	At      wasmill.EventTime
}

type Quiet struct { // what is emitted when an account has been quiet for an hour
	Account         string
	Payments, Total int64
}

type Sums struct {
	Payments, Total int64
	Last            wasmill.Timestamp
}

type Watch struct {
	Seen wasmill.ValueState[Sums] `ttl:"24h,write" doc:"payments since the account was last quiet"`

	Idle wasmill.EventTimers
	Out  wasmill.Output[Quiet]
}

const hour = 3_600_000_000

func (w *Watch) Process(p *Payment) error {
	s := w.Seen.Update()
	if s.Payments > 0 {
		w.Idle.Delete(wasmill.EventTime(s.Last) + hour)
	}
	s.Payments++
	s.Total += p.Amount
	s.Last = wasmill.Timestamp(p.At)
	w.Idle.Set(p.At + hour)
	return nil
}

type Due struct { // a timer that is due, and its key
	wasmill.Timer
	Account string
}

func (w *Watch) OnIdle(d *Due) error {
	s := w.Seen.Get()
	w.Out.Emit(Quiet{d.Account, s.Payments, s.Total})
	w.Seen.Clear()
	return nil
}

var watch = wasmill.Process("watch", "Accounts that went quiet.",
	wasmill.Input("", (*Watch).Process), wasmill.OnTimer((*Watch).OnIdle))

type Hits struct {
	wasmill.Rows
	Page wasmill.StringColumn `wasmill:",key"`
}

type Count struct{ N wasmill.Builder[int64] }

type CountHits struct {
	Seen wasmill.ValueState[int64]
	Out  wasmill.ColumnOutput[Count] `wasmill:",forward"`
}

func (c *CountHits) Process(in *Hits) error {
	counts, out := c.Seen.Values(), c.Out.Begin(in.Len()).N.Values() // one a key, zero at first
	for row, key := range in.Keys() {
		counts[key]++
		out[row] = counts[key]
	}
	c.Seen.PutAll()
	return nil
}

var countHits = wasmill.Process("count_hits", "How often each page was hit so far.", wasmill.InputColumns("", (*CountHits).Process))

func TestTheCodeOfStateInTheREADMEIsTheOneTestedHere(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## State and timers\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```go\n")[1:]
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d blocks of code on state", len(blocks))
	}
	for _, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if !strings.Contains(string(source), block) {
			t.Errorf("readme_test.go does not have this block of README.md:\n%s", block)
		}
	}
}

func TestWatchEmitsAnAccountThatWentQuiet(t *testing.T) {
	const minute = 60_000_000
	op := wasmilltest.Open(t, watch, nil)
	wasmilltest.Process(op, "", Payment{"a", 5, 0}, Payment{"b", 1, minute}, Payment{"a", 7, minute})
	if got := wasmilltest.Rows[Quiet](op.AdvanceWatermark(hour), ""); len(got) > 0 {
		t.Errorf("after an hour there are %v, though a payment of each account was later", got)
	}
	wasmilltest.Process(op, "", Payment{"b", 2, 2 * minute})
	got := wasmilltest.Rows[Quiet](op.AdvanceWatermark(hour+minute), "")
	if want := []Quiet{{"a", 2, 12}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got = wasmilltest.Rows[Quiet](op.AdvanceWatermark(wasmilltest.EndOfInput), "")
	if want := []Quiet{{"b", 2, 3}}; !slices.Equal(got, want) {
		t.Errorf("at the end of input got %v, want %v", got, want)
	}
}

func TestCountHitsCountsAcrossBatches(t *testing.T) {
	type hit struct {
		Page string `wasmill:",key"`
	}
	type count struct{ N int64 }
	op := wasmilltest.Open(t, countHits, nil)
	wasmilltest.Process(op, "", hit{"x"}, hit{"y"}, hit{"x"})
	got := wasmilltest.Rows[count](wasmilltest.Process(op, "", hit{"z"}, hit{"x"}, hit{"y"}), "")
	if want := []count{{1}, {3}, {2}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
