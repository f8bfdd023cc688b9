// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The description of the conformance operators says what the golden one says.

use super::conformance::aggregates::{Longest, Mean};
use super::conformance::maps::{Crash, Everything, Refuse, Route, Say, Shift, Split};
use super::conformance::processes::{Alarm, Collect, Forget, Ledger, LedgerBulk, Rules};
use super::json::Json;
use crate::guest::{Operator, entry};
use crate::{Decimal, Timestamp};

/// A table of a description, read as FlatBuffers say and not as this crate writes.
#[derive(Clone, Copy)]
struct Table<'a>(&'a [u8], usize);

impl<'a> Table<'a> {
    fn word(buffer: &[u8], at: usize) -> usize {
        u32::from_le_bytes(buffer[at..at + 4].try_into().unwrap()) as usize
    }

    fn half(buffer: &[u8], at: usize) -> usize {
        usize::from(u16::from_le_bytes(buffer[at..at + 2].try_into().unwrap()))
    }

    fn field(&self, id: usize) -> Option<usize> {
        let vtable = self.1 - Self::word(self.0, self.1);
        let inside = 4 + 2 * id < Self::half(self.0, vtable);
        let offset = if inside { Self::half(self.0, vtable + 4 + 2 * id) } else { 0 };
        (offset != 0).then_some(self.1 + offset)
    }

    fn byte(&self, id: usize) -> u8 {
        self.field(id).map_or(0, |at| self.0[at])
    }

    fn follow(&self, at: usize) -> usize {
        at + Self::word(self.0, at)
    }

    fn table(&self, id: usize) -> Option<Table<'a>> {
        self.field(id).map(|at| Table(self.0, self.follow(at)))
    }

    fn text_at(&self, at: usize) -> String {
        let at = self.follow(at);
        let bytes = &self.0[at + 4..][..Self::word(self.0, at)];
        assert_eq!(self.0[at + 4 + bytes.len()], 0, "a string ends with a zero");
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn text(&self, id: usize) -> String {
        self.field(id).map_or(String::new(), |at| self.text_at(at))
    }

    fn bytes(&self, id: usize) -> &'a [u8] {
        self.field(id).map_or(&[], |at| {
            let vector = self.follow(at);
            &self.0[vector + 4..][..Self::word(self.0, vector)]
        })
    }

    fn slots(&self, id: usize) -> Vec<usize> {
        let Some(at) = self.field(id) else { return Vec::new() };
        let vector = self.follow(at);
        (0..Self::word(self.0, vector)).map(|i| vector + 4 + 4 * i).collect()
    }

    fn tables(&self, id: usize) -> Vec<Table<'a>> {
        self.slots(id).into_iter().map(|at| Table(self.0, self.follow(at))).collect()
    }
}

fn type_of(field: Table) -> String {
    let children = field.tables(4);
    match field.byte(1) {
        9 => format!("list<{}>", type_of(children[0])),
        10 => {
            let fields = children.iter().map(|child| format!("{}: {}", child.text(0), type_of(*child)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        5 => format!("decimal({})", field.byte(2)),
        kind => ["bool", "int32", "int64", "float64", "", "string", "bytes", "timestamp"]
            [usize::from(kind) - 1]
            .to_string(),
    }
}

fn text(text: impl ToString) -> Json {
    Json::Text(text.to_string())
}

/// Adds a member where it says anything, as the golden file does.
fn add(object: &mut Vec<(String, Json)>, name: &str, value: Json) {
    if !matches!(&value, Json::Bool(false)) && value != Json::List(Vec::new()) && value != text("") {
        object.push((name.to_string(), value));
    }
}

fn fields(table: Table, id: usize) -> Json {
    let field = |field: &Table| {
        let mut object =
            Vec::from([("name".into(), text(field.text(0))), ("type".into(), text(type_of(*field)))]);
        add(&mut object, "required", Json::Bool(field.byte(3) != 0));
        add(&mut object, "default", text(field.text(5)));
        Json::Object(object)
    };
    Json::List(table.tables(id).iter().map(field).collect())
}

fn ports(table: Table, id: usize) -> Json {
    let port = |port: &Table| {
        let mut object =
            Vec::from([("name".into(), text(port.text(0))), ("fields".into(), fields(*port, 1))]);
        add(&mut object, "forward", Json::Bool(port.byte(2) != 0));
        add(&mut object, "time", Json::Bool(port.byte(3) != 0));
        add(&mut object, "broadcast", Json::Bool(port.byte(4) != 0));
        Json::Object(object)
    };
    Json::List(table.tables(id).iter().map(port).collect())
}

fn operator(table: Table) -> Json {
    let kind = ["map", "process", "aggregate"][usize::from(table.byte(1)) - 1];
    let mut object = Vec::from([("name".into(), text(table.text(0))), ("kind".into(), text(kind))]);
    object.push(("inputs".into(), ports(table, 3)));
    object.push(("outputs".into(), ports(table, 4)));
    add(&mut object, "config", fields(table, 5));
    let counters = table.slots(7).into_iter().map(|at| text(table.text_at(at)));
    add(&mut object, "counters", Json::List(counters.collect()));
    if let Some(accumulator) = table.table(6) {
        object.push(("accumulator".into(), text(type_of(accumulator))));
    }
    add(&mut object, "key", fields(table, 8));
    add(&mut object, "states", Json::List(table.tables(9).into_iter().map(state).collect()));
    Json::Object(object)
}

fn state(table: Table) -> Json {
    let kind = ["value", "list", "map", "reducing"][usize::from(table.byte(1)) - 1];
    let mut object = Vec::from([("name".into(), text(table.text(0))), ("kind".into(), text(kind))]);
    add(&mut object, "key", fields(table, 4));
    object.push(("fields".into(), fields(table, 3)));
    add(&mut object, "merge", Json::List(table.bytes(5).iter().map(|&merge| number(merge)).collect()));
    if table.byte(6) != 0 {
        object.push(("scope".into(), number(table.byte(6))));
    }
    if let Some(at) = table.field(7) {
        assert_eq!(at % 8, 0, "a long lies at a multiple of 8");
        let ttl = i64::from_le_bytes(table.0[at..at + 8].try_into().unwrap());
        object.extend([("ttl".into(), text(ttl)), ("renew".into(), number(table.byte(8)))]);
    }
    add(&mut object, "ttl_event_time", Json::Bool(table.byte(9) != 0));
    Json::Object(object)
}

fn number(byte: u8) -> Json {
    Json::Number(byte.into())
}

fn describe<Kind, O: Operator<Kind>>() -> Vec<u8> {
    crate::guest::description(&[entry::<_, O>()])
}

fn root(description: &[u8]) -> Table<'_> {
    Table(description, Table::word(description, 0))
}

#[test]
fn operators_are_described() {
    let description = crate::guest::description(&[
        entry::<_, Everything>(),
        entry::<_, Split>(),
        entry::<_, Route>(),
        entry::<_, Shift>(),
        entry::<_, Refuse>(),
        entry::<_, Crash>(),
        entry::<_, Say>(),
        entry::<_, Mean>(),
        entry::<_, Longest>(),
    ]);
    let module = root(&description);
    assert_eq!(module.field(0).map(|at| Table::word(&description, at)), Some(1), "the contract's version");
    assert_eq!(module.text(1), concat!("wasmill-rust ", env!("CARGO_PKG_VERSION")));
    let operators: Vec<Json> = module.tables(2).into_iter().map(operator).collect();
    assert_eq!(operators, golden_operators("describe-conformance.json"));
}

#[test]
fn operators_with_state_are_described() {
    let description = crate::guest::description(&[
        entry::<_, Ledger>(),
        entry::<_, LedgerBulk>(),
        entry::<_, Collect>(),
        entry::<_, Alarm>(),
        entry::<_, Forget>(),
        entry::<_, Rules>(),
    ]);
    let operators: Vec<Json> = root(&description).tables(2).into_iter().map(operator).collect();
    assert_eq!(operators, golden_operators("describe-state.json"));
    let balance = root(&description).tables(2)[0].tables(9)[0];
    assert_eq!(balance.text(2), "What was posted.");
}

/// The operators of a golden description, without what is said of them for people.
fn golden_operators(name: &str) -> Vec<Json> {
    Json::golden(name).get("operators").list().iter().map(without_doc).collect()
}

fn without_doc(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let members = members.iter().filter(|(name, _)| name != "doc");
            Json::Object(members.map(|(name, value)| (name.clone(), without_doc(value))).collect())
        }
        Json::List(items) => Json::List(items.iter().map(without_doc).collect()),
        other => other.clone(),
    }
}

wasmill::row! {
    struct Config {
        /// The first line,
        /// and the second.
        percent: f64 = 0.5,
        price: Decimal<2> = "19.90",
        since: Option<Timestamp> = "2024-01-01T00:00:00Z",
        r#loop: bool = true,
        #[name = "per-mille"]
        permille: i64 = -5_000_000_000,
    }
}

struct Configured;

impl crate::Map for Configured {
    const NAME: &'static str = "configured";
    const DOC: &'static str = "Has a configuration.";
    type Config = Config;
    type Input = ();
    type Outputs = crate::Output<Config>;

    fn open(_: Config) -> crate::Result<Self> {
        Ok(Configured)
    }
}

#[test]
fn defaults_names_and_docs_are_described() {
    let description = describe::<_, Configured>();
    let operator = root(&description).tables(2)[0];
    assert_eq!(operator.text(2), "Has a configuration.");
    let fields = operator.tables(5);
    let all = |id| fields.iter().map(|field| field.text(id)).collect::<Vec<_>>();
    assert_eq!(all(0), ["percent", "price", "since", "loop", "per-mille"]);
    assert_eq!(all(5), ["0.5", "19.90", "2024-01-01T00:00:00Z", "true", "-5000000000"]);
    assert_eq!(fields[0].text(6), "The first line, and the second.");
    assert!(fields.iter().all(|field| field.byte(3) == 0), "what has a default is not required");
}
