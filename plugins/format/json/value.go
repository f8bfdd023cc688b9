// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// value reads a value, whose first byte c is at hand, into its column.
func (p *parser) value(col *column, c byte, at int) int {
	if c == 'n' {
		if at = p.word(at, "null"); at != failed {
			col.AppendNull()
		}
		return at
	}
	switch col.typ {
	case abi.String:
		if c != '"' {
			return p.mismatch(col, at)
		}
		text, end := p.text(at)
		if end != failed {
			col.AppendBytes(text)
		}
		return end
	case abi.Int64:
		return p.int64(col, c, at)
	case abi.Int32, abi.Float64, abi.Decimal:
		return p.numeric(col, c, at)
	case abi.Timestamp:
		return p.timestamp(col, c, at)
	case abi.Bool:
		return p.bool(col, c, at)
	case abi.Bytes:
		return p.base64(col, c, at)
	case abi.List:
		return p.list(col, c, at)
	}
	if c != '{' {
		return p.mismatch(col, at)
	}
	if at = p.object(col.fields, col.Rows(), at); at != failed {
		col.EndStruct()
	}
	return at
}

// int64 reads a whole number of up to 18 digits itself; numeric reads the others.
func (p *parser) int64(col *column, c byte, begin int) int {
	data, at := p.data, begin
	if c == '-' {
		at++
	}
	start := at
	v := int64(0)
	for ; at < len(data); at++ {
		d := data[at] - '0'
		if d > 9 {
			break
		}
		v = v*10 + int64(d)
	}
	if n := at - start; n == 0 || n > 18 || n > 1 && data[start] == '0' || at < len(data) && isNumeric(data[at]) {
		return p.numeric(col, c, begin)
	}
	if c == '-' {
		v = -v
	}
	col.AppendInt64(v)
	return at
}

func (p *parser) numeric(col *column, c byte, at int) int {
	if c != '-' && c-'0' > 9 {
		return p.mismatch(col, at)
	}
	n, end := p.number(at)
	if end == failed {
		return failed
	}
	var err error
	switch col.typ {
	case abi.Int32:
		var v int32
		if v, err = n.Int32(); err == nil {
			col.AppendInt32(v)
		}
	case abi.Int64:
		var v int64
		if v, err = n.Fixed(0); err == nil {
			col.AppendInt64(v)
		}
	case abi.Decimal:
		var v int64
		if v, err = n.Decimal(col.field.Scale); err == nil {
			col.AppendInt64(v)
		}
	default:
		var v float64
		if v, err = n.Float64(p.data[at:end]); err == nil {
			col.AppendFloat64(v)
		}
	}
	if err != nil {
		return p.refuse(literal.Explain(clip(p.data[at:end]), col.field, err))
	}
	return end
}

func (p *parser) timestamp(col *column, c byte, at int) int {
	if c != '"' {
		return p.timestampNumber(col, c, at)
	}
	text, end := p.text(at)
	if end == failed {
		return failed
	}
	t, ok := literal.ParseTime(text)
	if !ok {
		return p.refuse(fmt.Errorf("%s is no time; expected one like \"2001-01-31T23:59:59Z\"", clip(p.data[at:end])))
	}
	col.AppendInt64(int64(t))
	return end
}

func (p *parser) timestampNumber(col *column, c byte, at int) int {
	if c != '-' && c-'0' > 9 {
		return p.mismatch(col, at)
	}
	n, end := p.number(at)
	if end == failed {
		return failed
	}
	var v int64
	var err error
	if p.unitDigits == nanoseconds {
		if v, err = n.Fixed(0); err == nil {
			v = v/1000 + v%1000>>63 // rounded down, also before 1970
		}
	} else {
		v, err = n.Fixed(p.unitDigits)
	}
	if err != nil {
		return p.refuse(fmt.Errorf("%s is no time in the unit of the option timestamps: %w", clip(p.data[at:end]), err))
	}
	col.AppendInt64(v)
	return end
}

func (p *parser) bool(col *column, c byte, at int) int {
	switch c {
	case 't':
		at = p.word(at, "true")
	case 'f':
		at = p.word(at, "false")
	default:
		return p.mismatch(col, at)
	}
	if at != failed {
		col.AppendBool(c == 't')
	}
	return at
}

func (p *parser) base64(col *column, c byte, at int) int {
	if c != '"' {
		return p.mismatch(col, at)
	}
	text, end := p.text(at)
	if end == failed {
		return failed
	}
	var err error
	if p.binary, err = base64.StdEncoding.AppendDecode(p.binary[:0], text); err != nil {
		return p.refuse(fmt.Errorf("%s is no base64, which bytes are written in", clip(p.data[at:end])))
	}
	col.AppendBytes(p.binary)
	return end
}

func (p *parser) list(col *column, c byte, at int) int {
	if c != '[' {
		return p.mismatch(col, at)
	}
	if c, at = next(p.data, at+1); c == ']' {
		col.EndList()
		return at + 1
	}
	for i := 0; ; i++ {
		// Two bytes of text, as in {}, can be a struct of a thousand nulls.
		if p.room -= col.items.size; p.room < 0 {
			return p.refuse(fmt.Errorf("the lists of the record take more than %d MiB", abi.MaxBatchBytes>>20))
		}
		if at = p.value(col.items, c, at); at == failed {
			if p.fault.kind == faultValue {
				p.fault.path = append(p.fault.path, "["+strconv.Itoa(i)+"]")
			}
			return failed
		}
		switch c, at = next(p.data, at); c {
		case ',':
			c, at = next(p.data, at+1)
		case ']':
			col.EndList()
			return at + 1
		default:
			return p.want(at, "a comma or ]")
		}
	}
}
