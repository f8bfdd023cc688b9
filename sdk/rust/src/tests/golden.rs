// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Golden bytes of `abi/testdata`: what is read is what the JSON beside them says.

use super::conformance::maps::{All, Everything, Number, Timed};
use super::json::{Json, ToJson, assert_rows, golden, object};
use crate::guest::Running;
use crate::map::RunningMap;
use crate::testing::{Message, recorder};
use crate::wire::{CONFIG, Sink, Source};
use crate::{Batch, Builder, Decimal, Row, Timestamp, Value};

wasmill::row! {
    struct Settings {
        on: Option<bool>,
        level: Option<i32>,
        limit: Option<i64>,
        rate: Option<f64>,
        price: Option<Decimal<2>>,
        separator: Option<String>,
        since: Option<Timestamp>,
        airports: Option<Vec<String>>,
        absent: Option<String>,
    }
}

wasmill::row! {
    struct PartialSum {
        sum: Option<f64>,
        count: Option<i64>,
    }
}

fn all(row: &All) -> Json {
    let mut json = object!(row, b, i, l, f, d, s, y, t, ls);
    if let Json::Object(members) = &mut json {
        let st = row.st.as_ref().map_or(Json::Null, |st| object!(st, a, b));
        members.push(("st".into(), st));
    }
    json
}

fn read<R: Row>(message: &Message) -> Vec<R::Of<'_>> {
    let batch = Batch::<R>::new(&mut Source::new(message.bytes()));
    (0..batch.len()).map(|row| batch.get(row).expect("the row is whole")).collect()
}

#[test]
fn every_type_is_read() {
    for (name, wanted) in
        [("everything", "everything"), ("everything-relaid", "everything"), ("empty", "empty")]
    {
        let message = Message::new(&golden(&format!("batch-{name}.bin")));
        let wanted = Json::golden(&format!("batch-{wanted}.json"));
        assert_rows(&read::<All>(&message), all, &wanted);
    }
}

#[test]
fn every_type_is_written() {
    let mut config = Sink::default();
    config.begin(CONFIG, 1, 0, &[], 0);
    let mut everything =
        RunningMap::<Everything>::open(Message::new(config.finish()).bytes()).expect("it opens");
    let wanted = Json::golden("batch-everything.json");
    for name in ["everything", "empty", "everything-relaid"] {
        recorder::take();
        everything.process(Message::new(&golden(&format!("batch-{name}.bin"))).bytes());
        let emitted = recorder::take().emitted;
        if name == "empty" {
            assert!(emitted.is_empty());
            continue;
        }
        assert_rows(&read::<All>(&emitted[0]), all, &wanted);
        assert!(Source::new(emitted[0].bytes()).origins().is_none(), "row n came from row n");
    }
}

#[test]
fn times_and_origins_are_read() {
    let message = Message::new(&golden("batch-times-kinds-origin.bin"));
    let wanted = Json::golden("batch-times-kinds-origin.json");
    let rows = read::<Timed>(&message);
    assert_rows(&rows, |row| object!(row, n), &wanted);
    let times: Vec<Json> = rows.iter().map(|row| row.time.json()).collect();
    assert_eq!(times, wanted.get("time").list());
    let source = Source::new(message.bytes());
    assert_eq!(numbers(source.origins().expect("it has origins")), wanted.get("origin").list());
    assert_eq!(Json::Number(f64::from(source.schema)), *wanted.get("schema"));
}

#[test]
fn groups_are_read() {
    let message = Message::new(&golden("batch-group.bin"));
    let wanted = Json::golden("batch-group.json");
    let rows = read::<super::conformance::aggregates::Sample>(&message);
    assert_rows(&rows, |row| object!(row, x), &wanted);
    assert_eq!(numbers(Source::new(message.bytes()).groups()), wanted.get("group").list());
}

#[test]
fn failures_are_read() {
    let message = Message::new(&golden("batch-failures.bin"));
    let wanted = Json::golden("batch-failures.json");
    assert_rows(&read::<Number>(&message), |row| object!(row, n), &wanted);
    let failures = Source::new(message.bytes()).failures();
    let failures: Vec<Json> = failures
        .map(|(row, text)| {
            let text = std::str::from_utf8(text).expect("messages are UTF-8");
            Json::Object([("row".into(), (row as i32).json()), ("message".into(), text.json())].into())
        })
        .collect();
    assert_eq!(failures, wanted.get("failures").list());
}

#[test]
fn a_configuration_is_read() {
    let message = Message::new(&golden("batch-config.bin"));
    let config = crate::guest::config::<Settings>(&mut Source::new(message.bytes())).expect("it is whole");
    let write =
        |row: &Settings| object!(row, on, level, limit, rate, price, separator, since, airports, absent);
    assert_rows(&[config], write, &Json::golden("batch-config.json"));
}

#[test]
fn accumulators_are_read() {
    let message = Message::new(&golden("batch-accumulators.bin"));
    let mut source = Source::new(message.bytes());
    let column = Option::<PartialSum>::column(&mut source);
    let rows = (0..source.rows).map(|row| Option::<PartialSum>::get(&column, row));
    let rows: Vec<Json> = rows
        .map(|row| {
            let sum = row.map_or(Json::Null, |row| object!(row, sum, count));
            Json::Object([("accumulator".into(), sum)].into())
        })
        .collect();
    assert_eq!(rows, Json::golden("batch-accumulators.json").get("rows").list());
}

wasmill::row! {
    struct Kept<'a> {
        name: Option<&'a str>,
        at: Option<i64>,
        n: Option<i64>,
    }
}

wasmill::row! {
    struct Asked<'a> {
        name: Option<&'a str>,
        at: Option<i64>,
    }
}

wasmill::row! {
    struct Sums {
        sum: Option<i64>,
        count: Option<i64>,
    }
}

wasmill::row! {
    struct Due<'a> {
        time: Timestamp,
        namespace: &'a [u8],
        id: i64,
    }
}

wasmill::row! {
    struct Set<'a> {
        time: Timestamp,
        namespace: Option<&'a [u8]>,
    }
}

/// Reads rows of states or timers, and what this crate writes of them.
macro_rules! kept {
    ($name:literal, $row:ident, $($field:ident),*) => {{
        let message = Message::new(&golden(concat!($name, ".bin")));
        let wanted = Json::golden(concat!($name, ".json"));
        let rows = read::<$row>(&message);
        assert_rows(&rows, |row| object!(row, $($field),*), &wanted);
        let source = Source::new(message.bytes());
        let (keys, kinds) = (source.keys(), source.kinds());
        let mut columns = <$row as Row>::Builders::default();
        for row in &rows {
            $row::append_ref(&mut columns, row);
        }
        let mut sink = Sink::default();
        let body = columns.size() + keys.len().next_multiple_of(2) * 4 + kinds.len().next_multiple_of(8);
        sink.begin(source.schema, rows.len(), <$row as Row>::Builders::COLUMNS, &[], body);
        columns.write(&mut sink);
        sink.kinds(kinds);
        sink.groups(keys);
        for bytes in [message.bytes(), sink.finish()] {
            let message = Message::new(bytes);
            let source = Source::new(message.bytes());
            assert_rows(&read::<$row>(&message), |row| object!(row, $($field),*), &wanted);
            assert_eq!(Json::Number(f64::from(source.schema)), *wanted.get("schema"));
            assert_eq!(numbers(source.keys()), wanted.get("group").list());
            let kinds: Vec<u32> = source.kinds().iter().map(|&kind| kind.into()).collect();
            assert_eq!(numbers(&kinds), wanted.get("kind").list());
        }
    }};
}

#[test]
fn rows_of_states_and_timers_are_read_and_written() {
    kept!("batch-state-request", Asked, name, at);
    kept!("batch-state-rows", Kept, name, at, n);
    kept!("batch-state-answer", Sums, sum, count);
    kept!("batch-timers-due", Due, time, namespace, id);
    kept!("batch-timers-set", Set, time, namespace);
}

fn numbers(numbers: &[u32]) -> Vec<Json> {
    numbers.iter().map(|&n| Json::Number(f64::from(n))).collect()
}
