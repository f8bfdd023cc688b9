// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Columns that are being written. Their memory is kept from batch to batch.

use crate::column::Nulls;
use crate::memory::{Plain, bytes};
use crate::wire::{Sink, padded};
use alloc::vec::Vec;
use core::mem::size_of;

/// A column that is being written.
pub trait Builder: Default {
    /// The columns that it is in a message, those inside of it counted.
    const COLUMNS: usize;
    /// The number of rows.
    fn rows(&self) -> usize;
    /// Appends a null.
    fn push_null(&mut self);
    /// Bytes of the values of variable length.
    fn variable(&self) -> usize;
    /// Bytes of its buffers in a message.
    fn size(&self) -> usize;
    /// Writes it to a message.
    fn write(&self, sink: &mut Sink);
    /// Makes it empty.
    fn clear(&mut self);
}

/// The validity of a column: its bits are kept from the first null on.
#[derive(Default)]
struct Validity {
    nulls: usize,
    bits: Vec<u8>,
}

impl Validity {
    /// Notes that the value after `rows` others is there.
    #[inline]
    fn value(&mut self, rows: usize) {
        if self.nulls != 0 {
            set_bit(&mut self.bits, rows, true);
        }
    }

    /// Notes that the value after `rows` others is null.
    fn null(&mut self, rows: usize) {
        if self.nulls == 0 {
            self.bits.clear();
            self.bits.resize(rows.div_ceil(8), 0xff);
        }
        self.nulls += 1;
        set_bit(&mut self.bits, rows, false);
    }

    /// Notes that the `count` values after `rows` others are null where those of a column are.
    fn copy(&mut self, rows: usize, count: usize, nulls: Nulls) {
        if nulls.count() == 0 && self.nulls == 0 {
            return;
        }
        for row in 0..count {
            if nulls.is_null(row) { self.null(rows + row) } else { self.value(rows + row) }
        }
    }

    fn bits(&self) -> &[u8] {
        if self.nulls == 0 { &[] } else { &self.bits }
    }

    fn clear(&mut self) {
        self.nulls = 0;
    }
}

/// Sets a bit; those before it are there.
#[inline]
fn set_bit(bits: &mut Vec<u8>, at: usize, value: bool) {
    if at & 7 == 0 {
        bits.push(u8::from(value));
        return;
    }
    let mask = 1 << (at & 7);
    if value { bits[at >> 3] |= mask } else { bits[at >> 3] &= !mask }
}

/// Builds a column of numbers.
#[derive(Default)]
pub struct NumberBuilder<N> {
    values: Vec<N>,
    validity: Validity,
}

impl<N: Plain> NumberBuilder<N> {
    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: N) {
        self.validity.value(self.values.len());
        self.values.push(value);
    }

    /// Appends values, those null for which `nulls` says so, row by row from its first.
    pub fn extend(&mut self, values: impl IntoIterator<Item = N>, nulls: Nulls) {
        let before = self.values.len();
        self.values.extend(values);
        self.validity.copy(before, self.values.len() - before, nulls);
    }
}

impl<N: Plain> Builder for NumberBuilder<N> {
    const COLUMNS: usize = 1;

    #[inline]
    fn rows(&self) -> usize {
        self.values.len()
    }

    #[inline]
    fn push_null(&mut self) {
        self.validity.null(self.values.len());
        self.values.push(N::default());
    }

    #[inline]
    fn variable(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        padded(self.validity.bits().len()) + padded(self.values.len() * size_of::<N>())
    }

    fn write(&self, sink: &mut Sink) {
        sink.column(self.values.len(), self.validity.nulls, self.validity.bits(), &[], bytes(&self.values));
    }

    fn clear(&mut self) {
        self.values.clear();
        self.validity.clear();
    }
}

/// Builds the event times of the rows.
#[derive(Default)]
pub struct TimeBuilder<N>(NumberBuilder<N>);

impl<N: Plain> TimeBuilder<N> {
    /// Appends the event time of a row.
    #[inline]
    pub fn push(&mut self, time: N) {
        self.0.push(time);
    }

    /// Appends the event times of rows.
    pub fn extend(&mut self, times: impl IntoIterator<Item = N>) {
        self.0.extend(times, Nulls::default());
    }
}

impl<N: Plain> Builder for TimeBuilder<N> {
    const COLUMNS: usize = 0;

    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn push_null(&mut self) {
        self.0.push(N::default());
    }

    #[inline]
    fn variable(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn write(&self, sink: &mut Sink) {
        sink.times(&self.0.values);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Builds a column of bools.
#[derive(Default)]
pub struct BoolBuilder {
    rows: usize,
    bits: Vec<u8>,
    validity: Validity,
}

impl BoolBuilder {
    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: bool) {
        self.validity.value(self.rows);
        set_bit(&mut self.bits, self.rows, value);
        self.rows += 1;
    }
}

impl Builder for BoolBuilder {
    const COLUMNS: usize = 1;

    #[inline]
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn push_null(&mut self) {
        self.validity.null(self.rows);
        set_bit(&mut self.bits, self.rows, false);
        self.rows += 1;
    }

    #[inline]
    fn variable(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        padded(self.validity.bits().len()) + padded(self.bits.len())
    }

    fn write(&self, sink: &mut Sink) {
        sink.column(self.rows, self.validity.nulls, self.validity.bits(), &[], &self.bits);
    }

    fn clear(&mut self) {
        self.rows = 0;
        self.bits.clear();
        self.validity.clear();
    }
}

/// Where the rows of a column of variable length end: an offset a row, and the first, which is 0.
struct Offsets(Vec<i32>);

impl Default for Offsets {
    fn default() -> Self {
        Offsets(Vec::from([0]))
    }
}

impl Offsets {
    #[inline]
    fn rows(&self) -> usize {
        self.0.len() - 1
    }

    #[inline]
    fn push(&mut self, end: usize) {
        self.0.push(end as i32); // a batch that reached 2 GiB would long have been refused
    }

    fn clear(&mut self) {
        self.0.truncate(1);
    }
}

/// Builds a column of strings or of bytes.
#[derive(Default)]
pub struct StringBuilder {
    offsets: Offsets,
    values: Vec<u8>,
    validity: Validity,
}

impl StringBuilder {
    /// Appends a value; of a string column it is UTF-8.
    #[inline]
    pub fn push(&mut self, value: impl AsRef<[u8]>) {
        self.validity.value(self.offsets.rows());
        self.values.extend_from_slice(value.as_ref());
        self.offsets.push(self.values.len());
    }
}

impl Builder for StringBuilder {
    const COLUMNS: usize = 1;

    #[inline]
    fn rows(&self) -> usize {
        self.offsets.rows()
    }

    #[inline]
    fn push_null(&mut self) {
        self.validity.null(self.offsets.rows());
        self.offsets.push(self.values.len());
    }

    #[inline]
    fn variable(&self) -> usize {
        self.values.len()
    }

    fn size(&self) -> usize {
        padded(self.validity.bits().len())
            + padded(size_of_val(self.offsets.0.as_slice()))
            + padded(self.values.len())
    }

    fn write(&self, sink: &mut Sink) {
        sink.column(self.rows(), self.validity.nulls, self.validity.bits(), &self.offsets.0, &self.values);
    }

    fn clear(&mut self) {
        self.offsets.clear();
        self.values.clear();
        self.validity.clear();
    }
}

/// Builds a column of lists: append a list's items to `items`, then end it.
#[derive(Default)]
pub struct ListBuilder<B> {
    offsets: Offsets,
    validity: Validity,
    /// The items of all lists.
    pub items: B,
}

impl<B: Builder> ListBuilder<B> {
    /// Ends a list: the items that were appended since the last are its.
    pub fn end(&mut self) {
        self.validity.value(self.offsets.rows());
        self.offsets.push(self.items.rows());
    }
}

impl<B: Builder> Builder for ListBuilder<B> {
    const COLUMNS: usize = 1 + B::COLUMNS;

    #[inline]
    fn rows(&self) -> usize {
        self.offsets.rows()
    }

    fn push_null(&mut self) {
        self.validity.null(self.offsets.rows());
        self.offsets.push(self.items.rows());
    }

    #[inline]
    fn variable(&self) -> usize {
        8 * self.items.rows() + self.items.variable()
    }

    fn size(&self) -> usize {
        padded(self.validity.bits().len())
            + padded(size_of_val(self.offsets.0.as_slice()))
            + self.items.size()
    }

    fn write(&self, sink: &mut Sink) {
        sink.column(self.rows(), self.validity.nulls, self.validity.bits(), &self.offsets.0, &[]);
        self.items.write(sink);
    }

    fn clear(&mut self) {
        self.offsets.clear();
        self.validity.clear();
        self.items.clear();
    }
}

/// Builds a column of structs: append a value to each of `fields`, then end the row.
#[derive(Default)]
pub struct StructBuilder<B> {
    rows: usize,
    validity: Validity,
    /// A builder for each field.
    pub fields: B,
}

impl<B: Builder> StructBuilder<B> {
    /// Ends a row, each field of which has been appended.
    #[inline]
    pub fn end(&mut self) {
        self.validity.value(self.rows);
        self.rows += 1;
    }
}

impl<B: Builder> Builder for StructBuilder<B> {
    const COLUMNS: usize = 1 + B::COLUMNS;

    #[inline]
    fn rows(&self) -> usize {
        self.rows
    }

    fn push_null(&mut self) {
        self.validity.null(self.rows);
        self.rows += 1;
        self.fields.push_null();
    }

    #[inline]
    fn variable(&self) -> usize {
        self.fields.variable()
    }

    fn size(&self) -> usize {
        padded(self.validity.bits().len()) + self.fields.size()
    }

    fn write(&self, sink: &mut Sink) {
        sink.column(self.rows, self.validity.nulls, self.validity.bits(), &[], &[]);
        self.fields.write(sink);
    }

    fn clear(&mut self) {
        self.rows = 0;
        self.validity.clear();
        self.fields.clear();
    }
}
