// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What a module says of itself: the message `Module` of `wasmill.fbs`.

use crate::flat::{Slot, write};
use crate::value::Value;
use crate::{Decimal, Timestamp, Ttl};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The types of columns, by their number in `wasmill.fbs`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Type {
    #[default]
    Bool = 1,
    Int32 = 2,
    Int64 = 3,
    Float64 = 4,
    Decimal = 5,
    String = 6,
    Bytes = 7,
    Timestamp = 8,
    List = 9,
    Struct = 10,
}

/// A column, or a part of a nested one.
#[derive(Default)]
pub struct Field {
    pub name: &'static str,
    pub kind: Type,
    pub scale: u8,
    pub required: bool,
    pub children: Vec<Field>,
    pub default: String, // "" where there is none
    pub doc: String,
    pub merge: Option<Merge>, // of a column of a reducing state
}

impl Field {
    /// Adds a field as `row!` declares it, unless it is an event time, which is no column.
    pub fn declare<T: Value>(
        fields: &mut Vec<Field>,
        name: &'static str,
        default: String,
        doc: &[&str],
        merge: Option<Merge>,
    ) {
        if T::TIMES != 0 {
            return;
        }
        let mut field = Field {
            name: name.trim_start_matches("r#"),
            required: !T::NULLABLE && default.is_empty(),
            default,
            doc: line(doc),
            merge,
            ..Field::default()
        };
        T::describe(&mut field);
        fields.push(field);
    }

    /// The type and the name of a field that tests play the host's part with.
    #[cfg(not(target_family = "wasm"))]
    pub fn copy(&self) -> Field {
        let children = self.children.iter().map(Field::copy).collect();
        Field { name: self.name, kind: self.kind, scale: self.scale, children, ..Field::default() }
    }

    /// Whether another field has the same name and type, of those that a key may have.
    pub fn is_alike(&self, other: &Field) -> bool {
        (self.name, self.kind, self.scale) == (other.name, other.kind, other.scale)
    }

    fn slots(&self) -> Vec<Slot<'_>> {
        let scale = if self.scale == 0 { Slot::Absent } else { Slot::Byte(self.scale) };
        Vec::from([
            Slot::text(self.name),
            Slot::Byte(self.kind as u8),
            scale,
            Slot::flag(self.required),
            fields(&self.children),
            Slot::text(&self.default),
            Slot::text(&self.doc),
        ])
    }
}

/// Makes one line of the lines of a comment.
pub fn line(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// A value that may be the default of a configuration field of type `T`; it is displayed as a
/// pipeline file writes it.
#[diagnostic::on_unimplemented(message = "a value of type `{Self}` is no default of a field of type `{T}`")]
pub trait DefaultOf<T>: fmt::Display {}

macro_rules! default_of {
    ($($value:ty => $field:ty),*) => { $( impl DefaultOf<$field> for $value {} )* };
}
default_of!(bool => bool, i32 => i32, i64 => i64, f64 => f64, &str => String, &str => Timestamp);

impl<const SCALE: u8> DefaultOf<Decimal<SCALE>> for &str {}
impl<T, D: DefaultOf<T>> DefaultOf<Option<T>> for D {}

/// Writes the default of a field of type `T`.
pub fn default_text<T, D: DefaultOf<T>>(default: D) -> String {
    let text = default.to_string();
    assert!(!text.is_empty(), "an empty text can't be told from no default; make the field an Option");
    text
}

fn fields(fields: &[Field]) -> Slot<'_> {
    Slot::tables(fields.iter().map(Field::slots).collect())
}

/// An input or an output.
#[derive(Default)]
pub struct Port {
    pub name: String,
    pub fields: Vec<Field>,
    pub forward: bool,
    pub time: bool,
    pub broadcast: bool,
}

impl Port {
    fn slots(&self) -> Vec<Slot<'_>> {
        Vec::from([
            Slot::text(&self.name),
            fields(&self.fields),
            Slot::flag(self.forward),
            Slot::flag(self.time),
            Slot::flag(self.broadcast),
        ])
    }
}

fn ports(ports: &[Port]) -> Slot<'_> {
    Slot::tables(ports.iter().map(Port::slots).collect())
}

/// What an operator's outputs declare.
#[derive(Default)]
pub struct Outgoing {
    pub ports: Vec<Port>,
    pub counters: Vec<&'static str>,
}

/// The kinds of operators that this SDK can write, by their number in `wasmill.fbs`.
#[derive(Clone, Copy, Default)]
pub enum Kind {
    #[default]
    Map = 1,
    Process = 2,
    Aggregate = 3,
}

/// The kinds of states, by their number in `wasmill.fbs`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StateKind {
    Value = 1,
    List = 2,
    Map = 3,
    Reducing = 4,
}

/// How the host merges a column of a [`ReducingState`](crate::ReducingState).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Merge {
    /// The sum.
    Add = 1,
    /// The least.
    Min = 2,
    /// The greatest.
    Max = 3,
    /// Strings, bytes and lists, end to end.
    Append = 4,
}

/// What a state is kept by.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Scope {
    /// The key of the row or the timer at hand.
    #[default]
    Key = 0,
    /// The subtask, whatever the key.
    Operator = 1,
    /// Nothing: it is the same on each subtask, and only rows of broadcast inputs write it.
    Broadcast = 2,
}

/// A state of an operator.
pub struct State {
    pub name: &'static str,
    pub kind: StateKind,
    pub doc: String,
    pub fields: Vec<Field>,
    pub key: Vec<Field>,
    pub merge: Vec<Merge>,
    pub scope: Scope,
    pub ttl: Option<Ttl>,
}

impl State {
    fn slots(&self) -> Vec<Slot<'_>> {
        let merge: Vec<u8> = self.merge.iter().map(|&merge| merge as u8).collect();
        let byte = |byte| if byte == 0 { Slot::Absent } else { Slot::Byte(byte) };
        let micros = self.ttl.map_or(0, |ttl| ttl.micros());
        Vec::from([
            Slot::text(self.name),
            Slot::Byte(self.kind as u8),
            Slot::text(&self.doc),
            fields(&self.fields),
            fields(&self.key),
            if merge.is_empty() { Slot::Absent } else { Slot::Bytes(merge) },
            byte(self.scope as u8),
            if micros == 0 { Slot::Absent } else { Slot::Long(micros) },
            byte(self.ttl.map_or(0, |ttl| ttl.renew() as u8)),
            Slot::flag(self.ttl.is_some_and(|ttl| ttl.is_by_event_time())),
        ])
    }
}

/// An operator.
#[derive(Default)]
pub struct Description {
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub inputs: Vec<Port>,
    pub out: Outgoing,
    pub config: Vec<Field>,
    pub accumulator: Option<Field>,
    pub key: Vec<Field>,
    pub states: Vec<State>,
}

impl Description {
    fn slots(&self) -> Vec<Slot<'_>> {
        Vec::from([
            Slot::text(self.name),
            Slot::Byte(self.kind as u8),
            Slot::text(self.doc),
            ports(&self.inputs),
            ports(&self.out.ports),
            fields(&self.config),
            self.accumulator.as_ref().map_or(Slot::Absent, |field| Slot::Table(field.slots())),
            if self.out.counters.is_empty() { Slot::Absent } else { Slot::Texts(self.out.counters.clone()) },
            fields(&self.key),
            Slot::tables(self.states.iter().map(State::slots).collect()),
        ])
    }
}

/// Writes the description of a module.
pub fn module(operators: &[Description]) -> Vec<u8> {
    write(&[
        Slot::Word(crate::VERSION as u32),
        Slot::Text(concat!("wasmill-rust ", env!("CARGO_PKG_VERSION"))),
        Slot::Tables(operators.iter().map(Description::slots).collect()),
    ])
}
