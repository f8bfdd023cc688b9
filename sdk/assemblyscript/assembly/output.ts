// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { hostEmit, utf8 } from "./host";
import { OutColumn, OutColumns, clearFull, someColumnIsFull } from "./columns";
import { SCHEMA_ACCUMULATOR, Type, align8, regrow, width } from "./wire";

const MAX_ROWS = 1 << 16;

/** Of the call at hand: rows of its input, and those of them that failed. */
let inputRows: i32 = 0;
let failureCount: i32 = 0;
const failedRows: i32[] = [];
const failedTexts: ArrayBuffer[] = [];

/** The message that is being written: where it lies, and where the next buffer and Column go. */
let message: usize = 0;
let messageRoom: u32 = 0;
let body: u32 = 0;
let node: u32 = 0;

export function beginCall(rows: i32): void {
  inputRows = rows;
  clearFull();
}

export function failures(): i32 {
  return failureCount;
}

/** Says that a row of the input failed; beforehand, operators take back what they set for it. */
export function addFailure(row: i32, text: string): void {
  if (failureCount == failedRows.length) {
    failedRows.push(0);
    failedTexts.push(new ArrayBuffer(0));
  }
  failedRows[failureCount] = row;
  failedTexts[failureCount++] = utf8(text);
}

/** An output port of an operator: where its rows are emitted. */
export class Output extends OutColumns {
  forward: bool = false;
  timed: bool = false;
  schema: u32 = 0;
  /** May be sent in parts. */
  split: bool = true;
  rows: i32 = 0;
  /** For each row the row of the input that it came from, and its event time. */
  origins: usize = 0;
  times: usize = 0;
  private rowRoom: i32 = 0;
  /** Row n came from row n, and origins are not written. */
  private whole: bool = false;

  /** The input's other columns pass by on the host. */
  forwarded(): Output {
    this.forward = true;
    return this;
  }

  /** Each row has an event time of its own: use emitAt. */
  withTime(): Output {
    this.timed = true;
    return this;
  }

  /** Emits the row that was set, for a row of the input. */
  emit(row: i32): void {
    assert(!this.timed, "the output is declared withTime: use emitAt");
    this.next(row);
    this.sendIfFull();
  }

  /** Emits the row that was set, for a row of the input, with its event time. */
  emitAt(row: i32, time: i64): void {
    assert(this.timed, "the output is not declared withTime: use emit");
    this.next(row);
    store<i64>(this.times + ((<usize>this.rows - 1) << 3), time);
    this.sendIfFull();
  }

  private next(row: i32): void {
    const n = this.rows + 1;
    const children = this.children;
    for (let i = 0, count = children.length; i < count; i++) {
      const column = changetype<OutColumn>(unchecked(children[i]));
      if (column.count < n) column.setNull();
      else if (column.count > n) throw new Error(`column ${column.name} was set more than once for a row`);
    }
    if (n > this.rowRoom) this.growRows(n);
    store<i32>(this.origins + ((<usize>n - 1) << 2), row);
    this.rows = n;
  }

  // @ts-ignore: decorator
  @inline
  private sendIfFull(): void {
    if (this.split && (this.rows == MAX_ROWS || (someColumnIsFull && this.isFull()))) this.send();
  }

  private growRows(atLeast: i32): void {
    const room = max(atLeast, max(2 * this.rowRoom, max(inputRows, 64)));
    this.origins = regrow(this.origins, 4 * this.rows, 4 * room);
    if (this.timed) this.times = regrow(this.times, 8 * this.rows, 8 * room);
    this.rowRoom = room;
  }

  /** Emits a row for each row of the input at once, whose columns were set by fill. */
  emitAll(): void {
    assert(this.rows == 0 && !this.timed, "emitAll: the output has rows already, or an event time");
    for (let i = 0; i < this.children.length; i++) {
      const column = this.child(i);
      assert(column.count == inputRows, `emitAll: column ${column.name} has ${column.count} values for ${inputRows} rows`);
    }
    this.rows = inputRows;
    this.whole = true;
    this.send();
  }

  /** Takes back what was set for a row that is not emitted. */
  discard(): void {
    for (let i = 0; i < this.children.length; i++) this.child(i).truncate(this.rows);
  }

  /** Sends what was emitted, where there is something. */
  flush(): void {
    if (this.rows > 0) this.send();
  }

  /** Emits so many rows of columns that are complete, as accumulators are. */
  sendRows(rows: i32): void {
    this.rows = rows;
    this.whole = true;
    this.send();
  }

  /** Hands the rows to the host, with what failed so far. */
  send(): void {
    const size = encode(this, this.whole || this.isIdentity());
    hostEmit(message, size);
    failureCount = 0;
    this.reset();
    this.rows = 0;
    this.whole = false;
  }

  private isIdentity(): bool {
    if (this.rows != inputRows) return false;
    for (let row = 0; row < this.rows; row++) {
      if (load<i32>(this.origins + (<usize>row << 2)) != row) return false;
    }
    return true;
  }
}

function append(data: usize, size: u32): u32 {
  if (size == 0) return 0;
  const at = body;
  body = align8(at + size);
  store<u64>(message + body - 8, 0); // the padding
  memory.copy(message + at, data, size);
  return at;
}

function measure(column: OutColumn): u64 {
  const rows = <u64>column.count;
  let bytes: u64 = 32 + 2 * (rows >> 3) + rows * max(width(column.type), 4) + column.size;
  for (let i = 0; i < column.children.length; i++) bytes += measure(column.child(i));
  return bytes + 24;
}

function putColumn(at: usize, rows: u32, nulls: u32, validity: u32, offsets: u32, values: u32, size: u32): void {
  store<u32>(at, rows);
  store<u32>(at, nulls, 4);
  store<u32>(at, validity, 8);
  store<u32>(at, offsets, 12);
  store<u32>(at, values, 16);
  store<u32>(at, size, 20);
}

/** Writes the columns beneath one, depth first. */
function writeColumns(parent: OutColumn): void {
  for (let i = 0; i < parent.children.length; i++) {
    const c = parent.child(i);
    const rows = <u32>c.count;
    const bits = (rows + 7) >> 3;
    let validity: u32 = 0, offsets: u32 = 0, size: u32 = c.size;
    if (c.nulls > 0) {
      validity = append(c.validity, bits);
      const last = message + validity + bits - 1;
      if (rows & 7) store<u8>(last, load<u8>(last) & ((<u8>1 << <u8>(rows & 7)) - 1));
    }
    if (c.type == Type.Bool) size = bits;
    else if (width(c.type) > 0) size = rows * width(c.type);
    else if (c.type != Type.Struct && rows > 0) offsets = append(c.offsets, 4 * (rows + 1));
    const at = message + node;
    node += 24;
    putColumn(at, rows, c.nulls, validity, offsets, append(c.values, size), size);
    writeColumns(c);
  }
}

/** Says in the vtable that the Batch table has a field, and returns the field's offset. */
function present(id: u32): u32 {
  const at: u32 = id < 4 ? 4 + 4 * id : 20 + 24 * (id - 4);
  store<u16>(message + 12 + 2 * id, <u16>at);
  return 32 + at;
}

/**
 * Writes a message: a header and a vtable of 32 bytes, the Batch table of 116, the vectors of
 * Columns and Failures, the buffers. Returns its size. sameRows: row n came from row n.
 */
function encode(output: Output, sameRows: bool): u32 {
  const rows = output.rows;
  const columns: u32 = 148;
  const nodes = output.nodes() - 1;
  const after = columns + 4 + 24 * nodes;
  body = align8(after + 4 + 12 * failureCount);
  let bytes = <u64>body + 12 * <u64>rows + 32;
  bytes += measure(output);
  for (let i = 0; i < failureCount; i++) bytes += failedTexts[i].byteLength + 8;
  if (bytes > messageRoom) {
    assert(bytes < 1 << 30, "an output has too many bytes for one batch");
    const room = max(<u32>bytes, 2 * messageRoom);
    if (message != 0) heap.free(message);
    message = heap.alloc(room);
    messageRoom = room;
  }
  memory.fill(message, 0, columns);
  store<u64>(message + body - 8, 0);
  store<u32>(message, 32);
  store<u32>(message, 0x31424d57, 4); // "WMB1"
  store<u32>(message, 20 | (116 << 16), 8);
  store<u32>(message, 24, 32);
  store<u32>(message + present(0), output.schema);
  store<u32>(message + present(1), rows);
  let at = present(2);
  store<u32>(message + at, columns - at);
  store<u32>(message + columns, nodes);
  node = columns + 4;
  writeColumns(output);
  at = present(3);
  store<u32>(message + at, after - at);
  store<u32>(message + after, failureCount);
  for (let i = 0; i < failureCount; i++) {
    const entry = message + after + 4 + 12 * i;
    const text = failedTexts[i];
    store<i32>(entry, failedRows[i]);
    store<u32>(entry, append(changetype<usize>(text), text.byteLength), 4);
    store<u32>(entry, text.byteLength, 8);
  }
  if (output.timed) putColumn(message + present(4), rows, 0, 0, 0, append(output.times, 8 * rows), 8 * rows);
  if (!sameRows && output.schema < SCHEMA_ACCUMULATOR) {
    putColumn(message + present(6), rows, 0, 0, 0, append(output.origins, 4 * rows), 4 * rows);
  }
  return body;
}
