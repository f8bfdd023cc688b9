// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The message `Batch` of `wasmill.fbs`, read by its vtable and written in one fixed layout:
//!
//! ```text
//!   0  u32 position of the table (32)
//!   4  "WMB1"
//!   8  vtable: u16 its size, u16 the table's size, u16 for each of 8 fields: its offset
//!  28  4 bytes of padding
//!  32  table: i32 distance back to the vtable
//!  36    u32 schema
//!  40    u32 rows
//!  44    u32 distance to the vector of columns
//!  48    u32 distance to the vector of failures
//!  52    Column time
//!  76    Column kind
//! 100    Column origin
//! 124    Column group
//! 148  vector of columns: u32 count, then 24 bytes each
//!      vector of failures: u32 count, then 12 bytes each
//!      the buffers, each at a multiple of 8
//! ```

use crate::Error;
use crate::flat::Table;
use crate::memory::{Plain, bytes, bytes_mut, view};
use alloc::vec::Vec;

/// The number of the schema of accumulators.
pub const ACCUMULATOR: u32 = 0x10000;
/// The number of the schema of the configuration.
pub const CONFIG: u32 = 0x10001;
/// The number of the schema of timers of event time.
pub const EVENT_TIMER: u32 = 0x10002;
/// The number of the schema of timers of processing time.
pub const PROCESSING_TIMER: u32 = 0x10003;
/// The number of the schema of a state's rows, plus the state's number.
pub const STATE: u32 = 0x20000;
/// The number of the schema of a request for rows of a state, plus the state's number.
pub const REQUEST: u32 = 0x30000;
/// The kind of a row that removes what it names, or that is not there.
pub const DELETE: u8 = 3;
/// The most rows that a batch may have.
pub const MAX_ROWS: usize = 1 << 16;
/// Bytes of values from which on a batch is handed over, far below what the contract allows.
pub const FULL: usize = 4 << 20;

const COLUMN: usize = 24;
const FAILURE: usize = 12;
const VTABLE: usize = 8;
const TABLE: usize = 32;
const TIME: usize = 52;
const KIND: usize = 76;
const ORIGIN: usize = 100;
const GROUP: usize = 124;
const COLUMNS: usize = 148;

/// A `Column` of the message.
#[derive(Clone, Copy, Default)]
pub struct Node {
    pub rows: usize,
    pub nulls: usize,
    pub validity: usize,
    pub offsets: usize,
    pub values: usize,
    pub size: usize,
}

impl Node {
    fn read(entry: &[u8]) -> Self {
        let word = |i: usize| u32::from_le_bytes(entry[4 * i..4 * i + 4].try_into().unwrap()) as usize;
        Node {
            rows: word(0),
            nulls: word(1),
            validity: word(2),
            offsets: word(3),
            values: word(4),
            size: word(5),
        }
    }
}

/// A message from the host, whose columns are read in the order in which they are declared. It
/// panics where the message breaks the contract.
pub struct Source<'a> {
    pub batch: &'a [u8],
    pub schema: u32,
    pub rows: usize,
    /// Nulls of all columns that have been read.
    pub nulls: usize,
    table: Table<'a>,
    nodes: &'a [u8],
}

impl<'a> Source<'a> {
    pub fn new(batch: &'a [u8]) -> Self {
        assert!(batch.get(4..8) == Some(b"WMB1"), "the host's message is not a batch");
        let table = Table::root(batch);
        Source {
            batch,
            schema: table.u32(0),
            rows: table.u32(1) as usize,
            nulls: 0,
            table,
            nodes: table.structs(2, COLUMN),
        }
    }

    /// The next column, depth first.
    pub fn node(&mut self) -> Node {
        let (entry, rest) = self.nodes.split_at_checked(COLUMN).expect("the batch lacks a declared column");
        self.nodes = rest;
        let node = Node::read(entry);
        self.nulls += node.nulls;
        node
    }

    /// The offsets of a column, none where it has no rows.
    pub fn offsets(&self, node: &Node) -> &'a [i32] {
        view(self.batch, node.offsets, if node.rows == 0 { 0 } else { node.rows + 1 })
    }

    /// The event times of the rows.
    pub fn times<T: Plain>(&self) -> &'a [T] {
        self.required_per_row(4, "event times")
    }

    /// The number of each row's accumulator, or of its key.
    pub fn groups(&self) -> &'a [u32] {
        self.required_per_row(7, "groups")
    }

    /// The number of each row's key, none where the rows have no key.
    pub fn keys(&self) -> &'a [u32] {
        self.per_row(7).unwrap_or_default()
    }

    /// The kind of each row, none where all are there.
    pub fn kinds(&self) -> &'a [u8] {
        self.per_row(5).unwrap_or_default()
    }

    /// Failed rows with their messages.
    pub fn failures(&self) -> impl Iterator<Item = (usize, &'a [u8])> + use<'a> {
        let (batch, entries) = (self.batch, self.table.structs(3, FAILURE));
        entries.chunks_exact(FAILURE).map(move |entry| {
            let word = |i: usize| u32::from_le_bytes(entry[4 * i..4 * i + 4].try_into().unwrap()) as usize;
            (word(0), view(batch, word(1), word(2)))
        })
    }

    /// For each row the row of the input that it came from, where the message says.
    pub fn origins(&self) -> Option<&'a [u32]> {
        self.per_row(6)
    }

    fn required_per_row<T: Plain>(&self, field: usize, what: &str) -> &'a [T] {
        match self.per_row(field) {
            Some(values) => values,
            None if self.rows == 0 => &[],
            None => panic!("the batch has no {what}"),
        }
    }

    fn per_row<T: Plain>(&self, field: usize) -> Option<&'a [T]> {
        let node = Node::read(self.table.inline(field, COLUMN)?);
        Some(view(self.batch, node.values, node.rows))
    }
}

/// Writes one message into a buffer that is used again and again.
#[derive(Default)]
pub struct Sink {
    words: Vec<u64>,
    node: usize,
    body: usize,
}

/// Bytes that a buffer takes in the body.
pub fn padded(size: usize) -> usize {
    size.next_multiple_of(8)
}

impl Sink {
    /// Begins a message whose buffers take `body` bytes, each padded.
    pub fn begin(
        &mut self,
        schema: u32,
        rows: usize,
        columns: usize,
        failures: &[(u32, Error)],
        body: usize,
    ) {
        let failures_at = COLUMNS + 4 + columns * COLUMN;
        let head = padded(failures_at + 4 + failures.len() * FAILURE);
        let texts: usize = failures.iter().map(|(_, text)| padded(text.message().len())).sum();
        let words = (head + texts + body) / 8;
        if self.words.len() < words {
            self.words.clear(); // nothing of the last message is worth a copy
            self.words.resize(words, 0);
        }
        self.node = COLUMNS + 4;
        self.body = head;
        let out = bytes_mut(&mut self.words);
        out[..COLUMNS].fill(0);
        put(out, 0, TABLE as u32);
        out[4..8].copy_from_slice(b"WMB1");
        // The sizes of vtable and table, then the offset of each field: time, kind and group are
        // absent until one is written.
        for (i, half) in [20, (COLUMNS - TABLE) as u16, 4, 8, 12, 16].into_iter().enumerate() {
            out[VTABLE + 2 * i..][..2].copy_from_slice(&half.to_le_bytes());
        }
        put(out, TABLE, (TABLE - VTABLE) as u32);
        put(out, 36, schema);
        put(out, 40, rows as u32);
        put(out, 44, (COLUMNS - 44) as u32);
        put(out, 48, (failures_at - 48) as u32);
        put(out, COLUMNS, columns as u32);
        put(out, failures_at, failures.len() as u32);
        for (i, (row, text)) in failures.iter().enumerate() {
            let at = self.buffer(text.message().as_bytes());
            let entry = failures_at + 4 + i * FAILURE;
            let out = bytes_mut(&mut self.words);
            put(out, entry, *row);
            put(out, entry + 4, at);
            put(out, entry + 8, text.message().len() as u32);
        }
    }

    /// Writes the next column, depth first.
    pub fn column(&mut self, rows: usize, nulls: usize, validity: &[u8], offsets: &[i32], values: &[u8]) {
        let validity = self.buffer(validity);
        let offsets = self.buffer(bytes(offsets));
        let at = self.buffer(values);
        self.put_column(self.node, [rows as u32, nulls as u32, validity, offsets, at, values.len() as u32]);
        self.node += COLUMN;
    }

    /// Writes the event times.
    pub fn times<T: Plain>(&mut self, times: &[T]) {
        self.per_row(4, TIME, times);
    }

    /// Writes the kinds of the rows.
    pub fn kinds(&mut self, kinds: &[u8]) {
        self.per_row(5, KIND, kinds);
    }

    /// Writes where the rows came from.
    pub fn origins(&mut self, origins: &[u32]) {
        self.per_row(6, ORIGIN, origins);
    }

    /// Writes the number of each row's accumulator, or of its key.
    pub fn groups(&mut self, groups: &[u32]) {
        self.per_row(7, GROUP, groups);
    }

    /// Makes a column, none of whose buffers is nested, null in the one row that the message has.
    /// For that [`begin`](Self::begin) was told of 8 more bytes.
    pub fn null(&mut self, column: usize) {
        let validity = self.buffer(&[0]);
        let node = COLUMNS + 4 + column * COLUMN;
        let out = bytes_mut(&mut self.words);
        put(out, node + 4, 1);
        put(out, node + 8, validity);
    }

    /// The message.
    pub fn finish(&self) -> &[u8] {
        &bytes(&self.words)[..self.body]
    }

    fn per_row<T: Plain>(&mut self, field: usize, at: usize, values: &[T]) {
        let buffer = self.buffer(bytes(values));
        self.put_column(at, [values.len() as u32, 0, 0, 0, buffer, size_of_val(values) as u32]);
        let slot = VTABLE + 4 + 2 * field;
        bytes_mut(&mut self.words)[slot..slot + 2].copy_from_slice(&((at - TABLE) as u16).to_le_bytes());
    }

    fn put_column(&mut self, at: usize, column: [u32; 6]) {
        let out = bytes_mut(&mut self.words);
        for (i, word) in column.into_iter().enumerate() {
            put(out, at + 4 * i, word);
        }
    }

    /// Copies a buffer to the body and returns where it lies, 0 where it is empty.
    fn buffer(&mut self, data: &[u8]) -> u32 {
        if data.is_empty() {
            return 0;
        }
        let at = self.body;
        bytes_mut(&mut self.words)[at..at + data.len()].copy_from_slice(data);
        self.body = padded(at + data.len());
        at as u32
    }
}

fn put(out: &mut [u8], at: usize, word: u32) {
    out[at..at + 4].copy_from_slice(&word.to_le_bytes());
}
