// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package module

import (
	"fmt"
	"unicode/utf8"
)

// reader walks bin up to end. The first failure sticks: from then on every read returns zero, and
// a loop over a count has to look at err.
type reader struct {
	bin     []byte
	pos     int
	end     int
	section string
	fn      int // function index, -1 outside functions
	err     *Error
}

func (r *reader) fail(kind Kind, offset int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{
			Kind: kind, Message: fmt.Sprintf(format, args...),
			Section: r.section, Func: r.fn, Offset: offset,
		}
	}
	r.pos = r.end
}

func (r *reader) malformed(format string, args ...any) { r.fail(Malformed, r.pos, format, args...) }
func (r *reader) invalid(format string, args ...any)   { r.fail(Invalid, r.pos, format, args...) }

// within fails when value is over the limit of that name. what says what has the value.
func (r *reader) within(limit string, limitValue int, value uint64, what string) bool {
	if value <= uint64(limitValue) {
		return true
	}
	if r.err == nil {
		r.fail(OverLimit, r.pos, "%s %d, the limit %s is %d", what, value, limit, limitValue)
		r.err.Limit, r.err.Max, r.err.Value = limit, uint64(limitValue), value
	}
	return false
}

func (r *reader) left() int { return r.end - r.pos }

func (r *reader) byte() byte {
	if r.pos >= r.end {
		r.malformed("unexpected end")
		return 0
	}
	b := r.bin[r.pos]
	r.pos++
	return b
}

// bytes returns the next n bytes, still part of bin.
func (r *reader) bytes(n int) []byte {
	if n > r.left() {
		r.malformed("unexpected end: %d bytes wanted, %d left", n, r.left())
		return nil
	}
	r.pos += n
	return r.bin[r.pos-n : r.pos]
}

// u32 reads an unsigned LEB128 number.
func (r *reader) u32() uint32 {
	if r.pos < r.end {
		if b := r.bin[r.pos]; b < 0x80 {
			r.pos++
			return uint32(b)
		}
	}
	return uint32(r.leb(32, false))
}

// leb reads a LEB128 number of at most the given bits, sign-extended when signed. The last byte's
// unused bits must repeat the sign, as the binary format has it.
func (r *reader) leb(bits uint, signed bool) uint64 {
	start := r.pos
	var v uint64
	for shift := uint(0); ; shift += 7 {
		b := r.byte()
		if r.err != nil {
			return 0
		}
		v |= uint64(b&0x7f) << shift
		last := shift+7 >= bits
		if last {
			if b&0x80 != 0 {
				r.fail(Malformed, start, "integer representation too long: over %d bits", bits)
				return 0
			}
			unused := b & 0x7f >> (bits - shift)
			if signed {
				sign := b & 0x7f >> (bits - shift - 1)
				if ones := byte(0x7f) >> (bits - shift - 1); sign != 0 && sign != ones {
					r.fail(Malformed, start, "integer too large: over %d bits", bits)
					return 0
				}
			} else if unused != 0 {
				r.fail(Malformed, start, "integer too large: over %d bits", bits)
				return 0
			}
		}
		if b&0x80 == 0 {
			if signed && shift+7 < 64 && b&0x40 != 0 {
				v |= ^uint64(0) << (shift + 7)
			}
			return v
		}
	}
}

// count reads the length of a vector whose items have at least least bytes each.
func (r *reader) count(what, limit string, limitValue, least int) int {
	n := uint64(r.u32())
	if r.err != nil || !r.within(limit, limitValue, n, what+":") {
		return 0
	}
	if n*uint64(least) > uint64(r.left()) {
		r.malformed("unexpected end: %s: %d are declared, but only %d bytes are left", what, n, r.left())
		return 0
	}
	return int(n)
}

// name reads a name of at most limitValue bytes.
func (r *reader) name(what string, limitValue int) string {
	n := uint64(r.u32())
	if r.err != nil || !r.within("Name", limitValue, n, what+": length in bytes") {
		return ""
	}
	b := r.bytes(int(n))
	if !utf8.Valid(b) {
		r.malformed("malformed UTF-8 encoding: %s", what)
		return ""
	}
	return string(b)
}

func (r *reader) valueType() ValueType {
	t := ValueType(r.byte())
	if r.err == nil && !t.valid() {
		r.pos--
		r.malformed("malformed value type %#x", byte(t))
	}
	return t
}

func (r *reader) refType() ValueType {
	t := ValueType(r.byte())
	if r.err == nil && !t.IsRef() {
		r.pos--
		r.malformed("malformed reference type %#x", byte(t))
	}
	return t
}
