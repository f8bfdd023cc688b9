// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::index::Index;
use super::memory::{Arena, read_into, relieve};
use super::puts::Puts;
use super::range::KeyRange;
use super::scan::Scan;
use super::stored::is_exact;
use super::{Call, Declared, Kept, Link, Owned, Stored, whole};
use crate::builder::Builder;
use crate::describe::{State, StateKind, Type};
use crate::host;
use crate::wire::{DELETE, FULL, MAX_ROWS, REQUEST, STATE, Sink, Source, padded};
use alloc::vec::Vec;

/// A map of each key, in the order of `K`: a field of a struct of [`states!`](crate::states). `K` is
/// a struct of [`row!`](crate::row) or a type of column, without lists and structs; one that borrows
/// is written with `'static`.
///
/// An entry is read once in a call and then kept until its end, as are those that are put.
pub struct MapState<K: Stored, V: Owned> {
    link: Link,
    exact: bool, // keys are equal here where they are to the host: else no entry is kept
    index: Index,
    values: Vec<V>, // of each entry of the index, and after them what was of one
    flags: Vec<u8>,
    changed: Vec<u32>, // entries
    keys: K::Builders,
    groups: Vec<u32>,
    request: Sink,
    buffer: Vec<u64>,
    puts: Puts<Pair<K::Builders, V::Builders>>,
    memory: Arena,
}

const PRESENT: u8 = 1;
const CHANGED: u8 = 2;

/// How many columns a request counts that is told no number.
const ALL: usize = usize::MAX;

impl<K: Stored, V: Owned> Default for MapState<K, V> {
    fn default() -> Self {
        MapState {
            link: Default::default(),
            exact: Default::default(),
            index: Default::default(),
            values: Default::default(),
            flags: Default::default(),
            changed: Default::default(),
            keys: Default::default(),
            groups: Default::default(),
            request: Default::default(),
            buffer: Default::default(),
            puts: Default::default(),
            memory: Default::default(),
        }
    }
}

impl<K: Stored, V: Owned> MapState<K, V> {
    /// The value of a map key, if there is one.
    pub fn get(&mut self, key: K::Of<'_>) -> Option<&V> {
        self.link.may_read();
        let entry = self.entry(&key, true);
        if self.flags[entry] & PRESENT == 0 { None } else { Some(&self.values[entry]) }
    }

    /// Sets the value of a map key.
    pub fn put(&mut self, key: K::Of<'_>, value: V) {
        self.link.may_write();
        let entry = self.entry(&key, false);
        self.change(entry, PRESENT | CHANGED);
        self.values[entry] = value;
    }

    /// The value of a map key, to be changed; a default one where there was none.
    pub fn update(&mut self, key: K::Of<'_>) -> &mut V {
        self.link.may_write();
        let entry = self.entry(&key, true);
        self.change(entry, PRESENT | CHANGED);
        &mut self.values[entry]
    }

    /// Removes the value of a map key.
    pub fn remove(&mut self, key: K::Of<'_>) {
        self.link.may_write();
        let entry = self.entry(&key, false);
        self.change(entry, CHANGED);
        self.values[entry] = V::default();
    }

    /// Removes all entries of the key at hand, which it reads for that.
    pub fn clear(&mut self) {
        self.link.may_write();
        self.flush();
        self.forget();
        let (schema, keyed) = (STATE + self.link.number, self.link.is_keyed());
        let mut scan = Scan::new(&self.link, &self.memory, 0, &[]);
        while let Some(((keys, _), row)) = scan.next(both::<K, V>, |_, _| false) {
            K::append(&mut self.puts.columns.key, &K::read(&keys, row));
            self.puts.columns.value.push_null();
            self.puts.end_removing(self.link.key);
            if self.puts.is_full() {
                self.puts.hand_over(schema, keyed);
            }
        }
        drop(scan);
        self.puts.hand_over(schema, keyed);
    }

    /// Reads the values of map keys, of keys by their numbers, in one call of the host: what looks
    /// them up finds them there.
    pub fn fetch<'k>(&mut self, keys: impl IntoIterator<Item = (u32, K::Of<'k>)>) {
        self.link.may_read();
        if !self.exact {
            return;
        }
        for (number, key) in keys {
            if self.groups.len() == MAX_ROWS || self.keys.variable() >= FULL {
                self.read();
            }
            self.make_room();
            self.lookup(number & self.link.mask, &key);
        }
        self.read();
    }

    /// The entries of the key at hand, in the order of their map keys.
    pub fn iter(&mut self) -> MapEntries<'_, K, V> {
        self.range(..)
    }

    /// The entries from a map key on, up to another one without it, or both: `range(from..to)`.
    pub fn range<'k>(&mut self, keys: impl Into<KeyRange<K::Of<'k>>>) -> MapEntries<'_, K, V> {
        match keys.into() {
            KeyRange::All => self.scan(0, &[], ALL),
            KeyRange::From(from) => self.scan(1, &[from], ALL),
            KeyRange::To(to) => self.scan(2, &[to], ALL),
            KeyRange::FromTo(from, to) => self.scan(3, &[from, to], ALL),
        }
    }

    /// The entries whose map keys begin with one: a string or bytes with these bytes, and of several
    /// columns all but the last one that is not null are equal.
    pub fn prefix(&mut self, key: K::Of<'_>) -> MapEntries<'_, K, V> {
        self.scan(4, &[key], ALL)
    }

    /// [`prefix`](Self::prefix) by the first columns of a map key only.
    pub fn prefix_columns(&mut self, key: K::Of<'_>, columns: usize) -> MapEntries<'_, K, V> {
        self.scan(4, &[key], columns)
    }

    fn scan(&mut self, bounds: u32, ends: &[K::Of<'_>], columns: usize) -> MapEntries<'_, K, V> {
        self.link.may_read();
        self.flush();
        if ends.is_empty() {
            return MapEntries(Scan::new(&self.link, &self.memory, bounds, &[]));
        }
        for end in ends {
            K::append(&mut self.keys, end);
        }
        self.begin_request(ends.len());
        for column in columns..K::Builders::COLUMNS {
            self.request.null(column);
        }
        MapEntries(Scan::new(&self.link, &self.memory, bounds, self.request.finish()))
    }

    /// Writes a request of the keys that were appended.
    fn begin_request(&mut self, rows: usize) {
        let nulls = 8 * K::Builders::COLUMNS;
        let body = self.keys.size() + padded(size_of_val(self.groups.as_slice())) + nulls;
        self.request.begin(REQUEST + self.link.number, rows, K::Builders::COLUMNS, &[], body);
        self.keys.write(&mut self.request);
        self.keys.clear();
    }

    /// The entry of a map key of the key at hand.
    fn entry(&mut self, key: &K::Of<'_>, read: bool) -> usize {
        self.make_room();
        let entry = self.lookup(self.link.key, key);
        if read {
            self.read();
        } else {
            self.groups.clear();
            self.keys.clear();
        }
        entry
    }

    /// Sees to it that there may be another entry.
    fn make_room(&mut self) {
        if !self.exact || self.index.len() >= MAX_ROWS || self.index.bytes() >= FULL {
            self.read();
            self.flush();
            self.forget();
        }
    }

    /// The entry of a map key, which is to be read where it is new.
    fn lookup(&mut self, number: u32, key: &K::Of<'_>) -> usize {
        let (entry, new) = self.index.entry(number, |out| K::encode(key, out));
        if new {
            self.flags.push(0);
            if self.values.len() == entry {
                self.values.push(V::default());
            } else {
                self.values[entry] = V::default();
            }
            K::append(&mut self.keys, key);
            self.groups.push(number);
        }
        entry
    }

    /// Reads the entries that are new: the last ones.
    fn read(&mut self) {
        let rows = self.groups.len();
        if rows == 0 {
            return;
        }
        self.begin_request(rows);
        if self.link.is_keyed() {
            self.request.groups(&self.groups);
        }
        self.groups.clear();
        let (number, request) = (self.link.number, self.request.finish());
        let answer = read_into(&mut self.buffer, |out| host::state_get(number, request, out));
        let mut source = Source::new(answer);
        let (kinds, (_, columns)) = (source.kinds(), both::<K, V>(&mut source));
        let first = self.index.len() - rows;
        for row in 0..rows {
            if kinds.get(row) != Some(&DELETE) {
                whole(&self.link, source.nulls != 0 && V::lacks(&columns, row));
                V::read_into(&columns, row, &mut self.values[first + row]);
                self.flags[first + row] = PRESENT;
            }
        }
    }

    fn change(&mut self, entry: usize, flags: u8) {
        if self.flags[entry] & CHANGED == 0 {
            self.changed.push(entry as u32);
        }
        self.flags[entry] = flags;
    }

    /// Hands over the entries that have changed.
    fn flush(&mut self) {
        let (schema, keyed) = (STATE + self.link.number, self.link.is_keyed());
        for &entry in &self.changed {
            let entry = entry as usize;
            let (key, mut encoded) = self.index.at(entry);
            K::append(&mut self.puts.columns.key, &K::decode(&mut encoded));
            if self.flags[entry] & PRESENT != 0 {
                V::append(&mut self.puts.columns.value, &self.values[entry]);
                self.puts.end(key);
            } else {
                self.puts.columns.value.push_null();
                self.puts.end_removing(key);
            }
            self.flags[entry] &= !CHANGED;
            if self.puts.is_full() {
                self.puts.hand_over(schema, keyed);
            }
        }
        self.puts.hand_over(schema, keyed);
        self.changed.clear();
    }

    /// Forgets all entries, none of which has changed.
    fn forget(&mut self) {
        self.index.clear();
        self.flags.clear();
        self.changed.clear();
    }
}

/// The columns of a map's rows.
fn both<'a, K: Stored, V: Stored>(source: &mut Source<'a>) -> (K::Columns<'a>, V::Columns<'a>) {
    (K::columns(source), V::columns(source))
}

/// Entries of a map.
pub struct MapEntries<'a, K: Stored, V: Owned>(Scan<'a, (K::Columns<'a>, V::Columns<'a>)>);

impl<'a, K: Stored, V: Owned> Iterator for MapEntries<'a, K, V> {
    type Item = (K::Of<'a>, V);

    fn next(&mut self) -> Option<(K::Of<'a>, V)> {
        let lacks = |(keys, values): &(_, _), row| K::lacks(keys, row) || V::lacks(values, row);
        let ((keys, values), row) = self.0.next(both::<K, V>, lacks)?;
        Some((K::read(&keys, row), V::read(&values, row)))
    }
}

/// The columns of a map's rows that are being written.
#[derive(Default)]
struct Pair<K, V> {
    key: K,
    value: V,
}

impl<K: Builder, V: Builder> Builder for Pair<K, V> {
    const COLUMNS: usize = K::COLUMNS + V::COLUMNS;

    fn rows(&self) -> usize {
        self.key.rows()
    }

    fn push_null(&mut self) {
        self.key.push_null();
        self.value.push_null();
    }

    fn variable(&self) -> usize {
        self.key.variable() + self.value.variable()
    }

    fn size(&self) -> usize {
        self.key.size() + self.value.size()
    }

    fn write(&mut self, sink: &mut Sink) {
        self.key.write(sink);
        self.value.write(sink);
    }

    fn clear(&mut self) {
        self.key.clear();
        self.value.clear();
    }
}

impl<K: Stored, V: Owned> Kept for MapState<K, V> {
    fn describe(declared: Declared, states: &mut Vec<State>) {
        let (key, fields) = (K::fields("key"), V::fields("value"));
        let state = declared.state(StateKind::Map, key, fields);
        let nested = |kind| kind == Type::List || kind == Type::Struct;
        let scalar = !state.key.is_empty() && state.key.iter().all(|field| !nested(field.kind));
        assert!(scalar, "map {}: its key has columns, and no list and no struct among them", state.name);
        let merges = state.key.iter().any(|field| field.merge.is_some());
        assert!(!merges, "map {} says how it is merged; only a ReducingState merges", state.name);
        states.push(state);
    }

    fn link(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>) {
        self.exact = is_exact(&K::fields("key"));
        self.link.to(states);
    }

    fn begin(&mut self, call: Call) {
        self.link.call = call;
        self.memory.clear();
        self.forget();
        if relieve(&mut self.buffer) {
            self.values = Vec::new();
        }
    }

    #[inline]
    fn at(&mut self, key: u32) {
        self.link.at(key);
    }

    fn finish(&mut self) {
        self.flush();
    }
}
