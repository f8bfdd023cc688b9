// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::memory::{read_into, relieve};
use super::puts::Puts;
use super::{Call, Declared, Kept, Link, Stored, whole};
use crate::builder::Builder;
use crate::describe::{State, StateKind};
use crate::host;
use crate::wire::{DELETE, REQUEST, STATE, Sink, Source};
use alloc::vec::Vec;

/// A value of each key into which the host merges what is added, column by column as `#[merge]`
/// says: a field of a struct of [`states!`](crate::states).
pub struct ReducingState<T: Stored> {
    link: Link,
    puts: Puts<T::Builders>,
    known: Option<u32>, // the key whose value lies in the buffer
    size: usize,        // of what lies there
    buffer: Vec<u64>,
    request: Sink,
}

impl<T: Stored> Default for ReducingState<T> {
    fn default() -> Self {
        ReducingState {
            link: Default::default(),
            puts: Default::default(),
            known: Default::default(),
            size: Default::default(),
            buffer: Default::default(),
            request: Default::default(),
        }
    }
}

impl<T: Stored> ReducingState<T> {
    /// Merges a row into the value of the key at hand. `None` leaves a column as it is.
    #[inline]
    pub fn add(&mut self, row: T::Of<'_>) {
        self.link.may_write();
        T::append(&mut self.puts.columns, &row);
        self.puts.end(self.link.key);
        self.changed();
    }

    /// Removes the value of the key at hand.
    pub fn clear(&mut self) {
        self.link.may_write();
        self.puts.columns.push_null();
        self.puts.end_removing(self.link.key);
        self.changed();
    }

    /// The value of the key at hand, if it has one.
    pub fn get(&mut self) -> Option<T::Of<'_>> {
        self.link.may_read();
        if self.known != Some(self.link.key) {
            self.load();
        }
        let mut source = Source::new(&crate::memory::bytes(&self.buffer)[..self.size]);
        if source.kinds().first() == Some(&DELETE) {
            return None;
        }
        let columns = T::columns(&mut source);
        if source.nulls != 0 {
            whole(&self.link, T::lacks(&columns, 0));
        }
        Some(T::read(&columns, 0))
    }

    #[inline]
    fn changed(&mut self) {
        self.known = None;
        if self.puts.is_full() {
            self.flush();
        }
    }

    fn load(&mut self) {
        self.flush();
        let Link { number, key, .. } = self.link;
        let keyed = self.link.is_keyed();
        self.request.begin(REQUEST + number, 1, 0, &[], 8);
        if keyed {
            self.request.groups(&[key]);
        }
        let request = self.request.finish();
        self.size = read_into(&mut self.buffer, |out| host::state_get(number, request, out)).len();
        self.known = Some(key);
    }

    #[inline(never)]
    fn flush(&mut self) {
        self.puts.hand_over(STATE + self.link.number, self.link.is_keyed());
    }
}

impl<T: Stored> Kept for ReducingState<T> {
    fn describe(declared: Declared, states: &mut Vec<State>) {
        states.push(declared.state(StateKind::Reducing, Vec::new(), T::fields("value")));
    }

    fn link(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>) {
        self.link.to(states);
    }

    fn begin(&mut self, call: Call) {
        self.link.call = call;
        self.known = None;
        relieve(&mut self.buffer);
    }

    #[inline]
    fn at(&mut self, key: u32) {
        self.link.at(key);
    }

    fn finish(&mut self) {
        self.flush();
    }
}
