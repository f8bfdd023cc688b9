// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	wasmill "github.com/wasmill/wasmill/sdk/go"
)

// Order says what Collect shall do.
type Order struct {
	ID   int64 `wasmill:",key"`
	Op   string
	Name wasmill.Null[string]
	At   wasmill.Null[int64]
	N    wasmill.Null[int64]
	To   wasmill.Null[string]
}

// Item is an item of a list.
type Item struct {
	Name wasmill.Null[string]
	N    wasmill.Null[int64]
}

// Place is the key of an entry.
type Place struct {
	Name wasmill.Null[string]
	At   wasmill.Null[int64]
}

// Entry is the value of an entry.
type Entry struct{ N wasmill.Null[int64] }

// Summary is merged by the host.
type Summary struct {
	Added wasmill.Null[int64]  `merge:"add"`
	Least wasmill.Null[int64]  `merge:"min"`
	Most  wasmill.Null[string] `merge:"max"`
	Text  wasmill.Null[string] `merge:"append"`
}

// Found is what Collect emits.
type Found struct {
	Op   string
	Name wasmill.Null[string]
	At   wasmill.Null[int64]
	N    wasmill.Null[int64]
}

// Collect keeps a list, a map and a reducing state.
type Collect struct {
	Items   wasmill.ListState[Item]
	Entries wasmill.MapState[Place, Entry]
	Sum     wasmill.ReducingState[Summary] `wasmill:"sums"`

	Out  wasmill.Output[Found]
	Sums wasmill.Output[Summary]
}

// Process does what an order says.
func (c *Collect) Process(o *Order) error {
	place := Place{o.Name, o.At}
	switch o.Op {
	case "append":
		c.Items.Append(Item{o.Name, o.N})
	case "items":
		for item := range c.Items.All() {
			c.Out.Emit(Found{Op: o.Op, Name: item.Name, N: item.N})
		}
	case "clear_items":
		c.Items.Clear()
	case "add":
		c.add(o)
	case "sums":
		if c.Sum.Has() {
			c.Sums.Emit(c.Sum.Get())
		}
	case "clear_sums":
		c.Sum.Clear()
	case "fail":
		c.Items.Append(Item{o.Name, o.N})
		c.Entries.Put(place, Entry{o.N})
		c.add(o)
		return errors.New("failed: " + o.Name.V)
	default:
		return c.entry(o, place)
	}
	return nil
}

func (c *Collect) add(o *Order) { c.Sum.Add(Summary{o.N, o.N, o.Name, o.Name}) }

// entry does what an order says of the map.
func (c *Collect) entry(o *Order, place Place) error {
	emit := func(p Place, e Entry) bool {
		c.Out.Emit(Found{o.Op, p.Name, p.At, e.N})
		return true
	}
	to := Place{Name: o.To}
	switch {
	case o.Op == "put":
		c.Entries.Put(place, Entry{o.N})
	case o.Op == "get":
		if c.Entries.Has(place) {
			emit(place, c.Entries.Get(place))
		}
	case o.Op == "remove":
		c.Entries.Remove(place)
	case o.Op == "clear_entries":
		c.Entries.Clear()
	case o.Op == "prefix" && o.Name.Valid:
		c.Entries.PrefixN(place, 1)(emit)
	case o.Op == "range" && o.Name.Valid && o.To.Valid:
		c.Entries.Range(place, to)(emit)
	case o.Op == "range" && o.Name.Valid:
		c.Entries.From(place)(emit)
	case o.Op == "range" && o.To.Valid:
		c.Entries.To(to)(emit)
	case o.Op == "entries" || o.Op == "prefix" || o.Op == "range":
		c.Entries.All()(emit)
	default:
		return unknown(o.Op)
	}
	return nil
}
