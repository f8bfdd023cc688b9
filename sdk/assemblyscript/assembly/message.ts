// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Writes the messages that go to the host.

import { utf8 } from "./host";
import { OutColumn } from "./columns";
import { SCHEMA_ACCUMULATOR, Type, align8, width } from "./wire";

/** Rows of the call's input that failed, and have not been sent yet. */
let failureCount: i32 = 0;
const failedRows: i32[] = [];
const failedTexts: ArrayBuffer[] = [];

/** The message that is being written: where it lies, and where the next buffer and Column go. */
export let message: usize = 0;
let messageRoom: u32 = 0;
let body: u32 = 0;
let node: u32 = 0;

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

/** The failures have been sent. */
export function clearFailures(): void {
  failureCount = 0;
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
 * Columns and Failures, the buffers. Returns its size. times, kinds, origins and groups are where
 * these lie, 0 where they are left out. What is emitted has the failures of the call.
 */
export function encode(root: OutColumn, schema: u32, rows: u32, times: usize, kinds: usize, origins: usize, groups: usize): u32 {
  const failed = schema <= SCHEMA_ACCUMULATOR ? failureCount : 0;
  const columns: u32 = 148;
  const nodes = root.nodes() - 1;
  const after = columns + 4 + 24 * nodes;
  body = align8(after + 4 + 12 * failed);
  let bytes = <u64>body + 17 * <u64>rows + 32;
  bytes += measure(root);
  for (let i = 0; i < failed; i++) bytes += failedTexts[i].byteLength + 8;
  if (bytes > messageRoom) {
    assert(bytes < 1 << 30, "rows have too many bytes for one batch");
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
  store<u32>(message + present(0), schema);
  store<u32>(message + present(1), rows);
  let at = present(2);
  store<u32>(message + at, columns - at);
  store<u32>(message + columns, nodes);
  node = columns + 4;
  writeColumns(root);
  at = present(3);
  store<u32>(message + at, after - at);
  store<u32>(message + after, failed);
  for (let i = 0; i < failed; i++) {
    const entry = message + after + 4 + 12 * i;
    const text = failedTexts[i];
    store<i32>(entry, failedRows[i]);
    store<u32>(entry, append(changetype<usize>(text), text.byteLength), 4);
    store<u32>(entry, text.byteLength, 8);
  }
  if (times != 0) putColumn(message + present(4), rows, 0, 0, 0, append(times, 8 * rows), 8 * rows);
  if (kinds != 0) putColumn(message + present(5), rows, 0, 0, 0, append(kinds, rows), rows);
  if (origins != 0) putColumn(message + present(6), rows, 0, 0, 0, append(origins, 4 * rows), 4 * rows);
  if (groups != 0) putColumn(message + present(7), rows, 0, 0, 0, append(groups, 4 * rows), 4 * rows);
  return body;
}
