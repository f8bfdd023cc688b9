// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! State and timers of an operator, as a host keeps them.

use super::Message;
use super::cells::{Cell, Cells, compare, decode, encode, name};
use super::recorder;
use crate::describe::{Field, Scope, State, StateKind, Type};
use crate::memory::bytes_mut;
use crate::state::{Call, Renew};
use crate::wire::{DELETE, EVENT_TIMER, PROCESSING_TIMER, REQUEST, STATE, Source};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

/// How many scans may be open.
const SCANS: usize = 64;
/// How many rows of a scan are given at once: few, so that tests see several batches.
const SCAN_ROWS: usize = 100;

#[derive(Default)]
pub(crate) struct Store {
    states: Rc<Vec<State>>,
    pub kept: KeptRows,
    pub watermark: i64,
    pub call: InCall,
}

/// What a snapshot has.
#[derive(Clone, Default)]
pub(crate) struct KeptRows {
    rows: Vec<BTreeMap<String, Vec<Entry>>>, // of each state, by key; "" where its scope has none
    timers: BTreeSet<Due>,
}

/// A row of a state.
#[derive(Clone)]
struct Entry {
    key: Cells, // of a map
    row: Cells,
    stamp: i64, // what its time to live counts from
}

/// A timer, in the order in which timers are due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Due {
    pub schema: u32,
    pub time: i64,
    pub key: String,
    pub namespace: Vec<u8>,
}

/// What is known of the call at hand.
#[derive(Default)]
pub(crate) struct InCall {
    kind: Call,
    keys: Vec<String>, // by number
    pub put: bool,
    scans: Vec<Option<(usize, Vec<Cells>)>>, // a state and its rows that have not been given yet
    result: Option<Message>,
}

impl InCall {
    /// Begins a call with rows of the given keys, and numbers these.
    pub fn new(kind: Call, keys: &[String]) -> (Self, Vec<u32>) {
        let mut call = InCall { kind, ..InCall::default() };
        let number = |key: &String| {
            let known = call.keys.iter().position(|other| other == key);
            known.unwrap_or_else(|| {
                call.keys.push(key.clone());
                call.keys.len() - 1
            }) as u32
        };
        let numbers = keys.iter().map(number).collect();
        (call, numbers)
    }
}

impl Store {
    pub fn new(states: Vec<State>) -> Self {
        let rows = states.iter().map(|_| BTreeMap::new()).collect();
        let kept = KeptRows { rows, timers: BTreeSet::new() };
        Store { states: Rc::new(states), kept, watermark: i64::MIN, call: InCall::default() }
    }

    fn state(&self, number: u32) -> (usize, Rc<Vec<State>>) {
        assert!((number as usize) < self.states.len(), "there is no state {number}");
        (number as usize, self.states.clone())
    }

    /// The key that a number stands for in a state.
    fn key(&self, state: &State, number: u32) -> String {
        if state.scope != Scope::Key {
            return String::new();
        }
        let known = self.call.keys.get(number as usize);
        known.unwrap_or_else(|| panic!("state {}: no row has the key number {number}", state.name)).clone()
    }

    /// The time by which rows of a state are forgotten.
    fn clock(&self, state: &State) -> i64 {
        if state.ttl.is_some_and(|ttl| ttl.is_by_event_time()) { self.watermark } else { recorder::now() }
    }

    /// The rows of a key that are not over. Where the state says so, reading renews them.
    fn live(&mut self, number: usize, key: &str, read: bool) -> &mut Vec<Entry> {
        let state = &self.states.clone()[number];
        let now = self.clock(state);
        let rows = self.kept.rows[number].entry(key.into()).or_default();
        if let Some(ttl) = state.ttl {
            for entry in rows.iter_mut().filter(|entry| entry.stamp == i64::MIN) {
                entry.stamp = now; // written before the first watermark
            }
            let never = now == i64::MIN || now == i64::MAX;
            rows.retain(|entry| never || now.saturating_sub(entry.stamp) < ttl.micros());
            for entry in rows.iter_mut().filter(|_| read && ttl.renew() == Renew::ReadAndWrite) {
                entry.stamp = now;
            }
        }
        rows
    }

    pub fn get(&mut self, number: u32, request: &[u8], out: &mut [u64]) -> usize {
        let (at, states) = self.state(number);
        let state = &states[at];
        assert!(state.kind != StateKind::List, "list {} was asked for by state_get", state.name);
        let asked: Vec<(u32, Cells)> = if request.is_empty() {
            assert!(state.kind != StateKind::Map, "map {} was asked for no map keys", state.name);
            let count = if state.scope == Scope::Key { self.call.keys.len() } else { 1 };
            (0..count as u32).map(|key| (key, Cells::new())).collect()
        } else {
            let request = Message::new(request);
            let mut source = Source::new(request.bytes());
            assert_eq!(source.schema, REQUEST + number, "a request has the number of its state");
            let groups = groups(&source, state.scope == Scope::Key);
            groups.into_iter().zip(decode(&mut source, &state.key)).collect()
        };
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for (key, map_key) in asked {
            let key = self.key(state, key);
            let live = self.live(at, &key, true);
            match place(live, &map_key) {
                Ok(found) => rows.push([live[found].key.as_slice(), &live[found].row].concat()),
                Err(_) => rows.push(vec![Cell::Null; state.key.len() + state.fields.len()]),
            }
            kinds.push(if place(live, &map_key).is_ok() { 0 } else { DELETE });
        }
        self.answer(state, number, &rows, &kinds, out)
    }

    fn answer(&mut self, state: &State, number: u32, rows: &[Cells], kinds: &[u8], out: &mut [u64]) -> usize {
        let kinds = if kinds.contains(&DELETE) { kinds } else { &[] };
        self.call.result =
            Some(with_fields(state, |fields| encode(STATE + number, fields, rows, &[], kinds)));
        self.read(out)
    }

    pub fn read(&mut self, out: &mut [u64]) -> usize {
        let result = self.call.result.as_ref().expect("there is a result to read").bytes();
        if let Some(room) = bytes_mut(out).get_mut(..result.len()) {
            room.copy_from_slice(result);
        }
        result.len()
    }

    pub fn scan(&mut self, number: u32, key: u32, bounds: u32, request: &[u8]) -> u32 {
        let (at, states) = self.state(number);
        let state = &states[at];
        assert!(
            matches!(state.kind, StateKind::List | StateKind::Map),
            "{} is no list and no map",
            state.name
        );
        let ends = if request.is_empty() {
            Vec::new()
        } else {
            decode(&mut Source::new(Message::new(request).bytes()), &state.key)
        };
        let key = self.key(state, key);
        let live = self.live(at, &key, true).iter().filter(|entry| within(&entry.key, bounds, &ends));
        let rows = live.map(|entry| [entry.key.as_slice(), &entry.row].concat()).collect();
        self.call.scans.push(Some((at, rows)));
        assert!(self.call.scans.iter().flatten().count() <= SCANS, "more than {SCANS} scans are open");
        self.call.scans.len() as u32 - 1
    }

    pub fn next(&mut self, scan: u32, limit: i32, out: &mut [u64]) -> usize {
        let open = self.call.scans.get_mut(scan as usize).and_then(Option::as_mut);
        let (at, rows) = open.expect("the scan is open");
        let at = *at;
        let count = match limit {
            -1 => 0,
            0 => SCAN_ROWS,
            limit => limit as usize,
        };
        let given: Vec<Cells> = rows.drain(..count.min(rows.len())).collect();
        if given.is_empty() {
            self.call.scans[scan as usize] = None;
        }
        self.answer(&self.states.clone()[at], at as u32, &given, &[], out)
    }

    pub fn put(&mut self, batch: &[u8]) {
        self.call.put = true;
        let message = Message::new(batch);
        let mut source = Source::new(message.bytes());
        if source.schema == EVENT_TIMER || source.schema == PROCESSING_TIMER {
            return self.put_timers(&mut source);
        }
        let (at, states) = self.state(source.schema.wrapping_sub(STATE));
        let state = &states[at];
        let forbidden = state.scope == Scope::Broadcast && self.call.kind != Call::Broadcast;
        assert!(!forbidden, "broadcast state {} was written for a row with a key", state.name);
        let keys = groups(&source, state.scope == Scope::Key);
        let kinds = kinds(&source);
        let rows = with_fields(state, |fields| decode(&mut source, fields));
        for ((row, key), kind) in rows.into_iter().zip(keys).zip(kinds) {
            let key = self.key(state, key);
            self.put_row(at, &key, row, kind == DELETE);
        }
    }

    fn put_row(&mut self, number: usize, key: &str, mut row: Cells, remove: bool) {
        let state = &self.states.clone()[number];
        let stamp = self.clock(state);
        let rows = self.live(number, key, false);
        if state.kind == StateKind::List {
            if remove {
                rows.clear();
            } else {
                rows.push(Entry { key: Cells::new(), row, stamp });
            }
            return;
        }
        let fields = row.split_off(state.key.len());
        let mut entry = Entry { key: row, row: fields, stamp };
        match (place(rows, &entry.key), remove) {
            (Ok(at), true) => drop(rows.remove(at)),
            (Err(_), true) => {}
            (Err(at), false) => rows.insert(at, entry),
            (Ok(at), false) => {
                for (i, &merge) in state.merge.iter().enumerate() {
                    entry.row[i] = rows[at].row[i].merged(merge, &entry.row[i]);
                }
                if state.ttl.is_some_and(|ttl| ttl.renew() == Renew::Create) {
                    entry.stamp = rows[at].stamp;
                }
                rows[at] = entry;
            }
        }
    }

    fn put_timers(&mut self, source: &mut Source) {
        let (schema, keys, kinds) = (source.schema, groups(source, true), kinds(source));
        for ((row, key), kind) in decode(source, &timer_fields()).into_iter().zip(keys).zip(kinds) {
            let [Cell::Int(time), namespace] = row.as_slice() else { panic!("a timer has no time") };
            let namespace = if let Cell::Bytes(bytes) = namespace { bytes.clone() } else { Vec::new() };
            let key = self.call.keys.get(key as usize).expect("a timer has the number of a key").clone();
            let due = Due { schema, time: *time, key, namespace };
            if kind == DELETE {
                self.kept.timers.remove(&due);
            } else {
                self.kept.timers.insert(due);
            }
        }
    }

    /// Takes the earliest timers of a clock that are due, at most so many, and one of each key.
    pub fn pop(&mut self, schema: u32, at: i64, most: usize) -> Vec<Due> {
        let mut due: Vec<Due> = Vec::new();
        for timer in self.kept.timers.iter().filter(|timer| timer.schema == schema && timer.time <= at) {
            if due.len() == most || due.iter().any(|other| other.key == timer.key) {
                break;
            }
            due.push(timer.clone());
        }
        for timer in &due {
            self.kept.timers.remove(timer);
        }
        due
    }
}

/// Calls a function with the columns of a state's rows.
fn with_fields<T>(state: &State, then: impl FnOnce(&[Field]) -> T) -> T {
    let copy = |field: &Field| field.copy();
    let fields: Vec<Field> = state.key.iter().chain(&state.fields).map(copy).collect();
    then(&fields)
}

/// The columns of timers.
pub(crate) fn timer_fields() -> Vec<Field> {
    let field = |name, kind| Field { name, kind, ..Field::default() };
    Vec::from([field("time", Type::Timestamp), field("namespace", Type::Bytes)])
}

/// The key number of each row; 0 where there are none.
fn groups(source: &Source, keyed: bool) -> Vec<u32> {
    if keyed { source.groups().to_vec() } else { vec![0; source.rows] }
}

fn kinds(source: &Source) -> Vec<u8> {
    let kinds = source.kinds();
    (0..source.rows).map(|row| kinds.get(row).copied().unwrap_or(0)).collect()
}

/// Where in rows that of a map key lies, or belongs.
fn place(rows: &[Entry], key: &[Cell]) -> Result<usize, usize> {
    rows.binary_search_by(|entry| compare(&entry.key, key))
}

/// Whether a map key lies within the bounds of a scan.
fn within(key: &[Cell], bounds: u32, ends: &[Cells]) -> bool {
    let order = |end: usize| compare(key, &ends[end]);
    match bounds {
        1 => order(0) != Ordering::Less,
        2 => order(0) == Ordering::Less,
        3 => order(0) != Ordering::Less && order(1) == Ordering::Less,
        4 => begins(key, &ends[0]),
        _ => true,
    }
}

/// Whether a map key begins with another one, of which only columns before the last nulls count.
fn begins(key: &[Cell], with: &[Cell]) -> bool {
    let count = with.iter().rposition(|cell| *cell != Cell::Null).map_or(0, |last| last + 1);
    (0..count).all(|at| match (&key[at], &with[at]) {
        (Cell::Bytes(text), Cell::Bytes(start)) if at + 1 == count => text.starts_with(start),
        (cell, wanted) => cell == wanted,
    })
}

/// What rows are looked up by: the key of the operator.
pub(crate) fn key_name(row: &[Cell], places: &[usize]) -> (String, Cells) {
    let key: Cells = places.iter().map(|&at| row[at].clone()).collect();
    (name(&key), key)
}
