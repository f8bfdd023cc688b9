// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Problem is one fault of a pipeline.
type Problem struct {
	File    string `json:"file,omitempty"`   // as Load was given it; empty of a pipeline built in Go
	Line    int    `json:"line,omitempty"`   // from 1
	Column  int    `json:"column,omitempty"` // from 1, in characters
	Path    string `json:"path,omitempty"`   // the value at fault: operators.euros.from
	Message string `json:"message"`          // what is wrong
	Hint    string `json:"hint,omitempty"`   // what would be right
}

// String returns the problem on one line, beginning with where it is: pipeline.yaml:12:7.
func (p Problem) String() string {
	var s strings.Builder
	switch {
	case p.File != "" && p.Line > 0:
		fmt.Fprintf(&s, "%s:%d:%d: ", p.File, p.Line, p.Column)
	case p.File != "":
		fmt.Fprintf(&s, "%s: ", p.File)
	case p.Path != "":
		fmt.Fprintf(&s, "%s: ", p.Path)
	}
	s.WriteString(p.Message)
	if p.Hint != "" {
		s.WriteString("; " + p.Hint)
	}
	return s.String()
}

// Problems are all faults of a pipeline, in the order of the file. They are an error where there
// is one at least.
type Problems []Problem

// Error returns the problems, a line each.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// maxProblems is how many problems are reported; a file that is wrong in more ways than that is
// wrong in one way, many times.
const maxProblems = 1000

// place is where in a pipeline something is: the keys that lead to it, as in the file. key says
// that it is the last key itself that is meant, not its value.
type place struct {
	path []string
	key  bool
}

func at(path ...string) place { return place{path: path} }

func (p place) under(keys ...string) place {
	return place{path: append(slices.Clip(p.path), keys...)}
}

func (p place) itsKey() place { return place{path: p.path, key: true} }

// reporter collects problems and finds their lines. Of several problems with one value only the
// first is kept: the others follow from it.
type reporter struct {
	file     string
	root     *value // of the file; nil where there is none
	problems Problems
	seen     map[string]bool // paths with a problem, and all above them
}

const pathSeparator = "\x00"

// report adds a problem with a value.
func (r *reporter) report(where place, hint, format string, args ...any) {
	path := strings.Join(where.path, pathSeparator)
	if own := path + pathSeparator; r.seen[own] {
		return
	} else if r.seen == nil {
		r.seen = map[string]bool{own: true}
	} else {
		r.seen[own] = true
	}
	for i := range where.path {
		r.seen[strings.Join(where.path[:i+1], pathSeparator)] = true
	}
	line, column, _ := r.root.find(where)
	r.add(Problem{Line: line, Column: column, Path: strings.Join(where.path, "."), Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// add adds a problem with a place in the text.
func (r *reporter) add(p Problem) {
	p.File = r.file
	r.problems = append(r.problems, p)
}

// wrong says whether there is a problem with a value or a part of it.
func (r *reporter) wrong(where place) bool {
	return r.seen[strings.Join(where.path, pathSeparator)]
}

// given says whether the file says something at a place.
func (r *reporter) given(where place) bool {
	_, _, exact := r.root.find(where)
	return exact
}

// sorted returns the problems in the order of the file.
func (r *reporter) sorted() Problems {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(r.problems) - maxProblems; more > 0 {
		r.problems = append(r.problems[:maxProblems], Problem{File: r.file, Message: fmt.Sprintf("%d more problems", more)})
	}
	return r.problems
}

// didYouMean returns the hint at an unknown name: the nearest of the known ones, or else the first
// few of them.
func didYouMean(name string, known []string) string {
	const shown = 8
	best, distance := "", max(len(name)/2, 2)+1
	for _, k := range known {
		if len(k)-len(name) >= distance || len(name)-len(k) >= distance {
			continue
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "there is none"
	case len(known) > shown:
		return fmt.Sprintf("there are %s and %d more", strings.Join(known[:shown], ", "), len(known)-shown)
	}
	return "there are " + strings.Join(known, ", ")
}
