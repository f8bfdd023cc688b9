// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Bits of columns that are being written.

use crate::column::Nulls;
use crate::wire::padded;
use alloc::vec::Vec;

/// The validity of a column. Values cost nothing: the bits before a null are written with it, those
/// after the last null at the end.
#[derive(Default)]
pub struct Validity {
    pub nulls: usize,
    bits: Bits,
}

impl Validity {
    /// Notes that the value after `rows` others is null.
    pub fn null(&mut self, rows: usize) {
        self.bits.fill(rows);
        self.bits.push(false);
        self.nulls += 1;
    }

    /// Notes that the `count` values after `rows` others are null where those of a column are.
    pub fn copy(&mut self, rows: usize, count: usize, nulls: Nulls) {
        if nulls.count() != 0 {
            for row in (0..count).filter(|&row| nulls.is_null(row)) {
                self.null(rows + row);
            }
        }
    }

    /// Bytes of the bits of that many rows in a message.
    pub fn size(&self, rows: usize) -> usize {
        if self.nulls == 0 { 0 } else { padded(rows.div_ceil(8)) }
    }

    /// The bits of that many rows, none where nothing is null.
    pub fn finish(&mut self, rows: usize) -> &[u8] {
        if self.nulls == 0 {
            return &[];
        }
        self.bits.fill(rows);
        &self.bits.bytes
    }

    pub fn clear(&mut self) {
        self.nulls = 0;
        self.bits.clear();
    }
}

/// A bit a row, least significant first.
#[derive(Default)]
pub struct Bits {
    pub rows: usize,
    pub bytes: Vec<u8>,
}

impl Bits {
    #[inline]
    pub fn push(&mut self, value: bool) {
        let bit = self.rows & 7;
        if bit == 0 {
            self.bytes.push(u8::from(value));
        } else if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(value) << bit;
        }
        self.rows += 1;
    }

    /// Appends ones until there are that many rows.
    fn fill(&mut self, rows: usize) {
        while self.rows < rows && self.rows & 7 != 0 {
            self.push(true);
        }
        if self.rows < rows {
            self.bytes.resize(rows.div_ceil(8), 0xff);
            if rows & 7 != 0 {
                *self.bytes.last_mut().expect("it was just appended") = (1 << (rows & 7)) - 1;
            }
            self.rows = rows;
        }
    }

    pub fn clear(&mut self) {
        self.rows = 0;
        self.bytes.clear();
    }
}
