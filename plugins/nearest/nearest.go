// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package nearest finds the name that somebody may have meant, for messages about one that is
// unknown.
package nearest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Hint returns the end of a message about an unknown name: the nearest of the known ones, or else
// the first few of them.
func Hint(name string, known []string) string {
	const shown = 8
	best, distance := "", max(len(name)/2, 2)+1
	for _, k := range known {
		if len(k) > 4*len(name)+16 {
			continue
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) == 0:
		return "; there is none"
	case len(known) > shown:
		return fmt.Sprintf("; there are %s and %d more", strings.Join(known[:shown], ", "), len(known)-shown)
	}
	return "; there are " + strings.Join(known, ", ")
}
