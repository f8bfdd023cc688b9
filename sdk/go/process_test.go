// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

// step says what stepper shall do with the state of a key.
type step struct {
	Key  int64 `wasmill:",key"`
	Op   string
	A    string
	B    wasmill.Null[int64]
	N    int64
	Fail bool // after all
}

type answer struct{ Text string }

type pairKey struct {
	A string
	B wasmill.Null[int64]
}

type pairValue struct {
	N     int64
	Words []string
}

type sums struct {
	Added wasmill.Null[int64]  `merge:"add"`
	Least wasmill.Null[int64]  `merge:"min"`
	Most  string               `merge:"max"`
	Text  wasmill.Null[string] `merge:"append"`
}

// stepper has a state of each kind.
type stepper struct {
	Value  wasmill.ValueState[pairValue]
	Number wasmill.ValueState[int64]
	List   wasmill.ListState[string]
	Map    wasmill.MapState[pairKey, pairValue]
	Sums   wasmill.ReducingState[sums]
	Shared wasmill.ListState[int64] `wasmill:",operator"`

	Out wasmill.Output[answer]
}

func (s *stepper) Process(in *step) error {
	text := s.do(in)
	s.Out.Emit(answer{in.Op + " " + text})
	if in.Fail {
		return errors.New("as told")
	}
	return nil
}

func (s *stepper) do(in *step) string {
	key := pairKey{in.A, in.B}
	var found []modelPair
	add := func(k pairKey, v pairValue) bool {
		found = append(found, modelPair{k, v})
		return true
	}
	switch in.Op {
	case "value set":
		s.Value.Set(pairValue{in.N, []string{in.A, "x"}})
	case "value update":
		v := s.Value.Update()
		v.N += in.N
		v.Words = append(slices.Clone(v.Words), in.A)
	case "value clear":
		s.Value.Clear()
	case "value":
		return fmt.Sprint(s.Value.Has(), s.Value.Get())
	case "number":
		*s.Number.Update() += in.N
		return fmt.Sprint(s.Number.Get())
	case "number clear":
		s.Number.Clear()
	case "append":
		for n := range in.N {
			s.List.Append(fmt.Sprint(in.A, n))
		}
	case "list":
		return strings.Join(slices.Collect(s.List.All()), ",")
	case "list first":
		for item := range s.List.All() {
			for other := range s.List.All() {
				return item + other
			}
		}
	case "list clear":
		s.List.Clear()
	case "put":
		s.Map.Put(key, pairValue{in.N, []string{in.A}})
	case "get":
		has, v := s.Map.Has(key), s.Map.Get(key)
		s.Map.Get(pairKey{A: "a"})
		return fmt.Sprint(has, v)
	case "count":
		v := s.Map.Get(key)
		v.N++
		s.Map.Put(key, v)
	case "remove":
		s.Map.Remove(key)
	case "map clear":
		s.Map.Clear()
	case "map":
		s.Map.All()(add)
	case "from":
		s.Map.From(key)(add)
	case "to":
		s.Map.To(key)(add)
	case "range":
		s.Map.Range(key, pairKey{A: "c"})(add)
	case "prefix":
		s.Map.Prefix(key)(add)
	case "prefix 1":
		s.Map.PrefixN(key, 1)(add)
	case "add":
		s.Sums.Add(sums{wasmill.NotNull(in.N), in.B, in.A, wasmill.NotNull(in.A)})
	case "sums":
		got := s.Sums.Get()
		return fmt.Sprintf("%v %v %v %v %v", s.Sums.Has(), null(got.Added), null(got.Least), got.Most, null(got.Text))
	case "sums clear":
		s.Sums.Clear()
	case "share":
		s.Shared.Append(in.N)
	case "shared":
		return fmt.Sprint(slices.Collect(s.Shared.All()))
	}
	// What was read is valid until the call returns, whatever is read after it.
	for range s.Map.All() {
		s.Map.Get(pairKey{A: "b"})
	}
	return pairsText(found)
}

func pairsText(pairs []modelPair) string {
	var text []string
	for _, p := range pairs {
		text = append(text, fmt.Sprint(p.key.A, null(p.key.B), p.pairValue))
	}
	return strings.Join(text, ";")
}

func null[T any](v wasmill.Null[T]) string {
	if !v.Valid {
		return "null"
	}
	return fmt.Sprint(v.V)
}

// model is the state of a key as plain Go values.
type model struct {
	value  *pairValue
	number int64
	list   []string
	pairs  map[string]modelPair
	sums   *modelSums
}

type modelPair struct {
	key pairKey
	pairValue
}

type modelSums struct {
	added, least *int64
	most, text   string
}

func (m *model) clone() *model {
	c := *m
	c.list = slices.Clone(m.list)
	c.pairs = map[string]modelPair{}
	for k, v := range m.pairs {
		c.pairs[k] = v
	}
	return &c
}

// do does what stepper does, and returns the answer.
func (m *model) do(in *step, shared *[]int64) string {
	name := in.A + "|" + null(in.B)
	pick := func(which func(p modelPair) bool) string {
		var ps []modelPair
		for _, p := range m.pairs {
			if which(p) {
				ps = append(ps, p)
			}
		}
		slices.SortFunc(ps, func(a, b modelPair) int { return comparePairs(a.key, b.key) })
		return pairsText(ps)
	}
	key := pairKey{in.A, in.B}
	switch in.Op {
	case "value set":
		m.value = &pairValue{in.N, []string{in.A, "x"}}
	case "value update":
		v := pairValue{}
		if m.value != nil {
			v = *m.value
		}
		m.value = &pairValue{v.N + in.N, append(slices.Clone(v.Words), in.A)}
	case "value clear":
		m.value = nil
	case "value":
		if m.value == nil {
			return fmt.Sprint(false, pairValue{})
		}
		return fmt.Sprint(true, *m.value)
	case "number":
		m.number += in.N
		return fmt.Sprint(m.number)
	case "number clear":
		m.number = 0
	case "append":
		for n := range in.N {
			m.list = append(m.list, fmt.Sprint(in.A, n))
		}
	case "list":
		return strings.Join(m.list, ",")
	case "list first":
		if len(m.list) > 0 {
			return m.list[0] + m.list[0]
		}
	case "list clear":
		m.list = nil
	case "put":
		m.pairs[name] = modelPair{key, pairValue{in.N, []string{in.A}}}
	case "get":
		p, ok := m.pairs[name]
		return fmt.Sprint(ok, p.pairValue)
	case "count":
		p := m.pairs[name]
		p.key = key
		p.N++
		m.pairs[name] = p
	case "remove":
		delete(m.pairs, name)
	case "map clear":
		clear(m.pairs)
	case "map":
		return pick(func(modelPair) bool { return true })
	case "from":
		return pick(func(p modelPair) bool { return comparePairs(p.key, key) >= 0 })
	case "to":
		return pick(func(p modelPair) bool { return comparePairs(p.key, key) < 0 })
	case "range":
		return pick(func(p modelPair) bool { return comparePairs(p.key, key) >= 0 && p.key.A < "c" })
	case "prefix":
		if in.B.Valid {
			return pick(func(p modelPair) bool { return p.key.A == in.A && null(p.key.B) == null(in.B) })
		}
		return pick(func(p modelPair) bool { return strings.HasPrefix(p.key.A, in.A) })
	case "prefix 1":
		return pick(func(p modelPair) bool { return strings.HasPrefix(p.key.A, in.A) })
	case "add":
		m.add(in)
	case "sums":
		return m.sums.String()
	case "sums clear":
		m.sums = nil
	case "share":
		*shared = append((*shared)[:len(*shared):len(*shared)], in.N)
	case "shared":
		return fmt.Sprint(*shared)
	}
	return ""
}

func (m *model) add(in *step) {
	s := modelSums{}
	if m.sums != nil {
		s = *m.sums
	}
	sum := in.N
	if s.added != nil {
		sum += *s.added
	}
	s.added = &sum
	if b := in.B.V; in.B.Valid && (s.least == nil || b < *s.least) {
		s.least = &b
	}
	s.most, s.text = max(s.most, in.A), s.text+in.A
	m.sums = &s
}

func (s *modelSums) String() string {
	if s == nil {
		return "false null null  null"
	}
	least := "null"
	if s.least != nil {
		least = fmt.Sprint(*s.least)
	}
	return fmt.Sprintf("true %d %s %s %s", *s.added, least, s.most, s.text)
}

func comparePairs(a, b pairKey) int {
	switch {
	case a.A != b.A:
		return strings.Compare(a.A, b.A)
	case a.B.Valid != b.B.Valid:
		return map[bool]int{false: -1, true: 1}[a.B.Valid]
	case !a.B.Valid:
		return 0
	}
	return int(a.B.V - b.B.V)
}

// randomStep returns a step of a few keys and map keys, or of many.
func randomStep(r *rand.Rand, few bool) step {
	ops := []string{
		"value set", "value update", "value clear", "value", "number", "number", "number clear", "append", "append", "append", "list", "list first",
		"list clear", "put", "put", "put", "get", "get", "count", "count", "remove", "map clear", "map", "from", "to", "range", "prefix", "prefix 1",
		"add", "add", "sums", "sums", "sums clear", "share", "shared",
	}
	s := step{
		Key: r.Int64N(4), Op: ops[r.IntN(len(ops))], A: []string{"", "a", "ab", "b", "bb", "c\x00", "c\xc3\xbc"}[r.IntN(7)],
		B: wasmill.Null[int64]{V: r.Int64N(3), Valid: r.IntN(2) > 0}, N: r.Int64N(5), Fail: r.IntN(40) == 0,
	}
	if few {
		s.Key, s.A = 1, s.A[:min(len(s.A), 1)]
	}
	if s.Op == "append" && r.IntN(20) == 0 {
		s.N = 300 // several batches of a scan
	}
	return s
}

func TestStateIsWhatAModelOfItIs(t *testing.T) {
	cases := 150
	if testing.Short() {
		cases = 15
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for n := range cases {
		op := wasmilltest.Open(t, wasmill.Process("stepper", "", wasmill.Input("", (*stepper).Process)), nil)
		op.Reuse = n%3 > 0
		keys, shared := map[int64]*model{}, []int64(nil)
		for range 1 + r.IntN(4) {
			steps := make([]step, 1+r.IntN(60))
			var want []answer
			for i := range steps {
				steps[i] = randomStep(r, n%2 > 0)
				m := keys[steps[i].Key]
				if m == nil {
					m = &model{pairs: map[string]modelPair{}}
				}
				m, held := m.clone(), shared
				text := m.do(&steps[i], &held)
				if steps[i].Fail {
					continue
				}
				keys[steps[i].Key], shared = m, held
				want = append(want, answer{steps[i].Op + " " + text})
			}
			got := wasmilltest.Rows[answer](wasmilltest.Process(op, "", steps...), "")
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("seed %d: answer %d of %+v:\ngot  %+v\nwant %+v", seed, i, steps, got[min(i, len(got)):], want[min(i, len(want)):])
				}
			}
		}
	}
}

func TestMoreLoopsMayBeLeftEarlyThanScansMayBeOpen(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Process("stepper", "", wasmill.Input("", (*stepper).Process)), nil)
	wasmilltest.Process(op, "", step{Op: "append", A: "a", N: 300})
	r := wasmilltest.Process(op, "", slices.Repeat([]step{{Op: "list first"}}, 200)...)
	if got := wasmilltest.Rows[answer](r, ""); len(got) != 200 || got[199].Text != "list first a0a0" {
		t.Errorf("got %d answers: %v", len(got), got)
	}
}
