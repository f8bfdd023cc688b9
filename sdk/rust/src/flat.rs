// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! As much of FlatBuffers as the two messages need: <https://flatbuffers.dev/internals>. A table
//! begins with the signed distance back to its vtable, which holds its own size, the table's, and
//! the offset of each field in the table; references are distances forward; strings and vectors
//! begin with a count.

use alloc::vec::Vec;

/// A table in a buffer from the host, who is trusted to write a valid one; reading panics outside
/// of the buffer.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    vtable: usize,
}

impl<'a> Table<'a> {
    /// The root table.
    pub fn root(buffer: &'a [u8]) -> Self {
        let at = word(buffer, 0) as usize;
        Table { buffer, at, vtable: at.wrapping_sub(word(buffer, at) as usize) }
    }

    /// Where a field lies, if it is there.
    fn field(&self, id: usize) -> Option<usize> {
        let slot = 4 + 2 * id;
        if slot + 2 > half(self.buffer, self.vtable) {
            return None;
        }
        match half(self.buffer, self.vtable + slot) {
            0 => None,
            offset => Some(self.at + offset),
        }
    }

    /// A number, 0 where it is absent.
    pub fn u32(&self, id: usize) -> u32 {
        self.field(id).map_or(0, |at| word(self.buffer, at))
    }

    /// A struct, if it is there.
    pub fn inline(&self, id: usize, size: usize) -> Option<&'a [u8]> {
        self.field(id).map(|at| &self.buffer[at..at + size])
    }

    /// A vector of structs, empty where it is absent.
    pub fn structs(&self, id: usize, size: usize) -> &'a [u8] {
        let Some(slot) = self.field(id) else { return &[] };
        let at = slot + word(self.buffer, slot) as usize;
        &self.buffer[at + 4..][..word(self.buffer, at) as usize * size]
    }
}

fn word(buffer: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(buffer[at..at + 4].try_into().unwrap())
}

fn half(buffer: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes(buffer[at..at + 2].try_into().unwrap()))
}

/// A field of a table to be written. A field with its default is `Absent`.
pub enum Slot<'a> {
    Absent,
    Byte(u8),
    Word(u32),
    Long(i64),
    Bytes(Vec<u8>),
    Text(&'a str),
    Texts(Vec<&'a str>),
    Table(Vec<Slot<'a>>),
    Tables(Vec<Vec<Slot<'a>>>),
}

impl<'a> Slot<'a> {
    /// A text, absent where it is empty.
    pub fn text(text: &'a str) -> Self {
        if text.is_empty() { Slot::Absent } else { Slot::Text(text) }
    }

    /// A flag, absent where it is false.
    pub fn flag(flag: bool) -> Self {
        if flag { Slot::Byte(1) } else { Slot::Absent }
    }

    /// Tables, absent where there are none.
    pub fn tables(tables: Vec<Vec<Slot<'a>>>) -> Self {
        if tables.is_empty() { Slot::Absent } else { Slot::Tables(tables) }
    }
}

/// Writes a buffer with the given root.
pub fn write(root: &[Slot]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend([0; 8]); // the reference to the root, no identifier
    write_reference(&mut out, 0, |out| write_table(out, root));
    out
}

/// Writes what a reference refers to, behind all that is written, and the reference.
fn write_reference(out: &mut Vec<u8>, slot: usize, write: impl FnOnce(&mut Vec<u8>) -> usize) {
    let at = write(out);
    out[slot..slot + 4].copy_from_slice(&((at - slot) as u32).to_le_bytes());
}

/// Writes a table, in front of it its vtable, behind it what it refers to. Fields of 8 bytes come
/// first, at multiples of 8, then the others, which take 4 bytes each.
fn write_table(out: &mut Vec<u8>, slots: &[Slot]) -> usize {
    let vtable = out.len();
    let longs = slots.iter().filter(|slot| matches!(slot, Slot::Long(_))).count();
    let present = slots.iter().filter(|slot| !matches!(slot, Slot::Absent)).count();
    push_half(out, 4 + 2 * slots.len());
    push_half(out, 4 + 4 * (present + longs));
    let (mut long, mut offset) = (4, 4 + 8 * longs);
    for slot in slots {
        let (next, size) = if matches!(slot, Slot::Long(_)) { (&mut long, 8) } else { (&mut offset, 4) };
        if matches!(slot, Slot::Absent) {
            push_half(out, 0);
        } else {
            push_half(out, *next);
            *next += size;
        }
    }
    align(out);
    if longs > 0 && out.len() % 8 == 0 {
        push_word(out, 0); // so that what follows the first word is at a multiple of 8
    }
    let table = out.len();
    push_word(out, table - vtable);
    for slot in slots {
        if let Slot::Long(long) = slot {
            out.extend(long.to_le_bytes());
        }
    }
    for slot in slots {
        match slot {
            Slot::Absent | Slot::Long(_) => {}
            Slot::Byte(byte) => push_word(out, usize::from(*byte)),
            Slot::Word(word) => push_word(out, *word as usize),
            _ => push_word(out, 0), // a reference: written below
        }
    }
    let mut at = table + 8 * longs;
    for slot in slots.iter().filter(|slot| !matches!(slot, Slot::Absent | Slot::Long(_))) {
        at += 4;
        match slot {
            Slot::Bytes(bytes) => write_reference(out, at, |out| write_bytes(out, bytes)),
            Slot::Text(text) => write_reference(out, at, |out| write_text(out, text)),
            Slot::Texts(texts) => write_vector(out, at, texts, |out, text| write_text(out, text)),
            Slot::Table(table) => write_reference(out, at, |out| write_table(out, table)),
            Slot::Tables(tables) => write_vector(out, at, tables, |out, table| write_table(out, table)),
            Slot::Absent | Slot::Byte(_) | Slot::Word(_) | Slot::Long(_) => {}
        }
    }
    table
}

fn write_text(out: &mut Vec<u8>, text: &str) -> usize {
    write_bytes(out, text.as_bytes())
}

/// Writes a vector of bytes, and a zero as there is after a text.
fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> usize {
    let at = out.len();
    push_word(out, bytes.len());
    out.extend(bytes);
    out.push(0);
    align(out);
    at
}

fn write_vector<T>(out: &mut Vec<u8>, slot: usize, items: &[T], write: impl Fn(&mut Vec<u8>, &T) -> usize) {
    write_reference(out, slot, |out| {
        let at = out.len();
        push_word(out, items.len());
        out.resize(at + 4 + 4 * items.len(), 0);
        for (i, item) in items.iter().enumerate() {
            write_reference(out, at + 4 + 4 * i, |out| write(out, item));
        }
        at
    });
}

fn align(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

fn push_half(out: &mut Vec<u8>, half: usize) {
    out.extend((half as u16).to_le_bytes());
}

fn push_word(out: &mut Vec<u8>, word: usize) {
    out.extend((word as u32).to_le_bytes());
}
