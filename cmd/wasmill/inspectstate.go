// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"

	"github.com/wasmill/wasmill/abi/describe"
)

// The state of a process, in the JSON of `wasmill inspect --json`.
type (
	stateJSON struct {
		Name    string      `json:"name"`
		Kind    string      `json:"kind"` // value, list, map or reducing
		Doc     string      `json:"doc,omitempty"`
		Scope   string      `json:"scope"`         // key, operator or broadcast
		Key     []fieldJSON `json:"key,omitempty"` // of a map
		Columns []fieldJSON `json:"columns"`
		Merge   []string    `json:"merge,omitempty"` // of a reducing state: add, min, max or append, one a column
		TTL     *ttlJSON    `json:"ttl,omitempty"`
	}
	ttlJSON struct {
		After string `json:"after"` // as in 1h30m
		Renew string `json:"renew"` // create, write or read_and_write
		Time  string `json:"time"`  // event or processing
	}
)

// What the contract numbers, by name.
func scopeName(s describe.Scope) string {
	return map[describe.Scope]string{describe.ScopeKey: "key", describe.ScopeOperator: "operator", describe.ScopeBroadcast: "broadcast"}[s]
}

func mergeName(m describe.Merge) string {
	return map[describe.Merge]string{
		describe.MergeAdd: "add", describe.MergeMin: "min", describe.MergeMax: "max", describe.MergeAppend: "append",
	}[m]
}

func renewName(r describe.Renew) string {
	return map[describe.Renew]string{
		describe.RenewCreate: "create", describe.RenewWrite: "write", describe.RenewReadAndWrite: "read_and_write",
	}[r]
}

func states(in []describe.State) []stateJSON {
	var out []stateJSON
	for i := range in {
		s := &in[i]
		o := stateJSON{Name: s.Name, Kind: s.Kind.String(), Doc: s.Doc, Scope: scopeName(s.Scope), Columns: fields(s.Fields)}
		if len(s.Key) > 0 {
			o.Key = fields(s.Key)
		}
		for _, m := range s.Merge {
			o.Merge = append(o.Merge, mergeName(m))
		}
		if s.TTL.After > 0 {
			o.TTL = &ttlJSON{After: s.TTL.After.String(), Renew: renewName(s.TTL.Renew), Time: "processing"}
			if s.TTL.EventTime {
				o.TTL.Time = "event"
			}
		}
		out = append(out, o)
	}
	return out
}

// printState writes a state for people.
func printState(w *bytes.Buffer, s stateJSON) {
	head := fmt.Sprintf("state %s (%s of each key", s.Name, s.Kind)
	switch s.Scope {
	case "operator":
		head = fmt.Sprintf("state %s (%s of the operator", s.Name, s.Kind)
	case "broadcast":
		head = fmt.Sprintf("state %s (%s, broadcast", s.Name, s.Kind)
	}
	if s.TTL != nil {
		since := map[string]string{"create": "creation", "write": "the last write", "read_and_write": "the last write or read"}[s.TTL.Renew]
		head += fmt.Sprintf(", forgotten %s after %s, by %s time", s.TTL.After, since, s.TTL.Time)
	}
	head += ")"
	if s.Doc != "" {
		head += ": " + s.Doc
	}
	columns := append([]fieldJSON(nil), s.Columns...)
	for i := range s.Merge {
		columns[i].Type += ", " + s.Merge[i]
	}
	all := append([]fieldJSON(nil), s.Key...)
	for i := range all {
		all[i].Type += ", key"
	}
	all = append(all, columns...)
	if len(all) == 0 {
		fmt.Fprintf(w, "  %s\n", head)
		return
	}
	printFields(w, head, all)
}
