// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::builder::Builder;
use crate::describe::{Field, Type};
use crate::output::optional;
use crate::row::Row;
use crate::value::Value;
use crate::wire::Source;
use crate::{Decimal, List, Timestamp};
use alloc::string::String;
use alloc::vec::Vec;

/// What a row of a state is: a struct of [`row!`](crate::row), whose fields are the columns, or any
/// type of column.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept in a state",
    note = "a state holds a struct of `wasmill::row!` or a type of column: bool, i32, i64, f64, Decimal, Timestamp, &str, String, &[u8], List, Vec, and Option of these"
)]
pub trait Stored: Sized {
    /// The same type, borrowing from a batch of the lifetime.
    type Of<'a>: Clone + 'a;
    /// The columns in a batch.
    type Columns<'a>: Copy;
    /// The columns that are being written.
    type Builders: Builder;

    /// The columns; `name` is that of the one of a type of column.
    fn fields(name: &'static str) -> Vec<Field>;
    /// Takes the columns from a batch.
    fn columns<'a>(source: &mut Source<'a>) -> Self::Columns<'a>;
    /// Whether something is null in the row that can't be.
    fn lacks(columns: &Self::Columns<'_>, row: usize) -> bool;
    /// Reads a row that does not [lack](Self::lacks) anything.
    fn read<'a>(columns: &Self::Columns<'a>, row: usize) -> Self::Of<'a>;
    /// Reads a row over another one, whose memory it uses.
    fn read_into<'a>(columns: &Self::Columns<'a>, row: usize, into: &mut Self::Of<'a>);
    /// Appends a row.
    fn append(builders: &mut Self::Builders, row: &Self::Of<'_>);
    /// Appends bytes that are equal where rows are, of the key of a map.
    fn encode(row: &Self::Of<'_>, out: &mut Vec<u8>);
    /// Takes a row from where it was encoded.
    fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a>;
}

/// A [`Stored`] type that borrows from nothing: with `String` instead of `&str` and `Vec` instead of
/// `List`. Its `Default` stands where there is no value yet.
pub trait Owned: for<'a> Stored<Of<'a> = Self> + Clone + Default + 'static {}

impl<T: for<'a> Stored<Of<'a> = T> + Clone + Default + 'static> Owned for T {}

impl<R: Row> Stored for R {
    type Of<'a> = R::Of<'a>;
    type Columns<'a> = R::Columns<'a>;
    type Builders = R::Builders;

    fn fields(_name: &'static str) -> Vec<Field> {
        const { assert!(R::EVENT_TIMES == 0, "what a state holds has no event time: keep it as a Timestamp") }
        optional(R::fields())
    }

    fn columns<'a>(source: &mut Source<'a>) -> Self::Columns<'a> {
        R::columns(source)
    }

    fn lacks(columns: &Self::Columns<'_>, row: usize) -> bool {
        R::lacks(columns, row).is_some()
    }

    #[inline]
    fn read<'a>(columns: &Self::Columns<'a>, row: usize) -> Self::Of<'a> {
        R::read(columns, row)
    }

    #[inline]
    fn read_into<'a>(columns: &Self::Columns<'a>, row: usize, into: &mut Self::Of<'a>) {
        R::read_into(columns, row, into);
    }

    #[inline]
    fn append(builders: &mut Self::Builders, row: &Self::Of<'_>) {
        R::append_ref(builders, row);
    }

    fn encode(row: &Self::Of<'_>, out: &mut Vec<u8>) {
        R::encode(row, out);
    }

    fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a> {
        R::decode(bytes)
    }
}

macro_rules! stored {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => { $(
        impl<$($generics)*> Stored for $type {
            type Of<'a> = <$type as Value>::Of<'a>;
            type Columns<'a> = <$type as Value>::Column<'a>;
            type Builders = <$type as Value>::Builder;

            fn fields(name: &'static str) -> Vec<Field> {
                let mut fields = Vec::new();
                Field::declare::<$type>(&mut fields, name, String::new(), &[], None);
                optional(fields)
            }

            fn columns<'a>(source: &mut Source<'a>) -> Self::Columns<'a> {
                <$type as Value>::column(source)
            }

            fn lacks(columns: &Self::Columns<'_>, row: usize) -> bool {
                <$type as Value>::missing(columns, row)
            }

            #[inline]
            fn read<'a>(columns: &Self::Columns<'a>, row: usize) -> Self::Of<'a> {
                <$type as Value>::get(columns, row)
            }

            #[inline]
            fn read_into<'a>(columns: &Self::Columns<'a>, row: usize, into: &mut Self::Of<'a>) {
                <$type as Value>::get_into(columns, row, into);
            }

            #[inline]
            fn append(builders: &mut Self::Builders, row: &Self::Of<'_>) {
                <$type as Value>::push_ref(builders, row);
            }

            fn encode(row: &Self::Of<'_>, out: &mut Vec<u8>) {
                <$type as Value>::encode(row, out);
            }

            fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a> {
                <$type as Value>::decode(bytes)
            }
        }
    )* };
}
stored!(
    [] bool, [] i32, [] i64, [] f64, [] Timestamp, [] String,
    [const SCALE: u8] Decimal<SCALE>, ['x] &'x str, ['x] &'x [u8],
    [T: Value] Option<T>, [T: Value] Vec<T>, ['x, T: Value + 'static] List<'x, T>,
);

/// Whether bytes of [`Stored::encode`] are equal where the host takes keys for equal: it has its own
/// mind of floats.
pub(crate) fn is_exact(key: &[Field]) -> bool {
    key.iter().all(|field| field.kind != Type::Float64)
}
