// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::conformance::maps::*;
use crate::testing::{run, set_now};
use crate::wire::{FULL, MAX_ROWS};
use crate::{Counter, EventTime, Forward, Level, List, Map, Output, Result, Timestamp, bail};

fn numbers(numbers: &[Option<i64>]) -> Vec<Number> {
    numbers.iter().map(|&n| Number { n }).collect()
}

#[test]
fn a_row_may_become_several() {
    let texts = ["a bc  d ", "", "xx"].map(|text| Text { text });
    let run = run::<Split>(SplitConfig { separator: " ".into() }, &texts).expect("it opens");
    let word = |word, index| Word { word, index };
    assert_eq!(run.rows(|out| &out.main), [word("a", 0), word("bc", 1), word("d", 2), word("xx", 0)]);
    assert_eq!(run.origins(|out| &out.main), [0, 0, 0, 2]);
    assert_eq!(run.count(|out| &out.words), 4);
}

#[test]
fn rows_go_to_the_output_that_they_are_emitted_to() {
    let input = numbers(&[Some(1), Some(2), None, Some(-3), Some(4)]);
    let run = run::<Route>((), &input).expect("it opens");
    assert_eq!(run.rows(|out| &out.even), numbers(&[Some(2), Some(4)]));
    assert_eq!(run.rows(|out| &out.odd), numbers(&[Some(1)]));
    assert_eq!(run.origins(|out| &out.even), [1, 4]);
    assert_eq!(run.failures(), [(3, "n is negative: -3".to_string())]);
}

#[test]
fn failures_reach_the_host_without_rows() {
    let run = run::<Route>((), &numbers(&[Some(-1), Some(-2)])).expect("it opens");
    assert_eq!(run.failures().len(), 2);
    assert!(run.rows(|out| &out.even).is_empty());
}

#[test]
fn event_times_are_read_and_written() {
    let rows = [1000, -5].map(|time| Timed { n: Some(time), time: EventTime(time) });
    let run = run::<Shift>(ShiftConfig { by: 7 }, &rows).expect("it opens");
    let times: Vec<_> = run.rows(|out| out).iter().map(|row| row.time.0).collect();
    assert_eq!(times, [1007, 2]);
}

#[test]
fn an_operator_may_refuse_to_open() {
    let refused = run::<Refuse>(RefuseConfig { limit: -1 }, &[]).err().expect("it refuses");
    assert_eq!(refused.message(), "limit must be positive, not -1");
}

#[test]
#[should_panic(expected = "unlucky 13")]
fn a_panic_stays_a_panic() {
    let _ = run::<Crash>((), &[Lucky { n: 13 }]);
}

#[test]
fn lines_are_logged() {
    let line = |level, text| Line { level, text };
    let run = run::<Say>((), &[line(0, "a"), line(3, "b"), line(4, "c")]).expect("it opens");
    assert_eq!(run.logs(), [(Level::Debug, "a".to_string()), (Level::Error, "b".to_string())]);
    assert_eq!(run.failures()[0].0, 2);
}

wasmill::row! {
    struct Inner {
        whole: i64,
    }
}

wasmill::row! {
    struct Lists<'a> {
        items: List<'a, i64>,
        inner: Option<Inner>,
    }
}

wasmill::row! {
    struct NullableLists {
        items: Option<Vec<Option<i64>>>,
        inner: Option<NullableInner>,
    }
}

wasmill::row! {
    struct NullableInner {
        whole: Option<i64>,
    }
}

/// Emits the rows that it is given, as it declares them.
struct Strict;

impl Map for Strict {
    const NAME: &'static str = "strict";
    type Config = ();
    type Input = Lists<'static>;
    type Outputs = Output<Lists<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Strict)
    }

    fn process(&mut self, row: Lists, out: &mut Self::Outputs) -> Result {
        out.emit(row);
        Ok(())
    }
}

#[test]
fn a_row_with_a_null_where_none_can_be_fails() {
    use crate::guest::Running;
    use crate::map::RunningMap;
    use crate::testing::{message, recorder};
    use crate::wire::{CONFIG, Source};

    let row = |items, inner| NullableLists { items, inner };
    let inner = |whole| Some(NullableInner { whole });
    let input = message::<NullableLists>(
        0,
        &[
            row(Some(Vec::from([Some(1)])), None),
            row(Some(Vec::from([Some(1), None])), None),
            row(None, inner(Some(2))),
            row(Some(Vec::new()), inner(None)),
            row(Some(Vec::new()), inner(Some(3))),
        ],
    );
    let mut strict = RunningMap::<Strict>::open(message::<()>(CONFIG, &[()]).bytes()).expect("it opens");
    strict.process(input.bytes());
    let emitted = recorder::take().emitted;
    let source = Source::new(emitted[0].bytes());
    assert_eq!(source.origins(), Some(&[0, 4][..]));
    let failed: Vec<_> = source.failures().map(|(row, text)| (row, String::from_utf8_lossy(text))).collect();
    assert_eq!(
        failed,
        [
            (1, "items is null, or something in it is".into()),
            (2, "items is null, or something in it is".into()),
            (3, "inner is null, or something in it is".into()),
        ]
    );
}

// Names that the macro's expansion could mistake for its own.
wasmill::row! {
    struct Builders<'of> {
        columns: Columns<'of>,
        row: i64,
    }
}

wasmill::row! {
    struct Columns<'a> {
        rows: &'a str,
        fields: Option<i64>,
        builders: i64,
    }
}

/// Emits each row unchanged.
struct Nested;

impl Map for Nested {
    const NAME: &'static str = "nested";
    type Config = ();
    type Input = Builders<'static>;
    type Outputs = Output<Builders<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Nested)
    }

    fn process(&mut self, row: Builders, out: &mut Self::Outputs) -> Result {
        out.emit(row);
        Ok(())
    }
}

#[test]
fn names_of_rows_and_fields_are_free() {
    let row = |row, rows| Builders { columns: Columns { rows, fields: None, builders: row }, row };
    let rows = [row(1, "a"), row(2, "")];
    assert_eq!(run::<Nested>((), &rows).expect("it opens").rows(|out| out), rows);
}

wasmill::row! {
    struct Repeat {
        times: i64,
        bytes: i64,
    }
}

wasmill::row! {
    struct Copy<'a> {
        number: i64,
        text: &'a str,
    }
}

wasmill::outputs! {
    struct Copies {
        copies: Forward<Copy<'static>>,
        all: Counter,
    }
}

/// Emits a row as often as it says, with a text of as many bytes as it says.
struct Repeater(String);

impl Map for Repeater {
    const NAME: &'static str = "repeater";
    type Config = ();
    type Input = Repeat;
    type Outputs = Copies;

    fn open(_: ()) -> Result<Self> {
        Ok(Repeater(String::new()))
    }

    fn process(&mut self, row: Repeat, out: &mut Copies) -> Result {
        self.0 = "x".repeat(row.bytes as usize);
        for number in 0..row.times {
            out.copies.emit(Copy { number, text: &self.0 });
            out.all.add(1);
        }
        if row.times == 7 {
            bail!("seven");
        }
        Ok(())
    }
}

#[test]
fn batches_stay_within_the_limits() {
    let many = MAX_ROWS as i64 + 10;
    let large = FULL as i64 / 2 + 1;
    let rows = [(1, 0), (many, 0), (7, 3), (3, large), (1, 0)];
    let run = run::<Repeater>((), &rows.map(|(times, bytes)| Repeat { times, bytes })).expect("it opens");
    assert_eq!(run.batches(), [MAX_ROWS, 1 + 10 + 7 + 2, 2]);
    assert_eq!(run.failures(), [(2, "seven".to_string())]);
    let origins = run.origins(|out| &out.copies);
    let count = |row| origins.iter().filter(|&&origin| origin == row).count();
    assert_eq!([0, 1, 2, 3, 4].map(count), [1, many as usize, 0, 3, 1], "a failed row leaves nothing");
    assert!(origins.is_sorted());
    let rows = run.rows(|out| &out.copies);
    assert!(rows[1..].iter().take(many as usize).map(|row| row.number).eq(0..many));
    assert_eq!(run.count(|out| &out.all), 1 + many + 7 + 3 + 1);
}

#[test]
fn a_full_input_may_give_more_rows_than_it_has() {
    let rows: Vec<_> = (0..MAX_ROWS)
        .map(|row| Repeat { times: if row + 1 == MAX_ROWS { 2 } else { 1 }, bytes: 0 })
        .collect();
    let run = run::<Repeater>((), &rows).expect("it opens");
    assert_eq!(run.batches(), [MAX_ROWS, 1]);
    assert!(run.origins(|out| &out.copies).into_iter().eq((0..MAX_ROWS).chain([MAX_ROWS - 1])));
}

/// Fails each row with the same long message.
struct Grumble;

impl Map for Grumble {
    const NAME: &'static str = "grumble";
    type Config = ();
    type Input = Number;
    type Outputs = Output<Number>;

    fn open(_: ()) -> Result<Self> {
        Ok(Grumble)
    }

    fn process(&mut self, _: Number, _: &mut Self::Outputs) -> Result {
        bail!("a{}", "ü".repeat(3000))
    }
}

#[test]
fn messages_of_many_failed_rows_fit_into_a_batch() {
    let run = run::<Grumble>((), &vec![Number { n: None }; MAX_ROWS]).expect("it opens");
    let failures = run.failures();
    assert_eq!(failures.len(), MAX_ROWS);
    assert_eq!(
        (failures[0].1.len(), failures[MAX_ROWS - 1].1.len()),
        (4095, 127),
        "no character is cut in two"
    );
    assert!(failures.iter().map(|(_, message)| message.len()).sum::<usize>() < 32 << 20);
}

/// Emits the time, from a list of its own.
struct Clock(Vec<i64>);

impl Map for Clock {
    const NAME: &'static str = "clock";
    type Config = ();
    type Input = Number;
    type Outputs = Output<Lists<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Clock(Vec::new()))
    }

    fn process(&mut self, _: Number, out: &mut Self::Outputs) -> Result {
        self.0.push(crate::now().0);
        out.emit(Lists { items: self.0.as_slice().into(), inner: Some(Inner { whole: 1 }) });
        Ok(())
    }
}

#[test]
fn lists_are_written_from_slices() {
    set_now(Timestamp(42));
    let run = run::<Clock>((), &numbers(&[None, None])).expect("it opens");
    let rows = run.rows(|out| out);
    assert_eq!(rows[1].items.iter().collect::<Vec<_>>(), [42, 42]);
    assert_eq!((rows[0].items.len(), rows[0].items.get(1)), (1, None));
}

#[test]
fn validity_is_right_around_bytes() {
    // Nulls at every place relative to the bytes of the bitmap, with values before and after.
    for rows in 1..40 {
        for null in 0..rows {
            let input: Vec<_> =
                (0..rows).map(|n| if n == null || n == null + 9 { None } else { Some(2 * n) }).collect();
            let input = numbers(&input);
            let run = run::<Refuse>(RefuseConfig { limit: 1 }, &input).expect("it opens");
            assert_eq!(run.rows(|out| out), input, "{rows} rows, {null} is null");
        }
    }
}
