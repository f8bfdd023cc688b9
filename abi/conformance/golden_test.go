// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/abi/internal/relay"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

var rewrite = flag.Bool("rewrite", false, "renew ../testdata from the rows in this file")

// golden is one message of ../testdata.
type golden struct {
	name     string
	number   uint32
	fields   []abi.Field
	rows     []rows.Row
	time     []abi.EventTime
	kind     []batch.RowKind
	origin   []uint32
	group    []uint32
	failures []batch.Failure
}

func goldens() []golden {
	everything := Operators().Operators[0].Inputs[0].Fields
	n := fields("n", "int64")
	return []golden{
		{name: "everything", fields: everything, rows: everythingRows()},
		{name: "empty", fields: everything},
		{name: "times-kinds-origin", number: 1, fields: n,
			rows:   []rows.Row{{int64(10)}, {int64(11)}, {nil}, {int64(-1)}, {int64(7)}},
			time:   []abi.EventTime{1_000_000_000_000_000, 0, -1, math.MaxInt64, math.MinInt64},
			kind:   []batch.RowKind{batch.Insert, batch.UpdateBefore, batch.UpdateAfter, batch.Delete, batch.Insert},
			origin: []uint32{0, 0, 1, 3, 65535}},
		{name: "group", fields: fields("x", "float64"),
			rows: []rows.Row{{1.5}, {2.5}, {nil}, {4.0}}, group: []uint32{0, 1, 0, 2}},
		{name: "failures", fields: n, rows: []rows.Row{{int64(1)}, {int64(2)}}, origin: []uint32{1, 3},
			failures: []batch.Failure{{Row: 0, Message: "n is negative: -3"}, {Row: 2, Message: "zu groß: 日本 🎈"}, {Row: 4, Message: ""}}},
		{name: "config", number: abi.SchemaConfig,
			fields: fields("on", "bool", "level", "int32", "limit", "int64", "rate", "float64", "price", "decimal(2)",
				"separator", "string", "since", "timestamp", "airports", "list<string>", "absent", "string"),
			rows: []rows.Row{{true, int32(-1), int64(15), 0.908, int64(-1999), " ", int64(981_173_106_000_000), rows.Row{"JFK", "", "Zürich"}, nil}}},
		{name: "accumulators", number: abi.SchemaAccumulator, fields: fields("accumulator", "struct<sum: float64, count: int64>"),
			rows: []rows.Row{{rows.Row{6.5, int64(3)}}, {nil}, {rows.Row{0.0, int64(0)}}, {rows.Row{nil, int64(1)}}}},
		{name: "state-request", number: abi.SchemaRequest + 1, fields: fields("name", "string", "at", "int64"),
			rows: []rows.Row{{"a", int64(1)}, {nil, nil}, {"", int64(math.MinInt64)}, {"größer", nil}}, group: []uint32{0, 2, 1, 0}},
		{name: "state-rows", number: abi.SchemaState + 1, fields: fields("name", "string", "at", "int64", "n", "int64"),
			rows:  []rows.Row{{"a", int64(1), int64(10)}, {"a", int64(1), nil}, {nil, nil, int64(-1)}, {"b", int64(2), nil}},
			kind:  []batch.RowKind{batch.Insert, batch.Delete, batch.Insert, batch.Insert},
			group: []uint32{0, 0, 1, 65535}},
		{name: "state-answer", number: abi.SchemaState, fields: fields("sum", "int64", "count", "int64"),
			rows: []rows.Row{{int64(math.MaxInt64), int64(3)}, {nil, nil}, {nil, int64(0)}},
			kind: []batch.RowKind{batch.Insert, batch.Delete, batch.Insert}},
		{name: "timers-due", number: abi.SchemaEventTimer, fields: fields("time", "timestamp", "namespace", "bytes", "id", "int64"),
			rows:  []rows.Row{{int64(-1 << 62), []byte{}, int64(7)}, {int64(0), []byte{0, 255}, int64(-7)}, {int64(978_307_200_000_000), []byte("again"), int64(8)}},
			group: []uint32{0, 1, 2}},
		{name: "timers-set", number: abi.SchemaProcessingTimer, fields: fields("time", "timestamp", "namespace", "bytes"),
			rows:  []rows.Row{{int64(1_000_000), nil}, {int64(1_000_000), []byte{}}, {int64(2_000_000), []byte("n")}},
			kind:  []batch.RowKind{batch.Insert, batch.Delete, batch.Insert},
			group: []uint32{1, 0, 1}},
	}
}

// everythingRows has, in each column, a null, the least and the greatest value, and whatever else
// readers get wrong. The second row is all null.
func everythingRows() []rows.Row {
	long := strings.Repeat("0123456789", 4)
	return []rows.Row{
		{true, int32(1), int64(2), 1.5, int64(1234), "hello", []byte{1, 2, 3}, int64(981_173_106_000_000),
			rows.Row{"a", "bc"}, rows.Row{int64(1), "x"}},
		{nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
		{false, int32(0), int64(0), 0.0, int64(0), "", []byte{}, int64(0), rows.Row{}, rows.Row{int64(0), ""}},
		{true, int32(math.MaxInt32), int64(math.MaxInt64), math.MaxFloat64, int64(abi.DecimalAbsLimit - 1), "größer 日本語 🎈",
			[]byte{0, 255, 128}, int64(math.MaxInt64), rows.Row{"", nil, "é"}, rows.Row{int64(math.MaxInt64), "ü"}},
		{false, int32(math.MinInt32), int64(math.MinInt64), -math.MaxFloat64, int64(1 - abi.DecimalAbsLimit), "\x00\n\t\"\\\x7f",
			[]byte("bytes"), int64(math.MinInt64), rows.Row{nil}, rows.Row{int64(math.MinInt64), nil}},
		{true, int32(-1), int64(-1), math.Float64frombits(0x7ff8 << 48), int64(-5), long, []byte(long), int64(-1),
			rows.Row{"1", "2", "3", "4", "5", "6", "7", "8", "9"}, rows.Row{nil, "b"}},
		{false, nil, int64(1) << 53, math.Inf(1), nil, "a\u0301", []byte{0xc3}, nil, rows.Row{long}, nil},
		{nil, int32(7), nil, math.Inf(-1), int64(100), nil, nil, int64(1), nil, rows.Row{nil, nil}},
		{true, int32(8), int64(-1<<53 - 1), math.Copysign(0, -1), int64(-100), "8", []byte{0}, int64(-62_135_596_800_000_000), rows.Row{}, rows.Row{int64(8), "8"}},
		{true, int32(9), int64(9), math.SmallestNonzeroFloat64, int64(1), "end", []byte{9}, int64(9), rows.Row{"x"}, rows.Row{int64(9), "end"}},
	}
}

func (g *golden) schema() *abi.Schema { return &abi.Schema{Fields: g.fields} }

// message builds the golden's batch.
func (g *golden) message(p *batch.Pool) *batch.Message {
	b := rows.Build(p, g.schema(), g.rows)
	b.Times, b.Kinds = g.time, g.kind
	return &batch.Message{Number: g.number, Batch: b, Time: true, Origin: g.origin, Group: g.group, Failures: g.failures}
}

func (g *golden) decode(t *testing.T, data []byte) *golden {
	t.Helper()
	p := &batch.Pool{}
	m, err := p.Decode(data, func(number uint32) *abi.Schema {
		if number != g.number {
			return nil
		}
		return g.schema()
	})
	if err != nil {
		t.Fatalf("%s: %v", g.name, err)
	}
	return &golden{name: g.name, number: m.Number, fields: g.fields, rows: rows.Of(m.Batch), time: m.Batch.Times,
		kind: m.Batch.Kinds, origin: m.Origin, group: m.Group, failures: m.Failures}
}

// text is the .json beside the golden; ../testdata/README.md says how values are written.
func (g *golden) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "{\n\"schema\": %d,\n\"columns\": {", g.number)
	for i := range g.fields {
		fmt.Fprintf(&out, "%s%s: %s", comma(i), rows.Quote(g.fields[i].Name), rows.Quote(g.fields[i].TypeString()))
	}
	out.WriteString("},\n\"rows\": [")
	for i, r := range g.rows {
		fmt.Fprintf(&out, "%s\n%s", strings.TrimSpace(comma(i)), rows.RowText(g.fields, r))
	}
	out.WriteString("\n]")
	perRow(&out, "time", g.time, `"%d"`)
	perRow(&out, "kind", g.kind, "%d")
	perRow(&out, "origin", g.origin, "%d")
	perRow(&out, "group", g.group, "%d")
	if g.failures != nil {
		out.WriteString(",\n\"failures\": [")
		for i, f := range g.failures {
			fmt.Fprintf(&out, "%s{\"row\": %d, \"message\": %s}", comma(i), f.Row, rows.Quote(f.Message))
		}
		out.WriteString("]")
	}
	out.WriteString("\n}\n")
	return out.String()
}

func perRow[T any](out *strings.Builder, name string, values []T, format string) {
	if values == nil {
		return
	}
	fmt.Fprintf(out, ",\n%q: [", name)
	for i, v := range values {
		fmt.Fprintf(out, "%s"+format, comma(i), v)
	}
	out.WriteString("]")
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ", "
}

// file compares a file of ../testdata with what it should hold, or renews it.
func file(t *testing.T, name string, want []byte) []byte {
	t.Helper()
	path := filepath.Join("..", "testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what the test writes (renew with -rewrite):\n%s", name, cmp.Diff(string(want), string(got)))
	}
	return got
}

func TestGoldenBatchesAreWhatTheHostWritesAndReads(t *testing.T) {
	for _, g := range goldens() {
		data := file(t, "batch-"+g.name+".bin", encode(g.message(&batch.Pool{})))
		file(t, "batch-"+g.name+".json", []byte(g.decode(t, data).text()))
		if want, got := g.text(), g.decode(t, data).text(); want != got {
			t.Errorf("%s: %s", g.name, cmp.Diff(want, got))
		}
	}
}

func TestAGoldenInAnotherLayoutHoldsTheSameRows(t *testing.T) {
	g := goldens()[0]
	for name, layout := range relay.Layouts() {
		data := relay.Message(g.message(&batch.Pool{}), layout)
		if want, got := g.text(), g.decode(t, data).text(); want != got {
			t.Errorf("layout %s: %s", name, cmp.Diff(want, got))
		}
		if name == "backwards" {
			file(t, "batch-everything-relaid.bin", data)
		}
	}
}

func TestGoldenDescriptionsAreWhatTheHostReads(t *testing.T) {
	for name, operators := range map[string][]describe.Operator{"conformance": Operators().Operators, "state": Processes()} {
		want := &describe.Module{ABI: abi.Version, SDK: "golden 1.0 ü", Operators: operators}
		for i := range want.Operators {
			op := &want.Operators[i]
			op.Doc = "the operator " + op.Name
			for j := range op.States {
				op.States[j].Doc = "the state " + op.States[j].Name
			}
		}
		data := file(t, "describe-"+name+".bin", relay.Module(want))
		got, err := describe.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		file(t, "describe-"+name+".json", []byte(moduleText(got)))
		if diff := cmp.Diff(moduleText(want), moduleText(got)); diff != "" {
			t.Error(diff)
		}
	}
}

// moduleText writes a description as JSON. Defaults and empty lists are left out.
func moduleText(m *describe.Module) string {
	var out strings.Builder
	fmt.Fprintf(&out, "{\n\"abi\": %d,\n\"sdk\": %s,\n\"operators\": [", m.ABI, rows.Quote(m.SDK))
	for i := range m.Operators {
		op := &m.Operators[i]
		fmt.Fprintf(&out, "%s\n{\"name\": %s, \"kind\": %q, \"doc\": %s", strings.TrimSpace(comma(i)), rows.Quote(op.Name), op.Kind, rows.Quote(op.Doc))
		fmt.Fprintf(&out, ",\n \"inputs\": %s,\n \"outputs\": %s", portsText(op.Inputs), portsText(op.Outputs))
		if len(op.Config) > 0 {
			fmt.Fprintf(&out, ",\n \"config\": %s", fieldsText(op.Config))
		}
		if op.Accumulator != nil {
			fmt.Fprintf(&out, ",\n \"accumulator\": %s", rows.Quote(op.Accumulator.TypeString()))
		}
		if len(op.Counters) > 0 {
			fmt.Fprintf(&out, ",\n \"counters\": [%q]", strings.Join(op.Counters, `", "`))
		}
		if len(op.Key) > 0 {
			fmt.Fprintf(&out, ",\n \"key\": %s", fieldsText(op.Key))
		}
		if len(op.States) > 0 {
			fmt.Fprintf(&out, ",\n \"states\": [%s]", statesText(op.States))
		}
		out.WriteString("}")
	}
	out.WriteString("\n]\n}\n")
	return out.String()
}

func statesText(states []describe.State) string {
	var parts []string
	for i := range states {
		s := &states[i]
		part := fmt.Sprintf("\n  {\"name\": %s, \"kind\": %q, \"doc\": %s", rows.Quote(s.Name), s.Kind, rows.Quote(s.Doc))
		if len(s.Key) > 0 {
			part += `, "key": ` + fieldsText(s.Key)
		}
		part += `, "fields": ` + fieldsText(s.Fields)
		if len(s.Merge) > 0 {
			part += `, "merge": ` + strings.ReplaceAll(fmt.Sprint(s.Merge), " ", ", ")
		}
		if s.Scope != describe.ScopeKey {
			part += fmt.Sprintf(`, "scope": %d`, s.Scope)
		}
		if ttl := s.TTL; ttl.After > 0 {
			part += fmt.Sprintf(`, "ttl": "%d", "renew": %d`, ttl.After.Microseconds(), ttl.Renew)
			if ttl.EventTime {
				part += `, "ttl_event_time": true`
			}
		}
		parts = append(parts, part+"}")
	}
	return strings.Join(parts, ",")
}

func portsText(ports []describe.Port) string {
	var parts []string
	for i := range ports {
		p := &ports[i]
		part := fmt.Sprintf("{\"name\": %s, \"fields\": %s", rows.Quote(p.Name), fieldsText(p.Fields))
		if p.Forward {
			part += `, "forward": true`
		}
		if p.Time {
			part += `, "time": true`
		}
		if p.Broadcast {
			part += `, "broadcast": true`
		}
		parts = append(parts, part+"}")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func fieldsText(fields []abi.Field) string {
	var parts []string
	for i := range fields {
		f := &fields[i]
		part := fmt.Sprintf("{\"name\": %s, \"type\": %s", rows.Quote(f.Name), rows.Quote(f.TypeString()))
		if f.Required {
			part += `, "required": true`
		}
		if f.Default != "" {
			part += `, "default": ` + rows.Quote(f.Default)
		}
		parts = append(parts, part+"}")
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
