// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { BinaryColumn, BoolColumn, Column, ListColumn, NumberColumn } from "./input";
import { Field, Type, regrow, width } from "./wire";

/** A column with more bytes, or a list with more items, has its output sent before its next row. */
const FLUSH_BYTES: u32 = 4 << 20;
const FLUSH_ITEMS: i32 = 1 << 19;

/** Since the call began, a column has grown so much that its output should be sent. */
export let someColumnIsFull: bool = false;

export function clearFull(): void {
  someColumnIsFull = false;
}

/**
 * A column of the rows that are on their way to an output. Set it once a row; what was not set is
 * null when the row is emitted. Its memory is kept from call to call.
 */
export class OutColumn extends Field {
  /** Values so far. */
  count: i32 = 0;
  nulls: i32 = 0;
  /** Values that there is memory for. */
  protected room: i32 = 0;
  /** All ones but under nulls. */
  validity: usize = 0;
  offsets: usize = 0;
  values: usize = 0;
  /** Bytes used of values, of a string or bytes. */
  size: u32 = 0;
  protected valuesRoom: u32 = 0;

  protected grow(atLeast: i32): void {
    const room = max((atLeast + 63) & ~63, max(2 * this.room, 64));
    const kept = this.nulls > 0 ? (this.count + 7) >> 3 : 0;
    this.validity = regrow(this.validity, kept, room >> 3);
    memory.fill(this.validity + kept, 0xff, (room >> 3) - kept);
    const bytes = width(this.type);
    if (this.type == Type.Bool) this.values = regrow(this.values, (this.count + 7) >> 3, room >> 3);
    else if (bytes > 0) this.values = regrow(this.values, this.count * bytes, room * bytes);
    else if (this.type != Type.Struct) {
      this.offsets = regrow(this.offsets, this.room > 0 ? 4 * (this.count + 1) : 0, 4 * (room + 1));
      store<u32>(this.offsets, 0);
    }
    this.room = room;
    if (room > FLUSH_ITEMS) someColumnIsFull = true;
  }

  /** Makes room for so many bytes more, of a string or bytes, and returns where they go. */
  protected reserve(bytes: u32): usize {
    if (this.size + bytes > this.valuesRoom) {
      let room = max(this.size + bytes, 1024);
      if (room > FLUSH_BYTES) someColumnIsFull = true;
      else room = max(room, 2 * this.valuesRoom);
      this.values = regrow(this.values, this.size, room);
      this.valuesRoom = room;
    }
    return this.values + this.size;
  }

  /** Whether the output should be sent before it has another row. */
  isFull(): bool {
    if (this.size > FLUSH_BYTES || this.count > FLUSH_ITEMS) return true;
    for (let i = 0; i < this.children.length; i++) {
      if (changetype<OutColumn>(unchecked(this.children[i])).isFull()) return true;
    }
    return false;
  }

  /** Appends a null. */
  setNull(): void {
    const n = this.count;
    if (n == this.room) this.grow(n + 1);
    this.nulls++;
    const at = this.validity + (n >> 3);
    store<u8>(at, load<u8>(at) & ~(<u8>1 << <u8>(n & 7)));
    this.count = n + 1;
    switch (this.type) {
      case Type.Bool:
        putBit(this.values, n, false);
        break;
      case Type.Int32:
        store<i32>(this.values + (<usize>n << 2), 0);
        break;
      case Type.String:
      case Type.Bytes:
        store<u32>(this.offsets + (<usize>n << 2), this.size, 4);
        break;
      case Type.List:
        store<i32>(this.offsets + (<usize>n << 2), this.child(0).count, 4);
        break;
      case Type.Struct:
        for (let i = 0; i < this.children.length; i++) this.child(i).setNull();
        break;
      default:
        store<i64>(this.values + (<usize>n << 3), 0);
    }
  }

  // @ts-ignore: decorator
  @inline
  child(i: i32): OutColumn {
    return changetype<OutColumn>(unchecked(this.children[i])); // a Field of an output is an OutColumn
  }

  /** Takes back what was set after the first so many rows. */
  truncate(rows: i32): void {
    for (; this.count > rows; this.count--) {
      const at = this.validity + ((this.count - 1) >> 3);
      const bit = <u8>1 << <u8>((this.count - 1) & 7);
      if (!(load<u8>(at) & bit)) this.nulls--;
      store<u8>(at, load<u8>(at) | bit);
    }
    if (this.type == Type.List) this.child(0).truncate(this.room > 0 ? load<i32>(this.offsets + (<usize>rows << 2)) : 0);
    else if (this.type == Type.Struct) {
      for (let i = 0; i < this.children.length; i++) this.child(i).truncate(rows);
    } else if (this.offsets != 0) this.size = load<u32>(this.offsets + (<usize>rows << 2));
  }

  /** Begins anew, with the memory that there is. */
  reset(): void {
    if (this.nulls > 0) memory.fill(this.validity, 0xff, (this.count + 7) >> 3);
    this.count = 0;
    this.nulls = 0;
    this.size = 0;
    if (this.valuesRoom > FLUSH_BYTES) {
      heap.free(this.values);
      this.values = 0;
      this.valuesRoom = 0;
    }
    for (let i = 0; i < this.children.length; i++) this.child(i).reset();
  }

  /** Gives all rows of the column, which fill has made, the nulls of an input's. */
  copyNulls(from: Column): void {
    if (from.validity == 0) return;
    const bytes = (this.count + 7) >> 3;
    memory.copy(this.validity, from.validity, bytes);
    const last = this.validity + bytes - 1;
    if (this.count & 7) store<u8>(last, load<u8>(last) | (<u8>0xff << <u8>(this.count & 7)));
    for (let row = 0; row < this.count; row++) this.nulls += <i32>from.isNull(row);
  }
}

/** Writes a bit; those behind it are not written yet. */
function putBit(bits: usize, n: i32, value: bool): void {
  const at = bits + (n >> 3);
  store<u8>(at, (load<u8>(at) & ((<u8>1 << <u8>(n & 7)) - 1)) | (<u8>value << <u8>(n & 7)));
}

export class OutBool extends OutColumn {
  set(value: bool): void {
    if (this.count == this.room) this.grow(this.count + 1);
    putBit(this.values, this.count++, value);
  }
}

export class OutNumber<T> extends OutColumn {
  // @ts-ignore: decorator
  @inline
  set(value: T): void {
    const n = this.count;
    if (n == this.room) this.grow(n + 1);
    store<T>(this.values + (<usize>n << alignof<T>()), value);
    this.count = n + 1;
  }

  /** Makes room for a value in each of so many rows and returns where they go, for emitAll. */
  fill(rows: i32): usize {
    if (rows > this.room) this.grow(rows);
    this.count = rows;
    return this.values;
  }
}

/** Strings or bytes, whatever they come from. */
export class OutBinary extends OutColumn {
  protected end(bytes: u32): void {
    const n = this.count;
    if (n == this.room) this.grow(n + 1);
    this.size += bytes;
    store<u32>(this.offsets + (<usize>n << 2), this.size, 4);
    this.count = n + 1;
  }

  /** Sets the bytes of a row of an input's column, or null where it is. */
  copy(from: BinaryColumn, row: i32): void {
    if (from.isNull(row)) return this.setNull();
    this.put(from.start(row), from.size(row));
  }

  /** Sets bytes in memory. */
  put(at: usize, size: u32): void {
    const to = this.reserve(size);
    if (size > 16) memory.copy(to, at, size);
    else for (let i: u32 = 0; i < size; i++) store<u8>(to + i, load<u8>(at + i));
    this.end(size);
  }
}

export class OutString extends OutBinary {
  set(value: string): void {
    const units = value.length;
    const to = this.reserve(3 * units);
    const from = changetype<usize>(value);
    for (let i = 0; i < units; i++) {
      const unit = load<u16>(from + (<usize>i << 1));
      if (unit >= 0x80) {
        const rest = String.UTF8.encodeUnsafe(from + (<usize>i << 1), units - i, to + i, false, String.UTF8.ErrorMode.REPLACE);
        return this.end(i + <u32>rest);
      }
      store<u8>(to + i, <u8>unit);
    }
    this.end(units);
  }
}

export class OutBytes extends OutBinary {
  set(value: Uint8Array): void {
    this.put(value.dataStart, value.length);
  }
}

/** Declares the columns of an output, or the fields of a struct, each by a method of its type. */
export class OutColumns extends OutColumn {
  private add<C extends OutColumn>(column: C, type: Type, name: string, doc: string): C {
    column.type = type;
    column.name = name;
    column.doc = doc;
    this.children.push(column);
    return column;
  }

  /** Completes a row, so that there are so many: what was not set is null. */
  endRow(rows: i32): void {
    const children = this.children;
    for (let i = 0, count = children.length; i < count; i++) {
      const column = changetype<OutColumn>(unchecked(children[i]));
      if (column.count < rows) column.setNull();
      else if (column.count > rows) throw new Error(`column ${column.name} was set more than once for a row`);
    }
  }

  /** Takes back what was set after the first so many rows, in every column. */
  truncateRows(rows: i32): void {
    for (let i = 0; i < this.children.length; i++) this.child(i).truncate(rows);
  }

  /** Declares a column of the name and type of another one. */
  like(field: Field): OutColumn {
    switch (field.type) {
      case Type.Bool:
        return this.bool(field.name);
      case Type.Int32:
        return this.int32(field.name);
      case Type.Float64:
        return this.float64(field.name);
      case Type.Decimal:
        return this.decimal(field.name, field.scale);
      case Type.Timestamp:
        return this.timestamp(field.name);
      case Type.String:
        return this.string(field.name);
      case Type.Bytes:
        return this.bytes(field.name);
      case Type.List:
        return this.list(field.name);
      case Type.Struct:
        return this.struct(field.name);
      default:
        return this.int64(field.name);
    }
  }

  bool(name: string, doc: string = ""): OutBool {
    return this.add(new OutBool(), Type.Bool, name, doc);
  }

  int32(name: string, doc: string = ""): OutNumber<i32> {
    return this.add(new OutNumber<i32>(), Type.Int32, name, doc);
  }

  int64(name: string, doc: string = ""): OutNumber<i64> {
    return this.add(new OutNumber<i64>(), Type.Int64, name, doc);
  }

  float64(name: string, doc: string = ""): OutNumber<f64> {
    return this.add(new OutNumber<f64>(), Type.Float64, name, doc);
  }

  decimal(name: string, scale: u8, doc: string = ""): OutNumber<i64> {
    const column = this.add(new OutNumber<i64>(), Type.Decimal, name, doc);
    column.scale = scale;
    return column;
  }

  timestamp(name: string, doc: string = ""): OutNumber<i64> {
    return this.add(new OutNumber<i64>(), Type.Timestamp, name, doc);
  }

  string(name: string, doc: string = ""): OutString {
    return this.add(new OutString(), Type.String, name, doc);
  }

  bytes(name: string, doc: string = ""): OutBytes {
    return this.add(new OutBytes(), Type.Bytes, name, doc);
  }

  /** A list; declare its one item on what is returned. */
  list(name: string, doc: string = ""): OutList {
    return this.add(new OutList(), Type.List, name, doc);
  }

  /** A struct; declare its fields on what is returned. */
  struct(name: string, doc: string = ""): OutStruct {
    return this.add(new OutStruct(), Type.Struct, name, doc);
  }
}

export class OutList extends OutColumns {
  /** Ends a list: its items are what the column beneath was set to since the last one. */
  set(): void {
    const n = this.count;
    if (n == this.room) this.grow(n + 1);
    store<i32>(this.offsets + (<usize>n << 2), this.child(0).count, 4);
    this.count = n + 1;
  }
}

export class OutStruct extends OutColumns {
  /** Ends a struct: its fields are what was set, or null. */
  set(): void {
    const n = this.count;
    if (n == this.room) this.grow(n + 1);
    this.count = n + 1;
    for (let i = 0; i < this.children.length; i++) {
      const field = this.child(i);
      if (field.count < this.count) field.setNull();
    }
  }
}

/** Appends the value of a row of another column of the same type. */
export function appendValue(to: OutColumn, from: Column, row: i32): void {
  if (from.isNull(row)) return to.setNull();
  switch (to.type) {
    case Type.Bool:
      return changetype<OutBool>(to).set(changetype<BoolColumn>(from).get(row));
    case Type.Int32:
      return changetype<OutNumber<i32>>(to).set(changetype<NumberColumn<i32>>(from).get(row));
    case Type.String:
    case Type.Bytes:
      return changetype<OutBinary>(to).put(changetype<BinaryColumn>(from).start(row), changetype<BinaryColumn>(from).size(row));
    case Type.List: {
      const list = changetype<ListColumn>(from);
      for (let i = list.first(row), end = list.end(row); i < end; i++) appendValue(to.child(0), changetype<Column>(list.children[0]), i);
      return changetype<OutList>(to).set();
    }
    case Type.Struct:
      for (let i = 0; i < to.children.length; i++) appendValue(to.child(i), changetype<Column>(from.children[i]), row);
      return changetype<OutStruct>(to).set();
    default:
      changetype<OutNumber<i64>>(to).set(changetype<NumberColumn<i64>>(from).get(row)); // any type of 8 bytes
  }
}
