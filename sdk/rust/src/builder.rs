// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Columns that are being written. Their memory is kept from batch to batch.

use crate::column::Nulls;
use crate::memory::{Plain, bytes};
use crate::validity::{Bits, Validity};
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
    fn write(&mut self, sink: &mut Sink);
    /// Makes it empty.
    fn clear(&mut self);
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
        self.values.push(value);
    }

    /// Appends values, those null for which `nulls` says so, row by row from its first.
    pub fn extend(&mut self, values: impl IntoIterator<Item = N>, nulls: Nulls) {
        let before = self.values.len();
        self.values.extend(values);
        self.validity.copy(before, self.values.len() - before, nulls);
    }

    /// Appends that many zeros and returns them, for a loop that writes several columns at once.
    pub fn zeros(&mut self, count: usize) -> &mut [N] {
        let before = self.values.len();
        self.values.resize(before + count, N::default());
        &mut self.values[before..]
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
        self.validity.size(self.rows()) + padded(self.values.len() * size_of::<N>())
    }

    fn write(&mut self, sink: &mut Sink) {
        let rows = self.values.len();
        sink.column(rows, self.validity.nulls, self.validity.finish(rows), &[], bytes(&self.values));
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

    fn write(&mut self, sink: &mut Sink) {
        sink.times(&self.0.values);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// Builds a column of bools.
#[derive(Default)]
pub struct BoolBuilder {
    bits: Bits,
    validity: Validity,
}

impl BoolBuilder {
    /// Appends a value.
    #[inline]
    pub fn push(&mut self, value: bool) {
        self.bits.push(value);
    }
}

impl Builder for BoolBuilder {
    const COLUMNS: usize = 1;

    #[inline]
    fn rows(&self) -> usize {
        self.bits.rows
    }

    #[inline]
    fn push_null(&mut self) {
        self.validity.null(self.bits.rows);
        self.bits.push(false);
    }

    #[inline]
    fn variable(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        self.validity.size(self.rows()) + padded(self.bits.bytes.len())
    }

    fn write(&mut self, sink: &mut Sink) {
        let rows = self.bits.rows;
        sink.column(rows, self.validity.nulls, self.validity.finish(rows), &[], &self.bits.bytes);
    }

    fn clear(&mut self) {
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
        self.validity.size(self.rows())
            + padded(size_of_val(self.offsets.0.as_slice()))
            + padded(self.values.len())
    }

    fn write(&mut self, sink: &mut Sink) {
        let rows = self.rows();
        sink.column(rows, self.validity.nulls, self.validity.finish(rows), &self.offsets.0, &self.values);
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
        self.validity.size(self.rows()) + padded(size_of_val(self.offsets.0.as_slice())) + self.items.size()
    }

    fn write(&mut self, sink: &mut Sink) {
        let rows = self.rows();
        sink.column(rows, self.validity.nulls, self.validity.finish(rows), &self.offsets.0, &[]);
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
        self.validity.size(self.rows()) + self.fields.size()
    }

    fn write(&mut self, sink: &mut Sink) {
        sink.column(self.rows, self.validity.nulls, self.validity.finish(self.rows), &[], &[]);
        self.fields.write(sink);
    }

    fn clear(&mut self) {
        self.rows = 0;
        self.validity.clear();
        self.fields.clear();
    }
}
