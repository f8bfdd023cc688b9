// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The types of columns, their fields in a description, and the FlatBuffers of both messages.

export const enum Type {
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

export const SCHEMA_ACCUMULATOR: u32 = 0x10000;
export const SCHEMA_EVENT_TIMER: u32 = 0x10002;
export const SCHEMA_PROCESSING_TIMER: u32 = 0x10003;
/** Of a state's rows, and of a request for some, plus the state's number. */
export const SCHEMA_STATE: u32 = 0x20000;
export const SCHEMA_REQUEST: u32 = 0x30000;

/** The most rows of a batch. */
export const MAX_ROWS = 1 << 16;
/** The kind of a row that is removed, or is not there. */
export const KIND_DELETE: u8 = 3;

/** What a description says of a column. */
export class Field {
  type: Type = Type.Bool;
  scale: u8 = 0;
  name: string = "";
  doc: string = "";
  isRequired: bool = false;
  isKey: bool = false;
  def: string = "";
  children: Field[] = [];

  /** The column itself and all beneath it. */
  nodes(): i32 {
    let n = 1;
    for (let i = 0; i < this.children.length; i++) n += this.children[i].nodes();
    return n;
  }
}

/** The bytes of a value; 0 where they are not a fixed whole number. */
export function width(type: Type): u32 {
  switch (type) {
    case Type.Int32:
      return 4;
    case Type.Int64:
    case Type.Float64:
    case Type.Decimal:
    case Type.Timestamp:
      return 8;
    default:
      return 0;
  }
}

// @ts-ignore: decorator
@inline
export function align8(n: u32): u32 {
  return (n + 7) & ~7;
}

/** Where a table has a field, 0 where it is absent. */
export function tableField(table: usize, id: u32): usize {
  const vtable = table - load<i32>(table);
  const slot: u32 = 4 + 2 * id;
  if (slot + 2 > <u32>load<u16>(vtable)) return 0;
  const at = load<u16>(vtable + slot);
  return at == 0 ? 0 : table + at;
}

/** Moves the first bytes of a buffer to a new one, and returns it. */
export function regrow(buffer: usize, used: usize, room: usize): usize {
  const bigger = heap.alloc(room);
  memory.copy(bigger, buffer, used);
  if (buffer != 0) heap.free(buffer);
  return bigger;
}
