// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wasmill/wasmill/scheduler/nearest"
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
	count    int             // of problems, also of those that are too many to keep
	seen     map[string]bool // paths with a problem, and all above them
	compared int             // names, to find near ones
}

const (
	maxKept     = 10 * maxProblems // kept until they are sorted
	maxCompared = 1 << 20          // names; after that nothing is near
)

const pathSeparator = "\x00"

// report adds a problem with a value.
func (r *reporter) report(where place, hint, format string, args ...any) {
	if r.own(where) {
		return
	}
	r.mark(where)
	line, column, _ := r.root.find(where)
	r.add(Problem{Line: line, Column: column, Path: strings.Join(where.path, "."), Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// add adds a problem with a place in the text.
func (r *reporter) add(p Problem) {
	p.File = r.file
	if r.count++; len(r.problems) < maxKept {
		r.problems = append(r.problems, p)
	}
}

// mark remembers that there is a problem.
func (r *reporter) mark(where place) {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	r.seen[where.id()] = true
	for i := range where.path {
		r.seen[strings.Join(where.path[:i+1], pathSeparator)] = true
	}
}

// id tells a key from its value, and both from what lies below.
func (p place) id() string {
	path := strings.Join(p.path, pathSeparator) + pathSeparator
	if p.key {
		return path + pathSeparator
	}
	return path
}

// own says whether there is a problem with a value itself.
func (r *reporter) own(where place) bool { return r.seen[where.id()] }

// wrong says whether there is a problem with a value or a part of it.
func (r *reporter) wrong(where place) bool {
	return r.seen[strings.Join(where.path, pathSeparator)]
}

// missing reports what is not said, unless it is, wrongly.
func (r *reporter) missing(where place, hint, format string, args ...any) {
	for i := range where.path {
		if r.own(at(where.path[:i]...)) {
			return
		}
	}
	if !r.wrong(where) {
		r.report(where, hint, format, args...)
	}
}

// unknown reports a key that its mapping can't have. Where one that it can have is near and not
// there, nobody misses that.
func (r *reporter) unknown(where place, known []string, format string, args ...any) {
	key, parent := where.path[len(where.path)-1], at(where.path[:len(where.path)-1]...)
	if meant := r.nearest(key, known); meant != "" && !r.given(parent.under(meant)) {
		r.mark(parent.under(meant))
	}
	r.report(where.itsKey(), r.didYouMean(key, known), format, args...)
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
	if more := r.count - maxProblems; more > 0 {
		r.problems = append(r.problems[:maxProblems], Problem{File: r.file, Message: fmt.Sprintf("%d more problems", more)})
	}
	return r.problems
}

// didYouMean returns the hint at an unknown name: the nearest of the known ones, or else the first
// few of them.
func (r *reporter) didYouMean(name string, known []string) string {
	if r.tired(known) {
		return "there are " + nearest.List(known)
	}
	return nearest.Hint(name, known)
}

// nearest returns the known name that somebody may have meant, "" where there is none like it.
func (r *reporter) nearest(name string, known []string) string {
	if r.tired(known) {
		return ""
	}
	return nearest.Name(name, known)
}

// tired says whether enough names have been compared for one file.
func (r *reporter) tired(known []string) bool {
	r.compared += len(known)
	return r.compared > maxCompared
}
