// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package literal

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/wasmill/wasmill/abi"
)

// Why a number is no value of a type.
var (
	ErrFraction = errors.New("it has more digits after the point")
	ErrRange    = errors.New("it is out of range")
)

// maxExponent bounds the exponents that are told apart: past it every number is 0 or too large.
const maxExponent = 1 << 20

// Number is a decimal number: Digits * 10^Exponent, negated where Negative.
type Number struct {
	Negative bool
	Integer  bool // written without point and exponent
	Inexact  bool // digits that are not zero follow the 19 that Digits holds
	Digits   uint64
	Exponent int
}

// Scan reads the number, as RFC 8259 writes one, that text begins with, and returns its length: 0
// where there is none.
func Scan(text []byte) (Number, int) {
	at := 0
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		at++
	}
	start := at
	digits := uint64(0)
	for ; at < len(text) && text[at]-'0' <= 9; at++ {
		digits = digits*10 + uint64(text[at]-'0')
	}
	whole, fraction := at-start, 0
	if at < len(text) && text[at] == '.' {
		at++
		point := at
		for ; at < len(text) && text[at]-'0' <= 9; at++ {
			digits = digits*10 + uint64(text[at]-'0')
		}
		if fraction = at - point; fraction == 0 {
			return Number{}, 0
		}
	}
	if whole == 0 || whole+fraction > 19 || text[start] == '0' && whole > 1 || at < len(text) && text[at]|0x20 == 'e' {
		return scanAny(text)
	}
	return Number{Negative: negative, Integer: fraction == 0, Digits: digits, Exponent: -fraction}, at
}

// scanAny is Scan without its haste.
func scanAny(text []byte) (Number, int) {
	n := Number{Integer: true}
	at := 0
	if at < len(text) && text[at] == '-' {
		n.Negative = true
		at++
	}
	start := at
	at = n.digits(text, at, false)
	if at == start || text[start] == '0' && at > start+1 {
		return Number{}, 0
	}
	if at < len(text) && text[at] == '.' {
		n.Integer = false
		start = at + 1
		if at = n.digits(text, start, true); at == start {
			return Number{}, 0
		}
	}
	if at < len(text) && text[at]|0x20 == 'e' {
		n.Integer = false
		exponent, end := scanExponent(text, at+1)
		if end < 0 {
			return Number{}, 0
		}
		n.Exponent += exponent
		at = end
	}
	return n, at
}

// digits adds a run of digits to the number and returns where it ends.
func (n *Number) digits(text []byte, at int, fraction bool) int {
	for ; at < len(text); at++ {
		d := text[at] - '0'
		if d > 9 {
			break
		}
		if n.Digits < 1e18 {
			n.Digits = n.Digits*10 + uint64(d)
			if fraction {
				n.Exponent--
			}
			continue
		}
		n.Inexact = n.Inexact || d != 0
		if !fraction {
			n.Exponent++
		}
	}
	return at
}

// scanExponent returns the exponent at text[at:] and its end, -1 where there is none.
func scanExponent(text []byte, at int) (exponent, end int) {
	negative := false
	if at < len(text) && (text[at] == '-' || text[at] == '+') {
		negative = text[at] == '-'
		at++
	}
	start := at
	for ; at < len(text) && text[at]-'0' <= 9; at++ {
		exponent = min(exponent*10+int(text[at]-'0'), maxExponent)
	}
	if at == start {
		return 0, -1
	}
	if negative {
		exponent = -exponent
	}
	return exponent, at
}

// ParseNumber reads a text that is a number and nothing else. Other than Scan it takes a plus
// sign and leading zeros, which people write outside JSON.
func ParseNumber(text []byte) (Number, bool) {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	for len(text) > 1 && text[0] == '0' && text[1]-'0' <= 9 {
		text = text[1:]
	}
	if len(text) == 0 || text[0] == '-' {
		return Number{}, false
	}
	n, size := Scan(text)
	n.Negative = negative
	return n, size == len(text)
}

var powers = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	1e18, 1e19,
}

// Fixed returns the number times 10^scale, where that is an int64, and ErrFraction or ErrRange
// where it is none. It never rounds.
func (n Number) Fixed(scale int) (int64, error) {
	v, exponent := n.Digits, n.Exponent+scale
	switch {
	case v == 0:
		return 0, nil
	case n.Inexact && exponent <= 0:
		return 0, ErrFraction
	case n.Inexact || exponent >= len(powers):
		return 0, ErrRange
	case exponent < 0:
		if -exponent >= len(powers) || v%powers[-exponent] != 0 {
			return 0, ErrFraction
		}
		v /= powers[-exponent]
	default:
		high, low := bits.Mul64(v, powers[exponent])
		if high != 0 {
			return 0, ErrRange
		}
		v = low
	}
	switch {
	case n.Negative && v <= 1<<63:
		return -int64(v), nil
	case !n.Negative && v < 1<<63:
		return int64(v), nil
	}
	return 0, ErrRange
}

// Int32 returns the number as an int32.
func (n Number) Int32() (int32, error) {
	v, err := n.Fixed(0)
	if err == nil && int64(int32(v)) != v {
		err = ErrRange
	}
	return int32(v), err
}

// Decimal returns the number as a decimal with scale digits after the point.
func (n Number) Decimal(scale uint8) (int64, error) {
	v, err := n.Fixed(int(scale))
	if err == nil && (v >= abi.DecimalAbsLimit || v <= -abi.DecimalAbsLimit) {
		err = ErrRange
	}
	return v, err
}

var floatPowers = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	1e18, 1e19, 1e20, 1e21, 1e22,
}

// Float64 returns the float64 nearest to the number, which text is, and ErrRange where it is past
// all of them.
func (n Number) Float64(text []byte) (float64, error) {
	// Both operands are exact, so that the one operation rounds correctly (Clinger 1990).
	if n.Digits < 1<<53 && !n.Inexact {
		f := float64(n.Digits)
		if n.Negative {
			f = -f
		}
		switch e := n.Exponent; {
		case e == 0:
			return f, nil
		case e > 0 && e < len(floatPowers):
			return f * floatPowers[e], nil
		case e < 0 && -e < len(floatPowers):
			return f / floatPowers[-e], nil
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	if err != nil {
		return 0, ErrRange
	}
	return f, nil
}

// Explain says in words why text, a number, is no value of the field's type.
func Explain(text string, f *abi.Field, err error) error {
	typ := f.TypeString()
	switch {
	case errors.Is(err, ErrRange) && f.Type == abi.Decimal:
		return fmt.Errorf("%s is past %s, which has %d digits", text, typ, abi.DecimalDigits)
	case errors.Is(err, ErrRange):
		return fmt.Errorf("%s is past %s", text, typ)
	case f.Type == abi.Decimal:
		return fmt.Errorf("%s has more digits after the point than %s", text, typ)
	}
	return fmt.Errorf("%s is no whole number; expected %s", text, typ)
}

// AppendDecimal appends a decimal with scale digits after the point.
func AppendDecimal(dst []byte, v int64, scale uint8) []byte {
	if scale == 0 {
		return strconv.AppendInt(dst, v, 10)
	}
	u := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	}
	power := powers[scale]
	dst = strconv.AppendUint(dst, u/power, 10)
	return appendPadded(append(dst, '.'), u%power, int(scale))
}

// appendPadded appends the last digits of v, with zeros in front.
func appendPadded(dst []byte, v uint64, digits int) []byte {
	const zeros = "000000000000000000"
	dst = append(dst, zeros[:digits]...)
	for at := len(dst) - 1; v > 0; at-- {
		dst[at] = '0' + byte(v%10)
		v /= 10
	}
	return dst
}

// AppendFloat64 appends the shortest text that reads back as f, which is finite.
func AppendFloat64(dst []byte, f float64) []byte {
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	// Whole numbers are common and dear by the general way. -0 keeps its sign there.
	if i := int64(f); float64(i) == f && i != 0 && i > -1<<53 && i < 1<<53 {
		return strconv.AppendInt(dst, i, 10)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
