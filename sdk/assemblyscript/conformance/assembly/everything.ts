// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// everything: each row unchanged, of every type.

import { BoolColumn, MapOperator, NumberColumn, OutBool, OutNumber } from "wasmill";

const op = new MapOperator("everything", "Passes on each row unchanged.");

const b = op.input.bool("b");
const i = op.input.int32("i");
const l = op.input.int64("l");
const f = op.input.float64("f");
const d = op.input.decimal("d", 2);
const s = op.input.string("s");
const y = op.input.bytes("y");
const t = op.input.timestamp("t");
const ls = op.input.list("ls");
const item = ls.string("item");
const st = op.input.struct("st");
const stA = st.int64("a");
const stB = st.string("b");

const out = op.output();
const outB = out.bool("b");
const outI = out.int32("i");
const outL = out.int64("l");
const outF = out.float64("f");
const outD = out.decimal("d", 2);
const outS = out.string("s");
const outY = out.bytes("y");
const outT = out.timestamp("t");
const outLs = out.list("ls");
const outItem = outLs.string("item");
const outSt = out.struct("st");
const outStA = outSt.int64("a");
const outStB = outSt.string("b");

function copyNumber<T>(from: NumberColumn<T>, to: OutNumber<T>, row: i32): void {
  if (!from.isNull(row)) to.set(from.get(row));
}

function copyBool(from: BoolColumn, to: OutBool, row: i32): void {
  if (!from.isNull(row)) to.set(from.get(row));
}

op.onRow((row: i32): void => {
  copyBool(b, outB, row);
  copyNumber<i32>(i, outI, row);
  copyNumber<i64>(l, outL, row);
  copyNumber<f64>(f, outF, row);
  copyNumber<i64>(d, outD, row);
  outS.copy(s, row);
  outY.copy(y, row);
  copyNumber<i64>(t, outT, row);
  if (!ls.isNull(row)) {
    for (let n = ls.first(row); n < ls.end(row); n++) outItem.copy(item, n);
    outLs.set();
  }
  if (!st.isNull(row)) {
    copyNumber<i64>(stA, outStA, row);
    outStB.copy(stB, row);
    outSt.set();
  }
  out.emit(row);
});
