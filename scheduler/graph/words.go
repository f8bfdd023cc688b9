// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// The names of values in a file, by value.
var (
	policyNames = []string{
		operator.PolicyFail: "fail", operator.PolicyDrop: "drop", operator.PolicyDeadLetter: "dead_letter",
	}
	partitionNames = []string{
		Forward: "forward", Hash: "hash", Broadcast: "broadcast", Rebalance: "rebalance",
	}
)

// String returns the partitioning as a pipeline file names it.
func (p Partition) String() string { return partitionNames[p] }

func decodeName(d *decoder, v *value, into reflect.Value, where place, names []string) {
	i := slices.Index(names, v.text)
	if v.kind != text || i < 0 {
		hint := ""
		if meant := d.out.nearest(v.text, names); meant != "" {
			hint = fmt.Sprintf("did you mean %q?", meant)
		}
		d.out.report(where, hint, "expected %s or %s, not %s", strings.Join(names[:len(names)-1], ", "), names[len(names)-1], v.describe())
		return
	}
	into.SetUint(uint64(i))
}

func (d *decoder) duration(v *value, into reflect.Value, where place) {
	if v.kind == integer && v.text != "0" {
		d.out.report(where, fmt.Sprintf("write %ss or %sms", v.text, v.text), "the duration %s has no unit", clip(v.text))
		return
	}
	if v.kind != text && v.kind != integer {
		d.expected("a duration like 5s", v, where)
		return
	}
	t, err := parseDuration(v.text)
	if err != nil {
		d.out.report(where, "write it like 500ms, 5s, 1h30m or 2d", "%q is no duration: %v", clip(v.text), err)
		return
	}
	into.SetInt(int64(t))
}

// parseDuration reads a duration of Go, which may begin with days of 24 hours.
func parseDuration(s string) (time.Duration, error) {
	unsigned := strings.TrimLeft(s, "+-")
	days, rest, ok := strings.Cut(unsigned, "d")
	if !ok {
		t, err := time.ParseDuration(s)
		if err != nil {
			return 0, errors.New(strings.TrimPrefix(err.Error(), "time: "))
		}
		return t, nil
	}
	n, err := strconv.ParseUint(days, 10, 64)
	if err != nil || len(s)-len(unsigned) > 1 {
		return 0, errors.New("before d is a whole number of days")
	}
	t := time.Duration(0)
	if rest != "" {
		if t, err = time.ParseDuration(rest); err != nil || t < 0 {
			return 0, fmt.Errorf("%q after the days is none", rest)
		}
	}
	const day = 24 * time.Hour
	if n > uint64((math.MaxInt64-t)/day) {
		return 0, errors.New("it is longer than 292 years")
	}
	t += time.Duration(n) * day
	if s[0] == '-' {
		t = -t
	}
	return t, nil
}

func (d *decoder) format(v *value, into *Format, where place) {
	switch {
	case v.kind == text:
		into.Name = v.text
	case v.kind == mapping && len(v.entries) == 1:
		into.Name, into.Options = v.entries[0].key, v.entries[0].value
	default:
		d.out.report(where, "write format: json or format: {json: {...}}", "expected a format's name, or the name with its options, not %s", v.describe())
	}
}

// schema returns nil where there is a problem.
func (d *decoder) schema(v *value, where place) *abi.Schema {
	if v.kind != mapping {
		d.out.report(where, "write schema: {price: int64, at: timestamp}", "expected columns with their types, not %s", v.describe())
		return nil
	}
	s := &abi.Schema{}
	for _, e := range v.entries {
		at := where.under(e.key)
		if e.value.kind != text {
			d.out.report(at, "types are "+strings.Join(abi.TypeNames(), ", "), "expected a type, not %s", e.value.describe())
			continue
		}
		f, err := abi.ParseType(e.value.text)
		if hint := d.typeHint(e.value.text); hint != "" {
			d.out.report(at, hint, "no type is called %q", clip(e.value.text))
			continue
		}
		if err != nil {
			d.out.report(at, "", "%v", err)
			continue
		}
		f.Name = e.key
		s.Fields = append(s.Fields, f)
	}
	if d.out.wrong(where) {
		return nil
	}
	return s
}

// typeHint returns the hint at a type that there is not, "" where there is one.
func (d *decoder) typeHint(name string) string {
	if strings.ContainsAny(name, "<(") || slices.Contains(abi.TypeNames(), name) {
		return ""
	}
	if other, ok := otherTypeNames[strings.ToLower(name)]; ok {
		return fmt.Sprintf("did you mean %q?", other)
	}
	return d.out.didYouMean(name, abi.TypeNames())
}

// otherTypeNames are names that types have elsewhere.
var otherTypeNames = map[string]string{
	"boolean": "bool", "int": "int64", "integer": "int64", "long": "int64", "bigint": "int64", "double": "float64",
	"float": "float64", "number": "float64", "text": "string", "varchar": "string", "binary": "bytes",
	"datetime": "timestamp", "date": "timestamp", "time": "timestamp", "numeric": "decimal(2)", "array": "list<string>",
}

// connect takes the connector of a source.
func (s *Source) connect(d *decoder, extra []entry, known []string, where place) {
	s.noConnector = d.connector(extra, known, d.sources, where, &s.Connector, &s.Options)
}

// connect takes the connector of a sink.
func (s *Sink) connect(d *decoder, extra []entry, known []string, where place) {
	s.noConnector = d.connector(extra, known, d.sinks, where, &s.Connector, &s.Options)
}

// connector finds the one key that names a connector, and says whether it has reported why there
// is none.
func (d *decoder) connector(extra []entry, known, names []string, where place, name *string, options *Literal) bool {
	unknown := false
	for _, e := range extra {
		switch {
		case !slices.Contains(names, e.key):
			d.unknown(e, append(slices.Clip(known), names...), where)
			unknown = true
		case *name != "":
			d.out.report(where.under(e.key).itsKey(), "keep one", "this is a second connector, after %q", *name)
		default:
			*name, *options = e.key, e.value
		}
	}
	return unknown && *name == ""
}
