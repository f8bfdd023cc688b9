// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operators of `cmd/bench`, which every SDK builds: written for speed, by the column, and
//! compiled with `target-feature=+simd128`.

use wasmill::{Aggregate, Batch, Failures, Forward, Map, Output, Process, Result, ValueState};

wasmill::row! {
    pub struct Numbers {
        pub a: i64,
        pub b: i64,
        pub c: i64,
        pub d: i64,
    }
}

wasmill::row! {
    pub struct Mixed {
        pub w: i64,
        pub x: i64,
        pub y: i64,
        pub z: i64,
    }
}

wasmill::row! {
    pub struct Text<'a> {
        pub s: &'a str,
    }
}

pub struct Empty;

impl Map for Empty {
    const NAME: &'static str = "empty";
    const DOC: &'static str = "Forwards all rows.";
    type Config = ();
    type Input = ();
    type Outputs = Forward<()>;

    fn open(_: ()) -> Result<Self> {
        Ok(Empty)
    }

    fn process_batch(&mut self, _: &Batch<()>, out: &mut Self::Outputs, _: &mut Failures) {
        out.fill(|_| ());
    }
}

pub struct Four;

impl Map for Four {
    const NAME: &'static str = "four";
    const DOC: &'static str = "Four numbers of four numbers, by the column.";
    type Config = ();
    type Input = Numbers;
    type Outputs = Output<Mixed>;

    fn open(_: ()) -> Result<Self> {
        Ok(Four)
    }

    fn process_batch(&mut self, batch: &Batch<Numbers>, out: &mut Output<Mixed>, _: &mut Failures) {
        let (n, rows) = (batch.columns(), batch.len());
        let (a, b) = (&n.a.values()[..rows], &n.b.values()[..rows]);
        let (c, d) = (&n.c.values()[..rows], &n.d.values()[..rows]);
        out.fill(|out| {
            let (w, x) = (out.w.zeros(rows), out.x.zeros(rows));
            let (y, z) = (out.y.zeros(rows), out.z.zeros(rows));
            for i in 0..rows {
                w[i] = a[i].wrapping_add(b[i]);
                x[i] = c[i].wrapping_sub(d[i]);
                y[i] = a[i] ^ c[i];
                z[i] = b[i].wrapping_add(d[i]);
            }
        });
    }
}

pub struct FourRows;

impl Map for FourRows {
    const NAME: &'static str = "four_rows";
    const DOC: &'static str = "Four numbers of four numbers, by the row.";
    type Config = ();
    type Input = Numbers;
    type Outputs = Output<Mixed>;

    fn open(_: ()) -> Result<Self> {
        Ok(FourRows)
    }

    fn process(&mut self, n: Numbers, out: &mut Output<Mixed>) -> Result {
        out.emit(Mixed {
            w: n.a.wrapping_add(n.b),
            x: n.c.wrapping_sub(n.d),
            y: n.a ^ n.c,
            z: n.b.wrapping_add(n.d),
        });
        Ok(())
    }
}

wasmill::row! {
    pub struct FilterConfig {
        /// What s must be.
        pub value: String,
    }
}

pub struct Filter {
    value: String,
    kept: Vec<u32>,
}

impl Map for Filter {
    const NAME: &'static str = "filter";
    const DOC: &'static str = "Forwards the rows whose s has a given value.";
    type Config = FilterConfig;
    type Input = Text<'static>;
    type Outputs = Forward<()>;

    fn open(config: FilterConfig) -> Result<Self> {
        Ok(Filter { value: config.value, kept: Vec::new() })
    }

    fn process_batch(&mut self, batch: &Batch<Text<'static>>, out: &mut Self::Outputs, _: &mut Failures) {
        let Filter { value, kept } = self;
        let s = batch.columns().s;
        kept.clear();
        kept.reserve(batch.len());
        for row in 0..batch.len() {
            if s.equals(row, value) {
                kept.push(row as u32);
            }
        }
        out.fill_from(kept, |_| ());
    }
}

wasmill::row! {
    pub struct Counted {
        pub count: i64,
    }
}

pub struct Count;

impl Aggregate for Count {
    const NAME: &'static str = "count";
    const DOC: &'static str = "How many rows there are.";
    type Config = ();
    type Input = ();
    type Accumulator = i64;
    type Output = Counted;

    fn open(_: ()) -> Result<Self> {
        Ok(Count)
    }

    fn add(&mut self, count: &mut i64, _: ()) -> Result {
        *count += 1;
        Ok(())
    }

    fn merge(&mut self, count: &mut i64, other: i64) {
        *count += other;
    }

    fn result(&mut self, count: i64, out: &mut Output<Counted>) {
        out.emit(Counted { count });
    }
}

wasmill::row! {
    pub struct Key {
        pub k: i64,
    }
}

wasmill::states! {
    pub struct Seen {
        pub seen: ValueState<i64>,
    }
}

pub struct CountProcess;

impl Process for CountProcess {
    const NAME: &'static str = "count_process";
    const DOC: &'static str = "How many rows of its key each row has seen, by the column.";
    type Config = ();
    type Key = Key;
    type Input = Key;
    type State = Seen;
    type Outputs = Forward<Counted>;

    fn open(_: ()) -> Result<Self> {
        Ok(CountProcess)
    }

    fn process_batch(
        &mut self,
        batch: &Batch<Key>,
        state: &mut Seen,
        out: &mut Forward<Counted>,
        _: &mut Failures,
    ) {
        let (keys, counts) = (batch.keys(), state.seen.update_all());
        out.fill(|out| {
            for (&key, out) in keys.iter().zip(out.count.zeros(keys.len())) {
                let count = &mut counts[key as usize];
                *count += 1;
                *out = *count;
            }
        });
    }
}

pub struct CountProcessRows;

impl Process for CountProcessRows {
    const NAME: &'static str = "count_process_rows";
    const DOC: &'static str = "How many rows of its key each row has seen, by the row.";
    type Config = ();
    type Key = Key;
    type Input = Key;
    type State = Seen;
    type Outputs = Forward<Counted>;

    fn open(_: ()) -> Result<Self> {
        Ok(CountProcessRows)
    }

    fn process(&mut self, _: Key, state: &mut Seen, out: &mut Forward<Counted>) -> Result {
        let count = state.seen.update();
        *count += 1;
        out.emit(Counted { count: *count });
        Ok(())
    }
}

wasmill::module!(Empty, Four, FourRows, Filter, Count, CountProcess, CountProcessRows);
