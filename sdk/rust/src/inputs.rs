// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::describe::{Port, Scope};
use crate::map::input;
use crate::wire::{Sink, Source, padded};
use crate::{Batch, Builder, Result, Row};
use alloc::string::String;
use alloc::vec::Vec;

/// What a [`Process`](crate::Process) is given: a struct of [`row!`](crate::row) where it has one
/// input, or an enum of [`inputs!`](crate::inputs).
pub trait Inputs {
    /// A row of one of the inputs.
    type Of<'a>: Clone;
    /// Rows of one of the inputs: a [`Batch`](crate::Batch), or an enum of one for each input, with the
    /// same variants.
    type Batch<'a>;

    /// Says what inputs there are.
    fn ports() -> Vec<Port>;
    /// Whether an input is broadcast.
    fn is_broadcast(port: u32) -> bool;
    /// Takes rows of an input.
    fn batch<'a>(source: &mut Source<'a>) -> Self::Batch<'a>;
    /// The number of rows.
    fn len(batch: &Self::Batch<'_>) -> usize;
    /// The number of each row's key, none of a broadcast input.
    fn keys<'a>(batch: &Self::Batch<'a>) -> &'a [u32];
    /// A row.
    fn get<'a>(batch: &Self::Batch<'a>, row: usize) -> Result<Self::Of<'a>>;
    /// Of which input a row is.
    fn port(row: &Self::Of<'_>) -> u32;
    /// Writes a message of rows of one input.
    fn write(port: u32, rows: &[Self::Of<'_>], keys: &[u32], sink: &mut Sink);
}

impl<R: Row> Inputs for R {
    type Of<'a> = R::Of<'a>;
    type Batch<'a> = Batch<'a, R>;

    fn ports() -> Vec<Port> {
        Vec::from([input::<R>()])
    }

    fn is_broadcast(_port: u32) -> bool {
        false
    }

    fn batch<'a>(source: &mut Source<'a>) -> Batch<'a, R> {
        Batch::new(source)
    }

    #[inline]
    fn len(batch: &Batch<'_, R>) -> usize {
        batch.len()
    }

    #[inline]
    fn keys<'a>(batch: &Self::Batch<'a>) -> &'a [u32] {
        batch.keys()
    }

    #[inline]
    fn get<'a>(batch: &Self::Batch<'a>, row: usize) -> Result<Self::Of<'a>> {
        batch.get(row)
    }

    fn port(_row: &R::Of<'_>) -> u32 {
        0
    }

    fn write(port: u32, rows: &[R::Of<'_>], keys: &[u32], sink: &mut Sink) {
        write_rows::<R>(port, rows.iter(), keys, sink);
    }
}

/// Writes a message of rows.
pub fn write_rows<'r, 'x: 'r, R: Row + 'r>(
    port: u32,
    rows: impl Iterator<Item = &'r R::Of<'x>>,
    keys: &[u32],
    sink: &mut Sink,
) {
    let mut builders = R::Builders::default();
    let mut count = 0;
    for row in rows {
        R::append_ref(&mut builders, row);
        count += 1;
    }
    let body = builders.size() + padded(size_of_val(keys));
    sink.begin(port, count, R::Builders::COLUMNS, &[], body);
    builders.write(sink);
    if !keys.is_empty() {
        sink.groups(keys);
    }
}

/// Takes rows from a message.
pub fn batch<'a, R: Row>(source: &mut Source<'a>) -> Batch<'a, R> {
    Batch::new(source)
}

/// Describes an input by the name of its variant, which becomes one in snake case.
pub fn port<R: Row>(variant: &str, scope: Scope) -> Port {
    assert!(scope != Scope::Operator, "input {variant}: the scope of an input is Key or Broadcast");
    let mut name = String::new();
    for c in variant.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    Port { name, broadcast: scope == Scope::Broadcast, ..input::<R>() }
}

/// Declares the inputs of a [`Process`](crate::Process) that has several, as an enum of their rows:
/// one or two that are keyed, and any number marked `#[scope = Broadcast]`, whose rows each subtask is given.
/// `BigOrders` is the input `big_orders`.
///
/// ```
/// wasmill::row! { struct Order<'a> { item: &'a str, amount: i64 } }
/// wasmill::row! { struct Limit<'a> { item: &'a str, limit: Option<i64> } }
///
/// wasmill::inputs! {
///     enum In<'a> {
///         Orders(Order<'a>),
///         #[scope = Broadcast]
///         Limits(Limit<'a>),
///     }
/// }
/// ```
#[macro_export]
macro_rules! inputs {
    ($(#[$meta:meta])* $vis:vis enum $name:ident<$a:lifetime> { $($body:tt)* }) => {
        $crate::inputs!(@inputs [$(#[$meta])* $vis enum $name], [<$a>], $a, $name<'__of>, { $($body)* });
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($body:tt)* }) => {
        $crate::inputs!(@inputs [$(#[$meta])* $vis enum $name], [], '__of, $name, { $($body)* });
    };
    (@inputs [$(#[$meta:meta])* $vis:vis enum $name:ident], [$($life:tt)*], $a:lifetime, $of:ty, {
        $(
            $(#[doc = $doc:literal])*
            $(#[scope = $scope:ident])?
            $variant:ident($type:ty)
        ),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis enum $name $($life)* {
            $( $(#[doc = $doc])* $variant($type), )*
        }

        const _: () = {
            /// Rows of one of the inputs.
            pub enum __Batch<$a> {
                $( $(#[doc = $doc])* $variant($crate::Batch<$a, $type>), )*
            }

            impl $($life)* $crate::Inputs for $name $($life)* {
                type Of<'__of> = $of;
                type Batch<'__of> = __Batch<'__of>;

                fn ports() -> $crate::__private::Vec<$crate::__private::Port> {
                    $crate::__private::Vec::from([$(
                        $crate::__private::port::<$type>(
                            stringify!($variant),
                            [$($crate::__private::Scope::$scope,)? $crate::__private::Scope::Key][0],
                        )
                    ),*])
                }

                fn is_broadcast(port: u32) -> bool {
                    [$( [$($crate::__private::Scope::$scope,)? $crate::__private::Scope::Key][0] ),*][port as usize]
                        == $crate::__private::Scope::Broadcast
                }

                #[allow(unused_assignments)]
                fn batch<'__of>(source: &mut $crate::__private::Source<'__of>) -> __Batch<'__of> {
                    let mut port = 0;
                    $(
                        if source.schema == port {
                            return __Batch::$variant($crate::__private::batch(source));
                        }
                        port += 1;
                    )*
                    panic!("the host sent rows of input {}, of {port}", source.schema)
                }

                #[inline]
                fn len(batch: &__Batch<'_>) -> usize {
                    match batch { $( __Batch::$variant(batch) => batch.len(), )* }
                }

                #[inline]
                fn keys<'__of>(batch: &Self::Batch<'__of>) -> &'__of [u32] {
                    match batch { $( __Batch::$variant(batch) => batch.keys(), )* }
                }

                #[inline]
                fn get<'__of>(batch: &Self::Batch<'__of>, row: usize) -> $crate::Result<Self::Of<'__of>> {
                    match batch { $( __Batch::$variant(batch) => batch.get(row).map($name::$variant), )* }
                }

                #[allow(unused_assignments, unreachable_patterns)]
                fn port(row: &Self::Of<'_>) -> u32 {
                    let mut port = 0;
                    $(
                        if let $name::$variant(_) = row {
                            return port;
                        }
                        port += 1;
                    )*
                    port
                }

                #[allow(unused_assignments, unreachable_patterns)]
                fn write(port: u32, rows: &[Self::Of<'_>], keys: &[u32], sink: &mut $crate::__private::Sink) {
                    let mut number = 0;
                    $(
                        if port == number {
                            let rows = rows.iter().filter_map(|row| match row {
                                $name::$variant(row) => ::core::option::Option::Some(row),
                                _ => ::core::option::Option::None,
                            });
                            $crate::__private::write_rows::<$type>(port, rows, keys, sink);
                        }
                        number += 1;
                    )*
                }
            }
        };
    };
}
