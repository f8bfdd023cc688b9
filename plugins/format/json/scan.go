// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/wasmill/wasmill/plugins/format/literal"
)

// maxDepth is how deeply skipped values may be nested; a bit of a word remembers each level.
const maxDepth = 64

// space skips white space and returns the byte that follows, which stays unread. At the end of
// the data it returns 0.
func (p *parser) space() byte {
	for p.at < len(p.data) {
		switch c := p.data[p.at]; c {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return c
		}
	}
	return 0
}

// want reports that the byte at hand is not what belongs there.
func (p *parser) want(what string) bool {
	if p.at >= len(p.data) {
		p.fault.kind = faultShort
	} else {
		p.fault.kind = faultSyntax
	}
	p.fault.at, p.fault.want = p.at, what
	return false
}

// word reads true, false or null, whose first byte is at hand.
func (p *parser) word(word string) bool {
	for i := range len(word) {
		if p.at+i >= len(p.data) || p.data[p.at+i] != word[i] {
			if p.at+i >= len(p.data) {
				p.at = len(p.data)
			}
			return p.want("a value")
		}
	}
	p.at += len(word)
	return true
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// plain returns where the first byte at or after at is that ends a run of plain ASCII in a string:
// a quote, a backslash, a control character, or a byte past ASCII.
//
// Eight bytes are looked at in one word. Subtracting 1 from each byte sets the high bit of one
// that was 0, and so, after an exclusive or, of one that was the character looked for; as a borrow
// reaches only higher bytes, the lowest mark is right.
func plain(data []byte, at int) int {
	for ; at+8 <= len(data); at += 8 {
		w := binary.LittleEndian.Uint64(data[at:])
		quote := (w ^ '"'*everyByte) - everyByte
		backslash := (w ^ '\\'*everyByte) - everyByte
		control := w - ' '*everyByte
		if m := (quote | backslash | control | w) & highBits; m != 0 {
			return at + bits.TrailingZeros64(m)>>3
		}
	}
	for ; at < len(data); at++ {
		if c := data[at]; c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			return at
		}
	}
	return at
}

// plainWide is plain for a run in which bytes past ASCII are plain too.
func plainWide(data []byte, at int) int {
	for {
		at = plain(data, at)
		if at == len(data) || data[at] < utf8.RuneSelf {
			return at
		}
		for at++; at < len(data) && data[at] >= utf8.RuneSelf; at++ {
		}
	}
}

// text reads the string whose quote is at hand. The result is valid until the next call.
func (p *parser) text() ([]byte, bool) {
	start := p.at + 1
	end := plain(p.data, start)
	if end < len(p.data) && p.data[end] == '"' {
		p.at = end + 1
		return p.data[start:end], true
	}
	return p.textSlow(start, end, true)
}

// skipText skips the string whose quote is at hand.
func (p *parser) skipText() bool {
	start := p.at + 1
	end := plain(p.data, start)
	if end < len(p.data) && p.data[end] == '"' {
		p.at = end + 1
		return true
	}
	_, ok := p.textSlow(start, end, false)
	return ok
}

// textSlow reads the string from start on, of which the bytes before at are plain ASCII. Escapes
// are resolved where decode says so, and only checked otherwise.
func (p *parser) textSlow(start, at int, decode bool) ([]byte, bool) {
	p.scratch = p.scratch[:0]
	run := start // of plain bytes, not copied to scratch yet
	ascii := true
	for {
		if at >= len(p.data) {
			p.at = at
			return nil, p.want(`the closing quote of a string`)
		}
		switch c := p.data[at]; {
		case c >= utf8.RuneSelf:
			ascii = false
			at = plainWide(p.data, at+1)
			continue
		case c == '"':
			return p.endText(start, run, at, ascii, decode)
		case c < ' ':
			p.at = at
			return nil, p.want("a string without control characters")
		case c != '\\':
			at = plain(p.data, at)
			continue
		}
		if decode {
			p.scratch = append(p.scratch, p.data[run:at]...)
		}
		p.at = at
		if !p.escape(decode) {
			return nil, false
		}
		at = p.at
		run = at
	}
}

// endText ends textSlow at the closing quote.
func (p *parser) endText(start, run, end int, ascii, decode bool) ([]byte, bool) {
	if !ascii && !utf8.Valid(p.data[start:end]) {
		for p.at = start; p.at < end; {
			r, size := utf8.DecodeRune(p.data[p.at:end])
			if r == utf8.RuneError && size == 1 {
				break
			}
			p.at += size
		}
		return nil, p.want("a string in UTF-8")
	}
	p.at = end + 1
	if run == start || !decode {
		return p.data[start:end], true
	}
	p.scratch = append(p.scratch, p.data[run:end]...)
	return p.scratch, true
}

// escape reads the escape whose backslash is at hand, and appends its character to scratch.
func (p *parser) escape(decode bool) bool {
	if p.at+1 >= len(p.data) {
		p.at = len(p.data)
		return p.want("the rest of an escape")
	}
	c := p.data[p.at+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return p.unicode(decode)
	default:
		return p.want(`one of the escapes \" \\ \/ \b \f \n \r \t \uXXXX`)
	}
	p.at += 2
	p.scratch = append(p.scratch, c)
	return true
}

// unicode reads a \uXXXX escape, or two that are the halves of a pair.
func (p *parser) unicode(decode bool) bool {
	start := p.at
	r, ok := p.hex()
	if !ok {
		return false
	}
	if utf16.IsSurrogate(r) && decode {
		low := rune(0)
		if p.at+1 < len(p.data) && p.data[p.at] == '\\' && p.data[p.at+1] == 'u' {
			if low, ok = p.hex(); !ok {
				return false
			}
		} else if p.at+1 >= len(p.data) {
			p.at = len(p.data)
			return p.want("the rest of an escape")
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			p.at = start
			return p.want("both halves of a surrogate pair")
		}
	}
	p.scratch = utf8.AppendRune(p.scratch, r)
	return true
}

// hex reads \uXXXX, whose first two bytes are known to be there.
func (p *parser) hex() (rune, bool) {
	r := rune(0)
	for i := p.at + 2; i < p.at+6; i++ {
		if i >= len(p.data) {
			p.at = i
			return 0, p.want("the rest of an escape")
		}
		c := p.data[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			p.at = i
			return 0, p.want("four hex digits of an escape")
		}
		r = r<<4 | rune(c)
	}
	p.at += 6
	return r, true
}

// number reads the number whose first byte is at hand.
func (p *parser) number() (literal.Number, bool) {
	n, size := literal.Scan(p.data[p.at:])
	if size == 0 {
		for p.at < len(p.data) && isNumeric(p.data[p.at]) {
			p.at++ // so that a number cut short by the end of the data is told from a bad one
		}
		return n, p.want("a number")
	}
	p.at += size
	return n, true
}

func isNumeric(c byte) bool {
	return c-'0' <= 9 || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'
}

// scalar skips a value that holds no others, whose first byte c is at hand.
func (p *parser) scalar(c byte) bool {
	switch {
	case c == '"':
		return p.skipText()
	case c == 't':
		return p.word("true")
	case c == 'f':
		return p.word("false")
	case c == 'n':
		return p.word("null")
	case c == '-' || c-'0' <= 9:
		_, ok := p.number()
		return ok
	}
	return p.want("a value")
}

// skip skips the value at hand, and checks it.
func (p *parser) skip() bool {
	var open nest
	for {
		c := p.space()
		if c != '{' && c != '[' {
			if !p.scalar(c) {
				return false
			}
		} else {
			if open.depth == maxDepth {
				return p.want("values nested at most 64 deep")
			}
			open.depth++
			open.objects = open.objects<<1 | uint64(c>>5&1) // the bit that { has and [ lacks
			p.at++
			if p.space() != c+2 { // as both closing brackets lie two above theirs
				if c == '{' && !p.skipName() {
					return false
				}
				continue
			}
		}
		if more, ok := p.skipClosing(&open); !more {
			return ok
		}
	}
}

// nest is the brackets that are open around a value: a bit a level, the lowest for the innermost,
// set for an object.
type nest struct {
	objects uint64
	depth   int
}

// skipClosing skips what follows a value, up to the next value inside the nest if there is one.
func (p *parser) skipClosing(open *nest) (more, ok bool) {
	for open.depth > 0 {
		c := p.space()
		object := open.objects&1 != 0
		switch {
		case c == ',':
			p.at++
			ok = !object || p.skipName()
			return ok, ok
		case c == '}' && object, c == ']' && !object:
			p.at++
			open.depth--
			open.objects >>= 1
		case object:
			return false, p.want("a comma or }")
		default:
			return false, p.want("a comma or ]")
		}
	}
	return false, true
}

// skipName skips a name and its colon.
func (p *parser) skipName() bool {
	if p.space() != '"' {
		return p.want("a name in quotes")
	}
	return p.skipText() && p.colon()
}

// colon skips the colon behind a name.
func (p *parser) colon() bool {
	if p.at < len(p.data) && p.data[p.at] == ':' || p.space() == ':' {
		p.at++
		return true
	}
	return p.want("a colon")
}
