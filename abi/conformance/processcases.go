// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// second is one of the times of these cases, which are in microseconds.
const second = 1_000_000

// processCases returns what happens to one of README.md's operators with state, each with exactly
// what must come of it.
func processCases(operator string) []processCase {
	switch operator {
	case "ledger", "ledger_bulk":
		return append(ledgerCases(), manyAccounts())
	case "collect":
		return append(append(listCases(), mapCasesOfCollect()...), sumsCases()...)
	case "alarm":
		return alarmCases()
	case "forget":
		return forgetCases()
	case "rules":
		return rulesCases()
	}
	return nil
}

// come is the step that rows of an input come.
func come(port int, in []rows.Row, want ...string) step {
	return step{port: port, input: input{rows: in}, want: want}
}

// booked is a row that ledger emits.
func booked(account string, amount, sum, count int64) string {
	return rows.RowText(fields("account", "string", "amount", "int64", "sum", "int64", "count", "int64"),
		rows.Row{account, amount, sum, count})
}

func closedRow(account string, sum int64) string {
	return "closed " + rows.RowText(fields("account", "string", "sum", "int64"), rows.Row{account, sum})
}

func overdrawn(account string, amount, sum int64) string {
	return fmt.Sprintf("failed %s: overdrawn: %d", rows.RowText(fields("account", "string", "amount", "int64"), rows.Row{account, amount}), sum)
}

// bookings are rows for ledger: accounts and amounts in turn, nil for none.
func bookings(accountsAndAmounts ...any) []rows.Row {
	var in []rows.Row
	for i := 0; i < len(accountsAndAmounts); i += 2 {
		amount := accountsAndAmounts[i+1]
		if n, ok := amount.(int); ok {
			amount = int64(n)
		}
		in = append(in, rows.Row{accountsAndAmounts[i], amount})
	}
	return in
}

func ledgerCases() []processCase {
	long := strings.Repeat("größer ", 10_000)
	failing := processCase{name: "many rows that fail among others"}
	var in []any
	var want, failed []string
	for i := range 30 {
		in = append(in, "a", 1, fmt.Sprint("b", i), -1-i)
		want = append(want, booked("a", 1, int64(i+1), int64(i+1)))
		failed = append(failed, overdrawn(fmt.Sprint("b", i), int64(-1-i), int64(-1-i)))
	}
	failing.steps = []step{come(0, bookings(in...), append(want, failed...)...), come(0, bookings("b7", 1), booked("b7", 1, 1, 1))}
	changed := come(0, bookings("a", 1, "a", 2, "a", nil), booked("a", 1, 1, 1)+" kind 1 at 5", booked("a", 2, 3, 2)+" kind 2 at -6", closedRow("a", 3)+" kind 3 at 7")
	changed.input.kinds, changed.input.times = changes(), []abi.EventTime{5, -6, 7}
	return []processCase{
		{name: "a value of each key, which later rows and batches find", steps: []step{
			come(0, bookings("a", 5, "b", 7, "a", -2, "", 0, "a", 1), booked("a", 5, 5, 1), booked("b", 7, 7, 1), booked("a", -2, 3, 2), booked("", 0, 0, 1), booked("a", 1, 4, 3)),
			come(0, bookings("b", 1, "", 2), booked("b", 1, 8, 2), booked("", 2, 2, 2)),
			come(0, bookings("a", math.MaxInt64-4), booked("a", math.MaxInt64-4, math.MaxInt64, 4)),
		}},
		{name: "a key that is long", steps: []step{
			come(0, bookings(long, 1, long+"!", 10, long, 2), booked(long, 1, 1, 1), booked(long+"!", 10, 10, 1), booked(long, 2, 3, 2)),
			come(0, bookings(long, 3), booked(long, 3, 6, 3)),
		}},
		{name: "nothing is left of a row that fails", steps: []step{
			come(0, bookings("a", 5, "b", 1, "a", -6, "a", -5, "b", 2), booked("a", 5, 5, 1), booked("b", 1, 1, 1), booked("a", -5, 0, 2), booked("b", 2, 3, 2), overdrawn("a", -6, -1)),
			come(0, bookings("c", -1), overdrawn("c", -1, -1)),
			come(0, bookings("c", 1, "a", 1), booked("c", 1, 1, 1), booked("a", 1, 1, 3)),
		}},
		failing,
		{name: "a value that is removed", steps: []step{
			come(0, bookings("a", nil, "a", 5, "a", nil, "a", nil, "a", 3), booked("a", 5, 5, 1), booked("a", 3, 3, 1), closedRow("a", 5)),
			come(0, bookings("a", nil), closedRow("a", 3)),
			come(0, bookings("a", nil)),
		}},
		{name: "keeps kinds and event times", steps: []step{changed}},
		{name: "no rows", steps: []step{come(0, nil), come(0, bookings("a", 1), booked("a", 1, 1, 1))}},
	}
}

// manyAccounts is batches of thousands of rows, of a few keys that come often and many that come once.
func manyAccounts() processCase {
	c := processCase{name: "thousands of keys"}
	type balance struct{ sum, count int64 }
	balances := map[string]balance{}
	r := rand.New(rand.NewPCG(3, 3))
	for range 3 {
		var in []rows.Row
		var want, failed, closed []string
		for range 4000 {
			account := fmt.Sprintf("account %d", int(r.ExpFloat64()*400))
			if r.IntN(50) == 0 {
				if b, ok := balances[account]; ok {
					closed = append(closed, closedRow(account, b.sum))
				}
				in = append(in, rows.Row{account, nil})
				delete(balances, account)
				continue
			}
			b, amount := balances[account], r.Int64N(1000)
			if r.IntN(1000) == 0 {
				amount = -1_000_000_000
			}
			in = append(in, rows.Row{account, amount})
			if b.sum+amount < 0 {
				failed = append(failed, overdrawn(account, amount, b.sum+amount))
				continue
			}
			b = balance{b.sum + amount, b.count + 1}
			balances[account] = b
			want = append(want, booked(account, amount, b.sum, b.count))
		}
		c.steps = append(c.steps, come(0, in, append(append(want, closed...), failed...)...))
	}
	return c
}

// ordered is a row for orders of rules.
func ordered(id int64, name string, amount int64) rows.Row { return rows.Row{id, name, amount} }

func openOrder(id int64, name string, amount int64) string {
	return rows.RowText(fields("id", "int64", "name", "string", "amount", "int64"), ordered(id, name, amount))
}

func known(name string, limit any) string {
	return "known " + rows.RowText(fields("name", "string", "limit", "int64"), rows.Row{name, limit})
}

func rulesCases() []processCase {
	const orders, payments, rules = 0, 1, 2
	limit := func(name string, n any) rows.Row { return rows.Row{name, n} }
	pays := func(ids ...int64) (in []rows.Row) {
		for _, id := range ids {
			in = append(in, rows.Row{id})
		}
		return in
	}
	over := "failed " + openOrder(1, "tea", 12) + ": over the limit of 10: 12"
	asked := []rows.Row{{"?", nil}}
	return []processCase{
		{name: "two inputs see the state of a key", steps: []step{
			come(orders, []rows.Row{ordered(1, "tea", 3), ordered(2, "tea", 4), ordered(1, "", -5)}),
			come(payments, pays(1, 3), openOrder(1, "tea", 3), openOrder(1, "", -5)),
			come(payments, pays(1, 2), openOrder(2, "tea", 4)),
			come(orders, []rows.Row{ordered(1, "milk", 1)}),
			come(payments, pays(1, 1), openOrder(1, "milk", 1)),
		}},
		{name: "rows of keyed inputs read what a broadcast input wrote", steps: []step{
			come(rules, []rows.Row{limit("tea", int64(10)), limit("milk", int64(0))}),
			come(orders, []rows.Row{ordered(1, "tea", 10), ordered(1, "tea", 12), ordered(2, "tea", 9), ordered(1, "bread", 99)}, over),
			come(rules, []rows.Row{limit("tea", int64(11)), limit("tea", nil)}),
			come(orders, []rows.Row{ordered(2, "tea", 12)}),
			come(payments, pays(2, 1), openOrder(2, "tea", 9), openOrder(2, "tea", 12), openOrder(1, "tea", 10), openOrder(1, "bread", 99)),
		}},
		{name: "state of the operator and broadcast state", steps: []step{
			come(rules, asked),
			come(rules, []rows.Row{limit("tea", int64(10)), limit("milk", int64(-1)), limit("tea", int64(7)), limit("a", nil), limit("z", int64(1))}),
			come(orders, []rows.Row{ordered(1, "x", 1)}),
			come(rules, asked, known("tea", nil), known("milk", nil), known("tea", nil), known("a", nil), known("z", nil),
				known("milk", int64(-1)), known("tea", int64(7)), known("z", int64(1))),
			come(rules, []rows.Row{limit("z", nil)}),
			come(rules, asked, known("tea", nil), known("milk", nil), known("tea", nil), known("a", nil), known("z", nil), known("z", nil),
				known("milk", int64(-1)), known("tea", int64(7))),
		}},
	}
}
