// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import (
	"errors"
	"strings"
	"testing"
)

type panicking struct{ at *panicking }

func (p *panicking) inner(v any) {
	if v == nil {
		p.at.at.at = p
	}
	panic(v)
}

func (p *panicking) outer(v any) { p.inner(v) }

func TestAPanicIsToldWithTheLinesThatItCameThrough(t *testing.T) {
	for want, value := range map[string]any{
		"panic: unlucky 13\n":            "unlucky 13",
		"panic: no such airport\n":       errors.New("no such airport"),
		"panic: 7\n":                     7,
		"panic: a value of type []int\n": []int{1},
		"panic: runtime error: invalid memory address or nil pointer dereference\n": nil,
	} {
		text := ""
		func() {
			defer func() { text = panicMessage(recover()) + stack("testing.") }()
			(&panicking{}).outer(value)
		}()
		lines := strings.Split(strings.TrimPrefix(text, want), "\n\t")
		if !strings.HasPrefix(text, want) || len(lines) < 3 ||
			!strings.Contains(lines[0], "(*panicking).inner panic_test.go:") || !strings.Contains(lines[1], "(*panicking).outer panic_test.go:") {
			t.Errorf("got %q, want %q and the lines of inner and outer", text, want)
		}
		if strings.Contains(text, "runtime.") || strings.Contains(text, "testing.tRunner") {
			t.Errorf("frames of others are in %q", text)
		}
	}
}
