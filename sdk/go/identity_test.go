// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

import "testing"

func TestIdentityIsOnlyThatOfRowsInTheirPlaces(t *testing.T) {
	for code := range 5 * 5 * 5 * 5 * 5 { // all origins of five rows
		origins, want := make([]uint32, 5), true
		for i, rest := 0, code; i < len(origins); i, rest = i+1, rest/5 {
			origins[i] = uint32(rest % 5)
			want = want && origins[i] == uint32(i)
		}
		if identity(origins) != want {
			t.Errorf("identity(%v) = %v", origins, !want)
		}
	}
}
