// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasm

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/describe"
	"github.com/wasmill/wasmill/scheduler/operator"
	"github.com/wasmill/wasmill/state"
)

// What a store says of the states in it, so that a module that would misread them is refused before
// a row flows. It is kept per state, in the unkeyed group:
//
//	key        | 0xffff | 0xff04 | the state's name | |
//	value      | number 2 | kind, scope, time to live 1 each | key columns | fields |
//
// A list of columns is their count, a uvarint, and the name and type of each behind their length. The key by which the
// states lie is kept likewise, under the empty name, with the number 0.
const declaredState = state.FirstReserved + 4

// declaration is what is kept of a state.
type declaration struct {
	number      state.ID
	kind, scope byte
	ttl         byte // 0 none, 1 in processing time, 2 in event time
	key, fields []abi.Field
}

func declarationOf(d *describe.State) declaration {
	out := declaration{kind: byte(d.Kind), scope: byte(d.Scope), key: d.Key, fields: d.Fields}
	switch {
	case d.TTL.After == 0:
	case d.TTL.EventTime:
		out.ttl = 2
	default:
		out.ttl = 1
	}
	return out
}

func (d *declaration) encode() []byte {
	out := append(binary.BigEndian.AppendUint16(nil, uint16(d.number)), d.kind, d.scope, d.ttl)
	for _, fields := range [][]abi.Field{d.key, d.fields} {
		out = binary.AppendUvarint(out, uint64(len(fields)))
		for i := range fields {
			out = state.AppendSized(out, []byte(fields[i].Name))
			out = state.AppendSized(out, []byte(fields[i].TypeString()))
		}
	}
	return out
}

// keptDeclaration is a declaration as a store has it: types are text.
type keptDeclaration struct {
	number           state.ID
	kind, scope, ttl byte
	key, fields      []string // "name: type"
}

func decodeDeclaration(src []byte) (keptDeclaration, error) {
	bad := fmt.Errorf("%x is stored as the description of a state and is none", src)
	if len(src) < 5 {
		return keptDeclaration{}, bad
	}
	d := keptDeclaration{number: state.ID(binary.BigEndian.Uint16(src)), kind: src[2], scope: src[3], ttl: src[4]}
	src = src[5:]
	for _, list := range []*[]string{&d.key, &d.fields} {
		n, used := binary.Uvarint(src)
		if used <= 0 || n > abi.MaxFields {
			return d, bad
		}
		src = src[used:]
		for range n {
			name, rest, ok := state.CutSized(src)
			if !ok {
				return d, bad
			}
			typ, rest, ok := state.CutSized(rest)
			if !ok {
				return d, bad
			}
			*list, src = append(*list, string(name)+": "+string(typ)), rest
		}
	}
	return d, nil
}

// differs says what of a state can't be read as it is declared now, "" where all can: fields may have been added
// at the end.
func (d *keptDeclaration) differs(now *declaration) string {
	names := func(fields []abi.Field) (out []string) {
		for i := range fields {
			out = append(out, fields[i].Name+": "+fields[i].TypeString())
		}
		return out
	}
	key, fields := names(now.key), names(now.fields)
	text := func(columns []string) string { return "{" + strings.Join(columns, ", ") + "}" }
	switch {
	case d.kind != now.kind:
		return fmt.Sprintf("it was a %s and is a %s", describe.StateKind(d.kind), describe.StateKind(now.kind))
	case d.scope != now.scope:
		return fmt.Sprintf("it was of %s and is of %s", scopeName(d.scope), scopeName(now.scope))
	case strings.Join(d.key, ", ") != strings.Join(key, ", "):
		return fmt.Sprintf("its key was %s and is %s", text(d.key), text(key))
	case len(fields) < len(d.fields) || strings.Join(d.fields, ", ") != strings.Join(fields[:len(d.fields)], ", "):
		return fmt.Sprintf("its fields were %s and are %s; fields can be added at the end, and none can go or change", text(d.fields), text(fields))
	case d.ttl != now.ttl:
		return fmt.Sprintf("it had %s and has %s; how long it is may change", ttlName(d.ttl), ttlName(now.ttl))
	}
	return ""
}

func scopeName(scope byte) string {
	switch describe.Scope(scope) {
	case describe.ScopeOperator:
		return "the operator"
	case describe.ScopeBroadcast:
		return "all subtasks"
	}
	return "a key"
}

func ttlName(ttl byte) string {
	return [...]string{"no time to live", "a time to live in processing time", "a time to live in event time"}[min(ttl, 2)]
}

// declare returns the number of each state in the store: the one that it has there by its name, else the next. It keeps
// what is new there. An error says which state can't be read as it is declared now.
func declare(c *operator.Context, op *describe.Operator, key []abi.Field) ([]state.ID, error) {
	kept, next, err := keptDeclarations(c.State)
	if err != nil {
		return nil, err
	}
	byKey := declaration{key: slices.Clone(key)}
	for i := range byKey.key {
		byKey.key[i].Name = fmt.Sprint(i + 1) // what the columns of a key are called does not matter to its encoding
	}
	if was, ok := kept[""]; ok {
		if why := was.differs(&byKey); why != "" {
			return nil, incompatible("the key of operator %q: %s", op.Name, why)
		}
	} else if err := keep(c.State, "", &byKey); err != nil {
		return nil, err
	}
	delete(kept, "")
	ids := make([]state.ID, len(op.States))
	for i := range op.States {
		name, now := op.States[i].Name, declarationOf(&op.States[i])
		if was, ok := kept[name]; ok {
			if why := was.differs(&now); why != "" {
				return nil, incompatible("state %q of operator %q: %s", name, op.Name, why)
			}
			now.number = was.number
			delete(kept, name)
		} else {
			now.number = next
			next++
		}
		if err := keep(c.State, name, &now); err != nil {
			return nil, err
		}
		ids[i] = now.number
	}
	for name := range kept {
		c.Log.Warn("the job holds a state that the operator does not declare; it is kept, and nobody reads it", slog.String("state", name))
	}
	return ids, nil
}

func incompatible(format string, args ...any) error {
	return &operator.Error{Fault: operator.FaultConfig, Err: fmt.Errorf(format+": give the state another name, or start the job without its old state", args...)}
}

func keep(store state.Store, name string, d *declaration) error {
	if err := store.Put(state.AppendKey(nil, state.Unkeyed, declaredState, []byte(name), nil), d.encode()); err != nil {
		return fmt.Errorf("keeping the description of state %q: %w", name, err)
	}
	return nil
}

// keptDeclarations returns what a store says of its states, and the least number that none has.
func keptDeclarations(store state.Store) (kept map[string]keptDeclaration, next state.ID, err error) {
	kept = map[string]keptDeclaration{}
	var keys, values state.Strings
	from := state.AppendKey(nil, state.Unkeyed, declaredState, nil, nil)[:4]
	to := state.AppendEnd(nil, from)
	for more := true; more; {
		if more, err = store.Scan(from, to, state.Limit{Entries: abi.MaxStates}, &keys, &values); err != nil {
			return nil, 0, fmt.Errorf("reading the descriptions of states: %w", err)
		}
		for i := range keys.Len() {
			_, _, name, _, ok := state.ParseKey(keys.At(i))
			d, err := decodeDeclaration(values.At(i))
			if err != nil || !ok {
				return nil, 0, fmt.Errorf("reading the description of a state at %x: %w", keys.At(i), err)
			}
			kept[string(name)] = d
			if len(name) > 0 {
				next = max(next, d.number+1)
			}
		}
		if more {
			from = state.AppendNext(nil, keys.At(keys.Len()-1))
		}
	}
	return kept, next, nil
}
