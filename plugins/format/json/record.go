// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package json

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/plugins/format/literal"
)

// parser reads one record. Its methods return false after setting fault.
type parser struct {
	data       []byte
	at         int // the next byte of data
	unitDigits int
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
	quoted string // as JSON writes it; "" where it needs escapes
	column int32  // -1 where the schema lacks it
	next   int32
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
	c := column{typ: f.Type, field: f}
	switch f.Type {
	case abi.List:
		items := newColumn(&f.Children[0])
		c.items = &items
	case abi.Struct:
		c.fields = newObject(f.Children)
	}
	return c
}

// remember adds a name to those that are known.
func (o *object) remember(name string, column int32) int32 {
	k := key{column: column}
	if plainWide([]byte(name), 0) == len(name) {
		k.quoted = `"` + name + `"`
	}
	at := int32(len(o.keys))
	o.keys = append(o.keys, k)
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
func (p *parser) object(o *object, rows int) bool {
	o.rows = rows
	p.at++
	if p.space() == '}' {
		p.at++
		return true
	}
	for slot := &o.first; ; {
		k := &o.keys[*slot]
		if end := p.at + len(k.quoted); k.quoted != "" && end <= len(p.data) && string(p.data[p.at:end]) == k.quoted {
			p.at = end
		} else {
			n, ok := p.name(o)
			if !ok {
				return false
			}
			*slot = n
			k = &o.keys[n]
		}
		slot = &k.next
		if !p.colon() || !p.member(o, k.column) {
			return false
		}
		switch p.space() {
		case ',':
			p.at++
			p.space()
		case '}':
			p.at++
			return true
		default:
			return p.want("a comma or }")
		}
	}
}

// name reads a name that is not the expected one, and returns its key.
func (p *parser) name(o *object) (int32, bool) {
	if p.space() != '"' {
		return 0, p.want("a name in quotes")
	}
	start := p.at
	name, ok := p.text()
	if !ok {
		if p.fault.kind != faultSyntax {
			return 0, false
		}
		// A lone surrogate is no fault in a name that nobody declares.
		p.at, p.fault = start, fault{}
		return 0, p.skipText()
	}
	if k, ok := o.byName[string(name)]; ok {
		return k, true
	}
	if len(o.keys) == cap(o.keys) || len(name) > maxKeyName {
		return 0, true
	}
	return o.remember(string(name), -1), true
}

// member reads the value of a member, which may have space before it.
func (p *parser) member(o *object, number int32) bool {
	if number < 0 {
		return p.skip()
	}
	c := &o.columns[number]
	if c.Rows() != o.rows {
		p.fault = fault{kind: faultValue, reason: errors.New("the name is there twice")}
	} else if p.value(c) {
		return true
	}
	if p.fault.kind == faultValue {
		p.fault.path = append(p.fault.path, c.field.Name)
	}
	return false
}

// value reads a value into its column.
func (p *parser) value(c *column) bool {
	first := p.space()
	if first == 'n' {
		if !p.word("null") {
			return false
		}
		c.AppendNull()
		return true
	}
	switch c.typ {
	case abi.String:
		if first != '"' {
			return p.mismatch(c)
		}
		text, ok := p.text()
		if ok {
			c.AppendBytes(text)
		}
		return ok
	case abi.Int64:
		return p.int64(c, first)
	case abi.Int32, abi.Float64, abi.Decimal:
		return p.numeric(c, first)
	case abi.Timestamp:
		return p.timestamp(c, first)
	case abi.Bool:
		return p.bool(c, first)
	case abi.Bytes:
		return p.base64(c, first)
	case abi.List:
		return p.list(c, first)
	}
	if first != '{' {
		return p.mismatch(c)
	}
	if !p.object(c.fields, c.Rows()) {
		return false
	}
	c.EndStruct()
	return true
}

// int64 reads a whole number of up to 18 digits itself; numeric reads the others.
func (p *parser) int64(c *column, first byte) bool {
	data, at := p.data, p.at
	if first == '-' {
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
		return p.numeric(c, first)
	}
	if first == '-' {
		v = -v
	}
	p.at = at
	c.AppendInt64(v)
	return true
}

func (p *parser) numeric(c *column, first byte) bool {
	if first != '-' && first-'0' > 9 {
		return p.mismatch(c)
	}
	start := p.at
	n, ok := p.number()
	if !ok {
		return false
	}
	var err error
	switch c.typ {
	case abi.Int32:
		var v int32
		if v, err = n.Int32(); err == nil {
			c.AppendInt32(v)
		}
	case abi.Int64:
		var v int64
		if v, err = n.Fixed(0); err == nil {
			c.AppendInt64(v)
		}
	case abi.Decimal:
		var v int64
		if v, err = n.Decimal(c.field.Scale); err == nil {
			c.AppendInt64(v)
		}
	default:
		var v float64
		if v, err = n.Float64(p.data[start:p.at]); err == nil {
			c.AppendFloat64(v)
		}
	}
	if err != nil {
		return p.refuse(literal.Explain(clip(p.data[start:p.at]), c.field, err))
	}
	return true
}

func (p *parser) timestamp(c *column, first byte) bool {
	start := p.at
	if first == '"' {
		text, ok := p.text()
		if !ok {
			return false
		}
		t, ok := literal.ParseTime(text)
		if !ok {
			return p.refuse(fmt.Errorf("%s is no time; expected one like \"2001-01-31T23:59:59Z\"", clip(p.data[start:p.at])))
		}
		c.AppendInt64(int64(t))
		return true
	}
	if first != '-' && first-'0' > 9 {
		return p.mismatch(c)
	}
	n, ok := p.number()
	if !ok {
		return false
	}
	var v int64
	var err error
	if p.unitDigits == nanoseconds {
		if v, err = n.Fixed(0); err == nil {
			if v < 0 {
				v -= 999
			}
			v /= 1000
		}
	} else {
		v, err = n.Fixed(p.unitDigits)
	}
	if err != nil {
		return p.refuse(fmt.Errorf("%s is no time in the unit of the option timestamps: %w", clip(p.data[start:p.at]), err))
	}
	c.AppendInt64(v)
	return true
}

func (p *parser) bool(c *column, first byte) bool {
	switch first {
	case 't':
		if !p.word("true") {
			return false
		}
	case 'f':
		if !p.word("false") {
			return false
		}
	default:
		return p.mismatch(c)
	}
	c.AppendBool(first == 't')
	return true
}

func (p *parser) base64(c *column, first byte) bool {
	if first != '"' {
		return p.mismatch(c)
	}
	start := p.at
	text, ok := p.text()
	if !ok {
		return false
	}
	var err error
	if p.binary, err = base64.StdEncoding.AppendDecode(p.binary[:0], text); err != nil {
		return p.refuse(fmt.Errorf("%s is no base64, which bytes are written in", clip(p.data[start:p.at])))
	}
	c.AppendBytes(p.binary)
	return true
}

func (p *parser) list(c *column, first byte) bool {
	if first != '[' {
		return p.mismatch(c)
	}
	p.at++
	if p.space() == ']' {
		p.at++
		c.EndList()
		return true
	}
	for i := 0; ; i++ {
		if !p.value(c.items) {
			if p.fault.kind == faultValue {
				p.fault.path = append(p.fault.path, "["+strconv.Itoa(i)+"]")
			}
			return false
		}
		switch p.space() {
		case ',':
			p.at++
		case ']':
			p.at++
			c.EndList()
			return true
		default:
			return p.want("a comma or ]")
		}
	}
}

// mismatch reports that the value at hand is of another kind than its column.
func (p *parser) mismatch(c *column) bool {
	start := p.at
	if !p.skip() {
		return false
	}
	return p.refuse(fmt.Errorf("%s; expected %s", describe(p.data[start:p.at]), expectation(c.field)))
}

// refuse reports that a value is not one that its column holds.
func (p *parser) refuse(reason error) bool {
	p.fault = fault{kind: faultValue, reason: reason}
	return false
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
