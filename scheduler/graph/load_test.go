// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

const whole = `
name: whole
sources:
  bids:
    file: in/bids.json
    schema: { auction: int64, price: int64, at: timestamp }
    time: { column: at, out_of_order: 5s, idle: 1m }
operators:
  euros: { from: bids, wasm: euros.wasm, config: { rate: 0.5, round: true }, key: auction, on_error: dead_letter }
  busy:
    from: euros
    key: [auction]
    window: { tumble: 10s, lateness: 1m }
    aggregate: { n: count(), mean: { wasm: many.wasm, operator: mean } }
sinks:
  out: { from: busy, stdout: }
  dead: { from: [euros.dead_letters], file: dead.json, format: { json: { timestamps: ms } } }
options: { parallelism: 2, seed: 0 }
`

// wholeInGo is the same pipeline.
func wholeInGo() *Pipeline {
	return &Pipeline{
		Name: "whole",
		Sources: []Source{{
			Name: "bids", Connector: "file", Options: "in/bids.json",
			Schema: &abi.Schema{Fields: fields("auction: int64, price: int64, at: timestamp")},
			Time:   &EventTime{Column: "at", OutOfOrder: 5 * time.Second, Idle: time.Minute},
		}},
		Operators: []Operator{
			{
				Name: "euros", From: []string{"bids"}, Key: []string{"auction"}, OnError: operator.PolicyDeadLetter,
				Wasm: Wasm{Path: "euros.wasm", Config: map[string]any{"rate": 0.5, "round": true}},
			},
			{
				Name: "busy", From: []string{"euros"}, Key: []string{"auction"},
				Window: &Window{Tumble: 10 * time.Second, Lateness: time.Minute},
				Aggregates: []Aggregate{
					{Name: "n", Call: "count()"},
					{Name: "mean", Wasm: Wasm{Path: "many.wasm", Operator: "mean"}},
				},
			},
		},
		Sinks: []Sink{
			{Name: "out", From: []string{"busy"}, Connector: "stdout"},
			{
				Name: "dead", From: []string{"euros.dead_letters"}, Connector: "file", Options: map[string]any{"path": "dead.json"},
				Format: Format{Name: "json", Options: map[string]any{"timestamps": "ms"}},
			},
		},
		Options: Options{Parallelism: 2},
	}
}

func load(t *testing.T, path, text string) *Graph {
	t.Helper()
	g, problems := Load(t.Context(), path, []byte(text), fakeCatalog())
	if g == nil {
		t.Fatal(problems)
	}
	return g
}

func TestPipelineInGoIsTheOneInTheFile(t *testing.T) {
	g, problems := Check(t.Context(), wholeInGo(), fakeCatalog())
	if g == nil {
		t.Fatal(problems)
	}
	built, want := g.Plan(), load(t, "p.yaml", whole).Plan()
	for i := range want.Nodes {
		want.Nodes[i].Line = 0
	}
	want.Seed = 1 // a zero has the default where a Go program leaves it
	if diff := cmp.Diff(want, built); diff != "" {
		t.Errorf("(-file +Go):\n%s", diff)
	}
}

func TestProblemsOfAPipelineInGoNameThePart(t *testing.T) {
	p := wholeInGo()
	p.Sources[0].Options = map[string]any{"path": "x", "folow": true}
	p.Operators[0].Config = map[string]any{"rate": "half"}
	p.Operators[1].From = []string{"euro"}
	p.Sinks[0].Connector = "stdot"
	p.Sinks[1].Connector = ""
	p.Options.Parallelism = 500
	g, problems := Check(t.Context(), p, fakeCatalog())
	want := strings.Join([]string{
		`options.parallelism: parallelism is 500; it can be 1 to 128`,
		`operators.busy.from: there is no source or operator "euro"; did you mean "euros"?`,
		`sources.bids.file.folow: unknown key "folow"; did you mean "follow"?`,
		`operators.euros.config.rate: expected a number, not the string "half"`,
		`sinks.out.stdot: no sink connector is called "stdot"; did you mean "stdout"?`,
		`sinks.dead: sink "dead" has no connector; add one of file, stdout`,
	}, "\n")
	if diff := cmp.Diff(want, problems.Error()); diff != "" || g != nil {
		t.Errorf("graph %v, problems (-want +got):\n%s", g, diff)
	}
}

func TestNodesAreReadyToRun(t *testing.T) {
	folder := t.TempDir()
	g := load(t, filepath.Join(folder, "p.yaml"), whole)
	byName := map[string]*Node{}
	for _, n := range g.Nodes {
		byName[n.Name] = n
	}
	if want := (Options{Parallelism: 2, Latency: 50 * time.Millisecond, BatchRows: 1024, Seed: 0}); g.Options != want {
		t.Errorf("options %+v, want %+v", g.Options, want)
	}

	bids := byName["bids"]
	if got, want := bids.Source.Source.(*fakeSource).path, filepath.Join(folder, "in/bids.json"); got != want {
		t.Errorf("the source reads %s, want %s", got, want)
	}
	if want := (Time{Column: 2, OutOfOrder: 5 * time.Second, Idle: time.Minute}); *bids.Source.Time != want {
		t.Errorf("event time %+v, want %+v", *bids.Source.Time, want)
	}
	if bids.Line != 4 || bids.DeadLetters != -1 || bids.OnError != operator.PolicyFail {
		t.Errorf("source on line %d with policy %d and dead letters %d", bids.Line, bids.OnError, bids.DeadLetters)
	}

	euros := byName["euros"]
	if in := euros.Inputs[0]; in.From != bids || in.Port != 0 || in.Partition != Hash || !cmp.Equal(in.Key, []int{0}) {
		t.Errorf("euros reads %+v", in)
	}
	if euros.DeadLetters != 1 || euros.Outputs[1].Name != operator.PortDeadLetters || euros.OnError != operator.PolicyDeadLetter || euros.Parallelism != 2 {
		t.Errorf("euros is %+v", euros)
	}
	op, err := euros.New(operator.Context{})
	if err != nil {
		t.Fatal(err)
	}
	spec := op.(madeOperator).spec
	if got := cells(t, spec.Config); got != "rate=0.5 round=true" {
		t.Errorf("configured with %s", got)
	}
	if !cmp.Equal(spec.Inputs[0].Columns, []int{1}) || !spec.Inputs[0].Schema.Equal(bids.Outputs[0].Schema) || len(spec.Outputs) != 1 || !spec.Outputs[0].Equal(euros.Outputs[0].Schema) {
		t.Errorf("made with columns %v of %v to %v", spec.Inputs[0].Columns, spec.Inputs[0].Schema, spec.Outputs)
	}

	out, dead := byName["out"], byName["dead"]
	if out.Parallelism != 1 || !out.Sink.(*fakeSink).schema.Equal(byName["busy"].Outputs[0].Schema) {
		t.Errorf("sink with parallelism %d of %v", out.Parallelism, out.Sink.(*fakeSink).schema)
	}
	if in := dead.Inputs[0]; in.From != euros || in.Port != 1 {
		t.Errorf("dead letters come from %+v", in)
	}
}

func TestConfigurationHasTheModulesDefaults(t *testing.T) {
	const pipeline = `
name: a
sources: { s: { numbers: } }
operators: { o: { from: s, wasm: many.wasm, operator: typed, config: %s } }
sinks: { k: { from: o, stdout: } }
`
	for config, want := range map[string]string{
		"{}":       "b=true i=-7 l=null f=1000 d=1250 s=12 t=980942400000000 ls=[a b]",
		"{ b: ~ }": "b=true i=-7 l=null f=1000 d=1250 s=12 t=980942400000000 ls=[a b]",
		`{ b: false, i: 2147483647, l: -9223372036854775808, f: 3, d: -0.10, s: "", t: 1969-12-31 23:59:59.5, ls: [] }`: "b=false i=2147483647 l=-9223372036854775808 f=3 d=-10 s= t=-500000 ls=[]",
		`{ d: 9999999999999999.990, t: 2001-01-31T00:00:00+02:00, ls: [x, ~] }`:                                         "b=true i=-7 l=null f=1000 d=999999999999999999 s=12 t=980892000000000 ls=[x null]",
	} {
		g := load(t, "p.yaml", fmt.Sprintf(pipeline, config))
		op, err := g.Nodes[1].New(operator.Context{})
		if err != nil {
			t.Fatal(err)
		}
		if got := cells(t, op.(madeOperator).spec.Config); got != want {
			t.Errorf("%s:\n got %s\nwant %s", config, got, want)
		}
	}
}

func TestConnectorsReadOptionsOfAllKinds(t *testing.T) {
	g := load(t, "p.yaml", `
name: a
sources:
  s:
    file: { path: x, follow: true, max_record: 16MiB, wait: 1d, rate: 3, port: 8080, brokers: [a, b], labels: { a: b }, nested: { depth: -3 }, any: [1, { a: 2.5 }, ~, yes, true] }
    schema: { v: int64 }
sinks: { k: { from: s, stdout: } }
`)
	got := g.Nodes[0].Source.Source.(*fakeSource).opts
	want := endOptions{
		Path: "x", Follow: true, Max: 16, Wait: 24 * time.Hour, Rate: 3, Port: 8080, Brokers: []string{"a", "b"}, Labels: map[string]string{"a": "b"},
		Nested: &struct {
			Depth int8 `yaml:"depth"`
		}{-3},
		Any: []any{int64(1), map[string]any{"a": 2.5}, nil, "yes", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5s": 5 * time.Second, "1d": 24 * time.Hour, "1d12h": 36 * time.Hour, "-1d12h": -36 * time.Hour, "0": 0, "1.5h": 90 * time.Minute, "+2d": 48 * time.Hour,
		"106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "5", "s", "1.5d", "--1d", "1d-1h", "1d1d", "106752d", "99999999999999999999d", "1h1d", "1d "} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q is taken for %v", text, got)
		}
	}
}

func TestSchemasOfSourcesAreThereWhateverElseIsWrong(t *testing.T) {
	schemas, problems := Schemas(t.Context(), "p.yaml", []byte(`
sources:
  given: { file: x, schema: { v: int64 } }
  found: { numbers: }
  silent: { file: x }
operators:
  o: { form: nobody }
`), fakeCatalog())
	if len(schemas) != 2 || !schemas[0].Declared || schemas[1].Declared || schemas[1].Source != "found" {
		t.Errorf("schemas %v", schemas)
	}
	if got, want := schemas[1].String(), "schema:\n  n: int64\n  at: timestamp\n"; got != want {
		t.Errorf("as YAML %q, want %q", got, want)
	}
	if len(problems) != 1 || !strings.Contains(problems[0].Message, `"silent" has no schema`) {
		t.Errorf("problems: %v", problems)
	}
	if _, problems := Schemas(t.Context(), "p.yaml", []byte("sources: { s: { numbers: } }"), fakeCatalog()); problems != nil {
		t.Errorf("a file with nothing but a source has problems: %v", problems)
	}
}

func TestSchemaAsYAMLReadsBack(t *testing.T) {
	want := &abi.Schema{Fields: append(fields("list: list<struct<a: int64, b: string>>, c: decimal(2)"),
		abi.Field{Name: "1: x", Type: abi.Bool}, abi.Field{Name: "true", Type: abi.Bool}, abi.Field{Name: "0x1", Type: abi.Bool})}
	text := SourceSchema{Schema: want}.String()
	g := load(t, "p.yaml", "name: a\nsources:\n  s:\n    file: x\n    "+
		strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")+"\nsinks: { k: { from: s, stdout: } }\n")
	if got := g.Nodes[0].Outputs[0].Schema; !got.Equal(want) {
		t.Errorf("%s reads back as %s", want, got)
	}
}

func TestParseOptionsReadsThemAsAPipelineFileDoes(t *testing.T) {
	config, err := ParseOptions("path: x\nfollow: true\n", "folder")
	if err != nil {
		t.Fatal(err)
	}
	var opts endOptions
	if err := config.Decode(&opts); err != nil || opts.Path != "x" || !opts.Follow {
		t.Errorf("options %+v, %v", opts, err)
	}
	if path := config.Path("x"); !filepath.IsAbs(path) || filepath.Base(filepath.Dir(path)) != "folder" {
		t.Errorf("path %s", path)
	}
	if config, err = ParseOptions("", ""); err != nil || config.Decode(&opts) != nil {
		t.Errorf("no options: %v", err)
	}
	if config, err = ParseOptions("path: [", ""); err == nil {
		t.Errorf("taken for options: %v", config)
	}
	if config, err = ParseOptions("pth: x", ""); err != nil || config.Decode(&opts) == nil {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestReadSaysWhatIsNoFile(t *testing.T) {
	folder := t.TempDir()
	for path, want := range map[string]string{
		folder:                           ": this is a directory; name the pipeline file in it",
		filepath.Join(folder, "no.yaml"): ": there is no such file",
	} {
		if _, problems := Read(path); problems.Error() != path+want {
			t.Errorf("%q, want %q", problems.Error(), path+want)
		}
	}
	path := filepath.Join(folder, "p.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("#", maxBytes+5)), 0o666); err != nil {
		t.Fatal(err)
	}
	data, problems := Read(path)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, problems := Load(t.Context(), path, data, fakeCatalog()); len(problems) != 1 || !strings.Contains(problems[0].Message, "more than 1048576 bytes") {
		t.Errorf("problems: %v", problems)
	}
}

func BenchmarkLoad(b *testing.B) {
	for name, text := range map[string]string{"nodes=5": whole, "nodes=2502": longPipeline(2500)} {
		b.Run(name, func(b *testing.B) {
			catalog := fakeCatalog()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if g, problems := Load(b.Context(), "p.yaml", []byte(text), catalog); g == nil {
					b.Fatal(problems)
				}
			}
		})
	}
}
