// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"strings"

	"github.com/wasmill/wasmill/abi/internal/rows"
)

var (
	_ Stateful = (*fake)(nil)
	_ Running  = (*fakeRun)(nil)
)

// row does what README.md says of a row, and returns the message of one that fails.
func (r *fakeRun) row(port int, row rows.Row) string {
	switch r.op.Name {
	case "ledger", "ledger_bulk":
		return r.book(row)
	case "collect":
		return r.collect(row)
	case "alarm":
		return r.alarm(row)
	case "forget":
		return r.forget(row)
	}
	return r.rules(port, row)
}

// value returns the fields of a value, nil where there is none.
func (r *fakeRun) value(state string) rows.Row {
	if all := r.read(state); len(all) > 0 {
		return all[0]
	}
	return nil
}

func (r *fakeRun) book(row rows.Row) string {
	balance := r.value("balance")
	if row[1] == nil {
		if balance != nil {
			r.emit(1, rows.Row{row[0], balance[0]})
			r.clear("balance")
		}
		return ""
	}
	if balance == nil {
		balance = rows.Row{int64(0), int64(0)}
	}
	sum, count := balance[0].(int64)+row[1].(int64), balance[1].(int64)+1
	r.put("balance", sum, count)
	r.emit(0, append(row, sum, count))
	if sum < 0 {
		return fmt.Sprintf("overdrawn: %d", sum)
	}
	return ""
}

func (r *fakeRun) collect(row rows.Row) string {
	op, name, at, n := row[1].(string), row[2], row[3], row[4]
	switch op {
	case "append":
		r.put("items", name, n)
	case "items":
		for _, item := range r.read("items") {
			r.emit(0, rows.Row{op, item[0], nil, item[1]})
		}
	case "clear_items":
		r.clear("items")
	case "put":
		r.put("entries", name, at, n)
	case "remove":
		r.remove("entries", name, at)
	case "get", "entries", "range", "prefix":
		for _, e := range r.read("entries") {
			if r.asked(e, op, row) {
				r.emit(0, append(rows.Row{op}, e...))
			}
		}
	case "clear_entries":
		r.clear("entries")
	case "add":
		r.put("sums", n, n, name, name)
	case "sums":
		if sums := r.value("sums"); sums != nil {
			r.emit(1, sums)
		}
	case "clear_sums":
		r.clear("sums")
	case "fail":
		r.put("items", name, n)
		r.put("entries", name, at, n)
		r.put("sums", n, n, name, name)
		return fmt.Sprintf("failed: %v", name)
	default:
		return "unknown op: " + op
	}
	return ""
}

// asked says whether an op asks for an entry.
func (r *fakeRun) asked(e rows.Row, op string, row rows.Row) bool {
	name, to := row[2], row[5]
	switch op {
	case "get":
		return compareKeys(e[:2], row[2:4]) == 0
	case "range":
		last := compareKeys(e[:2], rows.Row{to, nil})
		return (name == nil || compareKeys(e[:2], row[2:4]) >= 0) && (to == nil || last < 0 || last == 0 && r.f.has("ranges have their end"))
	case "prefix":
		s, ok := e[0].(string)
		return name == nil || ok && strings.HasPrefix(s, name.(string))
	}
	return true
}

func (r *fakeRun) alarm(row rows.Row) string {
	space, _ := row[3].([]byte)
	a := alert{key: r.key, space: string(space)}
	if at, ok := row[2].(int64); ok {
		a.at = at
	}
	switch op := row[1].(string); op {
	case "event", "processing":
		a.event = op == "event"
		r.setAlert(a, true)
		r.put("pending", r.pending()+1)
	case "cancel_event", "cancel_processing":
		a.event = op == "cancel_event"
		r.setAlert(a, false)
	case "count":
		r.emit(0, rows.Row{row[0], nil, nil, r.pending(), r.watermark})
	default:
		return "unknown op: " + op
	}
	return ""
}

func (r *fakeRun) pending() int64 {
	if v := r.value("pending"); v != nil {
		return v[0].(int64)
	}
	return 0
}

// ring does what a timer that is due does.
func (r *fakeRun) ring(a alert) string {
	port := truth(!a.event)
	r.emit(port, rows.Row{r.keys[a.key][0], a.at, []byte(a.space), r.pending(), r.watermark})
	switch a.space {
	case "again":
		r.setAlert(alert{event: a.event, at: a.at + second, key: a.key}, true)
	case "stop":
		r.clear("pending")
	case "fail":
		r.put("pending", int64(-1))
		return "timer failed"
	}
	if r.f.has("timers come twice") && a.space != "twice" {
		r.setAlert(alert{event: a.event, at: a.at, key: a.key, space: "twice"}, true)
	}
	return ""
}

func (r *fakeRun) forget(row rows.Row) string {
	values := []string{"created", "written", "used", "by_event"}
	switch op := row[1].(string); op {
	case "set":
		for _, state := range values {
			r.put(state, row[2])
		}
		r.put("items", row[2])
		r.put("entries", row[2], row[2])
	case "read":
		var out rows.Row
		for _, state := range values {
			if v := r.value(state); v != nil {
				out = append(out, v[0])
			} else {
				out = append(out, nil)
			}
		}
		r.emit(0, append(out, int64(len(r.read("items"))), int64(len(r.read("entries")))))
	default:
		return "unknown op: " + op
	}
	return ""
}

func (r *fakeRun) rules(port int, row rows.Row) string {
	switch port {
	case 0:
		r.put("open", row[1], row[2])
		for _, limit := range r.read("limits") {
			if limit[0] == row[1] && limit[1].(int64) < row[2].(int64) && !r.f.has("broadcast state is not seen") {
				return fmt.Sprintf("over the limit of %d: %d", limit[1], row[2])
			}
		}
	case 1:
		for _, order := range r.read("open") {
			r.emit(0, append(rows.Row{row[0]}, order...))
		}
		r.clear("open")
	case 2:
		r.rule(row)
	}
	return ""
}

func (r *fakeRun) rule(row rows.Row) {
	switch {
	case row[0] == "?":
		for _, name := range r.read("names") {
			r.emit(1, rows.Row{name[0], nil})
		}
		for _, limit := range r.read("limits") {
			r.emit(1, limit)
		}
		return
	case row[1] == nil:
		r.remove("limits", row[0])
	default:
		r.put("limits", row[0], row[1])
	}
	r.put("names", row[0])
}
