// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/abi/batch"
	"github.com/wasmill/wasmill/abi/internal/rows"
)

// configuration returns the fields' values as a pipeline that gives only what it must: defaults,
// a value of its type for a required field, null else.
func configuration(fields []abi.Field) (rows.Row, error) {
	config := make(rows.Row, len(fields))
	for i := range fields {
		f := &fields[i]
		var err error
		switch {
		case f.Default != "":
			if config[i], err = parseValue(f, f.Default); err != nil {
				return nil, fmt.Errorf("the default of configuration field %q: %w", f.Name, err)
			}
		case f.Required:
			config[i] = anyValue(f)
		}
	}
	return config, nil
}

// anyValue returns a value that an operator is most likely to take.
func anyValue(f *abi.Field) any {
	switch f.Type {
	case abi.Bool:
		return true
	case abi.Int32:
		return int32(1)
	case abi.Float64:
		return 1.0
	case abi.String:
		return "a"
	case abi.List:
		return rows.Row{anyValue(&f.Children[0])}
	}
	return int64(1)
}

// parseValue reads a default as a pipeline file's scalar, or as a list of them in brackets.
func parseValue(f *abi.Field, text string) (any, error) {
	switch f.Type {
	case abi.Bool:
		return parsed(strconv.ParseBool(text))
	case abi.Int32:
		v, err := strconv.ParseInt(text, 10, 32)
		return parsed(int32(v), err)
	case abi.Int64:
		return parsed(strconv.ParseInt(text, 10, 64))
	case abi.Float64:
		return parsed(strconv.ParseFloat(text, 64))
	case abi.Decimal:
		return parseDecimal(f, text)
	case abi.String:
		return text, nil
	case abi.Timestamp:
		t, err := time.Parse(time.RFC3339Nano, text)
		return parsed(t.UnixMicro(), err)
	case abi.List:
		return parseList(f, text)
	}
	return nil, fmt.Errorf("a configuration field can't be of type %s", f.TypeString())
}

func parsed[T any](v T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

func parseDecimal(f *abi.Field, text string) (any, error) {
	v, ok := new(big.Rat).SetString(text)
	if !ok || strings.ContainsAny(text, "/eExX_") {
		return nil, fmt.Errorf("%q is no decimal number", text)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(f.Scale)), nil)
	v.Mul(v, new(big.Rat).SetInt(scale))
	if !v.IsInt() || v.Num().CmpAbs(big.NewInt(abi.DecimalAbsLimit)) >= 0 {
		return nil, fmt.Errorf("%q does not fit into %s", text, f.TypeString())
	}
	return v.Num().Int64(), nil
}

func parseList(f *abi.Field, text string) (any, error) {
	var items []json.RawMessage
	if err := json.Unmarshal([]byte(text), &items); err != nil {
		return nil, fmt.Errorf("%q is no list: %w", text, err)
	}
	list := rows.Row{}
	for _, item := range items {
		scalar := string(item)
		if item[0] == '"' {
			if err := json.Unmarshal(item, &scalar); err != nil {
				return nil, err
			}
		}
		v, err := parseValue(&f.Children[0], scalar)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// configMessage encodes a row of configuration.
func configMessage(p *batch.Pool, fields []abi.Field, config rows.Row) []byte {
	b := rows.Build(p, &abi.Schema{Fields: fields}, []rows.Row{config})
	return encode(&batch.Message{Number: abi.SchemaConfig, Batch: b})
}

// encode returns the bytes of m as a guest is given them.
func encode(m *batch.Message) []byte {
	dst := make([]byte, m.Size())
	return dst[:m.Encode(dst)]
}
