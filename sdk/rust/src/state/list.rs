// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::memory::Arena;
use super::puts::Puts;
use super::scan::Scan;
use super::{Call, Declared, Kept, Link, Stored};
use crate::builder::Builder;
use crate::describe::{State, StateKind};
use crate::wire::STATE;
use alloc::vec::Vec;

/// A list of each key, in the order in which its items were appended: a field of a struct of
/// [`states!`](crate::states). Types that borrow are written with `'static`.
pub struct ListState<T: Stored> {
    link: Link,
    puts: Puts<T::Builders>,
    memory: Arena,
}

impl<T: Stored> Default for ListState<T> {
    fn default() -> Self {
        ListState { link: Default::default(), puts: Default::default(), memory: Default::default() }
    }
}

impl<T: Stored> ListState<T> {
    /// Appends an item to the list of the key at hand.
    #[inline]
    pub fn append(&mut self, item: T::Of<'_>) {
        self.link.may_write();
        T::append(&mut self.puts.columns, &item);
        self.puts.end(self.link.key);
        if self.puts.is_full() {
            self.flush();
        }
    }

    /// Removes all items of the key at hand.
    pub fn clear(&mut self) {
        self.link.may_write();
        self.puts.columns.push_null();
        self.puts.end_removing(self.link.key);
        if self.puts.is_full() {
            self.flush();
        }
    }

    /// The items of the key at hand, in order.
    pub fn iter(&mut self) -> ListItems<'_, T> {
        self.link.may_read();
        self.flush();
        ListItems(Scan::new(&self.link, &self.memory, 0, &[]))
    }

    #[inline(never)]
    fn flush(&mut self) {
        self.puts.hand_over(STATE + self.link.number, self.link.is_keyed());
    }
}

/// The items of a list.
pub struct ListItems<'a, T: Stored>(Scan<'a, T::Columns<'a>>);

impl<'a, T: Stored> Iterator for ListItems<'a, T> {
    type Item = T::Of<'a>;

    #[inline]
    fn next(&mut self) -> Option<T::Of<'a>> {
        let (columns, row) = self.0.next(T::columns, T::lacks)?;
        Some(T::read(&columns, row))
    }
}

impl<T: Stored> Kept for ListState<T> {
    fn describe(declared: Declared, states: &mut Vec<State>) {
        states.push(declared.state(StateKind::List, Vec::new(), T::fields("value")));
    }

    fn link(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>) {
        self.link.to(states);
    }

    fn begin(&mut self, call: Call) {
        self.link.call = call;
        self.memory.clear();
    }

    #[inline]
    fn at(&mut self, key: u32) {
        self.link.at(key);
    }

    fn finish(&mut self) {
        self.flush();
    }
}
