// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// parser reads records out of data.
type parser struct {
	data       []byte
	unitDigits int
	room       int    // bytes that items of the record's lists may yet take in their columns
	scratch    []byte // a string whose escapes are resolved
	binary     []byte // a string that was base64
	fault      fault
}

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

// object is an object of the schema: a record or a struct.
type object struct {
	columns []column
	rows    int // that its columns had before the object
	// keys are the names that have been met, declared or not, each with the one that followed it
	// the last time: most records have the same names in the same order, so that a name is found
	// by one comparison. The first stands for names that are not kept.
	keys   []key
	first  int32
	byName map[string]int32
}

type key struct {
	head, mask [2]uint64 // of the first bytes of quoted
	quoted     string    // as JSON writes it; "" where it needs escapes
	column     int32     // -1 where the schema lacks it
	next       int32
}

const headSize = 16

// newKey returns the key of a name. Its first bytes are kept as two words, as a comparison of
// words is cheaper than a call to compare strings.
func newKey(name string, column int32) key {
	k := key{column: column}
	if plainWide([]byte(name), 0) != len(name) {
		return k
	}
	k.quoted = `"` + name + `"`
	var head, mask [headSize]byte
	for i := range copy(head[:], k.quoted) {
		mask[i] = 0xff
	}
	for i := range k.head {
		k.head[i] = binary.LittleEndian.Uint64(head[8*i:])
		k.mask[i] = binary.LittleEndian.Uint64(mask[8*i:])
	}
	return k
}

// at says whether the name, in quotes, is at data[at:].
func (k *key) at(data []byte, at int) bool {
	if at+headSize > len(data) {
		return k.quoted != "" && bytes.HasPrefix(data[at:], []byte(k.quoted))
	}
	first := binary.LittleEndian.Uint64(data[at:]) ^ k.head[0]
	second := binary.LittleEndian.Uint64(data[at+8:]) ^ k.head[1]
	if first&k.mask[0]|second&k.mask[1] != 0 {
		return false
	}
	if len(k.quoted) > headSize {
		return bytes.HasPrefix(data[at:], []byte(k.quoted))
	}
	return k.quoted != ""
}

// Names that the schema lacks are kept as far as this, so that a stream can't fill the memory.
const (
	maxKeys    = 256
	maxKeyName = abi.MaxName
)

// column is a node of the schema, and where its values go.
type column struct {
	*batch.ColumnBuilder
	typ    abi.Type
	field  *abi.Field
	size   int     // bytes that a null takes, about
	items  *column // of a list
	fields *object // of a struct
}

func newObject(fields []abi.Field) *object {
	o := &object{
		columns: make([]column, len(fields)),
		keys:    make([]key, 1, 1+len(fields)+maxKeys),
		byName:  make(map[string]int32, len(fields)),
	}
	o.keys[0].column = -1
	for i := range fields {
		o.columns[i] = newColumn(&fields[i])
		o.remember(fields[i].Name, int32(i))
	}
	return o
}

func newColumn(f *abi.Field) column {
	c := column{typ: f.Type, field: f, size: max(f.Type.Width(), 4)}
	switch f.Type {
	case abi.List:
		items := newColumn(&f.Children[0])
		c.items = &items
	case abi.Struct:
		c.fields = newObject(f.Children)
		for i := range c.fields.columns {
			c.size += c.fields.columns[i].size
		}
	}
	return c
}

// remember adds a name to those that are known.
func (o *object) remember(name string, column int32) int32 {
	at := int32(len(o.keys))
	o.keys = append(o.keys, newKey(name, column))
	o.byName[name] = at
	return at
}

// bind says where the values go.
func (o *object) bind(child func(int) *batch.ColumnBuilder) {
	for i := range o.columns {
		o.columns[i].bind(child(i))
	}
}

func (c *column) bind(b *batch.ColumnBuilder) {
	c.ColumnBuilder = b
	switch c.typ {
	case abi.List:
		c.items.bind(b.Child(0))
	case abi.Struct:
		c.fields.bind(b.Child)
	}
}

// object reads the object whose brace is at hand into columns that hold rows rows.
func (p *parser) object(o *object, rows, at int) int {
	o.rows = rows
	data := p.data
	c, at := next(data, at+1)
	if c == '}' {
		return at + 1
	}
	for slot := &o.first; ; {
		k := &o.keys[*slot]
		if k.at(data, at) {
			at += len(k.quoted)
		} else {
			var n int32
			if n, at = p.name(o, at); at == failed {
				return failed
			}
			*slot = n
			k = &o.keys[n]
		}
		slot = &k.next
		if c, at = next(data, at); c != ':' {
			return p.want(at, "a colon")
		}
		c, at = next(data, at+1)
		if k.column >= 0 {
			at = p.member(o, int(k.column), c, at)
		} else if c == '{' || c == '[' {
			at = p.skipNested(at)
		} else {
			at = p.scalar(c, at)
		}
		if at == failed {
			return failed
		}
		if c, at = next(data, at); c == '}' {
			return at + 1
		} else if c != ',' {
			return p.want(at, "a comma or }")
		}
		_, at = next(data, at+1)
	}
}

// name reads a name that is not the expected one, and returns its key.
func (p *parser) name(o *object, at int) (number int32, end int) {
	if at >= len(p.data) || p.data[at] != '"' {
		return 0, p.want(at, "a name in quotes")
	}
	name, end := p.text(at)
	if end == failed {
		// A lone surrogate is no fault in a name that nobody declares.
		if p.fault.kind == faultSyntax {
			p.fault = fault{}
			end = p.skipText(at)
		}
		return 0, end
	}
	if k, ok := o.byName[string(name)]; ok {
		return k, end
	}
	if len(o.keys) == cap(o.keys) || len(name) > maxKeyName {
		return 0, end
	}
	return o.remember(string(name), -1), end
}

// member reads the value of a declared member, whose first byte c is at hand.
func (p *parser) member(o *object, number int, c byte, at int) int {
	col := &o.columns[number]
	if col.Rows() != o.rows {
		p.refuse(errors.New("the name is there twice"))
	} else if end := p.value(col, c, at); end != failed {
		return end
	}
	if p.fault.kind == faultValue {
		p.fault.path = append(p.fault.path, col.field.Name)
	}
	return failed
}

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
