// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package timer

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/memory"
)

// plain is a timer that can be a map's key.
type plain struct {
	at             int64
	group          state.Group
	key, namespace string
}

func (p plain) timer() Timer { return Timer{p.group, p.at, []byte(p.key), []byte(p.namespace)} }

func compare(a, b plain) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.group, b.group), cmp.Compare(len(a.key), len(b.key)), cmp.Compare(a.key, b.key), cmp.Compare(a.namespace, b.namespace))
}

// pop pops and returns what fired.
func pop(t *testing.T, timers *Timers, upTo int64, most int) (fired []plain, more bool) {
	t.Helper()
	more, err := timers.Pop(upTo, most, func(x *Timer) error {
		fired = append(fired, plain{x.Time, x.Group, string(x.Key), string(x.Namespace)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fired, more
}

func TestTimersFireOnceInOrder(t *testing.T) {
	groups := state.Groups{From: 2, To: 9}
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 0))
		store := memory.New(groups)
		timers := New(store, EventTime)
		model := map[plain]bool{}
		spread := []int64{20, 3000, 1 << 40}[r.IntN(3)]
		now := -spread
		for step := range 6000 {
			p := plain{now + r.Int64N(spread) - spread/8, groups.From + state.Group(r.IntN(7)), string(make([]byte, r.IntN(3))), fmt.Sprint(r.IntN(3))}
			var err error
			switch r.IntN(12) {
			case 0, 1:
				err = timers.Delete(p.timer())
				delete(model, p)
			case 2:
				now += r.Int64N(spread / 4)
				most := 1 + r.IntN(150)
				var want []plain
				for p := range model {
					if p.at <= now {
						want = append(want, p)
					}
				}
				slices.SortFunc(want, compare)
				wantMore := len(want) > most
				want = want[:min(most, len(want))]
				got, more := pop(t, timers, now, most)
				if !slices.Equal(got, want) || more != wantMore {
					t.Fatalf("seed %d, step %d: %v fired, should have %v; more: %v", seed, step, got, want, more)
				}
				for _, p := range want {
					delete(model, p)
				}
			case 3:
				if r.IntN(20) == 0 {
					restored := memory.New(groups)
					if err = state.Copy(restored, store, groups); err == nil {
						store, timers = restored, New(restored, EventTime)
					}
				}
			default:
				err = timers.Set(p.timer())
				model[p] = true
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		left, _ := pop(t, timers, 1<<62, len(model)+1)
		if len(left) != len(model) || store.Stats().Entries != 0 {
			t.Errorf("seed %d: %d timers were left, should be %d; %d entries stay", seed, len(left), len(model), store.Stats().Entries)
		}
	}
}

func TestKindsOfTimersAreApart(t *testing.T) {
	store := memory.New(state.Groups{To: 1})
	event, processing := New(store, EventTime), New(store, ProcessingTime)
	p := plain{at: 5, key: "k"}
	if err := event.Set(p.timer()); err != nil {
		t.Fatal(err)
	}
	if fired, _ := pop(t, processing, 10, 10); len(fired) != 0 {
		t.Errorf("%v fired in processing time", fired)
	}
	if fired, _ := pop(t, event, 10, 10); !slices.Equal(fired, []plain{p}) {
		t.Errorf("%v fired in event time, should be %v", fired, p)
	}
}

func TestWhatIsNoTimerIsAnError(t *testing.T) {
	store := memory.New(state.Groups{To: 1})
	key := state.AppendTime(state.AppendKey(nil, 0, EventTime, nil, nil), 3)
	if err := store.Put(append(key, "\x10cut short"...), nil); err != nil {
		t.Fatal(err)
	}
	more, err := New(store, EventTime).Pop(3, 1, func(*Timer) error { return nil })
	if err == nil || more {
		t.Errorf("%v; should say that it is no timer", err)
	}
}

func BenchmarkSetAndFire(b *testing.B) {
	const waiting = 1_000_000
	timers := New(memory.New(state.Groups{To: state.DefaultGroups}), EventTime)
	r := rand.New(rand.NewPCG(1, 1))
	key := bytes.Repeat([]byte("k"), 16)
	now, set := int64(0), 0
	one := func() {
		set++
		key[set%16] = byte(set >> 4)
		x := Timer{Group: state.GroupOf(key, state.DefaultGroups), Time: now + r.Int64N(waiting), Key: key}
		if err := timers.Set(x); err != nil {
			b.Fatal(err)
		}
	}
	for range waiting {
		one()
	}
	fired := 0
	fire := func() {
		for more := true; more; {
			var err error
			more, err = timers.Pop(now, 1000, func(*Timer) error { fired++; return nil })
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	fire() // once for the store to bring the timers in order
	fired = 0
	b.ReportAllocs()
	for b.Loop() {
		for range 1000 {
			one()
		}
		now += 1000
		fire()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(fired), "ns/timer")
}

func TestNextIsTheTimeOfTheEarliestTimer(t *testing.T) {
	timers := New(memory.New(state.Groups{To: 4}), ProcessingTime)
	next := func(want int64, wantOK bool) {
		t.Helper()
		if due, err := timers.Next(math.MaxInt64); err != nil || (due != nil) != wantOK || due != nil && due.Time != want {
			t.Errorf("next %v, %v; should be at %d (%v)", due, err, want, wantOK)
		}
	}
	next(0, false)
	for i, at := range []int64{7, -5, 9} {
		if err := timers.Set(Timer{Group: state.Group(i), Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	next(-5, true)
	if _, err := timers.Pop(0, 10, func(*Timer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	next(7, true)
}
