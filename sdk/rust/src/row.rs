// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Rows as structs.

use crate::builder::Builder;
use crate::describe::Field;
use crate::wire::{Sink, Source};
use crate::{Error, Result};
use alloc::vec::Vec;
use core::marker::PhantomData;

/// A struct whose fields are the columns of a row. [`row!`](crate::row) declares one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a type of column nor a struct of `wasmill::row!`",
    note = "columns are bool, i32, i64, f64, Decimal, Timestamp, &str, String, &[u8], List, Vec, structs of row!, and Option of these"
)]
pub trait Row: Sized {
    /// The same struct, borrowing from a batch of the lifetime.
    type Of<'a>: Clone + 'a;
    /// A struct with the same fields, each the column in a batch.
    type Columns<'a>: Copy;
    /// A struct with the same fields, each building the column.
    type Builders: Builder;
    /// How many fields are the row's event time.
    const EVENT_TIMES: usize;

    /// The columns, in order.
    fn fields() -> Vec<Field>;
    /// Takes the columns from a batch.
    fn columns<'a>(source: &mut Source<'a>) -> Self::Columns<'a>;
    /// Reads a row that does not [lack](Self::lacks) anything.
    fn read<'a>(columns: &Self::Columns<'a>, row: usize) -> Self::Of<'a>;
    /// The first field, if there is one, that is null in the row and can't be.
    fn lacks(columns: &Self::Columns<'_>, row: usize) -> Option<&'static str>;
    /// Appends a row.
    fn append(builders: &mut Self::Builders, row: Self::Of<'_>);
    /// Reads a row over another one, whose memory it uses.
    fn read_into<'a>(columns: &Self::Columns<'a>, row: usize, into: &mut Self::Of<'a>);
    /// Appends a row that is kept.
    fn append_ref(builders: &mut Self::Builders, row: &Self::Of<'_>);
    /// Appends bytes that are equal where rows are, of a row without lists, structs and floats.
    fn encode(row: &Self::Of<'_>, out: &mut Vec<u8>);
    /// Takes a row from where it was encoded.
    fn decode<'a>(bytes: &mut &'a [u8]) -> Self::Of<'a>;
    /// The first field, if there is one, that has not got that many rows.
    fn ragged(builders: &Self::Builders, rows: usize) -> Option<&'static str>;
}

/// The rows that one call is given.
pub struct Batch<'a, R: Row> {
    columns: R::Columns<'a>,
    keys: &'a [u32],
    rows: usize,
    whole: bool, // no column has a null, so that no row lacks anything
    row: PhantomData<R>,
}

impl<'a, R: Row> Batch<'a, R> {
    pub(crate) fn new(source: &mut Source<'a>) -> Self {
        const { assert!(R::EVENT_TIMES <= 1, "a row has one event time") }
        let columns = R::columns(source);
        Batch { columns, keys: source.keys(), rows: source.rows, whole: source.nulls == 0, row: PhantomData }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns: a struct with the fields of the row.
    pub fn columns(&self) -> &R::Columns<'a> {
        &self.columns
    }

    /// The number of each row's key, where the rows are those of a keyed input of a
    /// [`Process`](crate::Process); none in all other batches. Numbers run from 0 without a gap.
    #[inline]
    pub fn keys(&self) -> &'a [u32] {
        self.keys
    }

    /// A row. It fails where something in it is null whose type has no null.
    #[inline]
    pub fn get(&self, row: usize) -> Result<R::Of<'a>> {
        if !self.whole {
            self.check(row)?;
        }
        Ok(R::read(&self.columns, row))
    }

    #[inline(never)]
    fn check(&self, row: usize) -> Result {
        match R::lacks(&self.columns, row) {
            Some(field) => Err(Error::new(format_args!("{field} is null, or something in it is"))),
            None => Ok(()),
        }
    }
}

/// The row without columns, of an operator that has no configuration.
impl Row for () {
    type Of<'a> = ();
    type Columns<'a> = ();
    type Builders = ();
    const EVENT_TIMES: usize = 0;

    fn fields() -> Vec<Field> {
        Vec::new()
    }

    fn columns<'a>(_source: &mut Source<'a>) -> Self::Columns<'a> {}

    fn read<'a>(_columns: &Self::Columns<'a>, _row: usize) -> Self::Of<'a> {}

    fn lacks(_columns: &(), _row: usize) -> Option<&'static str> {
        None
    }

    fn append(_builders: &mut (), _row: ()) {}

    fn read_into<'a>(_columns: &(), _row: usize, _into: &mut ()) {}

    fn append_ref(_builders: &mut (), _row: &()) {}

    fn encode(_row: &(), _out: &mut Vec<u8>) {}

    fn decode(_bytes: &mut &[u8]) {}

    fn ragged(_builders: &(), _rows: usize) -> Option<&'static str> {
        None
    }
}

impl Builder for () {
    const COLUMNS: usize = 0;

    fn rows(&self) -> usize {
        0
    }

    fn push_null(&mut self) {}

    fn variable(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        0
    }

    fn write(&mut self, _sink: &mut Sink) {}

    fn clear(&mut self) {}
}

/// Declares a struct whose fields are columns: a row of an input or of an output, an operator's
/// configuration, or a nested struct.
///
/// The struct is `Clone`, `Debug` and `PartialEq`. It may have one lifetime, of the batch that its
/// strings, bytes and lists lie in. A field that can be null is an `Option`; of an input, a field
/// that is none is a required column. A field of type [`EventTime`](crate::EventTime) is no
/// column but the row's event time. `#[name = "..."]` names a column whose name is no identifier;
/// `= value` gives a configuration field its default, of a decimal or timestamp as a string.
/// `#[merge = Add]`, `Min`, `Max` or `Append` says how a column of a
/// [`ReducingState`](crate::ReducingState) is merged.
///
/// ```
/// wasmill::row! {
///     /// A flight as the airline reports it.
///     pub struct Flight<'a> {
///         origin: &'a str,
///         /// Minutes after the scheduled departure.
///         delay: Option<i64>,
///         #[name = "dist-miles"]
///         distance: i64,
///     }
/// }
///
/// wasmill::row! {
///     pub struct Config {
///         late_after: i64 = 15,
///         carrier: Option<String>,
///     }
/// }
/// ```
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident<$a:lifetime> { $($body:tt)* }) => {
        $crate::row!(@row [$(#[$meta])* $vis struct $name], [<$a>], $a, $name<'__of>, { $($body)* });
    };
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $crate::row!(@row [$(#[$meta])* $vis struct $name], [], '__of, $name, { $($body)* });
    };
    (@row [$(#[$meta:meta])* $vis:vis struct $name:ident], [$($life:tt)*], $a:lifetime, $of:ty, {
        $(
            $(#[doc = $doc:literal])*
            $(#[name = $column:literal])?
            $(#[merge = $merge:ident])?
            $field_vis:vis $field:ident: $type:ty $(= $default:expr)?
        ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name $($life)* {
            $( $(#[doc = $doc])* $field_vis $field: $type, )*
        }

        const _: () = {
            /// The columns of the rows of a batch.
            #[derive(Clone, Copy)]
            pub struct __Columns<$a> {
                $( $(#[doc = $doc])* pub $field: <$type as $crate::Value>::Column<$a>, )*
            }

            /// The columns of a batch that is being written.
            #[derive(Default)]
            pub struct __Builders $($life)* {
                $( $(#[doc = $doc])* pub $field: <$type as $crate::Value>::Builder, )*
            }

            impl $($life)* $crate::Row for $name $($life)* {
                type Of<'__of> = $of;
                type Columns<'__of> = __Columns<'__of>;
                type Builders = __Builders $($life)*;
                const EVENT_TIMES: usize = 0 $(+ <$type as $crate::Value>::TIMES)*;

                fn fields() -> $crate::__private::Vec<$crate::__private::Field> {
                    let mut fields = $crate::__private::Vec::new();
                    $(
                        $crate::__private::Field::declare::<$type>(
                            &mut fields,
                            [$($column,)? stringify!($field)][0],
                            [$($crate::__private::default_text::<$type, _>($default),)? $crate::__private::String::new()][0].clone(),
                            &[$($doc),*],
                            [$(::core::option::Option::Some($crate::Merge::$merge),)? ::core::option::Option::None][0],
                        );
                    )*
                    fields
                }

                fn columns<'__of>(source: &mut $crate::__private::Source<'__of>) -> Self::Columns<'__of> {
                    __Columns { $( $field: <$type as $crate::Value>::column(source), )* }
                }

                #[inline]
                fn read<'__of>(columns: &Self::Columns<'__of>, row: usize) -> Self::Of<'__of> {
                    $name { $( $field: <$type as $crate::Value>::get(&columns.$field, row), )* }
                }

                fn lacks(columns: &__Columns<'_>, row: usize) -> ::core::option::Option<&'static str> {
                    $( if <$type as $crate::Value>::missing(&columns.$field, row) {
                        return ::core::option::Option::Some([$($column,)? stringify!($field)][0]);
                    } )*
                    ::core::option::Option::None
                }

                #[inline]
                fn append(builders: &mut Self::Builders, row: Self::Of<'_>) {
                    $( <$type as $crate::Value>::push(&mut builders.$field, row.$field); )*
                }

                #[inline]
                fn read_into<'__of>(columns: &Self::Columns<'__of>, row: usize, into: &mut Self::Of<'__of>) {
                    $( <$type as $crate::Value>::get_into(&columns.$field, row, &mut into.$field); )*
                }

                #[inline]
                fn append_ref(builders: &mut Self::Builders, row: &Self::Of<'_>) {
                    $( <$type as $crate::Value>::push_ref(&mut builders.$field, &row.$field); )*
                }

                fn encode(row: &Self::Of<'_>, out: &mut $crate::__private::Vec<u8>) {
                    $( <$type as $crate::Value>::encode(&row.$field, out); )*
                }

                fn decode<'__of>(bytes: &mut &'__of [u8]) -> Self::Of<'__of> {
                    $name { $( $field: <$type as $crate::Value>::decode(bytes), )* }
                }

                fn ragged(builders: &Self::Builders, rows: usize) -> ::core::option::Option<&'static str> {
                    $( if $crate::Builder::rows(&builders.$field) != rows {
                        return ::core::option::Option::Some(stringify!($field));
                    } )*
                    ::core::option::Option::None
                }
            }

            impl $($life)* $crate::Builder for __Builders $($life)* {
                const COLUMNS: usize =
                    0 $(+ <<$type as $crate::Value>::Builder as $crate::Builder>::COLUMNS)*;

                fn rows(&self) -> usize {
                    [$( $crate::Builder::rows(&self.$field) ),*][0]
                }

                fn push_null(&mut self) {
                    $( $crate::Builder::push_null(&mut self.$field); )*
                }

                #[inline]
                fn variable(&self) -> usize {
                    0 $(+ $crate::Builder::variable(&self.$field))*
                }

                fn size(&self) -> usize {
                    0 $(+ $crate::Builder::size(&self.$field))*
                }

                fn write(&mut self, sink: &mut $crate::__private::Sink) {
                    $( $crate::Builder::write(&mut self.$field, sink); )*
                }

                fn clear(&mut self) {
                    $( $crate::Builder::clear(&mut self.$field); )*
                }
            }
        };
    };
}
