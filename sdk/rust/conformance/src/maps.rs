// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use wasmill::{Counter, Decimal, EventTime, Forward, Level, List, Map, Output, Result, Timestamp, bail};

wasmill::row! {
    pub struct Pair<'a> {
        pub a: Option<i64>,
        pub b: Option<&'a str>,
    }
}

wasmill::row! {
    pub struct All<'a> {
        pub b: Option<bool>,
        pub i: Option<i32>,
        pub l: Option<i64>,
        pub f: Option<f64>,
        pub d: Option<Decimal<2>>,
        pub s: Option<&'a str>,
        pub y: Option<&'a [u8]>,
        pub t: Option<Timestamp>,
        pub ls: Option<List<'a, Option<&'static str>>>,
        pub st: Option<Pair<'a>>,
    }
}

pub struct Everything;

impl Map for Everything {
    const NAME: &'static str = "everything";
    const DOC: &'static str = "Emits each row unchanged, a column of each type.";
    type Config = ();
    type Input = All<'static>;
    type Outputs = Output<All<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Everything)
    }

    fn process(&mut self, row: All, out: &mut Self::Outputs) -> Result {
        out.emit(row);
        Ok(())
    }
}

wasmill::row! {
    pub struct Text<'a> {
        pub text: &'a str,
    }
}

wasmill::row! {
    pub struct Word<'a> {
        pub word: &'a str,
        /// The number of the word in its row, from 0.
        pub index: i32,
    }
}

wasmill::row! {
    pub struct SplitConfig {
        /// What lies between two words.
        pub separator: String = " ",
    }
}

wasmill::outputs! {
    pub struct Words {
        pub main: Forward<Word<'static>>,
        pub words: Counter,
    }
}

pub struct Split {
    separator: String,
}

impl Map for Split {
    const NAME: &'static str = "split";
    const DOC: &'static str = "Emits a row for each word of a text.";
    type Config = SplitConfig;
    type Input = Text<'static>;
    type Outputs = Words;

    fn open(config: SplitConfig) -> Result<Self> {
        Ok(Split { separator: config.separator })
    }

    fn process(&mut self, row: Text, out: &mut Words) -> Result {
        let words = row.text.split(&self.separator).filter(|word| !word.is_empty());
        for (index, word) in words.enumerate() {
            out.main.emit(Word { word, index: index as i32 });
            out.words.add(1);
        }
        Ok(())
    }
}

wasmill::row! {
    pub struct Number {
        pub n: Option<i64>,
    }
}

wasmill::outputs! {
    pub struct Routes {
        pub even: Output<Number>,
        pub odd: Output<Number>,
    }
}

pub struct Route;

impl Map for Route {
    const NAME: &'static str = "route";
    const DOC: &'static str = "Emits even numbers, and odd ones to an output of their own.";
    type Config = ();
    type Input = Number;
    type Outputs = Routes;

    fn open(_: ()) -> Result<Self> {
        Ok(Route)
    }

    fn process(&mut self, row: Number, out: &mut Routes) -> Result {
        match row.n {
            None => {}
            Some(n) if n < 0 => bail!("n is negative: {n}"),
            Some(n) if n % 2 == 0 => out.even.emit(row),
            Some(_) => out.odd.emit(row),
        }
        Ok(())
    }
}

wasmill::row! {
    pub struct Timed {
        pub n: Option<i64>,
        pub time: EventTime,
    }
}

wasmill::row! {
    pub struct ShiftConfig {
        /// Microseconds that are added.
        pub by: i64,
    }
}

pub struct Shift {
    by: i64,
}

impl Map for Shift {
    const NAME: &'static str = "shift";
    const DOC: &'static str = "Moves the event time of each row.";
    type Config = ShiftConfig;
    type Input = Timed;
    type Outputs = Output<Timed>;

    fn open(config: ShiftConfig) -> Result<Self> {
        Ok(Shift { by: config.by })
    }

    fn process(&mut self, row: Timed, out: &mut Self::Outputs) -> Result {
        out.emit(Timed { time: EventTime(row.time.0 + self.by), ..row });
        Ok(())
    }
}

wasmill::row! {
    pub struct RefuseConfig {
        pub limit: i64,
    }
}

pub struct Refuse;

impl Map for Refuse {
    const NAME: &'static str = "refuse";
    const DOC: &'static str = "Refuses to open where its limit is not positive.";
    type Config = RefuseConfig;
    type Input = Number;
    type Outputs = Output<Number>;

    fn open(config: RefuseConfig) -> Result<Self> {
        if config.limit <= 0 {
            bail!("limit must be positive, not {}", config.limit);
        }
        Ok(Refuse)
    }

    fn process(&mut self, row: Number, out: &mut Self::Outputs) -> Result {
        out.emit(row);
        Ok(())
    }
}

wasmill::row! {
    pub struct Lucky {
        pub n: i64,
    }
}

pub struct Crash;

impl Map for Crash {
    const NAME: &'static str = "crash";
    const DOC: &'static str = "Panics at 13.";
    type Config = ();
    type Input = Lucky;
    type Outputs = Output<Lucky>;

    fn open(_: ()) -> Result<Self> {
        Ok(Crash)
    }

    fn process(&mut self, row: Lucky, out: &mut Self::Outputs) -> Result {
        assert!(row.n != 13, "unlucky {}", row.n);
        out.emit(row);
        Ok(())
    }
}

wasmill::row! {
    pub struct Line<'a> {
        pub level: i32,
        pub text: &'a str,
    }
}

pub struct Say;

impl Map for Say {
    const NAME: &'static str = "say";
    const DOC: &'static str = "Logs each row.";
    type Config = ();
    type Input = Line<'static>;
    type Outputs = Output<Number>;

    fn open(_: ()) -> Result<Self> {
        Ok(Say)
    }

    fn process(&mut self, row: Line, _: &mut Self::Outputs) -> Result {
        wasmill::log(Level::try_from(row.level)?, row.text);
        Ok(())
    }
}
