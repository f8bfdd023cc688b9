// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The operators of ../../../../cmd/bench, which every SDK builds: written for speed, by the column.

import { AggregateOperator, MapOperator, ProcessOperator } from "wasmill";

export * from "wasmill/exports";

// empty: reads nothing and forwards all rows.

const empty = new MapOperator("empty", "Forwards all rows.");
const emptyOutput = empty.output().forwarded();

empty.onRows((_rows: i32): void => {
  emptyOutput.emitAll();
});

// four: four numbers of four numbers.

const four = new MapOperator("four", "Four numbers of four numbers, by the column.");
const a = four.input.required.int64("a");
const b = four.input.required.int64("b");
const c = four.input.required.int64("c");
const d = four.input.required.int64("d");
const fourOutput = four.output();
const w = fourOutput.int64("w");
const x = fourOutput.int64("x");
const y = fourOutput.int64("y");
const z = fourOutput.int64("z");

four.onRows((rows: i32): void => {
  const as = a.values, bs = b.values, cs = c.values, ds = d.values;
  const ws = w.fill(rows), xs = x.fill(rows), ys = y.fill(rows), zs = z.fill(rows);
  for (let at: usize = 0, end = <usize>rows << 3; at < end; at += 8) {
    store<i64>(ws + at, load<i64>(as + at) + load<i64>(bs + at));
    store<i64>(xs + at, load<i64>(cs + at) - load<i64>(ds + at));
    store<i64>(ys + at, load<i64>(as + at) ^ load<i64>(cs + at));
    store<i64>(zs + at, load<i64>(bs + at) + load<i64>(ds + at));
  }
  fourOutput.emitAll();
});

// four_rows: the same by the row.

const fourRows = new MapOperator("four_rows", "Four numbers of four numbers, by the row.");
const ra = fourRows.input.required.int64("a");
const rb = fourRows.input.required.int64("b");
const rc = fourRows.input.required.int64("c");
const rd = fourRows.input.required.int64("d");
const fourRowsOutput = fourRows.output();
const rw = fourRowsOutput.int64("w");
const rx = fourRowsOutput.int64("x");
const ry = fourRowsOutput.int64("y");
const rz = fourRowsOutput.int64("z");

fourRows.onRow((row: i32): void => {
  rw.set(ra.get(row) + rb.get(row));
  rx.set(rc.get(row) - rd.get(row));
  ry.set(ra.get(row) ^ rc.get(row));
  rz.set(rb.get(row) + rd.get(row));
  fourRowsOutput.emit(row);
});

// filter: the rows with a given string.

const filter = new MapOperator("filter", "Forwards the rows whose s has a given value.");
const s = filter.input.required.string("s");
const wanted = filter.config.required.string("value", "What s must be");
const filterOutput = filter.output().forwarded();

filter.onRows((rows: i32): void => {
  for (let row = 0; row < rows; row++) {
    if (s.equals(row, wanted, 0)) filterOutput.emit(row);
  }
});

// count: how many rows there are.

const count = new AggregateOperator("count", "How many rows there are.");
const counts = count.accumulator.int64();
const countOutput = count.output();
const counted = countOutput.int64("count");

count.onAdd((into: i32, _row: i32): void => {
  counts.set(into, counts.get(into) + 1);
});
count.onMerge((into: i32, later: i32): void => {
  counts.set(into, counts.get(into) + counts.get(later));
});
count.onResult((accumulator: i32): void => {
  counted.set(counts.get(accumulator));
  countOutput.emit(accumulator);
});

// count_process: how many rows of its key there were so far.

const countProcess = new ProcessOperator("count_process", "How many rows of its key there were so far, by the column.");
const keyed = countProcess.keyedInput();
keyed.key.int64("k");
const seen = countProcess.value("seen").int64("value");
const seenOutput = countProcess.output().forwarded();
const seenCount = seenOutput.int64("count");

keyed.onRows((rows: i32): void => {
  const keys = keyed.groups, values = seen.edit(), out = seenCount.fill(rows);
  for (let row: usize = 0; row < <usize>rows; row++) {
    const at = values + (<usize>load<u32>(keys + (row << 2)) << 3);
    const n = load<i64>(at) + 1;
    store<i64>(at, n);
    store<i64>(out + (row << 3), n);
  }
  seenOutput.emitAll();
});

// count_process_rows: the same by the row.

const countRows = new ProcessOperator("count_process_rows", "How many rows of its key there were so far, by the row.");
const keyedRows = countRows.keyedInput();
keyedRows.key.int64("k");
const seenRows = countRows.value("seen").int64("value");
const seenRowsOutput = countRows.output().forwarded();
const seenRowsCount = seenRowsOutput.int64("count");

keyedRows.onRow((row: i32, key: i32): void => {
  const n = seenRows.get(key) + 1;
  seenRows.set(key, n);
  seenRowsCount.set(n);
  seenRowsOutput.emit(row);
});
