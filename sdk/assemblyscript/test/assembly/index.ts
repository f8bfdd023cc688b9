// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Operators for process.test.js: what the conformance module has no use for.

import { ProcessOperator } from "wasmill";

export * from "wasmill/exports";

// types: a field of each type in a value and a list, which come back as they were put.

const types = new ProcessOperator("types");
const input = types.keyedInput();
input.key.int64("id");
const b = input.bool("b");
const i = input.int32("i");
const f = input.float64("f");
const d = input.decimal("d", 2);
const s = input.string("s");
const y = input.bytes("y");
const ls = input.list("ls");
ls.string("item");
const st = input.struct("st");
st.int64("a");
st.string("b");

const value = types.value("value");
const valueB = value.bool("b");
const valueI = value.int32("i");
const valueF = value.float64("f");
const valueD = value.decimal("d", 2);
const valueS = value.string("s");
const valueY = value.bytes("y");

const list = types.list("list");
const listB = list.bool("b");
const listI = list.int32("i");
const listF = list.float64("f");
const listD = list.decimal("d", 2);
const listS = list.string("s");
const listY = list.bytes("y");
const listLs = list.list("ls");
listLs.items.string("item");
listLs.writer.string("item");
const listSt = list.struct("st");
listSt.fields.int64("a");
listSt.fields.string("b");
listSt.writer.int64("a");
listSt.writer.string("b");

const output = types.output();
const outB = output.bool("b");
const outI = output.int32("i");
const outF = output.float64("f");
const outD = output.decimal("d", 2);
const outS = output.string("s");
const outY = output.bytes("y");
const outLs = output.list("ls");
outLs.string("item");
const outSt = output.struct("st");
outSt.int64("a");
outSt.string("b");

/** Emits the value and the items as they were, and then writes those of the row. */
input.onRow((row: i32, key: i32): void => {
  if (value.has(key)) {
    if (!valueB.isNull(key)) outB.set(valueB.get(key));
    if (!valueI.isNull(key)) outI.set(valueI.get(key));
    if (!valueF.isNull(key)) outF.set(valueF.get(key));
    if (!valueD.isNull(key)) outD.set(valueD.get(key));
    if (!valueS.isNull(key)) outS.set(valueS.get(key));
    if (!valueY.isNull(key)) outY.set(valueY.get(key));
    output.emit(row);
  }
  for (list.scan(key); list.next(); ) {
    listB.copyTo(outB);
    listI.copyTo(outI);
    listF.copyTo(outF);
    listD.copyTo(outD);
    listS.copyTo(outS);
    listY.copyTo(outY);
    listLs.copyTo(outLs);
    listSt.copyTo(outSt);
    output.emit(row);
  }
  value.put(key);
  if (b.isNull(row)) valueB.setNull(key);
  else valueB.set(key, b.get(row));
  if (i.isNull(row)) valueI.setNull(key);
  else valueI.set(key, i.get(row));
  if (f.isNull(row)) valueF.setNull(key);
  else valueF.set(key, f.get(row));
  if (d.isNull(row)) valueD.setNull(key);
  else valueD.set(key, d.get(row));
  if (s.isNull(row)) valueS.setNull(key);
  else valueS.set(key, s.get(row));
  valueY.copy(key, y, row);
  listB.copy(b, row);
  listI.copy(i, row);
  listF.copy(f, row);
  listD.copy(d, row);
  listS.copy(s, row);
  listY.copy(y, row);
  listLs.copy(ls, row);
  listSt.copy(st, row);
  list.append(key);
});

// bulk: many entries are read at once.

const bulk = new ProcessOperator("bulk");
const words = bulk.keyedInput();
words.key.int64("id");
const word = words.required.string("word");
const counts = bulk.map("counts");
const countWord = counts.key.string("word");
const count = counts.int64("count");
const sums = bulk.reducing("sums");
const sum = sums.sum.int64("n");
const rowsSeen = bulk.value("rows");
rowsSeen.ofOperator();
const rowCount = rowsSeen.int64("n");
const bulkOutput = bulk.output();
const outWord = bulkOutput.int64("of_word");
const outKey = bulkOutput.int64("of_key");
const outAll = bulkOutput.int64("of_all");

words.onRows((rows: i32): void => {
  for (let row = 0; row < rows; row++) {
    countWord.copy(word, row);
    counts.ask(words.keyOf(row));
  }
  counts.fetch();
  sums.fetch();
  for (let row = 0; row < rows; row++) {
    const key = words.keyOf(row);
    const before = counts.found(row) ? count.get() : 0;
    outWord.set(before);
    outKey.set(sums.found(key) ? sum.get() : 0);
    rowCount.set(0, rowCount.get(0) + 1);
    outAll.set(rowCount.get(0));
    bulkOutput.emit(row);
    countWord.copy(word, row);
    count.set(before + 1);
    counts.put(key);
    sum.set(1);
    sums.put(key);
  }
});

// page: leaves loops early, and gets entries within them.

const page = new ProcessOperator("page");
const pages = page.keyedInput();
pages.key.int64("id");
const most = pages.required.int64("most");
const numbers = page.map("numbers");
const number = numbers.key.int64("number");
const twice = numbers.int64("twice");
const pageOutput = page.output();
const outNumber = pageOutput.int64("number");
const outTwice = pageOutput.int64("twice");

pages.onRow((row: i32, key: i32): void => {
  for (let n: i64 = 0; n < 250; n++) {
    number.set(n);
    twice.set(2 * n);
    numbers.put(key);
  }
  for (numbers.scan(key); numbers.next(); ) {
    const at = number.get();
    if (at == most.get(row)) {
      if (at % 2) numbers.stop();
      break;
    }
    number.set(at + 1);
    outTwice.set(numbers.get(key) ? twice.get() : -1);
    outNumber.set(at);
    pageOutput.emit(row);
  }
});

// misuse: what an author may get wrong.

const misuse = new ProcessOperator("misuse");
const wrongs = misuse.keyedInput();
wrongs.key.int64("id");
const wrong = wrongs.required.string("wrong");
const one = misuse.value("one").int64("n");
const many = misuse.list("many");
const item = many.int64("n");
misuse.output().int64("n");

wrongs.onRow((row: i32, key: i32): void => {
  const what = wrong.get(row);
  if (what == "no such key") one.set(key + 100, 1);
  else if (what == "no key") {
    item.set(1);
    many.append();
  } else if (what == "no row") item.get();
  else if (what == "set twice") {
    item.set(1);
    item.set(2);
    many.append(key);
  } else if (what == "not put") {
    item.set(1);
    many.scan(key);
  } else if (what == "timer") misuse.eventTimers.set(key, 1);
});
