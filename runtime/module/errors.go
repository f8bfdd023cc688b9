// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"strings"
)

// Kind says why a module is refused.
type Kind int

// The reasons for which a module is refused.
const (
	NotWasm     Kind = iota + 1 // the bytes are no core module: a component, an archive, text, nothing
	Malformed                   // the bytes do not follow the binary format
	Invalid                     // the module breaks a rule of validation
	OverLimit                   // the module is over one of Limits
	Refused                     // the module is valid, but the policy forbids what it does
	Unsupported                 // the module uses a feature from after WebAssembly 2.0
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case NotWasm:
		return "not a WebAssembly module"
	case Malformed:
		return "malformed"
	case Invalid:
		return "invalid"
	case OverLimit:
		return "over a limit"
	case Refused:
		return "refused"
	case Unsupported:
		return "unsupported"
	}
	return "unknown"
}

// Error is the only error that Parse returns.
type Error struct {
	Kind    Kind
	Message string
	Section string // "" when the module as a whole is meant
	Func    int    // function index, imports counted; -1 when no function is meant
	Name    string // the function's name, when known
	Offset  int    // bytes from the start of the module

	// Limit is the name of the field of Limits that is broken, Max its value, Value what the
	// module has. Set when Kind is OverLimit.
	Limit      string
	Max, Value uint64
}

// Error says what is wrong, where, and what would be right.
func (e *Error) Error() string {
	if e.Kind == NotWasm {
		return fmt.Sprintf("%s: %s", e.Kind, e.Message)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "module %s: %s", e.Kind, e.Message)
	var where []string
	if e.Section != "" {
		where = append(where, e.Section+" section")
	}
	if e.Func >= 0 {
		f := fmt.Sprintf("function %d", e.Func)
		if e.Name != "" {
			f += fmt.Sprintf(" %q", e.Name)
		}
		where = append(where, f)
	}
	where = append(where, fmt.Sprintf("offset %#x", e.Offset))
	fmt.Fprintf(&b, " (%s)", strings.Join(where, ", "))
	return b.String()
}
