// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::memory::Arena;
use super::{Link, whole};
use crate::host;
use crate::wire::Source;

/// The rows of a list or a map, in order, which the host gives in batches.
pub(crate) struct Scan<'a, C> {
    link: &'a Link,
    memory: &'a Arena,
    number: u32,
    batch: Option<(C, usize)>, // the columns at hand and their nulls
    row: usize,
    rows: usize,
    ended: bool,
}

impl<'a, C: Copy> Scan<'a, C> {
    /// Begins a scan of the key at hand.
    pub fn new(link: &'a Link, memory: &'a Arena, bounds: u32, request: &[u8]) -> Self {
        let number = host::state_scan(link.number, link.key, bounds, request);
        Scan { link, memory, number, batch: None, row: 0, rows: 0, ended: false }
    }

    /// The next row: its columns and its number in them.
    #[inline]
    pub fn next(
        &mut self,
        columns: impl FnOnce(&mut Source<'a>) -> C,
        lacks: impl FnOnce(&C, usize) -> bool,
    ) -> Option<(C, usize)> {
        if self.row == self.rows {
            self.fetch(columns);
        }
        let (columns, nulls) = self.batch?;
        let row = self.row;
        self.row += 1;
        if nulls != 0 {
            whole(self.link, lacks(&columns, row));
        }
        Some((columns, row))
    }

    fn fetch(&mut self, columns: impl FnOnce(&mut Source<'a>) -> C) {
        self.batch = None;
        (self.row, self.rows) = (0, 0);
        if self.ended {
            return;
        }
        let number = self.number;
        let mut source = Source::new(self.memory.read(|out| host::state_next(number, 0, out)));
        self.rows = source.rows;
        self.ended = source.rows == 0;
        if !self.ended {
            let columns = columns(&mut source);
            self.batch = Some((columns, source.nulls));
        }
    }
}

impl<C> Drop for Scan<'_, C> {
    fn drop(&mut self) {
        if !self.ended {
            host::state_next(self.number, -1, &mut []);
        }
    }
}
