// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use crate::builder::ListBuilder;
use crate::column::Lists;
use crate::describe::Field;
use crate::value::Value;
use crate::wire::Source;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

/// A list that lies in a batch, or in a slice: a list is read and written without a copy of its
/// own. Where it must live on, `Vec` holds one.
///
/// `T` is a type of column as in a declaration: `List<'a, Option<&'static str>>` has the items
/// `Option<&'a str>`.
pub struct List<'a, T: Value> {
    items: Items<'a, T>,
}

enum Items<'a, T: Value> {
    Column(T::Column<'a>, Range<usize>),
    Slice(&'a [T::Of<'a>]),
}

impl<'a, T: Value> List<'a, T> {
    /// The number of items.
    pub fn len(&self) -> usize {
        match &self.items {
            Items::Column(_, range) => range.len(),
            Items::Slice(slice) => slice.len(),
        }
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at a position, if the list is that long.
    pub fn get(&self, at: usize) -> Option<T::Of<'a>> {
        match &self.items {
            Items::Column(column, range) => range.clone().nth(at).map(|row| T::get(column, row)),
            Items::Slice(slice) => slice.get(at).cloned(),
        }
    }

    /// The items, in order.
    pub fn iter(&self) -> impl Iterator<Item = T::Of<'a>> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

impl<'a, T: Value> From<&'a [T::Of<'a>]> for List<'a, T> {
    fn from(slice: &'a [T::Of<'a>]) -> Self {
        List { items: Items::Slice(slice) }
    }
}

impl<T: Value> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        let items = match &self.items {
            Items::Column(column, range) => Items::Column(*column, range.clone()),
            Items::Slice(slice) => Items::Slice(slice),
        };
        List { items }
    }
}

impl<'a, T: Value<Of<'a>: PartialEq>> PartialEq for List<'a, T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<'a, T: Value<Of<'a>: fmt::Debug>> fmt::Debug for List<'a, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Value + 'static> Value for List<'_, T> {
    type Of<'a> = List<'a, T>;
    type Column<'a> = Lists<'a, T::Column<'a>>;
    type Builder = ListBuilder<T::Builder>;

    fn describe(field: &mut Field) {
        <Vec<T> as Value>::describe(field);
    }

    fn column<'a>(source: &mut Source<'a>) -> Self::Column<'a> {
        <Vec<T> as Value>::column(source)
    }

    #[inline]
    fn get<'a>(column: &Self::Column<'a>, row: usize) -> Self::Of<'a> {
        List { items: Items::Column(column.items, column.range(row)) }
    }

    fn push(builder: &mut Self::Builder, value: List<'_, T>) {
        for item in value.iter() {
            T::push(&mut builder.items, item);
        }
        builder.end();
    }

    fn incomplete(column: &Self::Column<'_>, row: usize) -> bool {
        <Vec<T> as Value>::incomplete(column, row)
    }
}
