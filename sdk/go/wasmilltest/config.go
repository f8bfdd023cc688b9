// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmilltest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/sdk/go/internal/wire"
)

// Config is a configuration: fields by name. A value is a bool, a number, a string, or a slice of
// these; a decimal and a timestamp are written as a string: "19.99", "2026-01-31T12:00:00Z". A
// field that is left out has its default, or is null.
type Config map[string]any

// encode makes the batch that an operator is opened with.
func (c Config) encode(fields []wire.Field) ([]byte, error) {
	columns := 0
	for i := range fields {
		columns += nodes(&fields[i])
	}
	for name := range c {
		if !slices.ContainsFunc(fields, func(f wire.Field) bool { return f.Name == name }) {
			return nil, fmt.Errorf("there is no configuration field %q; there are {%s}", name, describe(fields, false))
		}
	}
	m := wire.Message{}
	m.Begin(wire.SchemaConfig, 1, columns, nil)
	next := 0
	for i := range fields {
		f := &fields[i]
		value, given := c[f.Name]
		switch {
		case given:
		case f.Default != "" && f.Type == wire.List:
			value = splitList(f.Default)
		case f.Default != "":
			value = f.Default
		case f.Required:
			return nil, fmt.Errorf("configuration field %q is required", f.Name)
		default:
			writeNull(&m, f, 1, &next)
			continue
		}
		values := reflect.ValueOf([]any{value})
		if err := writeValues(&m, f, values, &next); err != nil {
			return nil, fmt.Errorf("configuration field %q: %w", f.Name, err)
		}
	}
	return m.Bytes(), nil
}

func splitList(text string) []string {
	text = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]")
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		items = append(items, strings.Trim(strings.TrimSpace(item), `"'`))
	}
	return items
}

// nodes counts a field and those below it.
func nodes(f *wire.Field) int {
	n := 1
	for i := range f.Children {
		n += nodes(&f.Children[i])
	}
	return n
}

// writeNull writes a column of nulls.
func writeNull(m *wire.Message, f *wire.Field, rows int, next *int) {
	at := *next
	*next++
	c := wire.Column{Rows: uint32(rows), Nulls: uint32(rows)}
	zeros := func(n int) uint32 { return uint32(wire.AppendValues(m, make([]byte, n), 1)) }
	c.Validity = zeros((rows + 7) / 8)
	switch f.Type {
	case wire.String, wire.Bytes, wire.List:
		c.Offsets = zeros(4 * (rows + 1))
	case wire.Bool:
		c.Size = uint32((rows + 7) / 8)
		c.Values = zeros(int(c.Size))
	default:
		c.Size = uint32(rows * f.Type.Width())
		c.Values = zeros(int(c.Size))
	}
	m.SetColumn(at, c)
	if f.Type == wire.List {
		rows = 0
	}
	for i := range f.Children {
		writeNull(m, &f.Children[i], rows, next)
	}
}

// writeValues writes a column of scalars, or one list.
func writeValues(m *wire.Message, f *wire.Field, values reflect.Value, next *int) error {
	at, rows := *next, values.Len()
	*next++
	c := wire.Column{Rows: uint32(rows)}
	if f.Type == wire.List {
		items := values.Index(0).Elem()
		if items.Kind() != reflect.Slice {
			return fmt.Errorf("%v is no slice", items)
		}
		c.Offsets = uint32(wire.AppendValues(m, []int32{0, int32(items.Len())}, 4))
		m.SetColumn(at, c)
		return writeValues(m, &f.Children[0], items, next)
	}
	var data []byte
	offsets := []int32{0}
	for i := range rows {
		var err error
		if data, err = appendScalar(data, f, i, fmt.Sprint(values.Index(i).Interface())); err != nil {
			return err
		}
		offsets = append(offsets, int32(len(data)))
	}
	if f.Type == wire.String || f.Type == wire.Bytes {
		c.Offsets = uint32(wire.AppendValues(m, offsets, 4))
	}
	c.Values, c.Size = uint32(wire.AppendValues(m, data, 1)), uint32(len(data))
	m.SetColumn(at, c)
	return nil
}

// appendScalar appends row i of a column, given as text.
func appendScalar(data []byte, f *wire.Field, i int, text string) ([]byte, error) {
	number := int64(0)
	var err error
	switch f.Type {
	case wire.String, wire.Bytes:
		return append(data, text...), nil
	case wire.Bool:
		var v bool
		v, err = strconv.ParseBool(text)
		if i%8 == 0 {
			data = append(data, 0)
		}
		if v {
			data[i/8] |= 1 << (i % 8)
		}
		return data, err
	case wire.Int32:
		number, err = strconv.ParseInt(text, 10, 32)
		return binary.LittleEndian.AppendUint32(data, uint32(number)), err
	case wire.Int64:
		number, err = strconv.ParseInt(text, 10, 64)
	case wire.Float64:
		var v float64
		v, err = strconv.ParseFloat(text, 64)
		number = int64(math.Float64bits(v))
	case wire.Timestamp:
		var v time.Time
		v, err = time.Parse(time.RFC3339Nano, text)
		number = v.UnixMicro()
	case wire.Decimal:
		number, err = parseDecimal(text, f.Scale)
	}
	return binary.LittleEndian.AppendUint64(data, uint64(number)), err
}

func parseDecimal(text string, scale uint8) (int64, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, fmt.Errorf("%q is no number", text)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%s does not fit into a decimal with %d digits after the point", text, scale)
	}
	return r.Num().Int64(), nil
}
