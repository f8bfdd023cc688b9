// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use core::fmt;
use core::ops::{Add, Neg, Sub};

/// A point in time: microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Timestamp(pub i64);

/// The event time of a row: microseconds since 1970-01-01 UTC.
///
/// It is no column. A row of an input that has a field of this type is given the row's event
/// time; a row of an output that has one sets it. Rows of other outputs have the event time of the
/// row that they came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct EventTime(pub i64);

/// A decimal number with `SCALE` digits after the point and at most 18 in all: `unscaled` times 10
/// to the power of -`SCALE`. Sums are sums of integers, exact and fast.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Decimal<const SCALE: u8> {
    /// The number times 10 to the power of `SCALE`.
    pub unscaled: i64,
}

impl<const SCALE: u8> Decimal<SCALE> {
    /// Makes a number of its unscaled value: `Decimal::<2>::new(1999)` is 19.99.
    pub const fn new(unscaled: i64) -> Self {
        Decimal { unscaled }
    }
}

impl<const SCALE: u8> Add for Decimal<SCALE> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Decimal::new(self.unscaled + other.unscaled)
    }
}

impl<const SCALE: u8> Sub for Decimal<SCALE> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Decimal::new(self.unscaled - other.unscaled)
    }
}

impl<const SCALE: u8> Neg for Decimal<SCALE> {
    type Output = Self;
    fn neg(self) -> Self {
        Decimal::new(-self.unscaled)
    }
}

impl<const SCALE: u8> fmt::Display for Decimal<SCALE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = 10u64.pow(u32::from(SCALE));
        let sign = if self.unscaled < 0 { "-" } else { "" };
        let size = self.unscaled.unsigned_abs();
        if SCALE == 0 {
            return write!(f, "{sign}{size}");
        }
        write!(f, "{sign}{}.{:0width$}", size / one, size % one, width = usize::from(SCALE))
    }
}
