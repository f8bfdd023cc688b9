// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

package wasmill

// Null is a value that may be absent. Its zero value is null.
type Null[T any] struct {
	V     T
	Valid bool // V counts only where it is true
}

// NotNull returns a Null that holds v.
func NotNull[T any](v T) Null[T] { return Null[T]{V: v, Valid: true} }

// Or returns the value, or another where it is null.
func (n Null[T]) Or(other T) T {
	if n.Valid {
		return n.V
	}
	return other
}

// Timestamp is a point in time: microseconds since 1970 UTC. time.UnixMicro(int64(t)) makes a
// time.Time of it. (This package has no such method, because package time makes a module larger
// by a seventh.)
type Timestamp int64

// EventTime is when the event of a row happened: microseconds since 1970 UTC. It is no column: a
// row type with a field of this type reads or writes the time that windows and watermarks go by.
// Without one, an emitted row has the event time of the row that it came from.
type EventTime int64

// Decimal is a number times a power of ten, of at most 18 digits. Its field's tag says how many
// of them are after the point: with `wasmill:"price,scale=2"`, 1999 means 19.99.
type Decimal int64
