// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Runs processes, with a host's state and timers around them.

use super::cells::{Cell, Cells, decode, encode};
use super::store::{Due, InCall, Store, key_name, timer_fields};
use super::{Emitted, Message, Part, failures, message, recorder};
use crate::describe::{Field, Port};
use crate::guest::Running;
use crate::output::Numbers;
use crate::process::{RunningProcess, describe};
use crate::state::Call;
use crate::wire::{CONFIG, EVENT_TIMER, PROCESSING_TIMER, Sink, Source};
use crate::{EventTime, Inputs, Outputs, Process, Result, Row, Timestamp};
use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

/// How many timers are given at once.
const TIMERS: usize = 100;
/// How many timers may be due in turn, each set by the one before it.
const CHAIN: usize = 10_000;

/// A process that is open, with its state and timers, which are kept from call to call.
pub struct Driver<P: Process> {
    config: Message,
    store: Store,
    inputs: Vec<Port>,
    key: Vec<Field>,
    keyed_by: Vec<&'static str>,
    keys: BTreeMap<String, Cells>, // all that were seen
    running: RunningProcess<P>,
    reuse: bool,
}

/// Opens a process with a configuration. It returns an error where the operator refuses to open.
///
/// Where the operator declares no [`Key`](Process::Key), all rows have one key until
/// [`keyed_by`](Driver::keyed_by) names the columns.
pub fn open<P: Process>(config: <P::Config as Row>::Of<'_>) -> Result<Driver<P>> {
    let config = message::<P::Config>(CONFIG, std::slice::from_ref(&config));
    let running = RunningProcess::<P>::open(config.bytes())?;
    let description = describe::<P>();
    Ok(Driver {
        config,
        store: Store::new(description.states),
        inputs: description.inputs,
        keyed_by: description.key.iter().map(|field| field.name).collect(),
        key: description.key,
        keys: BTreeMap::new(),
        running,
        reuse: false,
    })
}

impl<P: Process> Driver<P> {
    /// Names the columns by which the pipeline partitions the rows, of an operator whose
    /// [`Key`](Process::Key) is `()`.
    pub fn keyed_by(mut self, columns: &[&'static str]) -> Self {
        assert!(self.key.is_empty(), "the operator says itself what its key is");
        self.keyed_by = columns.to_vec();
        self
    }

    /// Has all calls done by one instance. Otherwise each is by a fresh one, as a host may do, so that
    /// what was kept elsewhere than in state is missed.
    pub fn reuse_instance(mut self) -> Self {
        self.reuse = true;
        self
    }

    /// Gives the operator rows, of one input after the other in batches. Timers wait for
    /// [`advance_watermark`](Self::advance_watermark) and [`advance_clock`](Self::advance_clock).
    pub fn process(&mut self, rows: &[<P::Input as Inputs>::Of<'_>]) -> Emitted<P::Outputs> {
        let mut run = self.begin();
        let mut from = 0;
        while from < rows.len() {
            let port = P::Input::port(&rows[from]);
            let alike = rows[from..].iter().take_while(|row| P::Input::port(row) == port).count();
            self.call(&mut run, from, from + alike, false, &|driver, from, to| {
                driver.batch(port, &rows[from..to])
            });
            from += alike;
        }
        run
    }

    /// Moves the watermark and returns what comes of the timers of event time that are due then. Their
    /// failures are numbered in the order in which the timers come. The last one is `EventTime(i64::MAX)`.
    pub fn advance_watermark(&mut self, to: EventTime) -> Emitted<P::Outputs> {
        self.store.watermark = self.store.watermark.max(to.0);
        self.fire(EVENT_TIMER, self.store.watermark)
    }

    /// Moves processing time and returns what comes of the timers that are due then.
    pub fn advance_clock(&mut self, to: Timestamp) -> Emitted<P::Outputs> {
        super::set_now(Timestamp(recorder::now().max(to.0)));
        self.fire(PROCESSING_TIMER, recorder::now())
    }

    fn begin(&self) -> Emitted<P::Outputs> {
        let mut out = P::Outputs::default();
        out.number(&mut Numbers::default());
        Emitted { out, parts: Vec::new(), failures: Vec::new(), logs: Vec::new() }
    }

    /// Gives rows from one to another to the operator. As the host does, it takes back a call that has
    /// put something where rows fail, and calls again without the first one that did.
    fn call(
        &mut self,
        run: &mut Emitted<P::Outputs>,
        from: usize,
        to: usize,
        timers: bool,
        prepare: &dyn Fn(&mut Self, usize, usize) -> Message,
    ) {
        if from >= to {
            return;
        }
        if !self.reuse {
            self.running = RunningProcess::open(self.config.bytes())
                .unwrap_or_else(|error| panic!("the operator refuses to open again: {error}"));
        }
        let batch = prepare(self, from, to);
        let before = self.store.kept.clone();
        recorder::take();
        recorder::set_store(Some(std::mem::take(&mut self.store)));
        if timers {
            self.running.timer(batch.bytes());
        } else {
            self.running.process(batch.bytes());
        }
        self.store = recorder::set_store(None).expect("the store is given back");
        let record = recorder::take();
        let failed = failures(&record.emitted);
        let first = failed.iter().min_by_key(|(row, _)| *row).cloned();
        match first {
            Some((row, text)) if self.store.call.put => {
                self.store.kept = before;
                self.call(run, from, from + row, timers, prepare);
                run.failures.push((from + row, text));
                self.call(run, from + row + 1, to, timers, prepare);
            }
            _ => run.add(Part { first: from, record, failed }),
        }
    }

    /// Makes a batch of rows of an input, and begins a call with them.
    fn batch(&mut self, port: u32, rows: &[<P::Input as Inputs>::Of<'_>]) -> Message {
        let input = &self.inputs[port as usize];
        let mut sink = Sink::default();
        P::Input::write(port, rows, &[], &mut sink);
        if input.broadcast {
            self.store.call = InCall::new(Call::Broadcast, &[]).0;
            return Message::new(sink.finish());
        }
        let place = |&name: &&'static str| {
            let place = input.fields.iter().position(|field| field.name == name);
            place.unwrap_or_else(|| panic!("input {:?} has no column {name} that would be a key", input.name))
        };
        let places: Vec<usize> = self.keyed_by.iter().map(place).collect();
        let cells = decode(&mut Source::new(Message::new(sink.finish()).bytes()), &input.fields);
        let mut names = Vec::new();
        for row in &cells {
            let (name, key) = key_name(row, &places);
            self.keys.entry(name.clone()).or_insert(key);
            names.push(name);
        }
        let (call, numbers) = InCall::new(Call::Keyed, &names);
        self.store.call = call;
        P::Input::write(port, rows, &numbers, &mut sink);
        Message::new(sink.finish())
    }

    /// Gives the operator the timers of a clock that are due, and those that they set.
    fn fire(&mut self, schema: u32, at: i64) -> Emitted<P::Outputs> {
        let mut run = self.begin();
        let mut fired = 0;
        loop {
            let due = self.store.pop(schema, at, TIMERS);
            if due.is_empty() {
                return run;
            }
            let first = fired;
            fired += due.len();
            assert!(
                fired <= CHAIN + TIMERS * self.keys.len(),
                "timers set others that are due at once, for ever"
            );
            self.call(&mut run, first, fired, true, &|driver, from, to| {
                driver.timers(schema, &due[from - first..to - first])
            });
        }
    }

    /// Makes a batch of timers that are due, and begins a call with them.
    fn timers(&mut self, schema: u32, due: &[Due]) -> Message {
        let mut fields = timer_fields();
        fields.extend(self.key.iter().map(Field::copy));
        let row = |due: &Due| {
            let mut row = Vec::from([Cell::Int(due.time), Cell::Bytes(due.namespace.clone())]);
            if !self.key.is_empty() {
                row.extend_from_slice(&self.keys[&due.key]);
            }
            row
        };
        let rows: Vec<Cells> = due.iter().map(row).collect();
        let names: Vec<String> = due.iter().map(|due| due.key.clone()).collect();
        let (call, numbers) = InCall::new(Call::Keyed, &names);
        self.store.call = call;
        encode(schema, &fields, &rows, &numbers, &[])
    }
}
