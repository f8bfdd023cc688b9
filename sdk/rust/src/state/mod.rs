// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! State and timers of a [`Process`](crate::Process), which lie on the host. What is put is collected
//! here until it is read or the call ends.

mod index;
mod list;
mod map;
mod memory;
mod puts;
mod range;
mod reducing;
mod scan;
mod stored;
mod timers;
mod value;

pub use list::{ListItems, ListState};
pub use map::{MapEntries, MapState};
pub use range::KeyRange;
pub use reducing::ReducingState;
pub use stored::{Owned, Stored};
pub use timers::{Clock, EventTimers, ProcessingTimers, Timer};
pub use value::ValueState;

use crate::describe::{Field, Merge, Scope, State, StateKind, line};
use alloc::vec::Vec;
use core::time::Duration;

/// The states of an operator and what sets its timers: a struct that [`states!`](crate::states)
/// declares, or `()` where there are none.
pub trait States: Default {
    /// Whether something of it sets timers.
    const TIMERS: bool;
    /// Says what states there are.
    fn describe(states: &mut Vec<State>);
    /// Numbers the states, in the order of the description.
    fn link(&mut self, states: &[State]);
    /// Begins a call.
    fn begin(&mut self, call: Call);
    /// Says by its number which key is at hand.
    fn at(&mut self, key: u32);
    /// Hands over what has not been yet.
    fn finish(&mut self);
}

impl States for () {
    const TIMERS: bool = false;
    fn describe(_states: &mut Vec<State>) {}
    fn link(&mut self, _states: &[State]) {}
    fn begin(&mut self, _call: Call) {}
    #[inline]
    fn at(&mut self, _key: u32) {}
    fn finish(&mut self) {}
}

/// A field of [`States`].
pub trait Kept: Default {
    /// Whether it sets timers.
    const TIMERS: bool = false;
    /// Says what state it is, if it is one.
    fn describe(declared: Declared, states: &mut Vec<State>);
    /// Takes its number and its description from those of all states.
    fn link(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>);
    /// As in [`States`].
    fn begin(&mut self, call: Call);
    /// As in [`States`].
    fn at(&mut self, key: u32);
    /// As in [`States`].
    fn finish(&mut self);
}

/// Of which rows a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Call {
    /// Rows of a keyed input, or timers.
    #[default]
    Keyed,
    /// Rows of a broadcast input.
    Broadcast,
}

/// How long a row of a state is kept: `#[ttl = Ttl::since_write(DAY)]` above a field of
/// [`states!`](crate::states). Of a list and a map each row has its own time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ttl {
    after: Duration,
    renew: Renew,
    by_event_time: bool,
}

/// What makes a row's time begin anew, by its number in `wasmill.fbs`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Renew {
    Create = 0,
    Write = 1,
    ReadAndWrite = 2,
}

impl Ttl {
    /// So long after the row was created.
    pub const fn since_creation(after: Duration) -> Self {
        Ttl { after, renew: Renew::Create, by_event_time: false }
    }

    /// So long after the row was last written.
    pub const fn since_write(after: Duration) -> Self {
        Ttl { after, renew: Renew::Write, by_event_time: false }
    }

    /// So long after the row was last written or read.
    pub const fn since_use(after: Duration) -> Self {
        Ttl { after, renew: Renew::ReadAndWrite, by_event_time: false }
    }

    /// By the watermark instead of processing time.
    pub const fn by_event_time(self) -> Self {
        Ttl { by_event_time: true, ..self }
    }

    pub(crate) fn micros(self) -> i64 {
        i64::try_from(self.after.as_micros()).unwrap_or(i64::MAX)
    }

    pub(crate) fn renew(self) -> Renew {
        self.renew
    }

    pub(crate) fn is_by_event_time(self) -> bool {
        self.by_event_time
    }
}

/// What is declared of a state besides its type.
pub struct Declared {
    name: &'static str,
    doc: &'static [&'static str],
    scope: Option<Scope>,
    ttl: Option<Ttl>,
    merge: Option<Merge>,
}

impl Declared {
    #[doc(hidden)] // what states! calls
    pub fn new(
        name: &'static str,
        doc: &'static [&'static str],
        scope: Option<Scope>,
        ttl: Option<Ttl>,
        merge: Option<Merge>,
    ) -> Self {
        Declared { name: name.trim_start_matches("r#"), doc, scope, ttl, merge }
    }

    /// Describes a state, and panics where it can't be one.
    fn state(self, kind: StateKind, key: Vec<Field>, mut fields: Vec<Field>) -> State {
        let name = self.name;
        assert!(!fields.is_empty(), "state {name} holds rows without a column");
        assert!(self.ttl.is_none_or(|ttl| ttl.micros() > 0), "state {name}: a ttl is at least a microsecond");
        if let (Some(merge), [field]) = (self.merge, fields.as_mut_slice()) {
            field.merge = Some(merge);
        } else {
            assert!(
                self.merge.is_none(),
                "state {name} has several columns: each says by #[merge] how it is merged"
            );
        }
        let merge: Vec<Merge> = fields.iter().filter_map(|field| field.merge).collect();
        if kind == StateKind::Reducing {
            let lacks = fields.iter().find(|field| field.merge.is_none());
            assert!(
                lacks.is_none(),
                "state {name}: column {} needs #[merge = Add], Min, Max or Append",
                lacks.map_or("", |field| field.name)
            );
        } else {
            assert!(merge.is_empty(), "state {name} says how it is merged; only a ReducingState merges");
        }
        State {
            name,
            kind,
            doc: line(self.doc),
            fields,
            key,
            merge,
            scope: self.scope.unwrap_or_default(),
            ttl: self.ttl,
        }
    }

    /// Panics where options of a state are given to timers.
    fn refuse_options(self) {
        let options = self.scope.is_some() || self.ttl.is_some() || self.merge.is_some();
        assert!(!options, "{} sets timers: it has no scope, no ttl and no merge", self.name);
    }
}

/// What all states know of themselves and of the call.
#[derive(Default)]
pub(crate) struct Link {
    pub number: u32,
    pub name: &'static str,
    scope: Scope,
    /// Of key numbers: all ones where the state is kept by key, else 0.
    pub mask: u32,
    /// The number of the key at hand.
    pub key: u32,
    pub call: Call,
}

impl Link {
    fn to(&mut self, states: &mut dyn Iterator<Item = (usize, &State)>) {
        let (number, state) = states.next().expect("each state is described");
        self.number = number as u32;
        (self.name, self.scope) = (state.name, state.scope);
        self.mask = if self.is_keyed() { u32::MAX } else { 0 };
    }

    #[inline]
    fn at(&mut self, key: u32) {
        self.key = key & self.mask;
    }

    pub fn is_keyed(&self) -> bool {
        self.scope == Scope::Key
    }

    /// Panics where it can't be read.
    #[inline]
    pub fn may_read(&self) {
        if self.call != Call::Keyed && self.scope == Scope::Key {
            self.refuse();
        }
    }

    /// Panics where it can't be written.
    #[inline]
    pub fn may_write(&self) {
        self.may_read();
        if self.call != Call::Broadcast && self.scope == Scope::Broadcast {
            self.refuse();
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse(&self) {
        match self.scope {
            Scope::Key => panic!(
                "{} is kept by key, and there is none here: only rows of keyed inputs and timers have one",
                self.name
            ),
            _ => panic!(
                "state {} is broadcast: only rows of a broadcast input may write it, so that it is the same on each subtask",
                self.name
            ),
        }
    }
}

/// Panics where a row of a state has a null where none can be.
#[inline]
fn whole(link: &Link, lacks: bool) {
    assert!(
        !lacks,
        "a row of state {} has a null that can't be one: a column that was added after rows were written is an Option",
        link.name
    );
}

/// Declares the states of an operator and what sets its timers.
///
/// Above a field, in this order: `#[scope = Operator]` or `Broadcast` keeps a state not by key but by
/// subtask, or alike on each subtask; `#[ttl = ...]` takes a [`Ttl`]; `#[merge = Add]`, `Min`, `Max`
/// or `Append` says how a [`ReducingState`] of one column is merged.
///
/// ```
/// use std::time::Duration;
/// use wasmill::{EventTimers, ListState, MapState, Ttl, ValueState};
///
/// wasmill::row! {
///     #[derive(Default)]
///     struct Sums { payments: i64, total: i64 }
/// }
///
/// wasmill::states! {
///     struct State {
///         /// Payments of a day.
///         #[ttl = Ttl::since_write(Duration::from_secs(86_400))]
///         seen: ValueState<Sums>,
///         last: ListState<&'static str>,
///         #[scope = Broadcast]
///         limits: MapState<&'static str, i64>,
///         idle: EventTimers,
///     }
/// }
/// ```
#[macro_export]
macro_rules! states {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $(
            $(#[doc = $doc:literal])*
            $(#[scope = $scope:ident])?
            $(#[ttl = $ttl:expr])?
            $(#[merge = $merge:ident])?
            $field_vis:vis $field:ident: $type:ty
        ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            $( $(#[doc = $doc])* $field_vis $field: $type, )*
        }

        impl $crate::States for $name {
            const TIMERS: bool = false $(|| <$type as $crate::__private::Kept>::TIMERS)*;

            fn describe(states: &mut $crate::__private::Vec<$crate::__private::State>) {
                $(
                    <$type as $crate::__private::Kept>::describe(
                        $crate::__private::Declared::new(
                            stringify!($field),
                            &[$($doc),*],
                            [$(::core::option::Option::Some($crate::__private::Scope::$scope),)? ::core::option::Option::None][0],
                            [$(::core::option::Option::Some($ttl),)? ::core::option::Option::None][0],
                            [$(::core::option::Option::Some($crate::Merge::$merge),)? ::core::option::Option::None][0],
                        ),
                        states,
                    );
                )*
            }

            fn link(&mut self, states: &[$crate::__private::State]) {
                let states = &mut states.iter().enumerate();
                $( $crate::__private::Kept::link(&mut self.$field, states); )*
            }

            fn begin(&mut self, call: $crate::__private::Call) {
                $( $crate::__private::Kept::begin(&mut self.$field, call); )*
            }

            #[inline]
            fn at(&mut self, key: u32) {
                $( $crate::__private::Kept::at(&mut self.$field, key); )*
            }

            fn finish(&mut self) {
                $( $crate::__private::Kept::finish(&mut self.$field); )*
            }
        }
    };
}
