// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { AggregateOperator } from "wasmill";

// mean: an aggregate whose accumulator is a struct.

const mean = new AggregateOperator("mean", "The mean of the values.");
const x = mean.input.float64("x");
const state = mean.accumulator.struct();
const sum = state.float64("sum");
const count = state.int64("count");
const means = mean.output();
const outMean = means.float64("mean", "Null where there is no value");
const outCount = means.int64("count", "Values that are not null");

mean.onAdd((into: i32, row: i32): void => {
  if (x.isNull(row)) return;
  if (x.get(row) < 0) return mean.failRow(row, "x is negative");
  sum.set(into, sum.get(into) + x.get(row));
  count.set(into, count.get(into) + 1);
});
mean.onMerge((into: i32, later: i32): void => {
  sum.set(into, sum.get(into) + sum.get(later));
  count.set(into, count.get(into) + count.get(later));
});
mean.onResult((accumulator: i32): void => {
  const n = count.get(accumulator);
  if (n > 0) outMean.set(sum.get(accumulator) / <f64>n);
  outCount.set(n);
  means.emit(accumulator);
});

// longest: an aggregate whose accumulator is a string.

const longest = new AggregateOperator("longest", "The longest string, by bytes.");
const s = longest.input.string("s");
const best = longest.accumulator.string();
const longests = longest.output();
const outLongest = longests.string("longest", "The first of the longest ones");

longest.onAdd((into: i32, row: i32): void => {
  if (s.isNull(row)) return;
  if (best.isNull(into) || s.size(row) > best.size(into)) best.copy(into, s, row);
});
longest.onMerge((into: i32, later: i32): void => {
  if (best.size(later) > best.size(into)) best.move(into, later);
});
longest.onResult((accumulator: i32): void => {
  best.copyTo(accumulator, outLongest);
  longests.emit(accumulator);
});
