// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Rows of any schema as plain values, and messages of them.

use super::Message;
use crate::column::Nulls;
use crate::describe::{Field, Merge, Type};
use crate::memory::{bytes, view};
use crate::wire::{Node, Sink, Source, padded};
use std::cmp::Ordering;
use std::string::String;
use std::vec::Vec;

/// A value of any type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Bytes(Vec<u8>),
    List(Vec<Cell>),
    Struct(Vec<Cell>),
}

pub(crate) type Cells = Vec<Cell>;

impl Cell {
    /// The order of map keys: nulls first.
    pub fn compare(&self, other: &Cell) -> Ordering {
        match (self, other) {
            (Cell::Null, Cell::Null) => Ordering::Equal,
            (Cell::Null, _) => Ordering::Less,
            (_, Cell::Null) => Ordering::Greater,
            (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
            (Cell::Int(a), Cell::Int(b)) => a.cmp(b),
            (Cell::Float(a), Cell::Float(b)) => a.total_cmp(b),
            (Cell::Bytes(a), Cell::Bytes(b)) => a.cmp(b),
            _ => panic!("{self:?} and {other:?} are no values of one column of a map's key"),
        }
    }

    /// A value into which another one is merged.
    pub fn merged(&self, merge: Merge, other: &Cell) -> Cell {
        use Cell::{Bytes, Float, Int, List};
        let less = || self.compare(other) == Ordering::Less;
        match (merge, self, other) {
            (_, _, Cell::Null) => self.clone(),
            (_, Cell::Null, _) => other.clone(),
            (Merge::Add, Int(a), Int(b)) => {
                Int(a.checked_add(*b).expect("a sum passes the range of its type"))
            }
            (Merge::Add, Float(a), Float(b)) => Float(a + b),
            (Merge::Min, ..) => if less() { self } else { other }.clone(),
            (Merge::Max, ..) => if less() { other } else { self }.clone(),
            (Merge::Append, Bytes(a), Bytes(b)) => Bytes([a.as_slice(), b].concat()),
            (Merge::Append, List(a), List(b)) => List([a.as_slice(), b].concat()),
            _ => panic!("{self:?} and {other:?} can't be merged by {merge:?}"),
        }
    }
}

/// The order of the keys of a map.
pub(crate) fn compare(a: &[Cell], b: &[Cell]) -> Ordering {
    let orders = a.iter().zip(b).map(|(a, b)| a.compare(b));
    orders.fold(Ordering::Equal, Ordering::then)
}

/// The rows of a message.
pub(crate) fn decode(source: &mut Source, fields: &[Field]) -> Vec<Cells> {
    let mut rows = vec![Cells::new(); source.rows];
    for field in fields {
        for (row, cell) in rows.iter_mut().zip(column(source, field)) {
            row.push(cell);
        }
    }
    rows
}

fn column(source: &mut Source, field: &Field) -> Cells {
    let node = source.node();
    let nulls = Nulls::new(source, &node);
    let children: Vec<Cells> = field.children.iter().map(|child| column(source, child)).collect();
    let cell =
        |row| if nulls.is_null(row) { Cell::Null } else { value(source, field, &node, &children, row) };
    (0..node.rows).map(cell).collect()
}

fn value(source: &Source, field: &Field, node: &Node, children: &[Cells], row: usize) -> Cell {
    let range = || {
        let offsets = source.offsets(node);
        offsets[row] as usize..offsets[row + 1] as usize
    };
    match field.kind {
        Type::Bool => Cell::Bool(
            view::<u8>(source.batch, node.values, node.rows.div_ceil(8))[row / 8] >> (row % 8) & 1 == 1,
        ),
        Type::Int32 => Cell::Int(view::<i32>(source.batch, node.values, node.rows)[row].into()),
        Type::Int64 | Type::Decimal | Type::Timestamp => {
            Cell::Int(view::<i64>(source.batch, node.values, node.rows)[row])
        }
        Type::Float64 => Cell::Float(view::<f64>(source.batch, node.values, node.rows)[row]),
        Type::String | Type::Bytes => {
            Cell::Bytes(view(source.batch, node.values, node.size)[range()].to_vec())
        }
        Type::List => Cell::List(children[0][range()].to_vec()),
        Type::Struct => Cell::Struct(children.iter().map(|child| child[row].clone()).collect()),
    }
}

/// A column of a message and its buffers.
#[derive(Default)]
struct Raw {
    rows: usize,
    nulls: usize,
    validity: Vec<u8>,
    offsets: Vec<i32>,
    values: Vec<u8>,
}

/// Makes a message of rows; keys and kinds are absent where there are none.
pub(crate) fn encode(schema: u32, fields: &[Field], rows: &[Cells], keys: &[u32], kinds: &[u8]) -> Message {
    let mut raws = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        let cells: Vec<&Cell> = rows.iter().map(|row| &row[at]).collect();
        push(&mut raws, field, &cells);
    }
    let size = |raw: &Raw| {
        padded(raw.validity.len()) + padded(size_of_val(raw.offsets.as_slice())) + padded(raw.values.len())
    };
    let body = raws.iter().map(size).sum::<usize>() + padded(size_of_val(keys)) + padded(kinds.len());
    let mut sink = Sink::default();
    sink.begin(schema, rows.len(), raws.len(), &[], body);
    for raw in &raws {
        sink.column(raw.rows, raw.nulls, &raw.validity, &raw.offsets, &raw.values);
    }
    if !keys.is_empty() {
        sink.groups(keys);
    }
    if !kinds.is_empty() {
        sink.kinds(kinds);
    }
    Message::new(sink.finish())
}

fn push(raws: &mut Vec<Raw>, field: &Field, cells: &[&Cell]) {
    let mut raw = Raw { rows: cells.len(), validity: vec![0; cells.len().div_ceil(8)], ..Raw::default() };
    for (row, cell) in cells.iter().enumerate() {
        if **cell == Cell::Null {
            raw.nulls += 1;
        } else {
            raw.validity[row / 8] |= 1 << (row % 8);
        }
    }
    let mut ends = Vec::from([0]);
    let mut items: Vec<&Cell> = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let int = if let Cell::Int(int) = cell { *int } else { 0 };
        match (field.kind, cell) {
            (Type::Bool, cell) => {
                raw.values.resize(cells.len().div_ceil(8), 0);
                raw.values[row / 8] |= u8::from(**cell == Cell::Bool(true)) << (row % 8);
            }
            (Type::Int32, _) => raw.values.extend(bytes(&[int as i32])),
            (Type::Int64 | Type::Decimal | Type::Timestamp, _) => raw.values.extend(bytes(&[int])),
            (Type::Float64, Cell::Float(float)) => raw.values.extend(bytes(&[*float])),
            (Type::Float64, _) => raw.values.extend(bytes(&[0.0])),
            (Type::String | Type::Bytes, Cell::Bytes(text)) => raw.values.extend(text),
            (Type::List, Cell::List(list)) => items.extend(list),
            _ => {}
        }
        ends.push(if field.kind == Type::List { items.len() as i32 } else { raw.values.len() as i32 });
    }
    if matches!(field.kind, Type::String | Type::Bytes | Type::List) {
        raw.offsets = ends;
    }
    raws.push(raw);
    for (at, child) in field.children.iter().enumerate() {
        if field.kind == Type::List {
            push(raws, child, &items);
            continue;
        }
        let parts =
            cells.iter().map(|cell| if let Cell::Struct(parts) = cell { &parts[at] } else { &Cell::Null });
        push(raws, child, &parts.collect::<Vec<_>>());
    }
}

/// A key as what a map can be looked up by.
pub(crate) fn name(key: &[Cell]) -> String {
    format!("{key:?}")
}
