// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::builder::Builder;
use crate::column::Column;
use crate::describe::{Description, Field, Kind, Outgoing, Port};
use crate::guest::{Entry, Operator, Running, config};
use crate::map::input;
use crate::output::{Outputs, optional};
use crate::wire::{ACCUMULATOR, Sink, Source};
use crate::{Batch, Failures, Output, Result, Row, Value, host};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An operator that folds the rows of a group into an accumulator, and makes one row of that. The
/// host groups the rows by key and window and keeps the accumulators.
pub trait Aggregate: Sized + 'static {
    /// The name by which a pipeline calls it.
    const NAME: &'static str;
    /// What it does, in one line.
    const DOC: &'static str = "";
    /// Its configuration, `()` where it has none.
    type Config: Row;
    /// The columns that it reads, as a struct of [`row!`](crate::row), with `'static` for its lifetime.
    type Input: Row;
    /// What is kept of a group: any type of column. Of no rows it is the default.
    type Accumulator: for<'a> Value<Of<'a>: Default>;
    /// The row that is made of an accumulator.
    type Output: Row;

    /// Makes an operator, or refuses to with the reason.
    fn open(config: <Self::Config as Row>::Of<'_>) -> Result<Self>;

    /// Adds a row, from which the accumulator may borrow. An error fails this row; the accumulator
    /// must then be as it was.
    fn add<'a>(
        &mut self,
        accumulator: &mut <Self::Accumulator as Value>::Of<'a>,
        row: <Self::Input as Row>::Of<'a>,
    ) -> Result;

    /// Adds the rows of another accumulator. It is associative: no matter how rows are grouped
    /// into accumulators, if these are merged in order the result is the same.
    fn merge<'a>(
        &mut self,
        accumulator: &mut <Self::Accumulator as Value>::Of<'a>,
        other: <Self::Accumulator as Value>::Of<'a>,
    );

    /// Emits what comes of an accumulator: one row.
    fn result(&mut self, accumulator: <Self::Accumulator as Value>::Of<'_>, out: &mut Output<Self::Output>);
}

/// Marks the operators that are aggregates.
pub struct IsAggregate;

impl<A: Aggregate> Operator<IsAggregate> for A {
    const ENTRY: Entry = Entry {
        describe: || {
            const { assert!(A::Output::EVENT_TIMES == 0, "the rows of an aggregate have the time of their window") }
            let mut accumulator = Field { name: "accumulator", ..Field::default() };
            A::Accumulator::describe(&mut accumulator);
            let fields = optional(A::Output::fields());
            Description {
                name: A::NAME,
                kind: Kind::Aggregate,
                doc: A::DOC,
                inputs: Vec::from([input::<A::Input>()]),
                out: Outgoing {
                    ports: Vec::from([Port { fields, ..Port::default() }]),
                    ..Outgoing::default()
                },
                config: A::Config::fields(),
                accumulator: Some(accumulator),
                ..Description::default()
            }
        },
        open: |batch| Ok(Box::new(RunningAggregate::<A>::open(batch)?)),
    };
}

/// An aggregate that is open, with the buffers that it writes to.
pub(crate) struct RunningAggregate<A: Aggregate> {
    aggregate: A,
    accumulators: <A::Accumulator as Value>::Builder,
    out: Output<A::Output>,
    failures: Failures,
    sink: Sink,
}

/// Accumulators of one call; those that are null have had no row.
type Accumulators<'a, A> = Vec<Option<<<A as Aggregate>::Accumulator as Value>::Of<'a>>>;

impl<A: Aggregate> RunningAggregate<A> {
    pub(crate) fn open(batch: &[u8]) -> Result<Self> {
        Ok(RunningAggregate {
            aggregate: A::open(config::<A::Config>(&mut Source::new(batch))?)?,
            accumulators: Default::default(),
            out: Output::once(),
            failures: Failures::default(),
            sink: Sink::default(),
        })
    }

    fn add(&mut self, rows: &[u8], accumulators: &[u8]) {
        let mut source = Source::new(rows);
        let batch = Batch::<A::Input>::new(&mut source);
        let mut accumulators = read::<A>(accumulators);
        for (row, &group) in source.groups().iter().enumerate() {
            let slot = &mut accumulators[group as usize];
            if let Err(error) = batch.get(row).and_then(|values| self.add_row(slot, values)) {
                self.failures.add(row, error);
            }
        }
        self.emit_accumulators(accumulators);
    }

    #[inline]
    fn add_row<'a>(
        &mut self,
        slot: &mut Option<<A::Accumulator as Value>::Of<'a>>,
        row: <A::Input as Row>::Of<'a>,
    ) -> Result {
        if let Some(accumulator) = slot {
            return self.aggregate.add(accumulator, row);
        }
        let mut accumulator = <A::Accumulator as Value>::Of::default();
        self.aggregate.add(&mut accumulator, row)?;
        *slot = Some(accumulator);
        Ok(())
    }

    fn merge(&mut self, a: &[u8], b: &[u8]) {
        let mut merged = read::<A>(a);
        for (slot, other) in merged.iter_mut().zip(read::<A>(b)) {
            match (slot.as_mut(), other) {
                (Some(accumulator), Some(other)) => self.aggregate.merge(accumulator, other),
                (None, other) => *slot = other,
                (Some(_), None) => {}
            }
        }
        self.emit_accumulators(merged);
    }

    fn result(&mut self, accumulators: &[u8]) {
        let accumulators = read::<A>(accumulators);
        self.out.begin(accumulators.len());
        for (row, accumulator) in accumulators.into_iter().enumerate() {
            self.out.at(row);
            self.aggregate.result(accumulator.unwrap_or_default(), &mut self.out);
        }
        self.out.finish(&self.failures);
    }

    fn emit_accumulators(&mut self, accumulators: Accumulators<'_, A>) {
        let rows = accumulators.len();
        for accumulator in accumulators {
            match accumulator {
                Some(accumulator) => A::Accumulator::push(&mut self.accumulators, accumulator),
                None => self.accumulators.push_null(),
            }
        }
        let failures = self.failures.rows();
        self.sink.begin(
            ACCUMULATOR,
            rows,
            <A::Accumulator as Value>::Builder::COLUMNS,
            failures,
            self.accumulators.size(),
        );
        self.accumulators.write(&mut self.sink);
        host::emit(self.sink.finish());
        self.accumulators.clear();
    }
}

impl<A: Aggregate> Running for RunningAggregate<A> {
    fn process(&mut self, _batch: &[u8]) {
        panic!("{} is an aggregate, not a map", A::NAME);
    }

    fn aggregate(&mut self, step: u32, a: &[u8], b: &[u8]) {
        self.failures.clear();
        match step {
            0 => self.add(a, b),
            1 => self.merge(a, b),
            2 => self.result(a),
            _ => panic!("an aggregate has no step {step}"),
        }
    }
}

fn read<A: Aggregate>(batch: &[u8]) -> Accumulators<'_, A> {
    let mut source = Source::new(batch);
    let column = A::Accumulator::column(&mut source);
    let nulls = column.nulls();
    let get = |row| {
        if nulls.is_null(row) {
            return None;
        }
        assert!(
            !A::Accumulator::incomplete(&column, row),
            "accumulator {row} has a null that {} never wrote",
            A::NAME
        );
        Some(A::Accumulator::get(&column, row))
    };
    (0..source.rows).map(get).collect()
}
