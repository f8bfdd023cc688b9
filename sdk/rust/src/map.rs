// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::describe::{Description, Kind, Outgoing, Port};
use crate::guest::{Entry, Operator, Running, config};
use crate::output::Numbers;
use crate::wire::Source;
use crate::{Batch, Failures, Outputs, Result, Row};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An operator that makes rows of rows and keeps no state between them: the host may put a fresh
/// instance in its place at any time.
///
/// It implements one of [`process`](Self::process) and [`process_batch`](Self::process_batch).
pub trait Map: Sized + 'static {
    /// The name by which a pipeline calls it.
    const NAME: &'static str;
    /// What it does, in one line.
    const DOC: &'static str = "";
    /// Its configuration, `()` where it has none.
    type Config: Row;
    /// The columns that it reads, as a struct of [`row!`](crate::row), with `'static` for its lifetime.
    type Input: Row;
    /// An [`Output`](crate::Output), or a struct of [`outputs!`](crate::outputs).
    type Outputs: Outputs;

    /// Makes an operator, or refuses to with the reason.
    fn open(config: <Self::Config as Row>::Of<'_>) -> Result<Self>;

    /// Processes one row. An error fails this row and no other; what was emitted for it is dropped.
    fn process(&mut self, row: <Self::Input as Row>::Of<'_>, out: &mut Self::Outputs) -> Result {
        let _ = (row, out);
        crate::bail!("{} implements neither process nor process_batch", Self::NAME)
    }

    /// Processes all rows of a call, for an operator that works on whole columns: it calls
    /// [`Output::fill`](crate::Output::fill), or, for single rows, [`Outputs::at`] before it emits.
    fn process_batch(
        &mut self,
        batch: &Batch<'_, Self::Input>,
        out: &mut Self::Outputs,
        failures: &mut Failures,
    ) {
        for row in 0..batch.len() {
            out.at(row);
            if let Err(error) = batch.get(row).and_then(|values| self.process(values, out)) {
                failures.add(row, error);
            }
        }
    }
}

/// Marks the operators that are maps.
pub struct IsMap;

impl<M: Map> Operator<IsMap> for M {
    const ENTRY: Entry = Entry {
        describe: || {
            let mut out = Outgoing::default();
            M::Outputs::describe("", &mut out);
            Description {
                name: M::NAME,
                kind: Kind::Map,
                doc: M::DOC,
                inputs: Vec::from([input::<M::Input>()]),
                out,
                config: M::Config::fields(),
                ..Description::default()
            }
        },
        open: |batch| Ok(Box::new(RunningMap::<M>::open(batch)?)),
    };
}

/// The port of an input.
pub(crate) fn input<R: Row>() -> Port {
    Port { fields: R::fields(), time: R::EVENT_TIMES == 1, ..Port::default() }
}

/// A map that is open, with the buffers that it writes to.
pub(crate) struct RunningMap<M: Map> {
    map: M,
    pub(crate) out: M::Outputs,
    failures: Failures,
}

impl<M: Map> RunningMap<M> {
    pub(crate) fn open(batch: &[u8]) -> Result<Self> {
        let mut source = Source::new(batch);
        let map = M::open(config::<M::Config>(&mut source)?)?;
        let mut out = M::Outputs::default();
        out.number(&mut Numbers::default());
        Ok(RunningMap { map, out, failures: Failures::default() })
    }
}

impl<M: Map> Running for RunningMap<M> {
    fn process(&mut self, batch: &[u8]) {
        let batch = Batch::<M::Input>::new(&mut Source::new(batch));
        self.failures.clear();
        self.out.begin(batch.len());
        self.map.process_batch(&batch, &mut self.out, &mut self.failures);
        self.out.finish(&self.failures);
    }

    fn aggregate(&mut self, _step: u32, _a: &[u8], _b: &[u8]) {
        panic!("{} is a map, not an aggregate", M::NAME);
    }
}
