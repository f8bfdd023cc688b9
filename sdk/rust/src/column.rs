// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Columns as they lie in the batch. They borrow from it and copy nothing; all of them are small
//! and `Copy`.

use crate::memory::{Plain, view};
use crate::wire::{Node, Source};
use core::iter::zip;

/// Which rows of a column are null.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nulls<'a> {
    count: usize,
    bits: &'a [u8],
}

impl<'a> Nulls<'a> {
    pub(crate) fn new(source: &Source<'a>, node: &Node) -> Self {
        if node.nulls == 0 {
            return Nulls::default();
        }
        Nulls { count: node.nulls, bits: view(source.batch, node.validity, node.rows.div_ceil(8)) }
    }

    /// The number of nulls.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// A bit a row, least significant first, 1 for a value; empty where [`count`](Self::count) is 0.
    pub fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// Whether a row is null.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        self.count != 0 && self.bits[row >> 3] >> (row & 7) & 1 == 0
    }
}

/// What all columns can tell.
pub trait Column: Copy {
    /// Which rows are null.
    fn nulls(&self) -> Nulls<'_>;
}

macro_rules! column {
    ($($name:ident<$a:lifetime $(, $param:ident: $bound:path)?>),*) => { $(
        impl<$a $(, $param: $bound)?> Column for $name<$a $(, $param)?> {
            #[inline]
            fn nulls(&self) -> Nulls<'_> {
                self.nulls
            }
        }
    )* };
}
column!(Numbers<'a, N: Plain>, Bools<'a>, Bytes<'a>, Lists<'a, C: Copy>, Structs<'a, C: Copy>);

/// A column of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a, N> {
    values: &'a [N],
    nulls: Nulls<'a>,
}

impl<'a, N: Plain> Numbers<'a, N> {
    pub(crate) fn new(source: &mut Source<'a>) -> Self {
        let node = source.node();
        Numbers { values: view(source.batch, node.values, node.rows), nulls: Nulls::new(source, &node) }
    }

    pub(crate) fn of_times(values: &'a [N]) -> Self {
        Numbers { values, nulls: Nulls::default() }
    }

    /// The values; what stands for a null is arbitrary.
    #[inline]
    pub fn values(&self) -> &'a [N] {
        self.values
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.nulls
    }
}

/// A column of bools.
#[derive(Clone, Copy, Debug)]
pub struct Bools<'a> {
    bits: &'a [u8],
    nulls: Nulls<'a>,
}

impl<'a> Bools<'a> {
    pub(crate) fn new(source: &mut Source<'a>) -> Self {
        let node = source.node();
        Bools {
            bits: view(source.batch, node.values, node.rows.div_ceil(8)),
            nulls: Nulls::new(source, &node),
        }
    }

    /// A bit a row, least significant first.
    pub fn bits(&self) -> &'a [u8] {
        self.bits
    }

    /// The value of a row; arbitrary where it is null.
    #[inline]
    pub fn get(&self, row: usize) -> bool {
        self.bits[row >> 3] >> (row & 7) & 1 == 1
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.nulls
    }
}

/// A column of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    offsets: &'a [i32],
    values: &'a [u8],
    nulls: Nulls<'a>,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(source: &mut Source<'a>) -> Self {
        let node = source.node();
        Bytes {
            offsets: source.offsets(&node),
            values: view(source.batch, node.values, node.size),
            nulls: Nulls::new(source, &node),
        }
    }

    /// Where each row begins in [`values`](Self::values), and where the last one ends: one more
    /// than there are rows, or none where there are no rows.
    pub fn offsets(&self) -> &'a [i32] {
        self.offsets
    }

    /// The bytes of all rows.
    pub fn values(&self) -> &'a [u8] {
        self.values
    }

    /// The bytes of a row; arbitrary where it is null.
    #[inline]
    pub fn get(&self, row: usize) -> &'a [u8] {
        &self.values[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    /// Whether a row, which is not null, has these bytes. For `get(row) == other` the compiler calls
    /// a function that compares byte by byte.
    #[inline]
    pub fn equals(&self, row: usize, other: &[u8]) -> bool {
        let bytes = self.get(row);
        let (words, other_words) = (bytes.chunks_exact(8), other.chunks_exact(8));
        bytes.len() == other.len()
            && zip(words.remainder(), other_words.remainder()).all(|(a, b)| a == b)
            && zip(words, other_words).all(|(a, b)| word(a) == word(b))
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.nulls
    }
}

fn word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().unwrap())
}

/// A column of strings.
#[derive(Clone, Copy, Debug)]
pub struct Strings<'a>(Bytes<'a>);

impl<'a> Strings<'a> {
    pub(crate) fn new(source: &mut Source<'a>) -> Self {
        Strings(Bytes::new(source))
    }

    /// The text of a row; arbitrary where it is null.
    #[inline]
    pub fn get(&self, row: usize) -> &'a str {
        // SAFETY: the contract has each row of a string column be UTF-8, null or not, and the host
        // has checked that before it wrote the batch.
        unsafe { core::str::from_utf8_unchecked(self.0.get(row)) }
    }

    /// Whether a row, which is not null, is this text; faster than `get(row) == text`.
    #[inline]
    pub fn equals(&self, row: usize, text: &str) -> bool {
        self.0.equals(row, text.as_bytes())
    }

    /// The same column as bytes.
    pub fn bytes(&self) -> Bytes<'a> {
        self.0
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.0.nulls
    }
}

impl Column for Strings<'_> {
    #[inline]
    fn nulls(&self) -> Nulls<'_> {
        self.0.nulls
    }
}

/// A column of lists, over the column of all their items.
#[derive(Clone, Copy, Debug)]
pub struct Lists<'a, C> {
    offsets: &'a [i32],
    nulls: Nulls<'a>,
    /// The items of all rows.
    pub items: C,
}

impl<'a, C: Copy> Lists<'a, C> {
    pub(crate) fn new(source: &mut Source<'a>, items: impl FnOnce(&mut Source<'a>) -> C) -> Self {
        let node = source.node();
        Lists { offsets: source.offsets(&node), nulls: Nulls::new(source, &node), items: items(source) }
    }

    /// Which items are a row's; arbitrary where it is null.
    #[inline]
    pub fn range(&self, row: usize) -> core::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.nulls
    }
}

/// A column of structs, over the columns of its fields.
#[derive(Clone, Copy, Debug)]
pub struct Structs<'a, C> {
    nulls: Nulls<'a>,
    /// A column for each field.
    pub fields: C,
}

impl<'a, C: Copy> Structs<'a, C> {
    pub(crate) fn new(source: &mut Source<'a>, fields: impl FnOnce(&mut Source<'a>) -> C) -> Self {
        let node = source.node();
        Structs { nulls: Nulls::new(source, &node), fields: fields(source) }
    }

    /// Which rows are null.
    #[inline]
    pub fn nulls(&self) -> Nulls<'a> {
        self.nulls
    }
}
