// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"encoding"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// decoder fills Go values from values of a file: those of Pipeline and the options of connectors
// and formats. It goes on after a problem, and leaves alone what it can't fill.
type decoder struct {
	out     *reporter
	sources []string // names of connectors
	sinks   []string
}

// named is an element of a list that a file has as a mapping, by name.
type named interface{ setName(string) }

// connecting takes the keys that its struct lacks.
type connecting interface {
	connect(d *decoder, extra []entry, known []string, where place)
}

// short is a struct that a file may also have as a scalar.
type short interface{ SetScalar(string) error }

var (
	typeLiteral   = reflect.TypeFor[Literal]()
	typeFormat    = reflect.TypeFor[Format]()
	typeSchema    = reflect.TypeFor[*abi.Schema]()
	typePolicy    = reflect.TypeFor[operator.Policy]()
	typePartition = reflect.TypeFor[Partition]()
	typeDuration  = reflect.TypeFor[time.Duration]()
)

func (d *decoder) expected(what string, v *value, where place) {
	d.out.report(where, "", "expected %s, not %s", what, v.describe())
}

// decode fills into, which can be set.
func (d *decoder) decode(v *value, into reflect.Value, where place) {
	if v.kind == null {
		return
	}
	switch into.Type() {
	case typeLiteral:
		into.Set(reflect.ValueOf(v))
		return
	case typeFormat:
		d.format(v, into.Addr().Interface().(*Format), where)
		return
	case typeSchema:
		into.Set(reflect.ValueOf(d.schema(v, where)))
		return
	case typePolicy:
		decodeName(d, v, into, where, policyNames)
		return
	case typePartition:
		decodeName(d, v, into, where, partitionNames)
		return
	case typeDuration:
		d.duration(v, into, where)
		return
	}
	if t, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if v.kind == list || v.kind == mapping {
			d.expected("a scalar", v, where)
		} else if err := t.UnmarshalText([]byte(v.text)); err != nil {
			d.out.report(where, "", "%v", err)
		}
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(into.Type().Elem())
		into.Set(fresh)
		d.decode(v, fresh.Elem(), where)
	case reflect.Struct:
		d.structure(v, into, where)
	case reflect.Map:
		d.dictionary(v, into, where)
	case reflect.Slice:
		d.slice(v, into, where)
	case reflect.Interface:
		into.Set(reflect.ValueOf(v.natural()))
	default:
		d.scalar(v, into, where)
	}
}

func (d *decoder) scalar(v *value, into reflect.Value, where place) {
	switch into.Kind() {
	case reflect.String:
		if v.kind == text {
			into.SetString(v.text)
		} else if v.kind == list || v.kind == mapping {
			d.expected("a string", v, where)
		} else {
			d.out.report(where, "put quotes around it: "+strconv.Quote(v.text), "expected a string, not %s", v.describe())
		}
	case reflect.Bool:
		if v.kind != boolean {
			d.expected("true or false", v, where)
			return
		}
		into.SetBool(strings.EqualFold(v.text, "true"))
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(v.text, 64)
		if v.kind != integer && v.kind != float || err != nil {
			d.expected("a number", v, where)
			return
		}
		into.SetFloat(f)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(v.text, 10, into.Type().Bits())
		if v.kind != integer || err != nil || octal(v.text) {
			d.expected("a decimal whole number from 0 to "+strconv.FormatUint(math.MaxUint64>>(64-into.Type().Bits()), 10), v, where)
			return
		}
		into.SetUint(n)
	default:
		n, err := strconv.ParseInt(v.text, 10, into.Type().Bits())
		if v.kind != integer || err != nil || octal(v.text) {
			d.expected("a decimal whole number", v, where)
			return
		}
		into.SetInt(n)
	}
}

// octal says whether a number is one that YAML 1.1 reads to the base 8 and YAML 1.2 to the base 10.
func octal(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return len(digits) > 1 && digits[0] == '0' && !strings.Contains(digits, ".")
}

// structField is a field of a struct and its key.
type structField struct {
	key   string
	index []int
}

// structFields returns the fields that have a key.
func structFields(t reflect.Type) []structField {
	var fields []structField
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, inner := range structFields(f.Type) {
				fields = append(fields, structField{inner.key, append([]int{i}, inner.index...)})
			}
		case !f.IsExported() || key == "-":
		case key == "":
			fields = append(fields, structField{strings.ToLower(f.Name), []int{i}})
		default:
			fields = append(fields, structField{key, []int{i}})
		}
	}
	return fields
}

func (d *decoder) structure(v *value, into reflect.Value, where place) {
	if s, ok := into.Addr().Interface().(short); ok && v.kind != list && v.kind != mapping {
		if v.kind != text {
			d.out.report(where, "put quotes around it: "+strconv.Quote(v.text), "expected a string or a mapping, not %s", v.describe())
		} else if err := s.SetScalar(v.text); err != nil {
			d.out.report(where, "", "%v", err)
		}
		return
	}
	fields := structFields(into.Type())
	known := make([]string, len(fields))
	for i := range fields {
		known[i] = fields[i].key
	}
	if v.kind != mapping {
		d.out.report(where, "its keys are "+strings.Join(known, ", "), "expected a mapping, not %s", v.describe())
		return
	}
	var extra []entry
	for _, e := range v.entries {
		i := slices.Index(known, e.key)
		if i < 0 {
			extra = append(extra, e)
			continue
		}
		d.decode(e.value, into.FieldByIndex(fields[i].index), where.under(e.key))
	}
	if c, ok := into.Addr().Interface().(connecting); ok {
		c.connect(d, extra, known, where)
		return
	}
	for _, e := range extra {
		d.unknown(e, known, where)
	}
}

func (d *decoder) unknown(e entry, known []string, where place) {
	d.out.unknown(where.under(e.key), known, "unknown key %q", clip(e.key))
}

func (d *decoder) dictionary(v *value, into reflect.Value, where place) {
	if v.kind != mapping {
		d.expected("a mapping", v, where)
		return
	}
	m := reflect.MakeMapWithSize(into.Type(), len(v.entries))
	for _, e := range v.entries {
		item := reflect.New(into.Type().Elem()).Elem()
		d.decode(e.value, item, where.under(e.key))
		m.SetMapIndex(reflect.ValueOf(e.key).Convert(into.Type().Key()), item)
	}
	into.Set(m)
}

func (d *decoder) slice(v *value, into reflect.Value, where place) {
	element := into.Type().Elem()
	_, byName := reflect.New(element).Interface().(named)
	switch {
	case byName && v.kind == mapping:
		for _, e := range v.entries {
			item := reflect.New(element)
			item.Interface().(named).setName(e.key)
			if e.value.kind == null {
				d.out.report(where.under(e.key), "", "%q says nothing", clip(e.key))
			}
			d.decode(e.value, item.Elem(), where.under(e.key))
			into.Set(reflect.Append(into, item.Elem()))
		}
	case byName:
		d.expected("a mapping by name", v, where)
	case v.kind == list:
		into.Set(reflect.MakeSlice(into.Type(), 0, len(v.items)))
		for i, item := range v.items {
			into.Set(reflect.Append(into, reflect.Zero(element)))
			d.decode(item, into.Index(i), where.under(strconv.Itoa(i)))
		}
	case v.kind != mapping && element.Kind() == reflect.String:
		into.Set(reflect.Append(into, reflect.Zero(element)))
		d.decode(v, into.Index(0), where)
	case element.Kind() == reflect.String:
		d.expected("a string or a list of strings", v, where)
	default:
		d.expected("a list", v, where)
	}
}

// natural returns a value as Go has it.
func (v *value) natural() any {
	switch v.kind {
	case null:
		return nil
	case boolean:
		return strings.EqualFold(v.text, "true")
	case integer:
		if n, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return n
		}
	case float:
		if f, err := strconv.ParseFloat(v.text, 64); err == nil {
			return f
		}
	case list:
		items := make([]any, len(v.items))
		for i := range v.items {
			items[i] = v.items[i].natural()
		}
		return items
	case mapping:
		m := make(map[string]any, len(v.entries))
		for _, e := range v.entries {
			m[e.key] = e.value.natural()
		}
		return m
	}
	return v.text
}
