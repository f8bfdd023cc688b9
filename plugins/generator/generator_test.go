// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/plugins/format/formattest"
	"github.com/wasmill/wasmill/plugins/plugintest"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// newTestSource makes a source whose columns come in the order given, or else by name.
func newTestSource(t testing.TB, yaml string, schema ...string) operator.Source {
	t.Helper()
	spec := operator.SourceSpec{}
	if len(schema) > 0 {
		spec.Schema = formattest.Schema(t, schema...)
	}
	return plugintest.Source(t, Connector(), plugintest.Config{YAML: yaml}, spec)
}

const everyColumn = `
rows: 10000
columns:
  id: {sequence: {start: 100, step: 2}}
  price: {uniform: [1, 100]}
  ratio: {uniform: [0.5, 2]}
  user: {zipf: {n: 1000, s: 1.1}}
  channel: {choice: [a, b, c]}
  size: {choice: [1, 2]}
  share: {choice: [0.5, 1]}
  maybe: {choice: [true, false], nulls: 0.1}
  at: {time: {start: 2026-01-01T00:00:00Z, step: 10ms, jitter: 2s}}
  name: {string: {length: [3, 12]}}
  good: {bool: 0.9}
`

func TestColumnsAreWhatTheirSpecsSay(t *testing.T) {
	want := "{at: timestamp, channel: string, good: bool, id: int64, maybe: bool, name: string, price: int64, " +
		"ratio: float64, share: float64, size: int64, user: int64}"
	if got := newTestSource(t, everyColumn).Schema().String(); got != want {
		t.Fatalf("schema %s, want %s", got, want)
	}
	s := newTestSource(t, everyColumn, "id", "int64", "price", "int64", "ratio", "float64", "user", "int64", "channel", "string",
		"size", "int64", "share", "float64", "maybe", "bool", "at", "timestamp", "name", "string", "good", "bool")
	got := plugintest.ReadAll(t.Context(), s, plugintest.Options())
	if got.Err != nil || len(got.Rows) != 10_000 || !s.Bounded() {
		t.Fatalf("%d rows, %v", len(got.Rows), got.Err)
	}
	counts := map[any]int{}
	users := map[int64]int{}
	prices := map[int64]int{}
	for i, row := range got.Rows {
		start := int64(1767225600000000) + int64(i)*10_000
		name := row[9].(string)
		ratio, at := row[2].(float64), row[8].(int64)
		if row[0] != int64(100+2*i) || ratio < 0.5 || ratio >= 2 || at > start || at < start-2_000_000 ||
			len(name) < 3 || len(name) > 12 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Fatalf("row %d: %v", i, row)
		}
		prices[row[1].(int64)]++
		users[row[3].(int64)]++
		counts[row[4]]++
		counts[row[5]]++
		counts[row[6]]++
		counts[row[7]]++
		if row[10] == true {
			counts["good"]++
		}
	}
	if len(prices) != 100 || prices[0] != 0 || prices[101] != 0 {
		t.Errorf("%d prices", len(prices))
	}
	for value, share := range map[any]float64{"a": 1. / 3, "c": 1. / 3, int64(1): 0.5, 0.5: 0.5, nil: 0.1, true: 0.45, "good": 0.9} {
		if got := float64(counts[value]) / 10_000; math.Abs(got-share) > 0.03 {
			t.Errorf("%v makes up %v, want %v", value, got, share)
		}
	}
	sum := 0.0
	for k := range 1000 {
		sum += math.Pow(float64(k+1), -1.1)
	}
	for _, k := range []int64{0, 1, 9} {
		if got, want := float64(users[k])/10_000, math.Pow(float64(k+1), -1.1)/sum; math.Abs(got-want) > 0.02 {
			t.Errorf("user %d makes up %v, want %v", k, got, want)
		}
	}
}

func TestTheSameSeedGivesTheSameRows(t *testing.T) {
	s := newTestSource(t, everyColumn)
	opts := plugintest.Options()
	first := plugintest.ReadAll(t.Context(), s, opts)
	opts.Rows = 7
	second := plugintest.ReadAll(t.Context(), s, opts)
	if diff := cmp.Diff(first.Rows[:100], second.Rows[:100]); diff != "" || !reflect.DeepEqual(first.Rows, second.Rows) {
		t.Errorf("batches of 1024 (-) and of 7 (+)\n%s", diff)
	}
	opts.Seed = 2
	if third := plugintest.ReadAll(t.Context(), s, opts); reflect.DeepEqual(first.Rows, third.Rows) {
		t.Error("another seed gives the same rows")
	}
}

func TestAColumnMoreLeavesTheOthersAlone(t *testing.T) {
	one := plugintest.ReadAll(t.Context(), newTestSource(t, "{rows: 50, columns: {b: {uniform: [0, 1000000]}}}"), plugintest.Options())
	two := plugintest.ReadAll(t.Context(), newTestSource(t, "{rows: 50, columns: {a: {uniform: [0, 1000000]}, b: {uniform: [0, 1000000]}}}"), plugintest.Options())
	for i := range one.Rows {
		if two.Rows[i][1] != one.Rows[i][0] {
			t.Fatalf("row %d: %v and %v", i, one.Rows[i], two.Rows[i])
		}
	}
}

func TestSplitsShareTheRows(t *testing.T) {
	s := newTestSource(t, "{rows: 11, splits: 3, columns: {id: {sequence: {start: 0}}, x: {uniform: [0, 1000000]}}}")
	got := plugintest.ReadAll(t.Context(), s, plugintest.Options())
	var ids []int64
	seen := map[any]bool{}
	for _, row := range got.Rows {
		ids = append(ids, row[0].(int64))
		seen[row[1]] = true
	}
	if slices.Sort(ids); !slices.Equal(ids, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) || len(seen) < 10 {
		t.Errorf("rows %v", got.Rows)
	}
	if !slices.Equal(got.Batches, []int{4, 4, 3}) || got.Positions[5] != "generator 1 row 1" {
		t.Errorf("batches %v, positions %v", got.Batches, got.Positions)
	}
}

func TestRateIsKept(t *testing.T) {
	s := newTestSource(t, "{rate: 10000, columns: {id: {sequence: {start: 0}}}}")
	if s.Bounded() {
		t.Error("a generator without rows ends")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	got := plugintest.ReadAll(ctx, s, plugintest.Options())
	if !errors.Is(got.Err, context.DeadlineExceeded) {
		t.Errorf("error %v", got.Err)
	}
	if n := len(got.Rows); n > 5000 || n == 0 {
		t.Errorf("%d rows in half a second", n)
	}
	if most := slices.Max(got.Batches); len(got.Batches) < 2 || most < 100 {
		t.Errorf("batches %v", got.Batches)
	}
}

// TestAGeneratorThatHasFallenBehindMakesUpForASecondAtMost runs on a clock of its own.
func TestAGeneratorThatHasFallenBehindMakesUpForASecondAtMost(t *testing.T) {
	s := newTestSource(t, "{rate: 1000, columns: {id: {sequence: {start: 0}}}}")
	opts := plugintest.Options()
	now := time.Unix(0, 0)
	opts.Now = func() time.Time { return now }
	opts.Rows = 100_000
	splits, err := s.Splits(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), splits[0], opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		pass time.Duration
		rows int
	}{{0, 10}, {500 * time.Millisecond, 490}, {time.Hour, 1000}, {10 * time.Millisecond, 10}} {
		now = now.Add(step.pass)
		b, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if b.Rows() != step.rows {
			t.Errorf("after %v: %d rows, want %d", step.pass, b.Rows(), step.rows)
		}
		b.Release()
	}
}

func TestASchemaMayBeDeclared(t *testing.T) {
	config := plugintest.Config{YAML: "{rows: 1, columns: {a: {sequence: {start: 7}}, b: {choice: [x]}}}"}
	s := plugintest.Source(t, Connector(), config, operator.SourceSpec{Schema: formattest.Schema(t, "b", "string", "a", "int64")})
	got := plugintest.ReadAll(t.Context(), s, plugintest.Options())
	if diff := cmp.Diff([][]any{{"x", int64(7)}}, got.Rows); diff != "" {
		t.Error(diff)
	}
	for want, pairs := range map[string][]string{
		"as int32, and the generator makes it as int64":        {"a", "int32", "b", "string"},
		`"c", which the generator does not make; did you mean`: {"a", "int64", "c", "string"},
		"declares 1 columns, and the generator makes 2":        {"a", "int64"},
	} {
		_, err := Connector().Source(config, operator.SourceSpec{Schema: formattest.Schema(t, pairs...)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", pairs, err, want)
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for yaml, want := range map[string]string{
		"{}":                                                       "columns: there are none",
		"{columns: {a: {}}}":                                       "column a: say how it is made",
		"{columns: {a: {uniforn: [1, 2]}}}":                        "uniforn",
		"{columns: {a: {uniform: [2, 1]}}}":                        "there is nothing between 2 and 1",
		"{columns: {a: {uniform: [2.5, 1]}}}":                      "there is nothing between 2.5 and 1",
		"{columns: {a: {uniform: [x, 1]}}}":                        "column a: uniform: it has two numbers",
		"{columns: {a: {uniform: [1]}}}":                           "it has two numbers",
		"{columns: {a: {zipf: {n: 0}}}}":                           "n is from 1 to",
		"{columns: {a: {choice: []}}}":                             "it has one value or more",
		"{columns: {a: {time: {start: soon}}}}":                    `"soon" is no time`,
		"{columns: {a: {time: {start: 2026-01-01, jitter: -1s}}}}": "is negative",
		"{columns: {a: {string: {length: [5, 3]}}}}":               "is no range",
		"{columns: {a: {string: {}}}}":                             "is no range",
		"{columns: {a: {bool: 2}}}":                                "is no share",
		"{columns: {a: {bool: 0.5, nulls: 2}}}":                    "is no share",
		"{columns: {a: {bool: 0.5, zipf: {n: 5}}}}":                "made in two ways",
		"{columns: {a: {bool: 1}}, splits: 0}":                     "splits: there can be 1 to",
		"{columns: {a: {bool: 1}}, rate: -1}":                      "rate: -1",
		"{columns: {a: {bool: 1}}, rows: -1}":                      "rows: there can't be -1",
	} {
		if _, err := Connector().Source(plugintest.Config{YAML: yaml}, operator.SourceSpec{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", yaml, err, want)
		}
	}
}

// BenchmarkNext makes rows of six columns.
func BenchmarkNext(b *testing.B) {
	s := newTestSource(b, "{columns: {id: {sequence: {start: 0}}, price: {uniform: [1, 100]}, user: {zipf: {n: 100000, s: 1.1}}, "+
		"channel: {choice: [apple, google]}, at: {time: {start: 2026-01-01, step: 10ms, jitter: 2s}}, name: {string: {length: [3, 12]}}}}")
	splits, err := s.Splits(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	r, err := s.Read(b.Context(), splits[0], plugintest.Options())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		out, err := r.Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		rows += out.Rows()
		out.Release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
}
