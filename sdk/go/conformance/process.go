// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"strconv"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

func processes() []wasmill.Operator {
	return []wasmill.Operator{
		wasmill.Process("ledger", "Balances of accounts.", wasmill.Input("", (*Ledger).Process)),
		wasmill.Process("ledger_bulk", "Balances of accounts, by the column.", wasmill.InputColumns("", (*LedgerBulk).Process)),
		wasmill.Process("collect", "A list, a map and a reducing state.", wasmill.Input("", (*Collect).Process)),
		wasmill.Process("alarm", "Timers.", wasmill.Input("", (*Alarm).Process), wasmill.OnTimer((*Alarm).Due)),
		wasmill.Process("forget", "State with a time to live.", wasmill.Input("", (*Forget).Process)),
		wasmill.Process("rules", "Two keyed inputs and a broadcast one.",
			wasmill.Input("orders", (*Rules).Order), wasmill.Input("payments", (*Rules).Pay),
			wasmill.BroadcastInput("rules", (*Rules).Rule)),
	}
}

// Posting is what Ledger takes.
type Posting struct {
	Account string `wasmill:",key"`
	Amount  wasmill.Null[int64]
}

// Balance is what it keeps of an account, and emits.
type Balance struct{ Sum, Count int64 }

// Closed is an account that was removed.
type Closed struct {
	Account string
	Sum     int64
}

// Ledger keeps balances.
type Ledger struct {
	Balance wasmill.ValueState[Balance]

	Out    wasmill.Output[Balance] `wasmill:",forward"`
	Closed wasmill.Output[Closed]
}

// Process posts an amount, or closes an account.
func (l *Ledger) Process(p *Posting) error {
	if !p.Amount.Valid {
		if l.Balance.Has() {
			l.Closed.Emit(Closed{p.Account, l.Balance.Get().Sum})
			l.Balance.Clear()
		}
		return nil
	}
	b := l.Balance.Update()
	b.Sum += p.Amount.V
	b.Count++
	l.Out.Emit(*b)
	return overdrawn(b)
}

func overdrawn(b *Balance) error {
	if b.Sum < 0 {
		return errors.New("overdrawn: " + strconv.FormatInt(b.Sum, 10))
	}
	return nil
}

// Postings is what LedgerBulk takes.
type Postings struct {
	wasmill.Rows
	Account wasmill.StringColumn  `wasmill:",key"`
	Amount  wasmill.Column[int64] `wasmill:",null"`
}

// LedgerBulk is Ledger by the column.
type LedgerBulk struct {
	Balance wasmill.ValueState[Balance]

	Out    wasmill.Output[Balance] `wasmill:",forward"`
	Closed wasmill.Output[Closed]
}

// Process posts amounts.
func (l *LedgerBulk) Process(in *Postings) error {
	balances, amounts := l.Balance.Values(), in.Amount.Values()
	for row, key := range in.Keys() {
		in.Select(row)
		b := &balances[key]
		if in.Amount.Null(row) {
			if l.Balance.HasAt(key) {
				l.Closed.Emit(Closed{in.Account.At(row), b.Sum})
				l.Balance.ClearAt(key)
			}
			continue
		}
		b.Sum += amounts[row]
		b.Count++
		l.Balance.PutAt(key)
		l.Out.Emit(*b)
		if err := overdrawn(b); err != nil {
			in.Fail(row, err.Error())
		}
	}
	return nil
}

func unknown(op string) error { return errors.New("unknown op: " + op) }

// Wake says what Alarm shall do.
type Wake struct {
	ID    int64 `wasmill:",key"`
	Op    string
	At    wasmill.Null[wasmill.Timestamp]
	Space wasmill.Null[[]byte]
}

// Rung is what Alarm emits.
type Rung struct {
	ID        wasmill.Null[int64]
	At        wasmill.Null[wasmill.Timestamp]
	Space     wasmill.Null[[]byte]
	Pending   int64
	Watermark int64
}

// Alarm sets timers.
type Alarm struct {
	Pending wasmill.ValueState[int64]

	ByEvent wasmill.EventTimers
	ByClock wasmill.ProcessingTimers

	Out        wasmill.Output[Rung]
	Processing wasmill.Output[Rung]
}

// Process sets or deletes a timer.
func (a *Alarm) Process(w *Wake) error {
	at, space := w.At.V, string(w.Space.V)
	switch w.Op {
	case "event":
		a.ByEvent.SetIn(space, wasmill.EventTime(at))
		*a.Pending.Update()++
	case "processing":
		a.ByClock.SetIn(space, at)
		*a.Pending.Update()++
	case "cancel_event":
		a.ByEvent.DeleteIn(space, wasmill.EventTime(at))
	case "cancel_processing":
		a.ByClock.DeleteIn(space, at)
	case "count":
		a.Out.Emit(Rung{ID: wasmill.NotNull(w.ID), Pending: a.Pending.Get(), Watermark: int64(wasmill.Watermark())})
	default:
		return unknown(w.Op)
	}
	return nil
}

// Ring is a timer that is due.
type Ring struct {
	wasmill.Timer
	ID int64
}

// Due takes a timer that is due.
func (a *Alarm) Due(r *Ring) error {
	out := Rung{
		wasmill.NotNull(r.ID), wasmill.NotNull(r.Time), wasmill.NotNull([]byte(r.Namespace)), a.Pending.Get(), int64(wasmill.Watermark()),
	}
	byEvent := r.Clock == wasmill.ByEventTime
	if byEvent {
		a.Out.Emit(out)
	} else {
		a.Processing.Emit(out)
	}
	const second = 1_000_000
	switch {
	case r.Namespace == "again" && byEvent:
		a.ByEvent.Set(wasmill.EventTime(r.Time) + second)
	case r.Namespace == "again":
		a.ByClock.Set(r.Time + second)
	case r.Namespace == "stop":
		a.Pending.Clear()
	case r.Namespace == "fail":
		a.Pending.Set(-1)
		return errors.New("timer failed")
	}
	return nil
}

// Memo is what Forget takes.
type Memo struct {
	ID int64 `wasmill:",key"`
	Op string
	N  wasmill.Null[int64]
}

// Memory is what Forget still knows.
type Memory struct {
	Created, Written, Used, ByEvent wasmill.Null[int64]
	Items, Entries                  int64
}

// Forget has state that is forgotten.
type Forget struct {
	Created wasmill.ValueState[wasmill.Null[int64]]                    `ttl:"10s"`
	Written wasmill.ValueState[wasmill.Null[int64]]                    `ttl:"10s,write"`
	Used    wasmill.ValueState[wasmill.Null[int64]]                    `ttl:"10s,read"`
	ByEvent wasmill.ValueState[wasmill.Null[int64]]                    `ttl:"10s,write,event_time"`
	Items   wasmill.ListState[wasmill.Null[int64]]                     `ttl:"10s,create"`
	Entries wasmill.MapState[wasmill.Null[int64], wasmill.Null[int64]] `ttl:"10s,write"`

	Out wasmill.Output[Memory]
}

// Process sets all state, or emits what there is.
func (f *Forget) Process(m *Memo) error {
	switch m.Op {
	case "set":
		f.Created.Set(m.N)
		f.Written.Set(m.N)
		f.Used.Set(m.N)
		f.ByEvent.Set(m.N)
		f.Items.Append(m.N)
		f.Entries.Put(m.N, m.N)
	case "read":
		out := Memory{Created: f.Created.Get(), Written: f.Written.Get(), Used: f.Used.Get(), ByEvent: f.ByEvent.Get()}
		for range f.Items.All() {
			out.Items++
		}
		for range f.Entries.All() {
			out.Entries++
		}
		f.Out.Emit(out)
	default:
		return unknown(m.Op)
	}
	return nil
}

// Sale is what Rules takes of orders.
type Sale struct {
	ID     int64 `wasmill:",key"`
	Name   string
	Amount int64
}

// Sold is an item of what is open.
type Sold struct {
	Name   string
	Amount int64
}

// Payment is what Rules takes of payments.
type Payment struct {
	ID int64 `wasmill:",key"`
}

// Rule is what Rules takes of rules.
type Rule struct {
	Name  string
	Limit wasmill.Null[int64]
}

// Paid is what Rules emits.
type Paid struct {
	ID     int64
	Name   string
	Amount int64
}

// Rules holds orders against limits.
type Rules struct {
	Open   wasmill.ListState[Sold]
	Limits wasmill.MapState[string, int64] `wasmill:",broadcast"`
	Names  wasmill.ListState[string]       `wasmill:",operator"`

	Out   wasmill.Output[Paid]
	Known wasmill.Output[Rule]
}

// Order keeps an order.
func (r *Rules) Order(s *Sale) error {
	r.Open.Append(Sold{s.Name, s.Amount})
	if limit := r.Limits.Get(s.Name); r.Limits.Has(s.Name) && limit < s.Amount {
		return errors.New("over the limit of " + strconv.FormatInt(limit, 10) + ": " + strconv.FormatInt(s.Amount, 10))
	}
	return nil
}

// Pay emits what is open.
func (r *Rules) Pay(p *Payment) error {
	for o := range r.Open.All() {
		r.Out.Emit(Paid{p.ID, o.Name, o.Amount})
	}
	r.Open.Clear()
	return nil
}

// Rule sets a limit, or emits all.
func (r *Rules) Rule(u *Rule) error {
	if u.Name != "?" {
		if u.Limit.Valid {
			r.Limits.Put(u.Name, u.Limit.V)
		} else {
			r.Limits.Remove(u.Name)
		}
		r.Names.Append(u.Name)
		return nil
	}
	for name := range r.Names.All() {
		r.Known.Emit(Rule{Name: name})
	}
	for name, limit := range r.Limits.All() {
		r.Known.Emit(Rule{name, wasmill.NotNull(limit)})
	}
	return nil
}
