// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"fmt"
	"time"

	"github.com/wasmill/wasmill/abi"
)

// PerKey says whether NewPerKey returns the operator: each key has windows of its own, or ones whose results are of
// rows, or come at times, of its own choice.
func (s *Spec) PerKey() bool {
	return s.Session != nil || s.Count != nil || s.Global || s.Purge || s.Keep != nil || s.Trigger != nil
}

// checkPerKey returns what is not possible of windows that each key has of its own.
func (s *Spec) checkPerKey() error {
	kinds := 0
	for _, is := range []bool{s.Session != nil, s.Count != nil, s.Global, s.Size != 0} {
		if is {
			kinds++
		}
	}
	if err := s.checkKeep(); err != nil {
		return err
	}
	if err := s.checkTrigger(); err != nil {
		return err
	}
	switch {
	case kinds != 1:
		return fmt.Errorf("a window is one of a session, a count of rows, and global, or it has a size")
	case s.Slide != 0 || s.Step != 0:
		return fmt.Errorf("windows that overlap share their rows, and neither purge nor keep some, and have no trigger")
	case s.Size == 0 && (s.Offset != 0 || s.Zone != nil):
		return fmt.Errorf("a window without a size has no offset or zone")
	case s.Lateness < 0 || s.Lateness > MaxSize:
		return fmt.Errorf("the allowed lateness is 0 to %v, not %v", MaxSize, s.Lateness)
	case s.Lateness > 0 && (s.Count != nil || s.Global):
		return fmt.Errorf("no row is late for a window that does not end by event time: there is no lateness")
	case s.Early < 0 || s.EarlyRows < 0:
		return fmt.Errorf("early results come after some time or some rows, not %v or %d rows", s.Early, s.EarlyRows)
	case s.Count != nil && (s.Early > 0 || s.EarlyRows > 0 || s.Purge):
		return fmt.Errorf("a window of so many rows gives one result, and none early")
	case len(s.Aggregates) == 0:
		return fmt.Errorf("a window has at least one aggregate, such as rows: count()")
	case s.Changes:
		return fmt.Errorf("a window that is of a key's own can't take rows back, and the input is a changelog")
	case s.Updates != Append && s.Lateness == 0 && s.Early == 0 && s.EarlyRows == 0 && s.Trigger == nil:
		return fmt.Errorf("no result is updated without lateness and early results")
	case s.Purge && s.Updates != Append:
		return fmt.Errorf("a result that is purged is not updated: the next one is of other rows")
	case s.Size != 0:
		return s.checkSize()
	case s.Count != nil:
		return s.Count.check()
	case s.Session != nil:
		return s.checkGap()
	}
	return nil
}

func (s *Spec) checkGap() error {
	if g := s.Session.Gap; g != 0 {
		if g < time.Microsecond || g > MaxSize || g%time.Microsecond != 0 {
			return fmt.Errorf("the gap of sessions is 1us to %v in whole microseconds, not %v", MaxSize, g)
		}
		return nil
	}
	if f := &s.Input.Fields[s.Session.Column]; f.Type != abi.Int32 && f.Type != abi.Int64 {
		return fmt.Errorf("the gap of sessions is milliseconds of type int32 or int64; column %q is of type %s", f.Name, f.TypeString())
	}
	return nil
}
