// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"strings"
	"unicode/utf8"
)

// readNames reads the module's and the functions' names from the contents of a name section
// (https://www.w3.org/TR/wasm-core-2/#name-section). Names are advice: at the first fault it stops
// and keeps what was read so far.
func (m *Module) readNames(section []byte) {
	r := reader{bin: section, end: len(section), fn: -1}
	text := string(section)
	for r.pos < r.end && r.err == nil {
		id := r.byte()
		size := r.u32()
		if r.err != nil || int64(size) > int64(r.left()) {
			return
		}
		sub := reader{bin: section, pos: r.pos, end: r.pos + int(size), fn: -1}
		switch id {
		case 0:
			m.ModuleName = sub.text(text)
		case 1:
			m.readFuncNames(&sub, text)
		}
		r.pos += int(size)
	}
}

func (m *Module) readFuncNames(r *reader, text string) {
	if len(m.FuncNames) > 0 {
		return
	}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		index := r.u32()
		name := r.text(text)
		if r.err != nil || len(m.FuncNames) > 0 && index <= m.FuncNames[len(m.FuncNames)-1].Index {
			return
		}
		if int64(index) >= int64(len(m.funcTypes)) {
			return
		}
		m.FuncNames = append(m.FuncNames, FuncName{Index: index, Name: name})
	}
}

// text reads a name as a part of all, which is the text of r.bin. Bytes that are not UTF-8
// become U+FFFD.
func (r *reader) text(all string) string {
	n := r.u32()
	if r.err != nil || int64(n) > int64(r.left()) {
		r.malformed("name over the end")
		return ""
	}
	r.pos += int(n)
	name := all[r.pos-int(n) : r.pos]
	if !utf8.ValidString(name) {
		return strings.ToValidUTF8(name, "\uFFFD")
	}
	return name
}
