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

// Name returns the known name that is most like name, "" where none is like it.
func Name(name string, known []string) string {
	best, distance := "", max(len(name)/2, 2)+1
	for _, k := range known {
		if len(k)-len(name) >= distance || len(name)-len(k) >= distance {
			continue
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// Hint returns what to say of an unknown name: the nearest of the known ones, or else the first
// few of them.
func Hint(name string, known []string) string {
	switch best := Name(name, known); {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there is none"
	}
	return "there are " + List(known)
}

// List names the first few of many names.
func List(names []string) string {
	const shown = 8
	if len(names) > shown {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
	}
	return strings.Join(names, ", ")
}
