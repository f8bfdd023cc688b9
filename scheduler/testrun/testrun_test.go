// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package testrun

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/graph"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

var schema = &abi.Schema{Fields: []abi.Field{{Name: "word", Type: abi.String}, {Name: "at", Type: abi.Timestamp}}}

// lasting emits the last word again when the watermark or the clock moves. It fails the word "bad" and dies of "worse". The
// word is state, unless it is forgetful.
type lasting struct {
	operator.Context
	word      string
	forgetful bool
	due       time.Time
}

var key = state.AppendKey(nil, state.Unkeyed, 1, nil, nil)

func (l *lasting) Open(context.Context) error {
	var keys, values state.Strings
	keys.Append(key)
	err := l.State.Get(&keys, &values)
	l.word = string(values.At(0))
	return err
}

func (l *lasting) Close(context.Context) error { return nil }

func (l *lasting) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	for row := range b.Rows() {
		switch word := b.Columns[0].String(row); word {
		case "bad":
			if err := out.Fail(ctx, b, row, errors.New("a bad word")); err != nil {
				return err
			}
		case "worse":
			return errors.New("no such words here")
		default:
			l.word, l.due = word, l.Now().Add(time.Minute)
		}
	}
	return nil
}

func (l *lasting) say(ctx context.Context, out operator.Output) error {
	b := l.Pool.NewBuilder(schema)
	b.Column(0).AppendString(l.word)
	b.EndRow()
	return out.Emit(ctx, 0, b.Finish())
}

func (l *lasting) Watermark(ctx context.Context, _ abi.EventTime, out operator.Output) error {
	return l.say(ctx, out)
}

func (l *lasting) Next() time.Time { return l.due }

func (l *lasting) Tick(ctx context.Context, _ time.Time, out operator.Output) error {
	l.due = time.Time{}
	return l.say(ctx, out)
}

func (l *lasting) Flush(context.Context) error {
	if l.forgetful {
		return nil
	}
	return l.State.Put(key, []byte(l.word))
}

// suite checks tests of a pipeline in which the operator last stands between a source and a sink.
func suite(t *testing.T, forgetful bool, tests string) *graph.Suite {
	t.Helper()
	ends := operator.Connector{
		Name:   "nothing",
		Source: func(operator.Config, operator.SourceSpec) (operator.Source, error) { return end{}, nil },
		Sink:   func(operator.Config, operator.SinkSpec) (operator.Sink, error) { return end{}, nil },
	}
	p := &graph.Pipeline{
		Name:    "words",
		Sources: []graph.Source{{Name: "words", Connector: "nothing", Schema: schema, Time: &graph.EventTime{Column: "at"}}},
		Sinks:   []graph.Sink{{Name: "out", From: []string{"words"}, Connector: "nothing"}},
	}
	g, problems := graph.Check(t.Context(), p, graph.Catalog{Connectors: []operator.Connector{ends}})
	if problems != nil {
		t.Fatal(problems)
	}
	last := &graph.Node{
		Name: "last", Parallelism: 1, DeadLetters: -1, OnError: operator.PolicyDrop, Stateful: true,
		Inputs: []graph.Edge{{From: g.Nodes[0]}}, Outputs: []graph.Port{{Schema: schema}},
		New: func(c operator.Context) (operator.Operator, error) {
			return &lasting{Context: c, forgetful: forgetful}, nil
		},
	}
	g.Nodes[1].Inputs[0].From = last
	g.Nodes = []*graph.Node{g.Nodes[0], last, g.Nodes[1]}
	s, problems := graph.ParseSuite("words.test.yaml", []byte(tests), g)
	if problems != nil {
		t.Fatal(problems)
	}
	return s
}

type end struct {
	operator.Source
	operator.Sink
}

func (end) Schema() *abi.Schema { return schema }

// faults runs the first test of a suite.
func faults(t *testing.T, s *graph.Suite, restored bool) string {
	t.Helper()
	result, err := Check(t.Context(), s.Graph, 0, &s.Tests[0], Options{}, restored)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range result.Faults {
		text.WriteString(f.Text + "\n")
	}
	return text.String()
}

const words = `
tests:
  the last word is said again:
    steps:
      - rows: {words: [{word: a, at: 2001-01-01}, {word: b, at: 2001-01-01}, {word: bad, at: 2001-01-01}]}
        expect: {}
        failures: [{operator: last, reason: bad word}]
      - watermark: 2001-01-02
        expect: {out: [{word: b}]}
`

func TestScriptThatHoldsHasNoFaults(t *testing.T) {
	s := suite(t, false, words)
	for _, restored := range []bool{false, true} {
		if text := faults(t, s, restored); text != "" {
			t.Errorf("restored %v: %s", restored, text)
		}
	}
}

func TestOperatorThatKeepsItsStateInMemoryIsFoundByRestoring(t *testing.T) {
	s := suite(t, true, words)
	if text := faults(t, s, false); text != "" {
		t.Error(text)
	}
	want := "sink out: - expected, + came out\n  - {word: \"b\"}\n  + {word: \"\"}\n"
	if text := faults(t, s, true); text != want {
		t.Errorf("got %q, should be %q", text, want)
	}
}

func TestFaultsSayWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		steps, want string
	}{
		"rows that nobody expects": {
			`[{rows: {words: [{word: a, at: 2001-01-01}]}, watermark: 2001-01-02}]`,
			"sink out was given rows that no step expects\n  + {word: \"a\", at: null}\n",
		},
		"failures that nobody expects": {
			`[{rows: {words: [{word: bad, at: 2001-01-01}]}}]`, "a row of last failed: a bad word\n",
		},
		"a failure that does not come": {
			`[{failures: [{operator: last, reason: x}]}]`, "no row of last failed with \"x\"\n",
		},
		"a row without event time": {
			`[{rows: {words: [{word: a}]}}]`, "the job failed:\nwords: column \"at\", the event time, is null\n",
		},
		"an end that is expected":   {`[{rows: {words: [{word: worse, at: 2001-01-01}]}, fails: no such words}]`, ""},
		"an end that is not":        {`[{rows: {words: [{word: worse, at: 2001-01-01}]}}]`, "the job failed:\nlast: no such words here\n"},
		"another end":               {`[{rows: {words: [{word: worse, at: 2001-01-01}]}, fails: disk}]`, "the job failed otherwise than expected:\nlast: no such words here\n"},
		"an end that does not come": {`[{clock: 1s, fails: disk}]`, "the job did not fail; expected an error with the text \"disk\"\n"},
		"the clock, a minute later": {`[{rows: {words: [{word: a, at: 2001-01-01}]}}, {clock: 59s, expect: {}}, {clock: 1s, expect: {out: [{word: a}]}}]`, ""},
		"the end of the source":     {`[{rows: {words: [{word: a, at: 2001-01-01}]}}, {end: true, expect: {out: [{word: a}]}}]`, ""},
		"columns that no row names": {`[{rows: {words: [{word: a, at: 2001-01-01}]}}, {end: true, expect: {out: [{at: null}]}}]`, ""},
		"watermarks that go back":   {`[{watermark: 2001-01-02, expect: {out: [{word: ""}]}}, {watermark: {words: 2001-01-01}, expect: {}}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if text := faults(t, suite(t, false, "tests: {one: {steps: "+c.steps+"}}"), false); text != c.want {
				t.Errorf("got %q, should be %q", text, c.want)
			}
		})
	}
}

func TestOutcomesAreWhatUpdateWrites(t *testing.T) {
	s := suite(t, false, words)
	result, err := Check(t.Context(), s.Graph, 0, &s.Tests[0], Options{}, false)
	if err != nil || len(result.Outcomes) != 2 {
		t.Fatal(result.Outcomes, err)
	}
	if got := result.Outcomes[1].Rows["out"]; !slices.Equal(got, []string{`{word: "b"}`}) {
		t.Errorf("got %q", got)
	}
	result.Outcomes[1].Rows["out"] = []string{`{word: "c"}`}
	text, err := graph.UpdateSuite([]byte(words), result.Outcomes)
	if err != nil || !strings.Contains(string(text), `word: "c"`) || strings.Contains(string(text), "{word: b}") {
		t.Errorf("%v\n%s", err, text)
	}
}

// passing is an operator that passes rows on.
type passing struct{ operator.Operator }

func (passing) Open(context.Context) error                                      { return nil }
func (passing) Watermark(context.Context, abi.EventTime, operator.Output) error { return nil }
func (passing) Close(context.Context) error                                     { return nil }
func (passing) Process(ctx context.Context, _ int, b *batch.Batch, out operator.Output) error {
	return out.Emit(ctx, 0, b.Retain())
}

func TestWatermarkOfTheScriptEndsAtAnOperatorThatMakesItsOwn(t *testing.T) {
	s := suite(t, false, `
tests:
  one:
    steps:
      - rows: {words: [{word: a, at: 2001-01-02}]}
        expect: {out: [{word: a}]}
      - watermark: 2001-01-05
        expect: {}
      - rows: {words: [{word: b, at: 2001-01-01}]}
        expect: {}
      - rows: {words: [{word: c, at: 2001-01-03}]}
        expect: {out: [{word: c}]}
      - end: true
        expect: {out: [{word: c}]}
`)
	nodes := s.Graph.Nodes
	again := &graph.Node{
		Name: "again", Parallelism: 1, DeadLetters: -1, Inputs: nodes[1].Inputs, Outputs: []graph.Port{{Schema: schema}},
		New:  func(operator.Context) (operator.Operator, error) { return passing{}, nil },
		Time: &graph.Time{Column: 1},
	}
	nodes[1].Inputs = []graph.Edge{{From: again}}
	s.Graph.Nodes = slices.Insert(nodes, 1, again)
	for _, restored := range []bool{false, true} {
		if text := faults(t, s, restored); text != "" {
			t.Errorf("restored %v: %s", restored, text)
		}
	}
}
