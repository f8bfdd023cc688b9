// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::puts::Puts;
use super::{Call, Declared, Kept, Link};
use crate::describe::State;
use crate::wire::{EVENT_TIMER, PROCESSING_TIMER};
use crate::{EventTime, Row, Timestamp};
use alloc::vec::Vec;

/// What a timer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The watermark.
    EventTime,
    /// The job's processing time.
    ProcessingTime,
}

/// A timer that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timer<'a> {
    /// When it was due.
    pub time: Timestamp,
    /// The namespace in which it was set.
    pub namespace: &'a [u8],
    /// What it goes by.
    pub clock: Clock,
}

crate::row! {
    pub(crate) struct Set<'a> {
        time: Timestamp,
        namespace: &'a [u8],
    }
}

macro_rules! timers {
    ($(#[$doc:meta])* $name:ident, $time:ident, $schema:ident) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name {
            link: Link,
            puts: Puts<<Set<'static> as Row>::Builders>,
        }

        impl $name {
            /// Sets a timer of the key at hand.
            #[inline]
            pub fn set(&mut self, at: $time) {
                self.set_in([], at);
            }

            /// Sets a timer of the key at hand in a namespace.
            #[inline]
            pub fn set_in(&mut self, namespace: impl AsRef<[u8]>, at: $time) {
                self.push(namespace.as_ref(), at);
                self.puts.end(self.link.key);
            }

            /// Deletes a timer of the key at hand, if there is one.
            #[inline]
            pub fn delete(&mut self, at: $time) {
                self.delete_in([], at);
            }

            /// Deletes a timer of the key at hand in a namespace, if there is one.
            #[inline]
            pub fn delete_in(&mut self, namespace: impl AsRef<[u8]>, at: $time) {
                self.push(namespace.as_ref(), at);
                self.puts.end_removing(self.link.key);
            }

            fn push(&mut self, namespace: &[u8], at: $time) {
                self.link.may_write();
                if self.puts.is_full() {
                    self.puts.hand_over($schema, true);
                }
                Set::append(&mut self.puts.columns, Set { time: Timestamp(at.0), namespace });
            }
        }

        impl Kept for $name {
            const TIMERS: bool = true;

            fn describe(declared: Declared, _states: &mut Vec<State>) {
                declared.refuse_options();
            }

            fn link(&mut self, _states: &mut dyn Iterator<Item = (usize, &State)>) {
                (self.link.name, self.link.mask) = ("a timer", u32::MAX);
            }

            fn begin(&mut self, call: Call) {
                self.link.call = call;
            }

            #[inline]
            fn at(&mut self, key: u32) {
                self.link.at(key);
            }

            fn finish(&mut self) {
                self.puts.hand_over($schema, true);
            }
        }
    };
}

timers!(
    /// Sets timers that are due when the watermark reaches their time: a field of a struct of
    /// [`states!`](crate::states).
    ///
    /// A timer is one for its key, namespace and time, however often it is set. One whose time has
    /// passed already is due with the next watermark; where a timer has set it, with the one at hand.
    EventTimers,
    EventTime,
    EVENT_TIMER
);
timers!(
    /// [`EventTimers`] by processing time: its timers are due when [`now`](crate::now) reaches their
    /// time, which the host looks at from time to time.
    ProcessingTimers,
    Timestamp,
    PROCESSING_TIMER
);
