// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package nearest

import "testing"

func TestHint(t *testing.T) {
	known := []string{"auction", "price", "Channel", "at"}
	many := append([]string{"c1", "c2", "c3", "c4", "c5"}, known...)
	for _, c := range []struct {
		name  string
		known []string
		want  string
	}{
		{"prize", known, `did you mean "price"?`},
		{"channel", known, `did you mean "Channel"?`},
		{"a", known, `did you mean "at"?`},
		{"completely else", known, "there are auction, price, Channel, at"},
		{"completely else", many, "there are c1, c2, c3, c4, c5, auction, price, Channel and 1 more"},
		{"x", nil, "there is none"},
	} {
		if got := Hint(c.name, c.known); got != c.want {
			t.Errorf("%q among %v: %s, want %s", c.name, c.known, got, c.want)
		}
	}
}
