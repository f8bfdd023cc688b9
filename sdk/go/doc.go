// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Package wasmill is for writing operators of wasmill, a stream processor whose operators are
// WebAssembly modules.
//
// An operator is a struct. Its exported fields are its configuration, its outputs and its
// counters; a method takes a row:
//
//	type Reading struct {
//		Sensor  string
//		Celsius float64
//	}
//
//	type Alarm struct {
//		Sensor string
//		Excess float64
//	}
//
//	type Alarms struct {
//		Limit float64 `default:"80" doc:"degrees above which a reading is an alarm"`
//
//		Out    wasmill.Output[Alarm]
//		Raised wasmill.Counter
//	}
//
//	func (a *Alarms) Process(r *Reading) error {
//		if r.Celsius > a.Limit {
//			a.Out.Emit(Alarm{r.Sensor, r.Celsius - a.Limit})
//			a.Raised.Add(1)
//		}
//		return nil
//	}
//
//	func init() {
//		wasmill.Register(wasmill.Map("alarms", "Readings above a limit.", (*Alarms).Process))
//	}
//
//	func main() {}
//
// A field's column has its name in snake_case, or the one in its tag: `wasmill:"name"`. Unexported
// fields and those tagged `wasmill:"-"` are none. A field of type Null may be null; a row in which
// another one is null never reaches the operator.
//
// An operator made by Process has keyed state and timers besides, which are fields too: ValueState,
// ListState, MapState, ReducingState, EventTimers and ProcessingTimers.
//
// The first Output field is the operator's main output, each further one a side output. If the
// struct has a method Open() error, it is called when the configuration is there, and its error
// refuses it; Close() error is called at the end.
//
// Nothing here is safe for use by several goroutines, and none is needed: a module runs one call
// at a time.
package wasmill
