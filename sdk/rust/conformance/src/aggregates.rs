// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use wasmill::{Aggregate, Output, Result, bail};

wasmill::row! {
    pub struct Sample {
        pub x: Option<f64>,
    }
}

wasmill::row! {
    #[derive(Default)]
    pub struct Sum {
        pub sum: f64,
        pub count: i64,
    }
}

wasmill::row! {
    pub struct Average {
        pub mean: Option<f64>,
        pub count: i64,
    }
}

pub struct Mean;

impl Aggregate for Mean {
    const NAME: &'static str = "mean";
    const DOC: &'static str = "The mean of the values, and how many there were.";
    type Config = ();
    type Input = Sample;
    type Accumulator = Sum;
    type Output = Average;

    fn open(_: ()) -> Result<Self> {
        Ok(Mean)
    }

    fn add(&mut self, total: &mut Sum, row: Sample) -> Result {
        match row.x {
            Some(x) if x < 0.0 => bail!("x is negative"),
            Some(x) => {
                total.sum += x;
                total.count += 1;
            }
            None => {}
        }
        Ok(())
    }

    fn merge(&mut self, total: &mut Sum, other: Sum) {
        total.sum += other.sum;
        total.count += other.count;
    }

    fn result(&mut self, total: Sum, out: &mut Output<Average>) {
        let mean = if total.count == 0 { None } else { Some(total.sum / total.count as f64) };
        out.emit(Average { mean, count: total.count });
    }
}

wasmill::row! {
    pub struct Text<'a> {
        pub s: Option<&'a str>,
    }
}

wasmill::row! {
    pub struct Winner<'a> {
        pub longest: Option<&'a str>,
    }
}

pub struct Longest;

impl Aggregate for Longest {
    const NAME: &'static str = "longest";
    const DOC: &'static str = "The longest string, the first of equally long ones.";
    type Config = ();
    type Input = Text<'static>;
    type Accumulator = Option<&'static str>;
    type Output = Winner<'static>;

    fn open(_: ()) -> Result<Self> {
        Ok(Longest)
    }

    fn add<'a>(&mut self, longest: &mut Option<&'a str>, row: Text<'a>) -> Result {
        self.merge(longest, row.s);
        Ok(())
    }

    fn merge<'a>(&mut self, longest: &mut Option<&'a str>, other: Option<&'a str>) {
        if other.map(str::len) > longest.map(str::len) {
            *longest = other;
        }
    }

    fn result(&mut self, longest: Option<&str>, out: &mut Output<Winner<'static>>) {
        out.emit(Winner { longest });
    }
}
