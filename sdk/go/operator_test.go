// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill_test

import (
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	wasmill "github.com/wasmill/wasmill/sdk/go"
	"github.com/wasmill/wasmill/sdk/go/internal/host"
	"github.com/wasmill/wasmill/sdk/go/internal/row"
	"github.com/wasmill/wasmill/sdk/go/internal/wire"
	"github.com/wasmill/wasmill/sdk/go/wasmilltest"
)

type item struct{ N int64 }

type repeat struct {
	Times int64 `default:"2"`
	Out   wasmill.Output[item]
}

func (r *repeat) Process(i *item) error {
	for n := range r.Times {
		r.Out.Emit(item{i.N + n})
	}
	return nil
}

func TestRowsPastTheLimitOfABatchTravelInSeveral(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Map("repeat", "", (*repeat).Process), wasmilltest.Config{"times": 3 * wire.MaxRows})
	r := wasmilltest.Map(op, item{1}, item{-5})
	got := wasmilltest.Rows[item](r, "")
	if len(got) != 6*wire.MaxRows {
		t.Fatalf("got %d rows, want %d", len(got), 6*wire.MaxRows)
	}
	for i, v := range got {
		if want := int64(i%(3*wire.MaxRows)) + []int64{1, -5}[i/(3*wire.MaxRows)]; v.N != want {
			t.Fatalf("row %d is %d, want %d", i, v.N, want)
		}
	}
}

type text struct{ S string }

type shout struct{ Out wasmill.Output[text] }

func (s *shout) Process(v *text) error {
	s.Out.Emit(text{strings.Repeat(v.S, 1<<20)})
	return nil
}

func TestLargeRowsTravelInBatchesOfAFewMegabytes(t *testing.T) {
	op := wasmill.Map("shout", "", (*shout).Process)
	instance, err := op.Open(emptyConfig())
	if err != nil {
		t.Fatal(err)
	}
	sizes, rows := []int{}, 0
	recorder := &host.Recorder{Emit: func(batch []byte) {
		b := wire.Read(batch)
		sizes, rows = append(sizes, len(batch)), rows+b.Rows
	}}
	host.With(recorder, func() { err = instance.Process(batchOf(t, slices.Repeat([]text{{"ab"}}, 9)...)) })
	if err != nil || rows != 9 || len(sizes) < 4 || slices.Max(sizes) > 5<<20 {
		t.Errorf("error %v, %d rows in batches of %v bytes; want 9 rows in batches of at most 5 MiB", err, rows, sizes)
	}
}

type nested struct {
	ID   int64
	List wasmill.Null[[]string]
	Pair wasmill.Null[struct{ A, B int64 }]
}

type loose struct {
	ID   int64
	List wasmill.Null[[]wasmill.Null[string]]
	Pair wasmill.Null[struct{ A, B wasmill.Null[int64] }]
}

type passNested struct{ Out wasmill.Output[nested] }

func (p *passNested) Process(n *nested) error {
	p.Out.Emit(*n)
	return nil
}

func TestARowFailsWhereAValueInsideItIsNullAndItsTypeHasNoRoomForThat(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Map("nested", "", (*passNested).Process), nil)
	some := wasmill.NotNull[string]
	list := func(items ...wasmill.Null[string]) wasmill.Null[[]wasmill.Null[string]] {
		return wasmill.NotNull(items)
	}
	whole := wasmill.NotNull(struct{ A, B wasmill.Null[int64] }{wasmill.NotNull(int64(1)), wasmill.NotNull(int64(2))})
	half := wasmill.NotNull(struct{ A, B wasmill.Null[int64] }{A: wasmill.NotNull(int64(1))})
	r := wasmilltest.Map(op,
		loose{ID: 0, List: list(some("a"), some("b")), Pair: whole},
		loose{ID: 1, List: list(some("a"), wasmill.Null[string]{})},
		loose{ID: 2},
		loose{ID: 3, Pair: half},
		loose{ID: 4, List: list(some("c"))},
	)
	failed := slices.Sorted(maps.Keys(r.Failures))
	if !slices.Equal(failed, []int{1, 3}) || !strings.HasPrefix(r.Failures[1], "item is null") || !strings.HasPrefix(r.Failures[3], "b is null") {
		t.Errorf("failures are %v; want rows 1, by item, and 3, by b", r.Failures)
	}
	rows := wasmilltest.Rows[nested](r, "")
	if len(rows) != 3 || !slices.Equal(rows[0].List.V, []string{"a", "b"}) || rows[0].Pair.V.B != 2 || rows[1].List.Valid || rows[2].List.V[0] != "c" {
		t.Errorf("got %+v", rows)
	}
}

type columns struct {
	wasmill.Rows
	N  wasmill.Column[int64] `wasmill:",null"`
	S  wasmill.StringColumn
	B  wasmill.BoolColumn
	At wasmill.Column[wasmill.EventTime]
}

type built struct {
	N  wasmill.Builder[int64]
	S  wasmill.StringBuilder
	B  wasmill.BoolBuilder
	At wasmill.Builder[wasmill.EventTime]
}

type row4 struct {
	N  wasmill.Null[int64]
	S  string
	B  bool
	At wasmill.EventTime
}

// evens keeps the rows with an even or no number; a negative one fails.
type evens struct{ Out wasmill.ColumnOutput[built] }

func (e *evens) Process(in *columns) error {
	out := e.Out.Begin(in.Len())
	origins, kept := e.Out.Origins(), 0
	for i, n := range in.N.Values() {
		switch {
		case in.N.Null(i):
			out.N.SetNull(kept)
		case n < 0:
			in.Fail(i, "negative")
			continue
		case n%2 != 0:
			continue
		}
		out.N.Values()[kept] = n * 10
		out.S.Append(in.S.At(i) + "!")
		out.B.Set(kept, !in.B.At(i))
		out.At.Values()[kept] = in.At.Values()[i] + 1
		origins[kept] = uint32(i)
		kept++
	}
	e.Out.Truncate(kept)
	return nil
}

func TestColumnsAreReadAndWritten(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.MapColumns("evens", "", (*evens).Process), nil)
	rows := []row4{
		{wasmill.NotNull(int64(2)), "two", true, 20}, {wasmill.NotNull(int64(3)), "three", true, 30},
		{wasmill.Null[int64]{}, "none", false, 5}, {wasmill.NotNull(int64(-4)), "minus", false, 7},
		{wasmill.NotNull(int64(8)), "", true, 80},
	}
	for range 2 { // the second call uses the memory of the first
		r := wasmilltest.Map(op, rows...)
		got := wasmilltest.Rows[row4](r, "")
		want := []row4{{wasmill.NotNull(int64(20)), "two!", false, 21}, {wasmill.Null[int64]{}, "none!", true, 6}, {wasmill.NotNull(int64(80)), "!", false, 81}}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if !maps.Equal(r.Failures, map[int]string{3: "negative"}) || !slices.Equal(r.Origins(""), []int{0, 2, 4}) {
			t.Errorf("failures are %v, origins %v", r.Failures, r.Origins(""))
		}
	}
}

type (
	withInt     struct{ N int }
	withDecimal struct{ Price wasmill.Decimal }
	withTime    struct {
		T []wasmill.EventTime
	}
	withTag struct {
		N int64 `wasmill:"n,sacle=2"`
	}
)

type op[T any] struct{ Out wasmill.Output[T] }

func (o *op[T]) Process(*item) error { return nil }

type withMap struct {
	op[item]
	Seen map[string]int
}

type withBytes struct {
	op[item]
	Raw []byte
}

type withLists struct {
	op[item]
	Raw [][]int64
}

type noOutput struct{ N int64 }

func (*noOutput) Process(*item) error { return nil }

func TestAMistakeInATypeIsNamed(t *testing.T) {
	for want, operator := range map[string]wasmill.Operator{
		"operator o: wasmill_test.op[github.com/wasmill/wasmill/sdk/go_test.withInt].Out: wasmill_test.withInt.N: no column has the type int; there are": wasmill.Map("o", "", (*op[withInt]).Process),
		"wasmill_test.withDecimal.Price: a Decimal says its digits after the point: `wasmill:\"name,scale=2\"`":                                          wasmill.Map("o", "", (*op[withDecimal]).Process),
		"wasmill_test.withTime.T: a row has one EventTime":                                                                                               wasmill.Map("o", "", (*op[withTime]).Process),
		"unknown option \"sacle=2\" in its tag":                                                                                                          wasmill.Map("o", "", (*op[withTag]).Process),
		"wasmill_test.withMap.Seen: no column has the type map[string]int; there are":                                                                    wasmill.Map("o", "", func(*withMap, *item) error { return nil }),
		"A field that is no configuration is unexported":                                                                                                 wasmill.Map("o", "", func(*withMap, *item) error { return nil }),
		"withBytes.Raw: a configuration field can't have the type bytes":                                                                                 wasmill.Map("o", "", func(*withBytes, *item) error { return nil }),
		"withLists.Raw: a configuration field can't be a list of type list":                                                                              wasmill.Map("o", "", func(*withLists, *item) error { return nil }),
		"wasmill_test.noOutput has no field of type wasmill.Output":                                                                                      wasmill.Map("o", "", (*noOutput).Process),
	} {
		if _, err := operator.Describe(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}

type eager struct{ Out wasmill.Output[item] }

func (e *eager) Open() error {
	e.Out.Emit(item{1})
	return nil
}

func (e *eager) Process(*item) error { return nil }

func TestOpenMustNotEmit(t *testing.T) {
	if got := wasmilltest.Refusal(t, wasmill.Map("eager", "", (*eager).Process), nil); !strings.Contains(got, "Open emits a row") {
		t.Errorf("it refuses with %q", got)
	}
}

type keep struct {
	last string
	Out  wasmill.Output[text]
}

func (k *keep) Process(v *text) error {
	k.Out.Emit(text{k.last})
	k.last = v.S
	return nil
}

func TestAStringThatIsKeptPastItsCallIsFoundOut(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Map("keep", "", (*keep).Process), nil)
	wasmilltest.Map(op, text{"abc"})
	if got := wasmilltest.Rows[text](wasmilltest.Map(op, text{"def"}), "")[0].S; got == "abc" || got == "" {
		t.Errorf("the operator still has %q of its first call", got)
	}
}

type fields struct {
	Limits []int64           `default:"[1, 2, 3]" doc:"limits"`
	Rate   float64           `default:"0.5"`
	Since  wasmill.Timestamp `default:"2001-02-03T04:05:06Z"`
	Price  wasmill.Decimal   `wasmill:"unit_price,scale=2" default:"19.99"`
	Name   wasmill.Null[string]
	Loud   bool
	Out    wasmill.Output[text]
	opened string
}

func (f *fields) Open() error {
	if !f.Loud {
		return errors.New("not loud")
	}
	f.opened = strings.Repeat("!", int(f.Limits[2]))
	return nil
}

func (f *fields) Process(v *text) error {
	if f.Rate != 0.5 || f.Since != 981173106000000 || f.Price != 1999 || f.Name.Or("nobody") != "nobody" {
		return errors.New("configuration is not what was declared")
	}
	f.Out.Emit(text{v.S + f.opened})
	return nil
}

func TestConfigurationHasDefaults(t *testing.T) {
	operator := wasmill.Map("fields", "", (*fields).Process)
	if got := wasmilltest.Refusal(t, operator, wasmilltest.Config{"loud": false}); got != "not loud" {
		t.Errorf("it refuses with %q", got)
	}
	r := wasmilltest.Map(wasmilltest.Open(t, operator, wasmilltest.Config{"loud": true}), text{"a"})
	if got := wasmilltest.Rows[text](r, ""); len(r.Failures) > 0 || got[0].S != "a!!!" {
		t.Errorf("got %v and failures %v", got, r.Failures)
	}
	d, err := operator.Describe()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"limits list<int64> false", "rate float64 false", "since timestamp false", "unit_price decimal(2) false", "name string false", "loud bool true"} {
		f := d.Config[i]
		if got := f.Name + " " + f.TypeString() + map[bool]string{true: " true", false: " false"}[f.Required]; got != want {
			t.Errorf("configuration field %d is %q, want %q", i, got, want)
		}
	}
}

func TestNamesAreSnakeCase(t *testing.T) {
	for name, want := range map[string]string{"A": "a", "LateAfter": "late_after", "UserID": "user_id", "HTTPServer": "http_server", "X2Y": "x2_y", "Snake_Case": "snake_case"} {
		if got := row.Snake(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestACallAllocatesNothingInSteadyState(t *testing.T) {
	instance, err := wasmill.Map("shift", "", (*shiftOp).Process).Open(emptyConfig())
	if err != nil {
		t.Fatal(err)
	}
	rows := slices.Repeat([]row4{{wasmill.NotNull(int64(1)), "some text", true, 5}, {S: "more"}}, 1000)
	batch := batchOf(t, rows...)
	recorder := &host.Recorder{Emit: func([]byte) {}}
	host.With(recorder, func() {
		if n := testing.AllocsPerRun(20, func() {
			if err := instance.Process(batch); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("a call allocates %v times", n)
		}
	})
	runtime.KeepAlive(batch)
}

type shiftOp struct{ Out wasmill.Output[row4] }

func (s *shiftOp) Process(r *row4) error {
	r.At++
	s.Out.Emit(*r)
	return nil
}

type counted struct {
	Out  wasmill.Output[item]
	Seen wasmill.Counter
}

type embedding struct {
	By int64
	counted
}

func (e *embedding) Process(i *item) error {
	e.Seen.Add(1)
	e.Out.Emit(item{i.N + e.By})
	return nil
}

func TestWhatIsEmbeddedInAnOperatorIsItsOwn(t *testing.T) {
	op := wasmilltest.Open(t, wasmill.Map("embedding", "", (*embedding).Process), wasmilltest.Config{"by": 2})
	r := wasmilltest.Map(op, item{1}, item{5})
	if got := wasmilltest.Rows[item](r, ""); !slices.Equal(got, []item{{3}, {7}}) || r.Counters["seen"] != 2 {
		t.Errorf("got %v and counters %v", got, r.Counters)
	}
}
