// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Runs operators in unit tests, on the machine that builds them and without Wasm. Rows go through
//! the same messages as they do between the host and a module.
//!
//! ```
//! # use wasmill::{Map, Output, Result, testing};
//! # wasmill::row! { pub struct Number { n: i64 } }
//! # struct Double;
//! # impl Map for Double {
//! #     const NAME: &'static str = "double";
//! #     type Config = ();
//! #     type Input = Number;
//! #     type Outputs = Output<Number>;
//! #     fn open(_: ()) -> Result<Self> { Ok(Double) }
//! #     fn process(&mut self, row: Number, out: &mut Output<Number>) -> Result {
//! #         out.emit(Number { n: 2 * row.n });
//! #         Ok(())
//! #     }
//! # }
//! let run = testing::run::<Double>((), &[Number { n: 4 }])?;
//! assert_eq!(run.rows(|out| out), [Number { n: 8 }]);
//! # Ok::<(), wasmill::Error>(())
//! ```

use crate::aggregate::RunningAggregate;
use crate::builder::Builder;
use crate::column::Column;
use crate::guest::Running;
use crate::map::RunningMap;
use crate::memory::{bytes, bytes_mut};
use crate::wire::{ACCUMULATOR, CONFIG, Sink, Source};
use crate::{Aggregate, Batch, Counter, Level, Map, Output, Outputs, Result, Row, Timestamp, Value};
use std::marker::PhantomData;
use std::ops::Deref;
use std::string::String;
use std::vec::Vec;

mod cells;
mod process;
mod store;

pub use process::{Driver, open};

/// A message at a multiple of 8.
#[derive(Clone)]
pub(crate) struct Message {
    words: Vec<u64>,
    len: usize,
}

impl Message {
    pub(crate) fn new(message: &[u8]) -> Self {
        let mut words = vec![0; message.len().div_ceil(8)];
        bytes_mut(&mut words)[..message.len()].copy_from_slice(message);
        Message { words, len: message.len() }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &bytes(&self.words)[..self.len]
    }
}

/// Stands for the host: a thread has one.
pub(crate) mod recorder {
    use super::Message;
    use super::store::Store;
    use crate::{Level, Timestamp};
    use std::cell::RefCell;
    use std::string::String;
    use std::vec::Vec;

    #[derive(Default)]
    pub struct Recorder {
        pub emitted: Vec<Message>,
        pub logs: Vec<(Level, String)>,
        pub counts: Vec<(u32, i64)>,
    }

    std::thread_local! {
        static STORE: RefCell<Option<Store>> = const { RefCell::new(None) };
        static RECORDER: RefCell<Recorder> = RefCell::default();
        static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
    }

    pub fn emit(batch: &[u8]) {
        RECORDER.with_borrow_mut(|r| r.emitted.push(Message::new(batch)));
    }

    pub fn log(level: Level, text: &str) {
        RECORDER.with_borrow_mut(|r| r.logs.push((level, text.into())));
    }

    pub fn count(counter: u32, delta: i64) {
        RECORDER.with_borrow_mut(|r| r.counts.push((counter, delta)));
    }

    pub fn fail(_kind: u32, text: &str) -> ! {
        panic!("the operator failed: {text}");
    }

    pub fn now() -> i64 {
        NOW.get()
    }

    pub fn set_now(now: Timestamp) {
        NOW.set(now.0);
    }

    /// Sets the state and timers of the operator that is about to be called, and returns the last ones.
    pub fn set_store(store: Option<Store>) -> Option<Store> {
        STORE.replace(store)
    }

    fn with_store<T>(then: impl FnOnce(&mut Store) -> T) -> T {
        STORE.with_borrow_mut(|store| {
            then(store.as_mut().expect("only a process has state, while it is given rows or timers"))
        })
    }

    pub fn watermark() -> i64 {
        STORE.with_borrow(|store| store.as_ref().map_or(i64::MIN, |store| store.watermark))
    }

    pub fn state_get(state: u32, request: &[u8], out: &mut [u64]) -> usize {
        with_store(|store| store.get(state, request, out))
    }

    pub fn state_scan(state: u32, key: u32, bounds: u32, request: &[u8]) -> u32 {
        with_store(|store| store.scan(state, key, bounds, request))
    }

    pub fn state_next(scan: u32, limit: i32, out: &mut [u64]) -> usize {
        with_store(|store| store.next(scan, limit, out))
    }

    pub fn state_read(out: &mut [u64]) -> usize {
        with_store(|store| store.read(out))
    }

    pub fn state_put(batch: &[u8]) {
        with_store(|store| store.put(batch));
    }

    pub fn take() -> Recorder {
        RECORDER.take()
    }
}

/// Sets the processing time that operators of this thread see from now on; at first it is 0.
pub fn set_now(now: Timestamp) {
    recorder::set_now(now);
}

/// What came of the rows that a map was given: what [`Emitted`] tells.
pub struct Run<M: Map>(Emitted<M::Outputs>);

impl<M: Map> Deref for Run<M> {
    type Target = Emitted<M::Outputs>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// What came of the rows, or timers, that an operator was given.
pub struct Emitted<O: Outputs> {
    out: O,
    parts: Vec<Part>,
    failures: Vec<(usize, String)>,
    logs: Vec<(Level, String)>,
}

/// What came of one call.
struct Part {
    first: usize, // the row that was the call's first
    record: recorder::Recorder,
    failed: Vec<(usize, String)>, // by the number in the call
}

/// Opens a map with a configuration and gives it the rows, in one batch. It returns an error
/// where the operator refuses to open.
pub fn run<M: Map>(config: <M::Config as Row>::Of<'_>, rows: &[<M::Input as Row>::Of<'_>]) -> Result<Run<M>> {
    recorder::take();
    let mut running =
        RunningMap::<M>::open(message::<M::Config>(CONFIG, std::slice::from_ref(&config)).bytes())?;
    running.process(message::<M::Input>(0, rows).bytes());
    let record = recorder::take();
    let failed = failures(&record.emitted);
    let mut run = Emitted { out: running.out, parts: Vec::new(), failures: Vec::new(), logs: Vec::new() };
    run.add(Part { first: 0, record, failed });
    Ok(Run(run))
}

impl<O: Outputs> Emitted<O> {
    fn add(&mut self, mut part: Part) {
        let first = part.first;
        self.failures.extend(part.failed.iter().map(|(row, text)| (first + row, text.clone())));
        self.logs.append(&mut part.record.logs);
        self.parts.push(part);
    }

    /// The rows of an output, without those that came from a failed row:
    /// `run.rows(|out| &out.late)`, or `run.rows(|out| out)` where there is just one output.
    pub fn rows<'r, R: Row, const FORWARD: bool>(
        &'r self,
        output: impl FnOnce(&O) -> &Output<R, FORWARD>,
    ) -> Vec<R::Of<'r>> {
        self.emitted(output(&self.out).port()).map(|(source, row, _)| read::<R>(source, row)).collect()
    }

    /// For each of [`rows`](Self::rows) which row of the input it came from.
    pub fn origins<R: Row, const FORWARD: bool>(
        &self,
        output: impl FnOnce(&O) -> &Output<R, FORWARD>,
    ) -> Vec<usize> {
        self.emitted(output(&self.out).port()).map(|(_, _, origin)| origin).collect()
    }

    /// Rows of a port: their message, their number in it and their origin.
    fn emitted(&self, port: u32) -> impl Iterator<Item = (&[u8], usize, usize)> {
        self.parts.iter().flat_map(move |part| part.emitted(port))
    }

    /// The rows that failed, with their messages.
    pub fn failures(&self) -> &[(usize, String)] {
        &self.failures
    }

    /// The number of rows of each batch that was handed over.
    #[cfg(test)]
    pub(crate) fn batches(&self) -> Vec<usize> {
        let emitted = self.parts.iter().flat_map(|part| &part.record.emitted);
        emitted.map(|message| Source::new(message.bytes()).rows).collect()
    }

    /// What was added to a counter.
    pub fn count(&self, counter: impl FnOnce(&O) -> &Counter) -> i64 {
        let number = counter(&self.out).number();
        let counts = self.parts.iter().flat_map(|part| &part.record.counts);
        counts.filter(|(counter, _)| *counter == number).map(|(_, delta)| delta).sum()
    }

    /// The lines that were logged.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.logs
    }
}

impl Part {
    fn emitted(&self, port: u32) -> impl Iterator<Item = (&[u8], usize, usize)> {
        let of_port = self.record.emitted.iter().filter(move |m| Source::new(m.bytes()).schema == port);
        let rows = of_port.flat_map(|message| {
            let source = Source::new(message.bytes());
            let origins = source.origins();
            (0..source.rows).map(move |row| (message.bytes(), row, origins.map_or(row, |o| o[row] as usize)))
        });
        let rows = rows.filter(|(_, _, origin)| self.failed.iter().all(|(failed, _)| failed != origin));
        rows.map(|(message, row, origin)| (message, row, self.first + origin))
    }
}

/// What came of the rows of one group, which an aggregate was given.
pub struct Folded<A: Aggregate> {
    result: Message,
    failures: Vec<(usize, String)>,
    aggregate: PhantomData<A>,
}

impl<A: Aggregate> Folded<A> {
    /// The rows that the aggregate made of the group.
    pub fn rows(&self) -> Vec<<A::Output as Row>::Of<'_>> {
        let rows = 0..Source::new(self.result.bytes()).rows;
        rows.map(|row| read::<A::Output>(self.result.bytes(), row)).collect()
    }

    /// The rows that failed, with their messages.
    pub fn failures(&self) -> &[(usize, String)] {
        &self.failures
    }
}

/// Opens an aggregate, adds the rows to one accumulator, and asks for its result.
pub fn fold<A: Aggregate>(
    config: <A::Config as Row>::Of<'_>,
    rows: &[<A::Input as Row>::Of<'_>],
) -> Result<Folded<A>> {
    fold_parts::<A>(config, rows, 1)
}

/// Like [`fold`], but each row gets an accumulator of its own, and all of them are merged, the way
/// in which the host may do it: the result must be the same.
pub fn fold_merged<A: Aggregate>(
    config: <A::Config as Row>::Of<'_>,
    rows: &[<A::Input as Row>::Of<'_>],
) -> Result<Folded<A>> {
    fold_parts::<A>(config, rows, rows.len().max(1))
}

fn fold_parts<A: Aggregate>(
    config: <A::Config as Row>::Of<'_>,
    rows: &[<A::Input as Row>::Of<'_>],
    parts: usize,
) -> Result<Folded<A>> {
    recorder::take();
    let config = message::<A::Config>(CONFIG, std::slice::from_ref(&config));
    let mut running = RunningAggregate::<A>::open(config.bytes())?;
    let groups: Vec<u32> = (0..rows.len()).map(|row| (row % parts) as u32).collect();
    let mut builders = <A::Input as Row>::Builders::default();
    for row in rows {
        A::Input::append(&mut builders, row.clone());
    }
    let input = write(0, rows.len(), &mut builders, Some(&groups));
    let mut nothing = <A::Accumulator as Value>::Builder::default();
    for _ in 0..parts {
        nothing.push_null();
    }
    running.aggregate(0, input.bytes(), write(ACCUMULATOR, parts, &mut nothing, None).bytes());
    let added = emitted_once();
    let failures = failures(std::slice::from_ref(&added));
    let mut parts = split::<A>(&added).into_iter();
    let mut merged = parts.next().expect("there is at least one accumulator");
    for part in parts {
        running.aggregate(1, merged.bytes(), part.bytes());
        merged = emitted_once();
    }
    running.aggregate(2, merged.bytes(), &[]);
    let result = emitted_once();
    let made = Source::new(result.bytes()).rows;
    assert_eq!(made, 1, "the result of an aggregate is one row, also of a group without values");
    Ok(Folded { result, failures, aggregate: PhantomData })
}

/// Makes a message of one accumulator of each in a message.
fn split<A: Aggregate>(accumulators: &Message) -> Vec<Message> {
    let mut source = Source::new(accumulators.bytes());
    let column = A::Accumulator::column(&mut source);
    let one = |row| {
        let mut builder = <A::Accumulator as Value>::Builder::default();
        if column.nulls().is_null(row) {
            builder.push_null();
        } else {
            A::Accumulator::push(&mut builder, A::Accumulator::get(&column, row));
        }
        write(ACCUMULATOR, 1, &mut builder, None)
    };
    (0..source.rows).map(one).collect()
}

fn emitted_once() -> Message {
    let mut emitted = recorder::take().emitted;
    assert_eq!(emitted.len(), 1, "each step of an aggregate emits once");
    emitted.remove(0)
}

pub(crate) fn message<R: Row>(schema: u32, rows: &[R::Of<'_>]) -> Message {
    let mut builders = R::Builders::default();
    for row in rows {
        R::append(&mut builders, row.clone());
    }
    write(schema, rows.len(), &mut builders, None)
}

pub(crate) fn write<B: Builder>(
    schema: u32,
    rows: usize,
    builder: &mut B,
    groups: Option<&[u32]>,
) -> Message {
    let mut sink = Sink::default();
    let groups_size = groups.map_or(0, |groups| size_of_val(groups).next_multiple_of(8));
    sink.begin(schema, rows, B::COLUMNS, &[], builder.size() + groups_size);
    builder.write(&mut sink);
    if let Some(groups) = groups {
        sink.groups(groups);
    }
    Message::new(sink.finish())
}

fn read<'r, R: Row>(message: &'r [u8], row: usize) -> R::Of<'r> {
    let batch = Batch::<R>::new(&mut Source::new(message));
    batch.get(row).unwrap_or_else(|error| panic!("row {row} of the output: {error}"))
}

fn failures(messages: &[Message]) -> Vec<(usize, String)> {
    let of_message = |message: &Message| -> Vec<(usize, String)> {
        let failures = Source::new(message.bytes()).failures();
        failures.map(|(row, text)| (row, String::from_utf8_lossy(text).into_owned())).collect()
    };
    messages.iter().flat_map(of_message).collect()
}
