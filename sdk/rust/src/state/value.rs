// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::memory::{read_into, relieve};
use super::puts::Puts;
use super::{Call, Declared, Kept, Link, Owned, whole};
use crate::builder::Builder;
use crate::describe::{State, StateKind};
use crate::host;
use crate::wire::{DELETE, STATE, Source};
use alloc::vec::Vec;

/// A value of each key: a field of a struct of [`states!`](crate::states).
///
/// The values of all keys of a batch are read together when the first one is asked for, and those
/// that changed are written together at the end of the call.
#[derive(Default)]
pub struct ValueState<T: Owned> {
    link: Link,
    loaded: bool,
    edited: bool,   // something has changed
    values: Vec<T>, // by key number; the default where there is none
    flags: Vec<u8>, // of each key
    buffer: Vec<u64>,
    puts: Puts<T::Builders>,
}

const PRESENT: u8 = 1;
const CHANGED: u8 = 2;

impl<T: Owned> ValueState<T> {
    /// The value of the key at hand, if it has one.
    #[inline]
    pub fn get(&mut self) -> Option<&T> {
        self.get_at(self.link.key)
    }

    /// Sets the value of the key at hand.
    #[inline]
    pub fn set(&mut self, value: T) {
        *self.update() = value;
    }

    /// The value of the key at hand, to be changed; a default one where there was none.
    #[inline]
    pub fn update(&mut self) -> &mut T {
        self.update_at(self.link.key)
    }

    /// Removes the value of the key at hand and returns it, if there is one.
    pub fn take(&mut self) -> Option<T> {
        self.take_at(self.link.key)
    }

    /// Removes the value of the key at hand.
    pub fn clear(&mut self) {
        self.take();
    }

    /// The values of all keys of the call by key number, the default where there is none.
    pub fn values(&mut self) -> &[T] {
        if !self.loaded {
            self.load();
        }
        &self.values[..self.flags.len()]
    }

    /// The values of all keys of the call by key number, to be changed: all of them are written, also
    /// where there was none.
    pub fn update_all(&mut self) -> &mut [T] {
        if !self.edited {
            self.edit();
        }
        self.flags.fill(PRESENT | CHANGED);
        &mut self.values[..self.flags.len()]
    }

    /// [`get`](Self::get) by the number of a key.
    #[inline]
    pub fn get_at(&mut self, key: u32) -> Option<&T> {
        if !self.loaded {
            self.load();
        }
        let key = (key & self.link.mask) as usize;
        if self.flags[key] & PRESENT == 0 { None } else { Some(&self.values[key]) }
    }

    /// [`update`](Self::update) by the number of a key.
    #[inline]
    pub fn update_at(&mut self, key: u32) -> &mut T {
        if !self.edited {
            self.edit();
        }
        let key = (key & self.link.mask) as usize;
        self.flags[key] = PRESENT | CHANGED;
        &mut self.values[key]
    }

    /// [`take`](Self::take) by the number of a key.
    pub fn take_at(&mut self, key: u32) -> Option<T> {
        if !self.edited {
            self.edit();
        }
        let key = (key & self.link.mask) as usize;
        let was = core::mem::replace(&mut self.flags[key], CHANGED);
        let value = core::mem::take(&mut self.values[key]);
        (was & PRESENT != 0).then_some(value)
    }

    #[inline(never)]
    fn edit(&mut self) {
        self.link.may_write();
        if !self.loaded {
            self.load();
        }
        self.edited = true;
    }

    /// Reads the values of all keys.
    #[inline(never)]
    fn load(&mut self) {
        self.link.may_read();
        let number = self.link.number;
        let answer = read_into(&mut self.buffer, |out| host::state_get(number, &[], out));
        let mut source = Source::new(answer);
        let (kinds, columns) = (source.kinds(), T::columns(&mut source));
        self.flags.clear();
        self.flags.resize(source.rows, PRESENT);
        if self.values.len() < source.rows {
            self.values.resize_with(source.rows, T::default);
        }
        let values = &mut self.values[..source.rows];
        if source.nulls == 0 && kinds.is_empty() {
            for (row, value) in values.iter_mut().enumerate() {
                T::read_into(&columns, row, value);
            }
        } else {
            for (row, value) in values.iter_mut().enumerate() {
                if kinds.get(row) == Some(&DELETE) {
                    self.flags[row] = 0;
                    *value = T::default();
                } else {
                    whole(&self.link, T::lacks(&columns, row));
                    T::read_into(&columns, row, value);
                }
            }
        }
        self.loaded = true;
    }
}

impl<T: Owned> Kept for ValueState<T> {
    fn describe(declared: Declared, states: &mut Vec<State>) {
        states.push(declared.state(StateKind::Value, Vec::new(), T::fields("value")));
    }

    fn link(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>) {
        self.link.to(states);
    }

    fn begin(&mut self, call: Call) {
        self.link.call = call;
        (self.loaded, self.edited) = (false, false);
        if relieve(&mut self.buffer) {
            self.values = Vec::new();
        }
    }

    #[inline]
    fn at(&mut self, key: u32) {
        self.link.at(key);
    }

    fn finish(&mut self) {
        if !self.edited {
            return;
        }
        let (schema, keyed) = (STATE + self.link.number, self.link.is_keyed());
        for (key, &flags) in self.flags.iter().enumerate() {
            match flags {
                CHANGED => {
                    self.puts.columns.push_null();
                    self.puts.end_removing(key as u32);
                }
                flags if flags & CHANGED != 0 => {
                    T::append(&mut self.puts.columns, &self.values[key]);
                    self.puts.end(key as u32);
                }
                _ => continue,
            }
            if self.puts.is_full() {
                self.puts.hand_over(schema, keyed);
            }
        }
        self.puts.hand_over(schema, keyed);
    }
}
