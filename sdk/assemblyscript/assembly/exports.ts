// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The functions that the host calls.

import { describe } from "./describe";
import { Operator, operators } from "./operator";
import { rowsOfCall } from "./output";

let opened: Operator | null = null;
let input: usize = 0;
let inputRoom: i32 = 0;

/** Collecting costs about as much as a few hundred rows, and garbage comes with rows. */
const ROWS_PER_COLLECTION = 8192;
let rowsSinceCollection: i32 = 0;

/**
 * Collects garbage when it is worth it. Only here, before a call begins, does no object hang by a
 * local variable alone: that is what the minimal runtime asks for, which in turn costs nothing
 * while rows are processed.
 */
function collect(): void {
  if (rowsSinceCollection < ROWS_PER_COLLECTION) return;
  __collect();
  rowsSinceCollection = 0;
}

export function wasmill_version(): i32 {
  return 1;
}

export function wasmill_describe(): u64 {
  return describe(operators);
}

export function wasmill_buffer(size: i32): usize {
  if (size > inputRoom || input == 0) {
    if (input != 0) heap.free(input);
    inputRoom = max(size, 4096);
    input = heap.alloc(inputRoom);
  }
  return input;
}

export function wasmill_open(number: i32, config: usize, size: i32): i32 {
  const operator = operators[number];
  opened = operator;
  for (let i = 0; i < operator.outputs.length; i++) operator.outputs[i].split = !operator.accumulators;
  operator.open(config, size);
  return 0;
}

export function wasmill_process(batch: usize, _size: i32): i32 {
  collect();
  opened!.process(batch);
  rowsSinceCollection += max(rowsOfCall(), 64);
  return 0;
}

export function wasmill_timer(batch: usize, _size: i32): i32 {
  collect();
  opened!.timer(batch);
  rowsSinceCollection += max(rowsOfCall(), 64);
  return 0;
}

export function wasmill_aggregate(step: i32, a: usize, _aSize: i32, b: usize, _bSize: i32): i32 {
  collect();
  opened!.aggregate(step, a, b);
  rowsSinceCollection += max(rowsOfCall(), 64);
  return 0;
}
