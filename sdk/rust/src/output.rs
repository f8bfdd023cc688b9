// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What comes out of an operator: rows, failed rows and counts.

use crate::builder::Builder;
use crate::describe::{Field, Outgoing, Port};
use crate::wire::{FULL, MAX_ROWS, Sink, padded};
use crate::{Error, Row, host};
use alloc::vec::Vec;

/// What a map or a process writes to: an [`Output`], or a struct of several outputs and counters that
/// [`outputs!`](crate::outputs) declares.
pub trait Outputs: Default {
    /// Says what there is; `name` is the field that it is in, "" at the top.
    fn describe(name: &'static str, out: &mut Outgoing);
    /// Numbers the ports and counters, in the order of the description.
    fn number(&mut self, next: &mut Numbers);
    /// Begins a call with that many rows.
    fn begin(&mut self, rows: usize);
    /// Says from which row of the input the next rows come.
    fn at(&mut self, row: usize);
    /// Hands over what has not been yet.
    fn finish(&mut self, failures: &Failures);
}

/// The numbers of the next port and of the next counter.
#[derive(Default)]
pub struct Numbers {
    port: u32,
    counter: u32,
}

/// The rows of one call that failed.
#[derive(Default)]
pub struct Failures {
    rows: Vec<(u32, Error)>,
    bytes: usize, // of all messages
}

impl Failures {
    /// Notes that a row failed. What was emitted for it is dropped by the host.
    #[cold]
    pub fn add(&mut self, row: usize, error: impl Into<Error>) {
        // The host keeps 4,096 bytes of a message; where very many rows fail, all messages together
        // must still fit into a batch.
        let size = if self.bytes < FULL { 4096 } else { 128 };
        let error = error.into().cut(size);
        self.bytes += error.message().len();
        self.rows.push((row as u32, error));
    }

    pub(crate) fn rows(&self) -> &[(u32, Error)] {
        &self.rows
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }
}

/// One output of rows of type `R`, written with `'static` for its lifetime: `Output<Word<'static>>`.
/// With `FORWARD`, for which [`Forward`] is the short form, the host adds the other columns of the
/// row that an emitted row came from.
pub struct Output<R: Row, const FORWARD: bool = false> {
    builders: R::Builders,
    // Of the rows that it holds, the first `same` came from the row of the input with the same
    // number; once another has not, `same` is MIXED and `origins` has all of them.
    same: u32,
    origins: Vec<u32>,
    row: u32,          // of the input, that is being processed
    input_rows: usize, // of this call
    port: u32,
    once: bool, // all rows of a call go into one batch
    sink: Sink,
}

const MIXED: u32 = u32::MAX;

/// An [`Output`] that also has the columns of the row that a row came from.
pub type Forward<R> = Output<R, true>;

impl<R: Row, const FORWARD: bool> Default for Output<R, FORWARD> {
    fn default() -> Self {
        Output {
            builders: R::Builders::default(),
            same: 0,
            origins: Vec::new(),
            row: 0,
            input_rows: 0,
            port: 0,
            once: false,
            sink: Sink::default(),
        }
    }
}

impl<R: Row> Output<R> {
    /// An output that hands over once a call, as an aggregate must.
    pub(crate) fn once() -> Self {
        Output { once: true, ..Output::default() }
    }
}

impl<R: Row, const FORWARD: bool> Output<R, FORWARD> {
    /// Emits a row, which comes from the row of the input that is being processed.
    #[inline]
    pub fn emit(&mut self, row: R::Of<'_>) {
        // A call inside of the loop around this one costs, in wazero, more than all else here: only
        // one is left, which the usual cases don't take.
        if self.row == self.same {
            self.same += 1;
        } else if self.same == MIXED && self.origins.len() < self.origins.capacity().min(MAX_ROWS) {
            self.origins.push(self.row);
        } else {
            self.keep_origin();
        }
        R::append(&mut self.builders, row);
        if self.builders.variable() >= FULL {
            self.make_room();
        }
    }

    /// Emits a row for each row of the input: `fill` appends as many values to each column.
    pub fn fill(&mut self, fill: impl FnOnce(&mut R::Builders)) {
        assert_eq!(self.rows(), 0, "fill comes before any other row of the call");
        fill(&mut self.builders);
        self.same = self.input_rows as u32;
        self.check();
    }

    /// Emits rows that come from the given rows of the input: `fill` appends as many values to each
    /// column. There are at most 65,536 of them.
    pub fn fill_from(&mut self, origins: &[u32], fill: impl FnOnce(&mut R::Builders)) {
        if self.rows() + origins.len() > MAX_ROWS {
            self.make_room();
        }
        fill(&mut self.builders);
        self.mix();
        self.origins.extend_from_slice(origins);
        self.check();
    }

    fn rows(&self) -> usize {
        if self.same == MIXED { self.origins.len() } else { self.same as usize }
    }

    fn check(&self) {
        if let Some(field) = R::ragged(&self.builders, self.rows()) {
            panic!("column {field} was not filled with as many values as there are rows");
        }
    }

    #[inline(never)]
    fn keep_origin(&mut self) {
        if self.rows() == MAX_ROWS {
            self.make_room();
        }
        self.mix();
        self.origins.push(self.row);
    }

    fn mix(&mut self) {
        if self.same != MIXED {
            self.origins.clear();
            self.origins.extend(0..self.same);
            self.same = MIXED;
        }
    }

    #[cold]
    fn make_room(&mut self) {
        if !self.once {
            self.hand_over(&Failures::default());
        }
    }

    fn hand_over(&mut self, failures: &Failures) {
        let rows = self.rows();
        if rows != self.input_rows {
            self.mix(); // a batch without origins has as many rows as the input
        }
        let origins: &[u32] = if self.same == MIXED { &self.origins } else { &[] };
        let body = self.builders.size() + padded(size_of_val(origins));
        self.sink.begin(self.port, rows, R::Builders::COLUMNS, failures.rows(), body);
        self.builders.write(&mut self.sink);
        if self.same == MIXED {
            self.sink.origins(origins);
        }
        host::emit(self.sink.finish());
        self.builders.clear();
        self.same = 0;
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn port(&self) -> u32 {
        self.port
    }
}

impl<R: Row, const FORWARD: bool> Outputs for Output<R, FORWARD> {
    fn describe(name: &'static str, out: &mut Outgoing) {
        const { assert!(R::EVENT_TIMES <= 1, "a row has one event time") }
        let name = if out.ports.is_empty() { "" } else { name };
        out.ports.push(Port {
            name: name.into(),
            fields: optional(R::fields()),
            forward: FORWARD,
            time: R::EVENT_TIMES == 1,
            broadcast: false,
        });
    }

    fn number(&mut self, next: &mut Numbers) {
        self.port = next.port;
        next.port += 1;
    }

    fn begin(&mut self, rows: usize) {
        self.input_rows = rows;
        self.row = 0;
    }

    #[inline]
    fn at(&mut self, row: usize) {
        self.row = row as u32;
    }

    fn finish(&mut self, failures: &Failures) {
        let reports = self.port == 0 && !failures.rows().is_empty();
        if reports || self.once {
            self.hand_over(failures);
        } else if self.rows() != 0 {
            self.hand_over(&Failures::default());
        }
    }
}

/// Fields as an output has them: each may be null there.
pub(crate) fn optional(mut fields: Vec<Field>) -> Vec<Field> {
    for field in &mut fields {
        field.required = false;
    }
    fields
}

/// A counter of the job's metrics. Counts reach the host once a call.
#[derive(Debug, Default)]
pub struct Counter {
    count: i64,
    number: u32,
}

impl Counter {
    /// Adds to the counter.
    #[inline]
    pub fn add(&mut self, delta: i64) {
        self.count += delta;
    }

    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn number(&self) -> u32 {
        self.number
    }
}

impl Outputs for Counter {
    fn describe(name: &'static str, out: &mut Outgoing) {
        out.counters.push(name);
    }

    fn number(&mut self, next: &mut Numbers) {
        self.number = next.counter;
        next.counter += 1;
    }

    fn begin(&mut self, _rows: usize) {}

    fn at(&mut self, _row: usize) {}

    fn finish(&mut self, _failures: &Failures) {
        if self.count != 0 {
            host::count(self.number, self.count);
            self.count = 0;
        }
    }
}

/// Declares a struct of several outputs and counters. The first [`Output`] is the main one; the
/// others are side outputs with the name of their field.
///
/// ```
/// # wasmill::row! { pub struct Movement<'a> { airport: &'a str } }
/// # wasmill::row! { pub struct LongHaul { band: i32 } }
/// use wasmill::{Counter, Forward, Output};
///
/// wasmill::outputs! {
///     pub struct Out {
///         movements: Output<Movement<'static>>,
///         long_haul: Forward<LongHaul>,
///         flights: Counter,
///     }
/// }
/// ```
#[macro_export]
macro_rules! outputs {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $( $(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $type, )*
        }

        impl $crate::Outputs for $name {
            fn describe(_name: &'static str, out: &mut $crate::__private::Outgoing) {
                $( <$type as $crate::Outputs>::describe(stringify!($field).trim_start_matches("r#"), out); )*
            }

            fn number(&mut self, next: &mut $crate::__private::Numbers) {
                $( $crate::Outputs::number(&mut self.$field, next); )*
            }

            fn begin(&mut self, rows: usize) {
                $( $crate::Outputs::begin(&mut self.$field, rows); )*
            }

            #[inline]
            fn at(&mut self, row: usize) {
                $( $crate::Outputs::at(&mut self.$field, row); )*
            }

            fn finish(&mut self, failures: &$crate::Failures) {
                $( $crate::Outputs::finish(&mut self.$field, failures); )*
            }
        }
    };
}
