// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
)

type faultKind uint8

const (
	faultShort  faultKind = iota + 1 // the data ends before the value does
	faultSyntax                      // it is no JSON
	faultValue                       // it is JSON, but not what the column holds
)

// fault is why a record can't be read.
type fault struct {
	kind   faultKind
	at     int      // where, but for faultValue
	want   string   // what belongs there
	reason error    // of a faultValue
	path   []string // of a faultValue: the names around the value, innermost first
}

// errorIn says in words what is wrong with the record that begins at start.
func (f *fault) errorIn(data []byte, start int) error {
	switch f.kind {
	case faultShort:
		return fmt.Errorf("the record ends too early: %s is missing", f.want)
	case faultSyntax:
		return fmt.Errorf("bad JSON at byte %d: %s where %s belongs", f.at-start+1, found(data[f.at:]), f.want)
	}
	var name strings.Builder
	for i := len(f.path) - 1; i >= 0; i-- {
		if name.Len() > 0 && f.path[i][0] != '[' {
			name.WriteByte('.')
		}
		name.WriteString(f.path[i])
	}
	if name.Len() == 0 {
		return f.reason
	}
	return fmt.Errorf("%s: %w", name.String(), f.reason)
}

// found shows the character that data begins with.
func found(data []byte) string {
	switch r, size := utf8.DecodeRune(data); {
	case r == '"':
		return "a quote"
	case r == utf8.RuneError && size <= 1:
		return fmt.Sprintf("the byte %#02x", data[0])
	default:
		return strconv.Quote(string(r))
	}
}

// mismatch reports that the value at hand is of another kind than its column.
func (p *parser) mismatch(col *column, at int) int {
	end := p.skip(at)
	if end == failed {
		return failed
	}
	return p.refuse(fmt.Errorf("%s; expected %s", describe(p.data[at:end]), expectation(col.field)))
}

// refuse reports that a value is not one that its column holds.
func (p *parser) refuse(reason error) int {
	p.fault = fault{kind: faultValue, reason: reason}
	return failed
}

func expectation(f *abi.Field) string {
	switch f.Type {
	case abi.Struct:
		return "an object"
	case abi.List:
		return "an array for " + f.TypeString()
	case abi.Bytes:
		return "a base64 string for bytes"
	}
	return f.TypeString()
}

// describe shows a value and says what kind it is.
func describe(value []byte) string {
	kind := "a number"
	switch value[0] {
	case '"':
		kind = "a string"
	case '{':
		kind = "an object"
	case '[':
		kind = "an array"
	case 't', 'f':
		kind = "a boolean"
	}
	return "it has " + clip(value) + ", " + kind
}

// clip returns the beginning of a value for a message.
func clip(value []byte) string {
	const most = 40
	if len(value) <= most {
		return string(value)
	}
	end := most
	for !utf8.RuneStart(value[end]) {
		end--
	}
	return string(value[:end]) + "…"
}
