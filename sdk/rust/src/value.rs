// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Which Rust types columns hold, and how a value is read and written.

use crate::builder::{
    BoolBuilder, Builder, ListBuilder, NumberBuilder, StringBuilder, StructBuilder, TimeBuilder,
};
use crate::column::{Bools, Bytes, Column, Lists, Numbers, Strings, Structs};
use crate::describe::{Field, Type};
use crate::memory::{Plain, bytes, copy};
use crate::row::Row;
use crate::wire::Source;
use crate::{Decimal, EventTime, Timestamp};
use alloc::string::String;
use alloc::vec::Vec;

/// A type that a column can hold.
///
/// These are: `bool`, `i32`, `i64`, `f64`, [`Decimal`], [`Timestamp`], `&str` and `String`,
/// `&[u8]`, [`List`](crate::List) and `Vec`, structs that [`row!`](crate::row) declares, `Option` of all of them where
/// a value can be null, and, for the event time of a row, [`EventTime`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type of column",
    note = "columns are bool, i32, i64, f64, Decimal, Timestamp, &str, String, &[u8], List, Vec, structs of row!, and Option of these"
)]
pub trait Value: Sized {
    /// The same type, borrowing from a batch of the lifetime.
    type Of<'a>: Clone + 'a;
    /// How it is read from a batch.
    type Column<'a>: Column;
    /// How it is written.
    type Builder: Builder;
    /// Whether null is a value of the type.
    const NULLABLE: bool = false;
    /// Whether it is the event time of its row, which is no column: 1 or 0.
    const TIMES: usize = 0;

    /// Says the type.
    fn describe(field: &mut Field);
    /// Takes the column from a batch.
    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a>;
    /// Reads a row that is not [missing](Self::missing).
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a>;
    /// Appends a value.
    fn push(builder: &mut Self::Builder, value: Self::Of<'_>);
    /// Reads a row over another value, whose memory it uses.
    #[inline]
    fn get_into<'a>(column: &Self::Column<'a>, row: usize, into: &mut Self::Of<'a>) {
        *into = Self::get(column, row);
    }
    /// Appends a value that is kept.
    #[inline]
    fn push_ref(builder: &mut Self::Builder, value: &Self::Of<'_>) {
        Self::push(builder, value.clone());
    }
    /// Appends bytes that are equal where values are; of a type that a map's key may have.
    fn encode(value: &Self::Of<'_>, out: &mut Vec<u8>) {
        let _ = (value, out);
        panic!("a list or a struct is no part of a map's key");
    }
    /// Takes a value from where it was encoded.
    fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a> {
        panic!("a list or a struct is no part of a map's key, of which {} bytes are left", bytes.len());
    }
    /// Whether, inside a value that is there, one is null that can't be.
    #[inline]
    fn incomplete(_column: &Self::Column<'_>, _row: usize) -> bool {
        false
    }
    /// Whether the row is null, or something inside of it, where the type has no null.
    #[inline]
    fn missing(column: &Self::Column<'_>, row: usize) -> bool {
        (!Self::NULLABLE && column.nulls().is_null(row)) || Self::incomplete(column, row)
    }
}

macro_rules! number {
    ($($type:ty = $kind:expr),*) => { $(
        impl Value for $type {
            type Of<'a> = $type;
            type Column<'a> = Numbers<'a, $type>;
            type Builder = NumberBuilder<$type>;

            fn describe(field: &mut Field) {
                field.kind = $kind;
            }

            fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
                Numbers::new(source)
            }

            #[inline]
            fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
                column.values()[row]
            }

            #[inline]
            fn push(builder: &mut Self::Builder, value: $type) {
                builder.push(value);
            }

            fn encode(value: &Self, out: &mut Vec<u8>) {
                out.extend_from_slice(bytes(core::slice::from_ref(value)));
            }

            fn decode(bytes: &mut &[u8]) -> Self {
                number(bytes)
            }
        }
    )* };
}
number!(i32 = Type::Int32, i64 = Type::Int64, f64 = Type::Float64, Timestamp = Type::Timestamp);

// SAFETY: a transparent wrapper of an i64.
unsafe impl Plain for Timestamp {}
// SAFETY: a transparent wrapper of an i64.
unsafe impl Plain for EventTime {}
// SAFETY: a transparent wrapper of an i64.
unsafe impl<const SCALE: u8> Plain for Decimal<SCALE> {}

impl<const SCALE: u8> Value for Decimal<SCALE> {
    type Of<'a> = Self;
    type Column<'a> = Numbers<'a, Self>;
    type Builder = NumberBuilder<Self>;

    fn describe(field: &mut Field) {
        field.kind = Type::Decimal;
        field.scale = SCALE;
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        Numbers::new(source)
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.values()[row]
    }

    #[inline]
    fn push(builder: &mut Self::Builder, value: Self) {
        builder.push(value);
    }

    fn encode(value: &Self, out: &mut Vec<u8>) {
        out.extend_from_slice(bytes(core::slice::from_ref(value)));
    }

    fn decode(bytes: &mut &[u8]) -> Self {
        number(bytes)
    }
}

impl Value for EventTime {
    type Of<'a> = EventTime;
    type Column<'a> = Numbers<'a, EventTime>;
    type Builder = TimeBuilder<EventTime>;
    const TIMES: usize = 1;

    fn describe(_field: &mut Field) {}

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        Numbers::of_times(source.times())
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.values()[row]
    }

    #[inline]
    fn push(builder: &mut Self::Builder, value: EventTime) {
        builder.push(value);
    }
}

impl Value for bool {
    type Of<'a> = bool;
    type Column<'a> = Bools<'a>;
    type Builder = BoolBuilder;

    fn describe(field: &mut Field) {
        field.kind = Type::Bool;
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        Bools::new(source)
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.get(row)
    }

    #[inline]
    fn push(builder: &mut BoolBuilder, value: bool) {
        builder.push(value);
    }

    fn encode(value: &bool, out: &mut Vec<u8>) {
        out.push(u8::from(*value));
    }

    fn decode(bytes: &mut &[u8]) -> bool {
        take(bytes, 1)[0] != 0
    }
}

macro_rules! string {
    (
        [$($x:lifetime)?] $type:ty, $of:ty, $kind:expr, $columns:ident,
        $column:ident, $row:ident => $get:expr, $into:ident => $get_into:expr, $bytes:ident => $decode:expr
    ) => {
        impl $(<$x>)? Value for $type {
            type Of<'a> = $of;
            type Column<'a> = $columns<'a>;
            type Builder = StringBuilder;

            fn describe(field: &mut Field) {
                field.kind = $kind;
            }

            fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
                $columns::new(source)
            }

            #[inline]
            fn get<'a>($column: &Self::Column<'a>, $row: usize) -> Self::Of<'a> {
                $get
            }

            #[inline]
            fn push(builder: &mut StringBuilder, value: Self::Of<'_>) {
                builder.push(value);
            }

            fn get_into<'a>($column: &Self::Column<'a>, $row: usize, $into: &mut Self::Of<'a>) {
                $get_into
            }

            #[inline]
            fn push_ref(builder: &mut StringBuilder, value: &Self::Of<'_>) {
                builder.push(value);
            }

            fn encode(value: &Self::Of<'_>, out: &mut Vec<u8>) {
                i32::encode(&(value.len() as i32), out); // what is longer is in no batch
                out.extend_from_slice(value.as_ref());
            }

            fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a> {
                let $bytes = bytes;
                $decode
            }
        }
    };
}
string!(['x] &'x str, &'a str, Type::String, Strings, column, row => column.get(row),
    into => *into = column.get(row), bytes => text(bytes));
string!(['x] &'x [u8], &'a [u8], Type::Bytes, Bytes, column, row => column.get(row),
    into => *into = column.get(row), bytes => run(bytes));
string!([] String, String, Type::String, Strings, column, row => column.get(row).into(),
    into => {
        into.clear();
        into.push_str(column.get(row));
    },
    bytes => text(bytes).into());

/// Takes that many of encoded bytes.
fn take<'a>(bytes: &mut &'a [u8], size: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(size);
    *bytes = rest;
    taken
}

/// Takes an encoded number.
fn number<N: Plain>(bytes: &mut &[u8]) -> N {
    let mut number = [N::default()];
    copy(take(bytes, size_of::<N>()), &mut number);
    number[0]
}

/// Takes encoded bytes that are preceded by their length.
fn run<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let size = i32::decode(bytes) as usize;
    take(bytes, size)
}

/// Takes an encoded text.
fn text<'a>(bytes: &mut &'a [u8]) -> &'a str {
    core::str::from_utf8(run(bytes)).expect("a text was encoded")
}

impl<T: Value> Value for Option<T> {
    type Of<'a> = Option<T::Of<'a>>;
    type Column<'a> = T::Column<'a>;
    type Builder = T::Builder;
    const NULLABLE: bool = true;

    fn describe(field: &mut Field) {
        const { assert!(T::TIMES == 0, "an event time can't be null") }
        T::describe(field);
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        T::column(source)
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        if column.nulls().is_null(row) { None } else { Some(T::get(column, row)) }
    }

    #[inline]
    fn push(builder: &mut T::Builder, value: Option<T::Of<'_>>) {
        match value {
            Some(value) => T::push(builder, value),
            None => builder.push_null(),
        }
    }

    fn get_into<'a>(column: &Self::Column<'a>, row: usize, into: &mut Self::Of<'a>) {
        match into {
            Some(value) if !column.nulls().is_null(row) => T::get_into(column, row, value),
            _ => *into = Self::get(column, row),
        }
    }

    #[inline]
    fn push_ref(builder: &mut T::Builder, value: &Option<T::Of<'_>>) {
        match value {
            Some(value) => T::push_ref(builder, value),
            None => builder.push_null(),
        }
    }

    fn encode(value: &Self::Of<'_>, out: &mut Vec<u8>) {
        out.push(u8::from(value.is_some()));
        if let Some(value) = value {
            T::encode(value, out);
        }
    }

    fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a> {
        (take(bytes, 1)[0] != 0).then(|| T::decode(bytes))
    }

    #[inline]
    fn incomplete(column: &T::Column<'_>, row: usize) -> bool {
        !column.nulls().is_null(row) && T::incomplete(column, row)
    }
}

impl<T: Value> Value for Vec<T> {
    type Of<'a> = Vec<T::Of<'a>>;
    type Column<'a> = Lists<'a, T::Column<'a>>;
    type Builder = ListBuilder<T::Builder>;

    fn describe(field: &mut Field) {
        const { assert!(T::TIMES == 0, "an event time is no item of a list") }
        let mut item = Field { name: "item", ..Field::default() };
        T::describe(&mut item);
        field.kind = Type::List;
        field.children = Vec::from([item]);
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        Lists::new(source, T::column)
    }

    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        column.range(row).map(|item| T::get(&column.items, item)).collect()
    }

    fn push(builder: &mut Self::Builder, value: Vec<T::Of<'_>>) {
        for item in value {
            T::push(&mut builder.items, item);
        }
        builder.end();
    }

    fn get_into<'a>(column: &Self::Column<'a>, row: usize, into: &mut Self::Of<'a>) {
        let mut items = column.range(row);
        into.truncate(items.len());
        for slot in into.iter_mut() {
            let item = items.next().expect("there are at least as many items");
            T::get_into(&column.items, item, slot);
        }
        into.extend(items.map(|item| T::get(&column.items, item)));
    }

    fn push_ref(builder: &mut Self::Builder, value: &Vec<T::Of<'_>>) {
        for item in value {
            T::push_ref(&mut builder.items, item);
        }
        builder.end();
    }

    fn incomplete(column: &Self::Column<'_>, row: usize) -> bool {
        column.range(row).any(|item| T::missing(&column.items, item))
    }
}

impl<R: Row> Value for R {
    type Of<'a> = <R as Row>::Of<'a>;
    type Column<'a> = Structs<'a, R::Columns<'a>>;
    type Builder = StructBuilder<R::Builders>;

    fn describe(field: &mut Field) {
        const { assert!(R::EVENT_TIMES == 0, "an event time is the row's, not a nested struct's") }
        field.kind = Type::Struct;
        field.children = R::fields();
        for child in &mut field.children {
            child.required = false; // which only a whole column can be
        }
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        Structs::new(source, R::columns)
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        R::read(&column.fields, row)
    }

    #[inline]
    fn push(builder: &mut Self::Builder, value: <R as Row>::Of<'_>) {
        R::append(&mut builder.fields, value);
        builder.end();
    }

    fn get_into<'a>(column: &Self::Column<'a>, row: usize, into: &mut Self::Of<'a>) {
        R::read_into(&column.fields, row, into);
    }

    fn push_ref(builder: &mut Self::Builder, value: &<R as Row>::Of<'_>) {
        R::append_ref(&mut builder.fields, value);
        builder.end();
    }

    #[inline]
    fn incomplete(column: &Self::Column<'_>, row: usize) -> bool {
        R::lacks(&column.fields, row).is_some()
    }
}
