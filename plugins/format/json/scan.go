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

// The parser's methods take the position of the next byte of data and return the one behind what
// they have read, so that it stays in a register; failed means that p.fault says why not.
const failed = -1

// next returns the first byte at or after at that is no white space, and where it is: 0 and the
// end where there is none.
func next(data []byte, at int) (byte, int) {
	if at < len(data) && data[at] > ' ' {
		return data[at], at
	}
	return nextSlow(data, at)
}

func nextSlow(data []byte, at int) (byte, int) {
	for ; at < len(data); at++ {
		if c := data[at]; c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, at
		}
	}
	return 0, at
}

// want reports that the byte at hand is not what belongs there.
func (p *parser) want(at int, what string) int {
	p.fault.kind = faultSyntax
	if at >= len(p.data) {
		p.fault.kind = faultShort
	}
	p.fault.at, p.fault.want = at, what
	return failed
}

// word reads true, false or null, whose first byte is at hand.
func (p *parser) word(at int, word string) int {
	for i := range len(word) {
		if at+i >= len(p.data) {
			return p.want(at+i, "a value")
		}
		if p.data[at+i] != word[i] {
			return p.want(at, "a value")
		}
	}
	return at + len(word)
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

// text reads the string whose quote is at hand. The text is valid until the next call.
func (p *parser) text(at int) ([]byte, int) {
	data := p.data
	end := plain(data, at+1)
	if end < len(data) && data[end] == '"' {
		return data[at+1 : end], end + 1
	}
	return p.textSlow(at+1, end, true)
}

// skipText skips the string whose quote is at hand.
func (p *parser) skipText(at int) int {
	data := p.data
	end := plain(data, at+1)
	if end < len(data) && data[end] == '"' {
		return end + 1
	}
	_, end = p.textSlow(at+1, end, false)
	return end
}

// textSlow reads the string from start on, of which the bytes before at are plain. Escapes are
// resolved where decode says so, and only checked otherwise.
func (p *parser) textSlow(start, at int, decode bool) ([]byte, int) {
	p.scratch = p.scratch[:0]
	run := start // of plain bytes, not copied to scratch yet
	ascii := true
	for {
		if at >= len(p.data) {
			return nil, p.want(at, `the closing quote of a string`)
		}
		switch c := p.data[at]; {
		case c >= utf8.RuneSelf:
			ascii = false
			at = plainWide(p.data, at)
			continue
		case c == '"':
			return p.endText(start, run, at, ascii, decode)
		case c < ' ':
			return nil, p.want(at, "a string without control characters")
		case c != '\\':
			at = plain(p.data, at)
			continue
		}
		if decode {
			p.scratch = append(p.scratch, p.data[run:at]...)
		}
		if at = p.escape(at, decode); at == failed {
			return nil, failed
		}
		run = at
	}
}

// endText ends textSlow at the closing quote.
func (p *parser) endText(start, run, end int, ascii, decode bool) ([]byte, int) {
	if !ascii && !utf8.Valid(p.data[start:end]) {
		for at := start; ; {
			r, size := utf8.DecodeRune(p.data[at:end])
			if r == utf8.RuneError && size <= 1 {
				return nil, p.want(at, "a string in UTF-8")
			}
			at += size
		}
	}
	if run == start || !decode {
		return p.data[start:end], end + 1
	}
	p.scratch = append(p.scratch, p.data[run:end]...)
	return p.scratch, end + 1
}

// escape reads the escape whose backslash is at hand, and appends its character to scratch.
func (p *parser) escape(at int, decode bool) int {
	if at+1 >= len(p.data) {
		return p.want(at+1, "the rest of an escape")
	}
	c := p.data[at+1]
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
		return p.unicode(at, decode)
	default:
		return p.want(at, `one of the escapes \" \\ \/ \b \f \n \r \t \uXXXX`)
	}
	p.scratch = append(p.scratch, c)
	return at + 2
}

// unicode reads a \uXXXX escape, or two that are the halves of a pair.
func (p *parser) unicode(at int, decode bool) int {
	r, end := p.hex(at)
	if end == failed {
		return failed
	}
	if utf16.IsSurrogate(r) && decode {
		low := rune(0)
		switch {
		case end+1 >= len(p.data):
			return p.want(end+1, "the rest of an escape")
		case p.data[end] == '\\' && p.data[end+1] == 'u':
			if low, end = p.hex(end); end == failed {
				return failed
			}
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			return p.want(at, "both halves of a surrogate pair")
		}
	}
	p.scratch = utf8.AppendRune(p.scratch, r)
	return end
}

// hex reads \uXXXX, whose first two bytes are known to be there.
func (p *parser) hex(at int) (rune, int) {
	r := rune(0)
	for i := at + 2; i < at+6; i++ {
		if i >= len(p.data) {
			return 0, p.want(i, "the rest of an escape")
		}
		c := p.data[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, p.want(i, "four hex digits of an escape")
		}
		r = r<<4 | rune(c)
	}
	return r, at + 6
}

// number reads the number whose first byte is at hand.
func (p *parser) number(at int) (literal.Number, int) {
	n, size := literal.Scan(p.data[at:])
	if size == 0 {
		for at < len(p.data) && isNumeric(p.data[at]) {
			at++ // so that a number cut short by the end of the data is told from a bad one
		}
		return n, p.want(at, "a number")
	}
	return n, at + size
}

func isNumeric(c byte) bool {
	return c-'0' <= 9 || c == '-' || c == '+' || c == '.' || c|0x20 == 'e'
}

// scalar skips a value that holds no others, whose first byte c is at hand.
func (p *parser) scalar(c byte, at int) int {
	switch {
	case c == '"':
		return p.skipText(at)
	case c == '-' || c-'0' <= 9:
		_, at = p.number(at)
		return at
	case c == 't':
		return p.word(at, "true")
	case c == 'f':
		return p.word(at, "false")
	case c == 'n':
		return p.word(at, "null")
	}
	return p.want(at, "a value")
}

// skip skips the value that follows, and checks it.
func (p *parser) skip(at int) int {
	c, at := next(p.data, at)
	if c != '{' && c != '[' {
		return p.scalar(c, at)
	}
	return p.skipNested(at)
}

// nest is the brackets that are open around a value: a bit a level, the lowest for the innermost,
// set for an object.
type nest struct {
	objects uint64
	depth   int
}

func (p *parser) skipNested(at int) int {
	var open nest
	for {
		var c byte
		c, at = next(p.data, at)
		if c != '{' && c != '[' {
			if at = p.scalar(c, at); at == failed {
				return failed
			}
		} else {
			if open.depth == maxDepth {
				return p.want(at, "values nested at most 64 deep")
			}
			open.depth++
			open.objects = open.objects<<1 | uint64(c>>5&1) // the bit that { has and [ lacks
			var first byte
			if first, at = next(p.data, at+1); first != c+2 { // as both closing brackets lie two above theirs
				if c == '{' {
					if at = p.skipName(at); at == failed {
						return failed
					}
				}
				continue
			}
		}
		more := false
		if more, at = p.skipClosing(&open, at); !more {
			return at
		}
	}
}

// skipClosing skips what follows a value, up to the next value inside the nest if there is one.
func (p *parser) skipClosing(open *nest, at int) (more bool, end int) {
	for open.depth > 0 {
		var c byte
		c, at = next(p.data, at)
		object := open.objects&1 != 0
		switch {
		case c == ',':
			if at++; object {
				at = p.skipName(at)
			}
			return at != failed, at
		case c == '}' && object, c == ']' && !object:
			at++
			open.depth--
			open.objects >>= 1
		case object:
			return false, p.want(at, "a comma or }")
		default:
			return false, p.want(at, "a comma or ]")
		}
	}
	return false, at
}

// skipName skips a name and its colon.
func (p *parser) skipName(at int) int {
	c, at := next(p.data, at)
	if c != '"' {
		return p.want(at, "a name in quotes")
	}
	if at = p.skipText(at); at == failed {
		return failed
	}
	if c, at = next(p.data, at); c != ':' {
		return p.want(at, "a colon")
	}
	return at + 1
}
