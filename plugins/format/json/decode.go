// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// mode is what the decoder expects next.
type mode uint8

const (
	modeOpening mode = iota // the beginning of the stream
	modeLines               // a line
	modeLong                // the rest of a line that was too long
	modeFirst               // the first element of the array or its end
	modeElement             // an element
	modeComma               // a comma or the array's end
	modeEnd                 // nothing but white space
)

type decoder struct {
	schema  *abi.Schema
	root    *object
	bound   *batch.Builder
	parser  parser
	mode    mode
	line    int64 // of the next byte, from 1
	element int64 // of the array, that was read last, from 1
	unsized int   // bytes read since the size of the rows was looked at
}

var _ operator.Decoder = (*decoder)(nil)

// Decode appends rows of the records at the beginning of data.
func (d *decoder) Decode(data []byte, atEnd bool, rows *operator.Rows) (int, error) {
	if d.bound != rows.Builder {
		if d.root == nil {
			d.root = newObject(d.schema.Fields)
		}
		d.root.bind(rows.Column)
		d.bound = rows.Builder
	}
	used := 0
	if d.mode == modeOpening {
		used = d.open(data, atEnd)
	}
	if d.mode == modeLong {
		used = d.skipLong(data)
	}
	switch {
	case d.mode == modeLines:
		return d.lines(data, used, atEnd, rows)
	case d.mode > modeLong:
		end, err := d.array(data, used, atEnd, rows)
		if err != nil {
			return used, err
		}
		d.line += int64(bytes.Count(data[used:end], []byte{'\n'}))
		return end, nil
	}
	return used, nil
}

// byteOrderMark is what some editors begin a UTF-8 file with.
const byteOrderMark = "\xef\xbb\xbf"

// opening returns the length of what precedes the first value, and that value's first byte, 0
// where data has none.
func opening(data []byte) (length int, first byte) {
	if bytes.HasPrefix(data, []byte(byteOrderMark)) {
		length = len(byteOrderMark)
	}
	first, length = next(data, length)
	return length, first
}

// open finds out what the stream is, and returns how many bytes precede its first value.
func (d *decoder) open(data []byte, atEnd bool) int {
	if !atEnd && len(data) < len(byteOrderMark) && bytes.HasPrefix([]byte(byteOrderMark), data) {
		return 0
	}
	used, first := opening(data)
	switch first {
	case 0:
		if used == len(data) {
			// Keep the mark: it is one only at the beginning.
			if !atEnd && bytes.HasPrefix(data, []byte(byteOrderMark)) {
				used = 0
			}
			break
		}
		d.mode = modeLines
	case '[':
		d.mode = modeFirst
		used++
	default:
		d.mode = modeLines
	}
	d.line += int64(bytes.Count(data[:used], []byte{'\n'}))
	return used
}

// lines reads NDJSON from data[used:] on.
func (d *decoder) lines(data []byte, used int, atEnd bool, rows *operator.Rows) (int, error) {
	for used < len(data) && !d.full(rows) {
		end := bytes.IndexByte(data[used:], '\n') + used
		next := end + 1
		if end < used {
			if !atEnd {
				break
			}
			end, next = len(data), len(data)
		}
		if err := d.record(data[used:end], rows); err != nil {
			return used, err
		}
		d.line++
		d.unsized += next - used
		used = next
	}
	return used, nil
}

// full says whether the rows are a batch. It looks at their size only now and then: a row more or
// less does not matter, and the look costs as much as parsing a field.
func (d *decoder) full(rows *operator.Rows) bool {
	if rows.Rows() >= rows.Max {
		return true
	}
	if d.unsized < 4096 && rows.Rows()&15 != 0 {
		return false
	}
	d.unsized = 0
	return rows.Full()
}

// record reads a line.
func (d *decoder) record(record []byte, rows *operator.Rows) error {
	p := &d.parser
	p.data, p.room = record, abi.MaxBatchBytes
	c, at := next(record, 0)
	if at == len(record) {
		return nil // a blank line
	}
	if c != '{' {
		p.noObject(at)
	} else if at = p.object(d.root, rows.Rows(), at); at != failed {
		if _, at = next(record, at); at == len(record) {
			d.end(rows, d.line)
			return nil
		}
		p.want(at, "the end of the line")
	}
	return d.reject(record, p.fault.errorIn(record, 0), d.line, rows)
}

// noObject reports that the record at hand is something else.
func (p *parser) noObject(at int) int {
	end := p.skip(at)
	if end == failed {
		return failed
	}
	return p.refuse(errors.New(describe(p.data[at:end]) + "; expected an object"))
}

func (d *decoder) end(rows *operator.Rows, offset int64) {
	rows.AppendPosition(batch.At(rows.Split, offset))
	rows.EndRow()
}

func (d *decoder) reject(record []byte, reason error, offset int64, rows *operator.Rows) error {
	d.parser.fault = fault{}
	rows.DropRow()
	return rows.Reject(bytes.TrimRight(record, "\r\n"), batch.At(rows.Split, offset), reason)
}

// TooLong rejects the record that head begins, because no more of it can be held, and goes on
// behind it. limit is for the message.
func (d *decoder) TooLong(head []byte, limit string, rows *operator.Rows) error {
	if d.mode != modeLines {
		return fmt.Errorf("line %d: element %d of the array is longer than %s (max_record)", d.line, d.element+1, limit)
	}
	d.mode = modeLong
	return d.reject(head, fmt.Errorf("the line is longer than %s (max_record)", limit), d.line, rows)
}

// skipLong skips what it has of a line that is too long.
func (d *decoder) skipLong(data []byte) int {
	end := bytes.IndexByte(data, '\n')
	if end < 0 {
		return len(data)
	}
	d.line++
	d.mode = modeLines
	return end + 1
}

// array reads the elements of an array from data[used:] on.
func (d *decoder) array(data []byte, used int, atEnd bool, rows *operator.Rows) (int, error) {
	p := &d.parser
	p.data = data
	from := used // where d.line counts
	for !d.full(rows) {
		var c byte
		c, used = next(data, used)
		switch {
		case used == len(data):
			if atEnd && d.mode != modeEnd {
				return used, fmt.Errorf("line %d: the array that the stream holds is not closed; it may be cut off", d.lineAt(data, from, used))
			}
			return used, nil
		case c == ',' && d.mode == modeComma:
			d.mode = modeElement
			used++
			continue
		case c == ']' && (d.mode == modeComma || d.mode == modeFirst):
			d.mode = modeEnd
			used++
			continue
		case d.mode == modeComma:
			p.want(used, "a comma or ]")
		case d.mode == modeEnd:
			p.want(used, "the end of the stream, which is one array,")
		default:
			end, err := d.elementAt(used, atEnd, rows)
			if err != nil {
				return used, err
			}
			if end != failed {
				d.mode = modeComma
				d.unsized += end - used
				used = end
				continue
			}
			if !atEnd && p.fault.kind == faultShort {
				p.fault = fault{}
				return used, nil
			}
		}
		return used, d.broken(data, from)
	}
	return used, nil
}

// elementAt reads the element at hand, whether it fits or not.
func (d *decoder) elementAt(start int, atEnd bool, rows *operator.Rows) (int, error) {
	p := &d.parser
	p.room = abi.MaxBatchBytes
	if p.data[start] != '{' {
		p.noObject(start)
	} else if end := p.object(d.root, rows.Rows(), start); end != failed {
		d.element++
		d.end(rows, d.element)
		return end, nil
	}
	rows.DropRow()
	if p.fault.kind != faultValue {
		return failed, nil
	}
	reason := p.fault.errorIn(p.data, start)
	p.fault = fault{}
	end := p.skip(start)
	if end == len(p.data) && !atEnd && isNumeric(p.data[end-1]) {
		end = p.want(end, "the rest of a number")
	}
	if end == failed {
		return failed, nil
	}
	d.element++
	return end, d.reject(p.data[start:end], reason, d.element, rows)
}

// broken is the error that ends an array.
func (d *decoder) broken(data []byte, from int) error {
	f := &d.parser.fault
	line := d.lineAt(data, from, f.at)
	if f.kind == faultShort {
		return fmt.Errorf("line %d: the stream ends in element %d of its array: %s is missing", line, d.element+1, f.want)
	}
	start := bytes.LastIndexByte(data[:f.at], '\n') + 1
	return fmt.Errorf("line %d: bad JSON in or behind element %d of the array: %s where %s belongs, after %q",
		line, d.element+1, found(data[f.at:]), f.want, clipEnd(data[start:f.at]))
}

func (d *decoder) lineAt(data []byte, from, at int) int64 {
	return d.line + int64(bytes.Count(data[from:at], []byte{'\n'}))
}

// clipEnd returns the end of a text for a message.
func clipEnd(text []byte) []byte { return text[max(0, len(text)-40):] }
