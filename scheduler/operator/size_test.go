// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package operator

import "testing"

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"16MiB": 16 << 20, "1 KB": 1000, "5": 5, "7B": 7, "2GiB": 2 << 30, "1GB": 1e9} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q: %d, %v; want %d", text, s, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "0", "-1", "1.5MiB", "1 TiB", "99999999999GiB"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken for %d bytes", text, s)
		}
	}
	for size, want := range map[Size]string{16 << 20: "16 MiB", 1000: "1 KB", 1234: "1234 B"} {
		if size.String() != want {
			t.Errorf("%d bytes are written as %s, want %s", size, size, want)
		}
	}
}
