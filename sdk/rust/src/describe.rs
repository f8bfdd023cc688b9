// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What a module says of itself: the message `Module` of `wasmill.fbs`.

use crate::flat::{Slot, write};
use crate::value::Value;
use crate::{Decimal, Timestamp};
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
}

impl Field {
    /// Adds a field as `row!` declares it, unless it is an event time, which is no column.
    pub fn declare<T: Value>(fields: &mut Vec<Field>, name: &'static str, default: String, doc: &[&str]) {
        if T::TIMES != 0 {
            return;
        }
        let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
        let mut field = Field {
            name: name.trim_start_matches("r#"),
            required: !T::NULLABLE && default.is_empty(),
            default,
            doc: lines.join(" "),
            ..Field::default()
        };
        T::describe(&mut field);
        fields.push(field);
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
pub struct Port {
    pub name: &'static str,
    pub fields: Vec<Field>,
    pub forward: bool,
    pub time: bool,
}

impl Port {
    fn slots(&self) -> Vec<Slot<'_>> {
        Vec::from([
            Slot::text(self.name),
            fields(&self.fields),
            Slot::flag(self.forward),
            Slot::flag(self.time),
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
#[derive(Clone, Copy)]
pub enum Kind {
    Map = 1,
    Aggregate = 3,
}

/// An operator.
pub struct Description {
    pub name: &'static str,
    pub kind: Kind,
    pub doc: &'static str,
    pub input: Port,
    pub out: Outgoing,
    pub config: Vec<Field>,
    pub accumulator: Option<Field>,
}

impl Description {
    fn slots(&self) -> Vec<Slot<'_>> {
        Vec::from([
            Slot::text(self.name),
            Slot::Byte(self.kind as u8),
            Slot::text(self.doc),
            Slot::Tables(Vec::from([self.input.slots()])),
            ports(&self.out.ports),
            fields(&self.config),
            self.accumulator.as_ref().map_or(Slot::Absent, |field| Slot::Table(field.slots())),
            if self.out.counters.is_empty() { Slot::Absent } else { Slot::Texts(self.out.counters.clone()) },
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
