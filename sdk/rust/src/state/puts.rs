// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::builder::Builder;
use crate::host;
use crate::wire::{DELETE, FULL, MAX_ROWS, Sink, padded};
use alloc::vec::Vec;

/// Rows that are to be put, with their keys.
#[derive(Default)]
pub(crate) struct Puts<B> {
    /// The columns. A row is pushed to them and then ended.
    pub columns: B,
    keys: Vec<u32>, // of each row
    kinds: Vec<u8>, // of each row up to the last that removes
    sink: Sink,
}

impl<B: Builder> Puts<B> {
    /// Ends a row.
    #[inline]
    pub fn end(&mut self, key: u32) {
        self.keys.push(key);
    }

    /// Ends a row that removes what it names.
    pub fn end_removing(&mut self, key: u32) {
        self.kinds.resize(self.keys.len(), 0);
        self.kinds.push(DELETE);
        self.keys.push(key);
    }

    /// Whether there should not be more rows.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.keys.len() >= MAX_ROWS || self.columns.variable() >= FULL
    }

    /// Hands over the rows, if there are any.
    pub fn hand_over(&mut self, schema: u32, keyed: bool) {
        let rows = self.keys.len();
        if rows == 0 {
            return;
        }
        let keys: &[u32] = if keyed { &self.keys } else { &[] };
        let body = self.columns.size() + padded(size_of_val(keys)) + padded(rows);
        self.sink.begin(schema, rows, B::COLUMNS, &[], body);
        self.columns.write(&mut self.sink);
        if keyed {
            self.sink.groups(keys);
        }
        if !self.kinds.is_empty() {
            self.kinds.resize(rows, 0);
            self.sink.kinds(&self.kinds);
        }
        host::state_put(self.sink.finish());
        self.columns.clear();
        self.keys.clear();
        self.kinds.clear();
    }
}
