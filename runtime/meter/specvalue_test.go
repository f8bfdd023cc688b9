// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package meter_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// specValue is a value of the test suites: one text, or the texts of a vector's lanes.
type specValue struct {
	Type     string          `json:"type"`
	LaneType string          `json:"lane_type"`
	Value    json.RawMessage `json:"value"`
}

// lane is one number: its bits and its width.
type lane struct {
	text string
	bits int
}

func (v specValue) lanes() []lane {
	if v.Type != "v128" {
		var text string
		if json.Unmarshal(v.Value, &text) != nil {
			text = "null"
		}
		bits := 64
		if strings.HasSuffix(v.Type, "32") {
			bits = 32
		}
		return []lane{{text: text, bits: bits}}
	}
	var texts []string
	if err := json.Unmarshal(v.Value, &texts); err != nil {
		panic(err)
	}
	bits, err := strconv.Atoi(v.LaneType[1:])
	if err != nil {
		panic(err)
	}
	out := make([]lane, len(texts))
	for i, text := range texts {
		out[i] = lane{text: text, bits: bits}
	}
	return out
}

// width is how many 64-bit words the engine passes the value in.
func (v specValue) width() int {
	if v.Type == "v128" {
		return 2
	}
	return 1
}

// words returns the value as the engine takes it. wazero's references are pointers, so that the
// suites' externref N is passed as N+1: zero is null.
func (v specValue) words() []uint64 {
	out := make([]uint64, v.width())
	at := 0
	for _, l := range v.lanes() {
		n := l.number()
		if v.Type == "externref" && l.text != "null" {
			n++
		}
		out[at/64] |= n << (at % 64)
		at += l.bits
	}
	return out
}

func (l lane) number() uint64 {
	if l.text == "null" {
		return 0
	}
	if n, err := strconv.ParseUint(l.text, 10, 64); err == nil {
		return n
	}
	n, err := strconv.ParseInt(l.text, 10, 64)
	if err != nil {
		panic(err)
	}
	return uint64(n) & (1<<l.bits - 1)
}

// matches compares bit for bit; nan:canonical and nan:arithmetic stand for classes of NaN.
func (v specValue) matches(words []uint64) error {
	if v.Value == nil && strings.HasSuffix(v.Type, "ref") {
		return nil // any reference
	}
	at := 0
	for i, l := range v.lanes() {
		got := words[at/64] >> (at % 64)
		if l.bits < 64 {
			got &= 1<<l.bits - 1
		}
		at += l.bits
		if !l.matches(v.Type, got) {
			return fmt.Errorf("lane %d: got %#x, want %s %s", i, got, v.Type, l.text)
		}
	}
	return nil
}

func (l lane) matches(typ string, got uint64) bool {
	quiet, sign := uint64(0x7fc00000), uint64(1)<<31
	if l.bits == 64 {
		quiet, sign = 0x7ff8000000000000, 1<<63
	}
	switch l.text {
	case "nan:canonical":
		return got&^sign == quiet
	case "nan:arithmetic":
		return got&quiet == quiet
	}
	want := l.number()
	if typ == "externref" && l.text != "null" {
		want++
	}
	return got == want
}
