// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { Level, MapOperator, log, refuse } from "wasmill";

// split: a row for each part of a text.

const split = new MapOperator("split", "Makes a row of each word of a text.");
const text = split.input.required.string("text", "What is split");
const separator = split.config.byDefault(" ").string("separator", "What stands between two words");
const words = split.output().forwarded();
const word = words.string("word", "A part that is not empty");
const index = words.int32("index", "Its number in its row, from 0");
const wordCount = split.counter("words");

split.onRow((row: i32): void => {
  const parts = separator.value.length > 0 ? text.get(row).split(separator.value) : [text.get(row)];
  let count = 0;
  for (let n = 0; n < parts.length; n++) {
    if (parts[n].length == 0) continue;
    word.set(parts[n]);
    index.set(count++);
    words.emit(row);
  }
  if (count > 0) wordCount.add(count);
});

// route: even and odd numbers.

const route = new MapOperator("route", "Parts even from odd numbers.");
const routed = route.input.int64("n");
const evens = route.output();
const even = evens.int64("n");
const odds = route.output("odd");
const odd = odds.int64("n");

route.onRow((row: i32): void => {
  if (routed.isNull(row)) return;
  const n = routed.get(row);
  if (n < 0) {
    route.failRow(row, `n is negative: ${n}`);
  } else if (n % 2 == 0) {
    even.set(n);
    evens.emit(row);
  } else {
    odd.set(n);
    odds.emit(row);
  }
});

// shift: another event time.

const shift = new MapOperator("shift", "Moves the event time of each row.");
const shiftInput = shift.input.withTime();
const shifted = shiftInput.int64("n");
const by = shift.config.required.int64("by", "Microseconds that are added to the event time");
const shiftOutput = shift.output().withTime();
const shiftedOut = shiftOutput.int64("n");

shift.onRow((row: i32): void => {
  if (!shifted.isNull(row)) shiftedOut.set(shifted.get(row));
  shiftOutput.emitAt(row, shiftInput.time(row) + by.value);
});

// refuse: a configuration that it can't work with. Its rows go by the column, not by the row.

const refusing = new MapOperator("refuse", "Refuses to open with a limit that is not positive.");
const limited = refusing.input.int64("n");
const limit = refusing.config.required.int64("limit", "A positive number");
const limitedOutput = refusing.output();
const limitedOut = limitedOutput.int64("n");

refusing.onOpen((): void => {
  if (limit.value <= 0) refuse(`limit must be positive, not ${limit.value}`);
});
refusing.onRows((rows: i32): void => {
  memory.copy(limitedOut.fill(rows), limited.values, 8 * rows);
  limitedOut.copyNulls(limited);
  limitedOutput.emitAll();
});

// crash: an error that nobody catches.

const crash = new MapOperator("crash", "Throws at 13.");
const crashing = crash.input.required.int64("n");
const crashOutput = crash.output();
const crashed = crashOutput.int64("n");

crash.onRow((row: i32): void => {
  const n = crashing.get(row);
  if (n == 13) throw new Error("unlucky 13");
  crashed.set(n);
  crashOutput.emit(row);
});

// say: a line of the log for each row.

const say = new MapOperator("say", "Logs a text at a level.");
const level = say.input.required.int32("level", "0 debug, 1 info, 2 warn, 3 error");
const line = say.input.required.string("text", "What is logged");
say.output().int64("n");

say.onRow((row: i32): void => {
  log(<Level>level.get(row), line.get(row));
});
