// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { OutColumns, OutNumber, OutString, someColumnIsFull } from "./columns";
import { hostStatePut } from "./host";
import { BinaryColumn } from "./input";
import { encode, message } from "./message";
import { KIND_DELETE, MAX_ROWS, SCHEMA_EVENT_TIMER, SCHEMA_PROCESSING_TIMER, Type, regrow } from "./wire";

/** Stands for no key: of a state that is not kept by key. */
export const NO_KEY: i32 = -1;

/** Rows that are on their way to the host's state, or timers. Their memory is kept from call to call. */
export abstract class Puts {
  /** The rows' columns. */
  readonly writer: OutColumns = new OutColumns();
  /** Rows have the number of a key. */
  isKeyed: bool = true;
  protected rows: i32 = 0;
  private rowGroups: usize = 0;
  private rowKinds: usize = 0;
  private rowRoom: i32 = 0;
  private removes: bool = false;

  constructor(readonly schema: u32) {}

  /** What an error calls it. */
  protected abstract title(): string;

  protected checkKey(key: i32): void {
    if (this.isKeyed && key < 0) throw new Error(`${this.title()} is kept by key: give the number of one`);
  }

  /** Adds the row that was set. */
  protected add(key: i32, kind: u8): void {
    const n = this.rows;
    this.checkKey(key);
    this.writer.endRow(n + 1);
    if (n == this.rowRoom) {
      this.rowRoom = max(2 * n, 64);
      this.rowGroups = regrow(this.rowGroups, 4 * n, 4 * this.rowRoom);
      this.rowKinds = regrow(this.rowKinds, n, this.rowRoom);
    }
    store<i32>(this.rowGroups + (<usize>n << 2), key);
    store<u8>(this.rowKinds + n, kind);
    this.removes = this.removes || kind == KIND_DELETE;
    this.rows = n + 1;
    if (this.rows == MAX_ROWS || (someColumnIsFull && this.writer.isFull())) this.hand();
  }

  /** Takes back what was set for a row that is not put. */
  discard(): void {
    this.writer.truncateRows(this.rows);
  }

  /** Hands over what was put. */
  flush(): void {
    for (let i = 0; i < this.writer.children.length; i++) {
      const column = this.writer.child(i);
      if (column.count > this.rows) throw new Error(`${this.title()}: ${column.name} was set for a row that was not put before the next read`);
    }
    this.hand();
  }

  private hand(): void {
    if (this.rows > 0) this.send(this.rows, this.removes ? this.rowKinds : 0, this.rowGroups);
  }

  /** Hands over rows that have been written. */
  protected send(rows: i32, kinds: usize, groups: usize): void {
    const size = encode(this.writer, this.schema, rows, 0, kinds, 0, this.isKeyed ? groups : 0);
    hostStatePut(message, size);
    this.writer.reset();
    this.rows = 0;
    this.removes = false;
  }
}

/** What a timer or a time to live goes by. */
export enum Clock {
  /** The watermark. */
  EventTime,
  /** now(). */
  ProcessingTime,
}

/**
 * Sets timers of one clock, which are due when it reaches their time, in microseconds. A timer is
 * one for its key, namespace and time, however often it is set. One whose time has passed already
 * is due with the next watermark or look at the clock; where a timer has set it, with the one at hand.
 */
export class Timers extends Puts {
  private time!: OutNumber<i64>;
  private namespace!: OutString;

  constructor(clock: Clock) {
    super(clock == Clock.EventTime ? SCHEMA_EVENT_TIMER : SCHEMA_PROCESSING_TIMER);
    this.time = this.writer.timestamp("time");
    this.namespace = this.writer.string("namespace");
    this.namespace.type = Type.Bytes;
  }

  protected title(): string {
    return "a timer";
  }

  /** Sets a timer of a key. */
  set(key: i32, time: i64, namespace: string = ""): void {
    this.time.set(time);
    this.namespace.set(namespace);
    this.add(key, 0);
  }

  /** Deletes a timer of a key, if there is one. */
  delete(key: i32, time: i64, namespace: string = ""): void {
    this.time.set(time);
    this.namespace.set(namespace);
    this.add(key, KIND_DELETE);
  }

  /** Sets a timer whose namespace is the string or the bytes of a row; null is empty. */
  setIn(key: i32, time: i64, namespace: BinaryColumn, row: i32): void {
    this.time.set(time);
    this.namespace.copy(namespace, row);
    this.add(key, 0);
  }

  /** Deletes a timer whose namespace is the string or the bytes of a row. */
  deleteIn(key: i32, time: i64, namespace: BinaryColumn, row: i32): void {
    this.time.set(time);
    this.namespace.copy(namespace, row);
    this.add(key, KIND_DELETE);
  }
}
