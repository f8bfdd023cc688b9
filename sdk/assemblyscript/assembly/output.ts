// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { releaseKept } from "./arena";
import { hostEmit } from "./host";
import { OutColumns, clearFull, someColumnIsFull } from "./columns";
import { clearFailures, encode, message } from "./message";
import { MAX_ROWS, SCHEMA_ACCUMULATOR, regrow } from "./wire";

/** Rows of the input of the call at hand. */
let inputRows: i32 = 0;

export function beginCall(rows: i32): void {
  inputRows = rows;
  clearFull();
  releaseKept();
}

export function rowsOfCall(): i32 {
  return inputRows;
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
    this.endRow(n);
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
    this.truncateRows(this.rows);
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
    const sameRows = this.whole || this.schema >= SCHEMA_ACCUMULATOR || this.isIdentity();
    const size = encode(this, this.schema, this.rows, this.timed ? this.times : 0, 0, sameRows ? 0 : this.origins, 0);
    hostEmit(message, size);
    clearFailures();
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
