// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use core::ops::{Range, RangeFrom, RangeFull, RangeTo};

/// Which map keys [`MapState::range`](crate::MapState::range) reads; made of `..`, `from..`, `..to` and `from..to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyRange<K> {
    /// All.
    All,
    /// From one on.
    From(K),
    /// Up to one, without it.
    To(K),
    /// From one on up to another one, without that.
    FromTo(K, K),
}

impl<K> From<RangeFull> for KeyRange<K> {
    fn from(_: RangeFull) -> Self {
        KeyRange::All
    }
}

impl<K> From<RangeFrom<K>> for KeyRange<K> {
    fn from(range: RangeFrom<K>) -> Self {
        KeyRange::From(range.start)
    }
}

impl<K> From<RangeTo<K>> for KeyRange<K> {
    fn from(range: RangeTo<K>) -> Self {
        KeyRange::To(range.end)
    }
}

impl<K> From<Range<K>> for KeyRange<K> {
    fn from(range: Range<K>) -> Self {
        KeyRange::FromTo(range.start, range.end)
    }
}
