// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package window

import (
	"github.com/wasmill/wasmill/abi"
	"github.com/wasmill/wasmill/scheduler/watermark"
	"github.com/wasmill/wasmill/state"
	"github.com/wasmill/wasmill/state/timer"
)

// armAt has the timer of a key set where it is later than what is next of a window.
func (w *PerKey) armAt(place uint32, of *ofWindow) {
	if due := w.keys[place].due; due == watermark.Min || w.nextOf(of) < due {
		w.arming = append(w.arming, place)
	}
}

// arm sets the timers of keys whose timer may be too late.
func (w *PerKey) arm() error {
	for _, place := range w.arming {
		k := &w.keys[place]
		next := w.next(k)
		if len(k.windows) == 0 || k.due != watermark.Min && k.due <= next {
			continue
		}
		if err := w.disarm(place); err != nil {
			return err
		}
		k.due = next
		w.text = w.index.appendKey(w.text[:0], int(place))
		if err := w.timers.Set(timer.Timer{Group: state.GroupOf(w.text, w.keyGroups), Time: int64(next), Key: w.text}); err != nil {
			return err
		}
	}
	w.arming = w.arming[:0]
	return nil
}

// disarm deletes the timer of a key.
func (w *PerKey) disarm(place uint32) error {
	k := &w.keys[place]
	if k.due == watermark.Min {
		return nil
	}
	w.text = w.index.appendKey(w.text[:0], int(place))
	t := timer.Timer{Group: state.GroupOf(w.text, w.keyGroups), Time: int64(k.due), Key: w.text}
	k.due = watermark.Min
	return w.timers.Delete(t)
}

// next returns when the first window of a key fires, or is over.
func (w *PerKey) next(k *ofKey) abi.EventTime {
	next := watermark.Max
	for i := range k.windows {
		next = min(next, w.nextOf(&k.windows[i]))
	}
	return next
}

// nextOf returns when a window fires, or is over where it has fired, or where a trigger fires it.
func (w *PerKey) nextOf(of *ofWindow) abi.EventTime {
	at := w.fires(of)
	if at <= w.mark || w.trigger != nil {
		at += w.lateness
	}
	return at
}
