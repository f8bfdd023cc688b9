// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wasmill/wasmill/scheduler/join"
	"github.com/wasmill/wasmill/scheduler/operator"
)

// Join joins two streams where columns of theirs are equal; a null is equal to nothing. Exactly one
// of Window, Within, AsOf and TTL says which of those rows meet. The results have the left columns,
// then the right ones, or the left ones only where Type is semi or anti.
type Join struct {
	Left  []string `yaml:"left"` // as From of an Operator
	Right []string `yaml:"right"`
	// Type is inner (default), left, right, full, semi or anti; with AsOf inner or left.
	Type join.Type `yaml:"type"`
	On   []On      `yaml:"on"` // at least one

	Window *JoinWindow `yaml:"window"` // rows of the same window of event time
	Within *Within     `yaml:"within"` // rows whose event times are so far apart
	// AsOf is left: a left row meets the version of the right table as of its event time. The right
	// rows are a changelog by On, or each replaces the one before it.
	AsOf AsOf `yaml:"as_of"`
	// TTL is how long a row is remembered, of processing time since it was last written; 0 is for
	// ever. All rows meet that are remembered, and both streams may be changelogs.
	TTL *time.Duration `yaml:"ttl"`

	Prefix string `yaml:"prefix"` // of right columns whose name a left one has too; empty: right_
}

// On is a pair of columns that are equal. A file has the left one as a key and the right one as its
// value.
type On struct {
	Left  string `yaml:"-"`
	Right string `yaml:"-"`
}

func (o *On) setName(name string) { o.Left = name }

// UnmarshalText takes the right column.
func (o *On) UnmarshalText(text []byte) error {
	o.Right = string(text)
	return nil
}

// JoinWindow is the windows of a join: tumbling ones, by Tumble, or sliding ones, by Slide and Size.
type JoinWindow struct {
	Tumble time.Duration `yaml:"tumble"` // their size
	Slide  time.Duration `yaml:"slide"`  // from one's begin to the next one's, at most Size
	Size   time.Duration `yaml:"size"`
	Offset time.Duration `yaml:"offset"` // windows begin at multiples of Tumble or Slide since 1970 UTC plus this
}

// Within says which right rows a left row meets: those whose event time is From to To later than its
// own. Both may be negative.
type Within struct {
	From time.Duration `yaml:"from"`
	To   time.Duration `yaml:"to"`
}

// AsOf says whether a join is one with a versioned table.
type AsOf bool

// UnmarshalText reads whose event time counts, which is always the left row's.
func (a *AsOf) UnmarshalText(text []byte) error {
	if string(text) != "left" {
		return fmt.Errorf("expected left, whose event time says which version of the right table counts, not %.40q", text)
	}
	*a = true
	return nil
}

// The outputs of rows that come too late for their join.
const (
	portLateLeft  = "late_left"
	portLateRight = "late_right"
)

// The keys of a join's inputs, by side.
var joinSides = [2]string{join.InputLeft: "left", join.InputRight: "right"}

func (j *Join) references(part place) []*link {
	var links []*link
	for side, refs := range [2][]string{j.Left, j.Right} {
		for i, ref := range refs {
			where := part.under(joinSides[side])
			if len(refs) > 1 {
				where = where.under(strconv.Itoa(i))
			}
			links = append(links, &link{text: ref, where: where, side: side})
		}
	}
	return links
}

// join checks an operator that is a join.
func (c *checker) join(d *draft, o *Operator) {
	sides := [2]*stream{c.side(d, join.InputLeft), c.side(d, join.InputRight)}
	c.onlyJoin(d, o)
	where := d.where.under("join")
	if o.Join == nil {
		c.missing(where, "write join: {left: NODE, right: NODE, on: {COLUMN: COLUMN}, within: {from: -5m, to: 5m}}", "join %q says nothing", d.name)
		c.outputs(d, []*stream{{}}, o.OnError)
		return
	}
	spec := join.Spec{Type: o.Join.Type, Prefix: o.Join.Prefix, Temporal: bool(o.Join.AsOf)}
	c.joinInputs(d, o.Join, sides, &spec)
	c.joinMode(d, o.Join, &spec)
	c.joinStreams(d, sides, &spec)
	d.node.about = joinAbout(o.Join)
	d.node.Stateful = true
	d.node.New = func(ctx operator.Context) (operator.Operator, error) { return join.New(ctx, spec) }
	c.joinOutputs(d, o, sides, &spec)
}

// onlyJoin reports what a join can't have.
func (c *checker) onlyJoin(d *draft, o *Operator) {
	for _, f := range []struct {
		key   string
		given bool
		hint  string
	}{
		{"from", len(o.From) > 0, "write join: {left: NODE, right: NODE}"},
		{"inputs", len(o.Inputs) > 0, "write join: {left: NODE, right: NODE}"},
		{"key", len(o.Key) > 0, "write join: {on: {LEFT_COLUMN: RIGHT_COLUMN}}"},
		{"operator", o.Operator != "", "leave it out"},
		{"config", o.Config != nil, "leave it out"},
		{"columns", len(o.Columns) > 0, "leave it out"},
		{"partition", o.Partition != nil, "leave it out; a join is partitioned by what it joins on"},
	} {
		if f.given {
			c.report(d.where.under(f.key).itsKey(), f.hint, "%s means nothing to a join", f.key)
		}
	}
}

// joinInputs finds the columns that are joined on, and gives the join its edges.
func (c *checker) joinInputs(d *draft, j *Join, sides [2]*stream, spec *join.Spec) {
	where := d.where.under("join")
	for side, refs := range [2][]string{j.Left, j.Right} {
		if len(refs) == 0 {
			c.missing(where.under(joinSides[side]), fmt.Sprintf("add %s: NODE", joinSides[side]), "join %q has no %s stream", d.name, joinSides[side])
		}
		spec.Inputs[side] = join.Input{Schema: sides[side].schema, Changes: sides[side].changes}
	}
	if len(j.On) == 0 {
		c.missing(where.under("on"), "add on: {LEFT_COLUMN: RIGHT_COLUMN}", "join %q does not say which columns are equal", d.name)
	}
	for i := range j.On {
		on := &j.On[i]
		at := where.under("on", on.Left)
		if c.wrong(at) || sides[0].schema == nil || sides[1].schema == nil {
			continue
		}
		left, right := c.column(sides[0], on.Left, at.itsKey()), c.column(sides[1], on.Right, at)
		if left < 0 || right < 0 {
			continue
		}
		l, r := &sides[0].schema.Fields[left], &sides[1].schema.Fields[right]
		if !l.SameType(r) {
			c.report(at, "make one like the other in an operator before the join", "left column %q is of type %s, right column %q of type %s; what is joined on has the same type",
				l.Name, l.TypeString(), r.Name, r.TypeString())
			continue
		}
		spec.Inputs[0].Key, spec.Inputs[1].Key = append(spec.Inputs[0].Key, left), append(spec.Inputs[1].Key, right)
	}
	for i := range d.node.Inputs {
		e := &d.node.Inputs[i]
		e.Partition, e.Key = Hash, spec.Inputs[e.Side].Key
	}
}

// joinMode finds which rows meet.
func (c *checker) joinMode(d *draft, j *Join, spec *join.Spec) {
	where := d.where.under("join")
	var given []string
	for _, mode := range []struct {
		key   string
		given bool
	}{{"window", j.Window != nil}, {"within", j.Within != nil}, {"as_of", bool(j.AsOf)}, {"ttl", j.TTL != nil}} {
		if mode.given || c.wrong(where.under(mode.key)) {
			given = append(given, mode.key)
		}
	}
	switch {
	case len(given) == 0:
		c.missing(where, "add window: {tumble: 10m}, within: {from: -5m, to: 5m}, as_of: left, or ttl: 1d", "join %q does not say which rows meet", d.name)
	case len(given) > 1:
		c.report(where.under(given[1]).itsKey(), "keep one", "a join has %s or %s, not both", given[0], given[1])
	}
	switch {
	case j.Window != nil:
		spec.Window = c.joinWindow(j.Window, where.under("window"))
	case j.Within != nil:
		spec.Interval = c.within(j.Within, where.under("within"))
	case j.TTL != nil:
		c.span(*j.TTL, 0, where.under("ttl"))
		spec.Regular = &join.Regular{TTL: *j.TTL}
	case bool(j.AsOf) && j.Type != join.Inner && j.Type != join.Left:
		c.report(where.under("type"), "write type: inner or left, or use within: or ttl: instead of as_of:", "a join as of the left row is inner or left, not %s", j.Type)
	}
}

// span checks a duration of a join.
func (c *checker) span(t, least time.Duration, where place) {
	between(c, t, least, join.MaxSpan, where)
	if t%time.Microsecond != 0 {
		c.report(where, "", "%s is %s; time counts whole microseconds", where.path[len(where.path)-1], durationText(t))
	}
}

func (c *checker) joinWindow(w *JoinWindow, where place) *join.Window {
	sliding := w.Slide != 0 || w.Size != 0 || c.given(where.under("slide")) || c.given(where.under("size"))
	tumbling := w.Tumble != 0 || c.given(where.under("tumble"))
	c.span(w.Offset, -join.MaxSpan, where.under("offset"))
	switch {
	case tumbling && sliding:
		c.report(where, "keep tumble: SIZE, or slide: STEP with size: SIZE", "the windows of a join tumble or slide, not both")
	case tumbling:
		c.span(w.Tumble, time.Microsecond, where.under("tumble"))
		return &join.Window{Size: w.Tumble, Offset: w.Offset}
	case !sliding:
		c.missing(where, "add tumble: 10m, or slide: 1m with size: 10m", "the window has no size")
	case w.Size == 0 && !c.given(where.under("size")):
		c.missing(where.under("size"), "add size: 10m", "the window slides and has no size")
	case w.Slide == 0 && !c.given(where.under("slide")):
		c.missing(where.under("slide"), "add slide: 1m, or write tumble: instead of size:", "the window has a size and does not say how it slides")
	default:
		c.span(w.Size, time.Microsecond, where.under("size"))
		c.span(w.Slide, time.Microsecond, where.under("slide"))
		if w.Slide > w.Size {
			c.report(where.under("slide"), "slide by the size at most", "windows of %s that slide by %s leave rows out", durationText(w.Size), durationText(w.Slide))
		}
	}
	return &join.Window{Size: w.Size, Slide: w.Slide, Offset: w.Offset}
}

func (c *checker) within(w *Within, where place) *join.Interval {
	for _, bound := range []struct {
		key string
		t   time.Duration
	}{{"from", w.From}, {"to", w.To}} {
		c.span(bound.t, -join.MaxSpan, where.under(bound.key))
		if bound.t == 0 && !c.given(where.under(bound.key)) && c.root != nil {
			c.missing(where.under(bound.key), fmt.Sprintf("add %s: 0, or how much later than the left row a right one may be; -5m is earlier", bound.key), "the interval has no %s", bound.key)
		}
	}
	if w.From > w.To && !c.wrong(where) {
		c.report(where, "swap them", "the interval is from %s to %s, which is before", durationText(w.From), durationText(w.To))
	}
	return &join.Interval{From: w.From, To: w.To}
}

// joinStreams checks that both streams are what the join takes.
func (c *checker) joinStreams(d *draft, sides [2]*stream, spec *join.Spec) {
	if spec.Window == nil && spec.Interval == nil && !spec.Temporal {
		for side, s := range sides {
			c.wholeChanges(d, s, d.where.under("join", joinSides[side]), "a join")
		}
		return
	}
	for side, s := range sides {
		where := d.where.under("join", joinSides[side])
		if s.untimed != "" {
			c.report(where, s.untimed, "join %q is by event time, and its %s rows have none", d.name, joinSides[side])
		}
		if s.changes && (side == join.InputLeft || !spec.Temporal) {
			c.report(where, "write ttl: 1d instead, which takes updates and deletions on both sides, or read rows that are only inserted",
				"join %q by event time takes rows that stay as they are, and its %s rows may be updated or deleted", d.name, joinSides[side])
		}
	}
}

// joinOutputs completes the node of a join.
func (c *checker) joinOutputs(d *draft, o *Operator, sides [2]*stream, spec *join.Spec) {
	results := &stream{changes: spec.Changes()}
	streams := []*stream{results}
	if !spec.Late() {
		results.untimed = fmt.Sprintf("the rows of join %q have none, for they may change at any time; give the join within: or window: instead of ttl:", d.name)
	} else {
		for side, port := range [2]string{portLateLeft, portLateRight} {
			s := sides[side]
			streams = append(streams, &stream{port: port, schema: s.schema, origins: s.origins, untimed: s.untimed, changes: s.changes})
		}
	}
	if sides[0].schema != nil && sides[1].schema != nil && !c.wrong(d.where.under("join")) {
		schema, err := spec.Output()
		if err != nil {
			c.report(d.where.under("join"), "", "%v", err)
		} else {
			results.schema = schema
			results.origins = joinOrigins(d, sides, spec, len(schema.Fields))
		}
	}
	c.outputs(d, streams, o.OnError)
	d.portsKnown = true
}

// joinOrigins returns where the columns of the results come from.
func joinOrigins(d *draft, sides [2]*stream, spec *join.Spec, columns int) []string {
	origins := slices.Clone(sides[0].origins)
	if spec.Pairs() {
		origins = append(origins, sides[1].origins...)
	}
	for len(origins) < columns {
		origins = append(origins, fmt.Sprintf("join %q", d.name))
	}
	return origins
}

func joinAbout(j *Join) string {
	var s strings.Builder
	fmt.Fprintf(&s, "join %s", j.Type)
	switch {
	case j.Window != nil && j.Window.Tumble != 0:
		fmt.Fprintf(&s, ", window tumble %s", durationText(j.Window.Tumble))
	case j.Window != nil:
		fmt.Fprintf(&s, ", window slide %s, size %s", durationText(j.Window.Slide), durationText(j.Window.Size))
	case j.Within != nil:
		fmt.Fprintf(&s, ", within %s to %s", durationText(j.Within.From), durationText(j.Within.To))
	case bool(j.AsOf):
		s.WriteString(", as of left")
	case j.TTL != nil && *j.TTL == 0:
		s.WriteString(", rows kept for ever")
	case j.TTL != nil:
		fmt.Fprintf(&s, ", ttl %s", durationText(*j.TTL))
	}
	if j.Window != nil && j.Window.Offset != 0 {
		fmt.Fprintf(&s, ", offset %s", durationText(j.Window.Offset))
	}
	for i, on := range j.On {
		if i == 0 {
			s.WriteString(", on ")
		} else {
			s.WriteString(" and ")
		}
		fmt.Fprintf(&s, "%s = %s", on.Left, on.Right)
	}
	return s.String()
}
