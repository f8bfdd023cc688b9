// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::column::{Bytes, Numbers as NumberColumn};
use crate::describe::{Description, Field, Kind, Outgoing, Port, State};
use crate::guest::{Entry, Operator, Running, config};
use crate::output::{Numbers, Outputs, optional};
use crate::state::Call;
use crate::wire::{EVENT_TIMER, Source};
use crate::{Clock, Failures, Inputs, Result, Row, States, Timer, Timestamp};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An operator with state and timers, which lie on the host, by key.
///
/// State is that of the key of the row, or of the timer, at hand; what a row has written, rows behind
/// it read. It implements one of [`process`](Self::process) and
/// [`process_batch`](Self::process_batch). The host may put a fresh instance in its place between any
/// two calls: what must last lies in the state.
///
/// An error fails a row, or a timer, and no other: the host takes back what the call has emitted and
/// put, and calls again without it.
pub trait Process: Sized + 'static {
    /// The name by which a pipeline calls it.
    const NAME: &'static str;
    /// What it does, in one line.
    const DOC: &'static str = "";
    /// Its configuration, `()` where it has none.
    type Config: Row;
    /// The columns by which its keyed inputs are partitioned, as a struct of [`row!`](crate::row): each
    /// of these inputs has them. `()` where the pipeline says what the key is.
    type Key: Row;
    /// The columns that it reads, as a struct of [`row!`](crate::row); where it has several inputs, an
    /// enum of [`inputs!`](crate::inputs).
    type Input: Inputs;
    /// Its states and timers, as a struct of [`states!`](crate::states).
    type State: States;
    /// An [`Output`](crate::Output), or a struct of [`outputs!`](crate::outputs).
    type Outputs: Outputs;

    /// Makes an operator, or refuses to with the reason.
    fn open(config: <Self::Config as Row>::Of<'_>) -> Result<Self>;

    /// Processes one row.
    fn process(
        &mut self,
        row: <Self::Input as Inputs>::Of<'_>,
        state: &mut Self::State,
        out: &mut Self::Outputs,
    ) -> Result {
        let _ = (row, state, out);
        crate::bail!("{} implements neither process nor process_batch", Self::NAME)
    }

    /// Processes all rows of a call, for an operator that works on whole columns. Values of a
    /// [`ValueState`](crate::ValueState) it reaches by the key numbers of
    /// [`Batch::keys`](crate::Batch::keys); before it calls what works on the key at hand, it says by
    /// [`States::at`] which that is, and by [`Outputs::at`] from which row single rows come.
    fn process_batch(
        &mut self,
        batch: &<Self::Input as Inputs>::Batch<'_>,
        state: &mut Self::State,
        out: &mut Self::Outputs,
        failures: &mut Failures,
    ) {
        let keys = Self::Input::keys(batch);
        for row in 0..Self::Input::len(batch) {
            out.at(row);
            state.at(keys.get(row).copied().unwrap_or(0));
            let values = Self::Input::get(batch, row);
            if let Err(error) = values.and_then(|values| self.process(values, state, out)) {
                failures.add(row, error);
            }
        }
    }

    /// Takes a timer that is due, and its key. Timers come in the order of their time; an operator
    /// that sets some implements it.
    fn on_timer(
        &mut self,
        timer: Timer<'_>,
        key: <Self::Key as Row>::Of<'_>,
        state: &mut Self::State,
        out: &mut Self::Outputs,
    ) -> Result {
        let _ = (timer, key, state, out);
        crate::bail!("{} sets timers and does not implement on_timer", Self::NAME)
    }
}

/// Marks the operators that are processes.
pub struct IsProcess;

impl<P: Process> Operator<IsProcess> for P {
    const ENTRY: Entry =
        Entry { describe: describe::<P>, open: |batch| Ok(Box::new(RunningProcess::<P>::open(batch)?)) };
}

/// Describes a process. It panics where what it declares is none.
pub(crate) fn describe<P: Process>() -> Description {
    let mut out = Outgoing::default();
    P::Outputs::describe("", &mut out);
    let (inputs, states) = (P::Input::ports(), states::<P>());
    Description {
        name: P::NAME,
        kind: Kind::Process,
        doc: P::DOC,
        key: key::<P>(&inputs),
        inputs,
        out,
        config: P::Config::fields(),
        states,
        ..Description::default()
    }
}

fn states<P: Process>() -> Vec<State> {
    let mut states = Vec::new();
    P::State::describe(&mut states);
    states
}

/// The fields of the key, which each keyed input has.
fn key<P: Process>(inputs: &[Port]) -> Vec<Field> {
    const { assert!(P::Key::EVENT_TIMES == 0, "an event time is no part of a key") }
    let keyed = || inputs.iter().filter(|input| !input.broadcast);
    assert!(matches!(keyed().count(), 1 | 2), "{} has one or two inputs that are not broadcast", P::NAME);
    let key = P::Key::fields();
    for field in &key {
        assert!(field.required, "{}: {} can't be null: it is part of the key", P::NAME, field.name);
        for input in keyed() {
            assert!(
                input.fields.iter().any(|other| other.required && other.is_alike(field)),
                "{}: input {:?} lacks {}, of the same type as in the key",
                P::NAME,
                input.name,
                field.name
            );
        }
    }
    optional(key)
}

/// A process that is open, with the buffers that it writes to.
pub(crate) struct RunningProcess<P: Process> {
    process: P,
    state: P::State,
    pub(crate) out: P::Outputs,
    failures: Failures,
}

impl<P: Process> RunningProcess<P> {
    pub(crate) fn open(batch: &[u8]) -> Result<Self> {
        let mut source = Source::new(batch);
        let process = P::open(config::<P::Config>(&mut source)?)?;
        let mut out = P::Outputs::default();
        out.number(&mut Numbers::default());
        let mut state = P::State::default();
        state.link(&states::<P>());
        Ok(RunningProcess { process, state, out, failures: Failures::default() })
    }

    fn begin(&mut self, call: Call, rows: usize) {
        self.failures.clear();
        self.state.begin(call);
        self.out.begin(rows);
    }

    fn finish(&mut self) {
        self.state.finish();
        self.out.finish(&self.failures);
    }

    fn due(&mut self, source: &mut Source) {
        let clock = if source.schema == EVENT_TIMER { Clock::EventTime } else { Clock::ProcessingTime };
        let times = NumberColumn::<Timestamp>::new(source);
        let namespaces = Bytes::new(source);
        let columns = P::Key::columns(source);
        for (row, &number) in source.groups().iter().enumerate() {
            self.out.at(row);
            self.state.at(number);
            let namespace = if namespaces.nulls().is_null(row) { &[] } else { namespaces.get(row) };
            let timer = Timer { time: times.values()[row], namespace, clock };
            let key = P::Key::read(&columns, row);
            if let Err(error) = self.process.on_timer(timer, key, &mut self.state, &mut self.out) {
                self.failures.add(row, error);
            }
        }
    }
}

impl<P: Process> Running for RunningProcess<P> {
    fn process(&mut self, batch: &[u8]) {
        let mut source = Source::new(batch);
        let call = if P::Input::is_broadcast(source.schema) { Call::Broadcast } else { Call::Keyed };
        let batch = P::Input::batch(&mut source);
        let keys = P::Input::keys(&batch).len();
        assert!(call == Call::Broadcast || keys == source.rows, "the host sent rows without their keys");
        self.begin(call, source.rows);
        self.process.process_batch(&batch, &mut self.state, &mut self.out, &mut self.failures);
        self.finish();
    }

    fn timer(&mut self, batch: &[u8]) {
        let mut source = Source::new(batch);
        self.begin(Call::Keyed, source.rows);
        self.due(&mut source);
        self.finish();
    }

    fn aggregate(&mut self, _step: u32, _a: &[u8], _b: &[u8]) {
        panic!("{} is a process, not an aggregate", P::NAME);
    }
}
