// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

var _ Guest = (*fake)(nil)

func TestACorrectModulePassesEveryCheck(t *testing.T) {
	for name, run := range map[string]func(context.Context, Factory) *Report{"Run": Run, "RunSDK": RunSDK} {
		report := run(t.Context(), fakes(""))
		if failed := report.Failed(); len(failed) > 0 || len(report.Checks) < 20 {
			t.Errorf("%s: %d checks\n%s", name, len(report.Checks), report)
		}
	}
}

// Each defect is found by the check that is there for it, with a reason that names it.
func TestABrokenModuleFailsTheCheckOfItsDefect(t *testing.T) {
	for defect, want := range map[string]string{
		"no instance":                      "version: a fresh instance: out of memory",
		"another version":                  "version: wasmill_version returned 2, not 1",
		"description by call":              "description: wasmill_describe returned",
		"description by instance":          "description: wasmill_describe returned",
		"description of another version":   "description: it is of version 2 of the contract, not 1",
		"description is garbage":           "description: description: ",
		"buffer is not aligned":            "buffer: it returned 1028 for 1 bytes, which is not a multiple of 8",
		"buffer has no room":               "buffer: it has no room for 100001 bytes",
		"buffer lies outside":              "buffer: it returned 64 for 100001 bytes, which end after its memory of 65536",
		"does not open":                    "everything: opens, or says why not: wasmill_open returned 1",
		"does not close":                   "version: wasmill_close returned 1",
		"a default is no number":           `refuse: opens, or says why not: the default of configuration field "limit": strconv.ParseInt: parsing "many": invalid syntax`,
		"an operator is missing":           "longest: is declared as README.md says: the module has no such operator",
		"a column is missing":              "everything: is declared as README.md says: line 2 of what came of it is",
		"a default is missing":             "split: is declared as README.md says: line 4 of what came of it is",
		"an output that is not declared":   "everything: takes rows, emits what it declares: no rows: batch: it names schema 7, which was never agreed",
		"origin outside of the input":      `everything: takes rows, emits what it declares: one row: a batch for output "": its row 0 came from row 1048576 of an input of 1 rows`,
		"no origin":                        `everything: takes rows, emits what it declares: one row: a batch for output "": it has 0 rows and no origin, the input has 1 rows`,
		"times that are not declared":      `everything: takes rows, emits what it declares: one row: a batch for output "": it has times, which the description does not say that it writes`,
		"no times":                         `shift: takes rows, emits what it declares: one row: a batch for output "": it has no times, which the description says that it writes`,
		"a failure outside of the input":   "everything: takes rows, emits what it declares: one row: it says that row 1 of an input of 1 rows failed",
		"another instance, another result": "everything: gives the same in a fresh instance: ",
		"state outlasts a batch":           "split: gives the same in a fresh instance: ",
		"counts by an undeclared counter":  "split: takes rows, emits what it declares: one row: it counted by counter 1; its description has 1",
		"logs at any level":                "say: takes rows, emits what it declares: ",
		"null becomes 0":                   "everything: one null row: line 1 of what came of it is",
		"rows out of order":                "route: even, odd, null and negative: line 1 of what came of it is",
		"kinds are lost":                   "everything: a changelog: line 2 of what came of it is",
		"negative numbers pass":            "route: even, odd, null and negative: line ",
		"refuses in other words":           `refuse: a negative limit: it failed with "bad limit" instead of "limit must be positive, not -1"`,
		"refuses by a panic":               "refuse: a negative limit: it failed with kind 1 instead of 0: it panicked: limit must be positive, not -1",
		"does not refuse":                  `refuse: a limit of 0: it returned as if all were well instead of failing with "limit must be positive, not 0"`,
		"does not crash":                   `crash: a 13: it returned as if all were well instead of failing with "unlucky 13"`,
		"an accumulator too few":           "mean: adds, merges and has results: no rows: add: it emitted 4 rows for 5 accumulators",
		"emits accumulators twice":         "mean: adds, merges and has results: no rows: add: it emitted 2 batches; a step emits exactly one",
		"a result twice":                   "mean: adds, merges and has results: no rows: result: it emitted a result of accumulator 0 of 10 twice, or there is none",
		"nulls count":                      "mean: nulls count for nothing: added in turn: line 1 of what came of it is",
		"merge forgets":                    "longest: several batches: ",
		"the last of equals":               "longest: by bytes, the first of equals: added in turn: line 1 of what came of it is",

		"a state is missing":                "ledger: is declared as README.md says: there did not come of it",
		"a merge is another":                "collect: is declared as README.md says: line 8 of what came of it is",
		"does not run":                      "rules: takes rows in whole batches: it refused: no state",
		"state is left of a row that fails": "ledger: nothing is left of a row that fails: in whole batches: step 1: line ",
		"state lies in the instance":        "ledger: a value of each key, which later rows and batches find: with a fresh instance for each call: step 1: line ",
		"timers are not in snapshots":       "alarm: timers of event time come in order of time, with the state of their key: restored after each call: step 4: there did not come of it",
		"times are lost":                    "alarm: timers of processing time: in whole batches: step 4: line 1",
		"nothing is ever over":              "forget: by event time: in whole batches: step 10: line 1",
		"reading renews nothing":            "forget: by processing time: in whole batches: step 16: line 1",
		"lists are the wrong way round":     "collect: a list of each key, in order: in whole batches: step 1: line 1",
		"the last is the least":             "collect: what is put into a reducing state is merged: in whole batches: step 1: line 2",
		"ranges have their end":             "collect: ranges of a map: in whole batches: step 2: ",
		"timers come twice":                 "alarm: timers of event time come in order of time, with the state of their key: in whole batches: step 4: ",
		"broadcast state is not seen":       "rules: rows of keyed inputs read what a broadcast input wrote: in whole batches: step 2: there did not come of it",
	} {
		t.Run(defect, func(t *testing.T) {
			report := runOne(t.Context(), fakes(defect), strings.Split(want, ":")[0])
			if !finds(report, want) {
				t.Errorf("not found, or not as %q:\n%s", want, short(report))
			}
		})
	}
}

// runOne does of RunSDK what concerns the module as such and one operator.
func runOne(ctx context.Context, factory Factory, operator string) *Report {
	m := &module{factory: factory, report: &Report{}}
	m.checkModule(ctx)
	want := Operators()
	want.Operators = append(want.Operators, Processes()...)
	if _, op := want.Operator(operator); op != nil && m.description != nil {
		if number, _ := m.description.Operator(operator); number >= 0 {
			m.checkOperator(ctx, number)
		}
		m.checkDeclared(ctx, op)
	}
	return m.report
}

func finds(r *Report, want string) bool {
	return slices.ContainsFunc(r.Failed(), func(c Check) bool { return strings.HasPrefix(c.Name+": "+c.Err.Error(), want) })
}

// short is what a report says of failures, its lines cut.
func short(r *Report) string {
	var out strings.Builder
	for line := range strings.Lines((&Report{Checks: r.Failed()}).String()) {
		out.WriteString(line[:min(len(line), 300)])
	}
	return out.String()
}

func TestAReportNamesEachCheckAndItsReason(t *testing.T) {
	report := Run(t.Context(), fakes("another version"))
	text := report.String()
	for _, want := range []string{"FAILED  version: wasmill_version returned 2, not 1\n", "ok      description\n", "ok      mean: adds, merges and has results\n", " checks, 1 failed\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func textOf(f *abi.Field, v any, err error) string {
	if err != nil {
		return err.Error()
	}
	return rows.Text(f, v)
}

func TestDefaultsAreReadByType(t *testing.T) {
	for _, test := range []struct{ typ, text, want string }{
		{"bool", "true", "true"},
		{"int32", "-5", "-5"},
		{"int64", "9223372036854775807", `"9223372036854775807"`},
		{"float64", "0.908", "0.908"},
		{"decimal(2)", "-1.5", `"-150"`},
		{"decimal(2)", "1.505", `"1.505" does not fit into decimal(2)`},
		{"decimal(2)", "1e3", `"1e3" is no decimal number`},
		{"decimal(18)", "1", `"1" does not fit into decimal(18)`},
		{"string", " ", `" "`},
		{"timestamp", "2001-02-03T04:05:06Z", `"981173106000000"`},
		{"timestamp", "yesterday", `parsing time "yesterday" as "2006-01-02T15:04:05.999999999Z07:00": cannot parse "yesterday" as "2006"`},
		{"list<string>", `["JFK", "", "Zürich"]`, `["JFK", "", "Zürich"]`},
		{"list<int64>", "[1, 2]", `["1", "2"]`},
		{"list<int64>", "1, 2", `"1, 2" is no list: invalid character ',' after top-level value`},
		{"int32", "2147483648", `strconv.ParseInt: parsing "2147483648": value out of range`},
	} {
		f, err := abi.ParseType(test.typ)
		if err != nil {
			t.Fatal(err)
		}
		v, err := parseValue(&f, test.text)
		got := textOf(&f, v, err)
		if got != test.want {
			t.Errorf("%s %q: %s, want %s", test.typ, test.text, got, test.want)
		}
	}
}
