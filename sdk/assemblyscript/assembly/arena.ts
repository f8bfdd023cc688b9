// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Memory for strings and bytes that were set in a call. They stay where they are until the next
// one; the memory is kept from call to call.

const CHUNK: u32 = 64 << 10;
/** How many bytes are kept for the next call. */
const KEPT: u32 = 4 << 20;

const chunks: usize[] = [];
const rooms: u32[] = [];
let current: i32 = 0;
let used: u32 = 0;

/** Returns room for so many bytes; endKept says how many of them are used. */
export function reserveKept(bytes: u32): usize {
  for (; current < chunks.length; current++) {
    if (unchecked(rooms[current]) - used >= bytes) return unchecked(chunks[current]) + used;
    used = 0;
  }
  const room = max(CHUNK, bytes);
  chunks.push(heap.alloc(room));
  rooms.push(room);
  return chunks[current];
}

export function endKept(bytes: u32): void {
  used += bytes;
}

/** Begins a call. */
export function releaseKept(): void {
  let kept: u32 = 0;
  for (let i = 0; i < chunks.length; i++) {
    kept += rooms[i];
    if (kept <= KEPT) continue;
    for (let n = i; n < chunks.length; n++) heap.free(chunks[n]);
    chunks.length = i;
    rooms.length = i;
  }
  current = 0;
  used = 0;
}
