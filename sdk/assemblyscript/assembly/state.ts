// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { endKept, reserveKept } from "./arena";
import { BinaryColumn, BoolColumn, Column, Columns, NumberColumn } from "./input";
import { OutBinary, OutBool, OutColumn, OutColumns, OutNumber, OutStruct } from "./columns";
import { regrow } from "./wire";

/** What is known of a value. */
const HAS: u8 = 1;
const CHANGED: u8 = 2;

/** Reads the values of all keys when they are first asked for. */
export abstract class Loader {
  /** Returns where the value of a key lies; throws where there is no such key. */
  abstract settle(key: i32): i32;
  /** Reads them now. */
  abstract load(): i32;
}

/**
 * A part of the accumulators, or of a ValueState: a value for each, that functions read and set by
 * the number of the accumulator or the key (any number does where a ValueState is not kept by key).
 * A value that was never set is null, and reads as zero.
 */
export abstract class State {
  /** A byte for each value: HAS, CHANGED. There is room for whole words. */
  has: usize = 0;
  /** 8 bytes for each value. */
  values: usize = 0;
  /** How many values there are in the call at hand; 0 before they were read. */
  count: i32 = 0;
  protected room: i32 = 0;
  /** Of a ValueState. */
  loader: Loader | null = null;

  constructor(readonly from: Column, readonly to: OutColumn) {}

  /** Of a value that is known to be there: whether it is not null. */
  // @ts-ignore: decorator
  @inline
  protected isSet(i: i32): bool {
    return (load<u8>(this.has + i) & HAS) != 0;
  }

  // @ts-ignore: decorator
  @inline
  protected at(i: i32): usize {
    return <u32>i < <u32>this.count ? i : this.settle(i);
  }

  protected settle(i: i32): i32 {
    const loader = this.loader;
    if (loader) return loader.settle(i);
    throw new RangeError(`there is no accumulator ${i}, of ${this.count}`);
  }

  @inline
  isNull(i: i32): bool {
    const at = this.at(i); // first, because it may read the values
    return !(load<u8>(this.has + at) & HAS);
  }

  @inline
  touch(i: i32): void {
    store<u8>(this.has + i, HAS | CHANGED);
  }

  /** Takes over so many values of the batch at hand, the first as number first. */
  take(rows: i32, first: i32): void {
    this.grow(rows, first);
    for (let row = 0; row < rows; row++) {
      const i = first + row;
      const has = !this.from.isNull(row);
      store<u8>(this.has + i, <u8>has);
      store<u64>(this.values + (<usize>i << 3), 0);
      if (has) this.read(row, i);
    }
  }

  protected grow(rows: i32, first: i32): void {
    const count = first + rows;
    if (count > this.room) {
      const room = (2 * count + 7) & ~7;
      this.has = regrow(this.has, first, room);
      this.values = regrow(this.values, 8 * first, 8 * room);
      this.room = room;
    }
    this.count = count;
  }

  protected abstract read(row: i32, i: i32): void;
  /** Appends a value to the column that is handed over. */
  abstract give(i: i32): void;

  /** Appends the first so many values. */
  giveAll(count: i32): void {
    for (let i = 0; i < count; i++) this.give(i);
  }

  /** There is no value, and none was set. */
  clear(i: i32): void {
    store<u8>(this.has + i, 0);
    store<u64>(this.values + (<usize>i << 3), 0);
  }

  /** Makes a value null. */
  setNull(i: i32): void {
    const at = this.at(i);
    this.clear(<i32>at);
    store<u8>(this.has + at, CHANGED);
  }

  /** Gives an accumulator the value of another. */
  move(into: i32, from: i32): void {
    store<u8>(this.has + into, load<u8>(this.has + from));
    store<u64>(this.values + (<usize>into << 3), load<u64>(this.values + (<usize>from << 3)));
  }
}

export class NumberState<T> extends State {
  @inline
  get(i: i32): T {
    const at = this.at(i);
    return load<T>(this.values + (at << 3));
  }

  @inline
  set(i: i32, value: T): void {
    const at = this.at(i);
    store<T>(this.values + (at << 3), value);
    store<u8>(this.has + at, HAS | CHANGED);
  }

  /**
   * Of a ValueState: where the values of all keys of the call lie, 8 bytes each, zero where there is
   * none, to be changed in place. All of them are written back, as values that are not null.
   */
  edit(): usize {
    this.loader!.load();
    memory.fill(this.has, HAS | CHANGED, this.count);
    return this.values;
  }

  take(rows: i32, first: i32): void {
    if (sizeof<T>() != 8 || this.from.validity != 0) return super.take(rows, first);
    this.grow(rows, first);
    memory.fill(this.has + first, HAS, rows);
    memory.copy(this.values + (<usize>first << 3), this.from.values, <usize>rows << 3);
  }

  protected read(row: i32, i: i32): void {
    store<T>(this.values + (<usize>i << 3), changetype<NumberColumn<T>>(this.from).get(row));
  }

  give(i: i32): void {
    if (!this.isSet(i)) this.to.setNull();
    else changetype<OutNumber<T>>(this.to).set(load<T>(this.values + (<usize>i << 3)));
  }

  private isAllSet(count: i32): bool {
    const has = this.has;
    let i = 0;
    for (; i + 8 <= count; i += 8) if ((load<u64>(has + i) & 0x0101010101010101) != 0x0101010101010101) return false; // HAS
    for (; i < count; i++) if (!this.isSet(i)) return false;
    return true;
  }

  giveAll(count: i32): void {
    if (sizeof<T>() != 8 || this.to.count > 0 || !this.isAllSet(count)) return super.giveAll(count);
    memory.copy(changetype<OutNumber<T>>(this.to).fill(count), this.values, <usize>count << 3);
  }
}

export class BoolState extends State {
  get(i: i32): bool {
    const at = this.at(i);
    return load<u8>(this.values + (at << 3)) != 0;
  }

  set(i: i32, value: bool): void {
    const at = this.at(i);
    store<u8>(this.values + (at << 3), <u8>value);
    store<u8>(this.has + at, HAS | CHANGED);
  }

  protected read(row: i32, i: i32): void {
    store<u8>(this.values + (<usize>i << 3), <u8>changetype<BoolColumn>(this.from).get(row));
  }

  give(i: i32): void {
    if (this.isNull(i)) this.to.setNull();
    else changetype<OutBool>(this.to).set(this.get(i));
  }
}

/** A string or bytes: an address and a size, of the batch at hand or of what was set. */
export class BinaryState extends State {
  /** Where the bytes begin. They are there until the call ends. */
  start(i: i32): usize {
    const at = this.at(i);
    return load<u32>(this.values + (at << 3));
  }

  /** How many bytes there are. */
  size(i: i32): i32 {
    const at = this.at(i);
    return load<i32>(this.values + (at << 3), 4);
  }

  private point(i: i32, at: usize, size: i32): void {
    store<u32>(this.values + (<usize>i << 3), <u32>at);
    store<i32>(this.values + (<usize>i << 3), size, 4);
  }

  /** Sets bytes that lie in memory; they are copied. */
  put(i: i32, from: usize, size: i32): void {
    const value = <i32>this.at(i), at = reserveKept(size);
    memory.copy(at, from, size);
    this.keep(value, at, size);
  }

  protected keep(i: i32, at: usize, size: i32): void {
    endKept(size);
    this.point(i, at, size);
    this.touch(i);
  }

  /** Sets the bytes of a row, or null where it is, without making an object. */
  copy(i: i32, from: BinaryColumn, row: i32): void {
    if (from.isNull(row)) return this.setNull(i);
    if (this.loader) return this.put(i, from.start(row), from.size(row)); // from may be of a state, and soon another row
    const at = <i32>this.at(i);
    this.point(at, from.start(row), from.size(row));
    this.touch(at);
  }

  /** Sets a column of an output, to null where this is. */
  copyTo(i: i32, to: OutBinary): void {
    if (this.isNull(i)) to.setNull();
    else to.put(this.start(i), this.size(i));
  }

  protected read(row: i32, i: i32): void {
    const from = changetype<BinaryColumn>(this.from);
    this.point(i, from.start(row), from.size(row));
  }

  give(i: i32): void {
    this.copyTo(i, changetype<OutBinary>(this.to));
  }
}

export class StringState extends BinaryState {
  get(i: i32): string {
    return String.UTF8.decodeUnsafe(this.start(i), this.size(i));
  }

  set(i: i32, value: string): void {
    const key = <i32>this.at(i), at = reserveKept(3 * value.length);
    const size = String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, at, false, String.UTF8.ErrorMode.REPLACE);
    this.keep(key, at, <i32>size);
  }
}

export class BytesState extends BinaryState {
  /** A copy of the bytes. */
  get(i: i32): Uint8Array {
    const copy = new Uint8Array(this.size(i));
    memory.copy(copy.dataStart, this.start(i), copy.length);
    return copy;
  }

  set(i: i32, value: Uint8Array): void {
    this.put(i, value.dataStart, value.length);
  }
}

/** Declares the fields of an accumulator that is a struct. They are numbers, bools, strings and bytes. */
export class StructState extends State {
  readonly fields: State[] = [];

  private add<S extends State>(field: S): S {
    this.fields.push(field);
    return field;
  }

  private get columns(): Columns {
    return changetype<Columns>(this.from);
  }

  private get outs(): OutColumns {
    return changetype<OutColumns>(this.to);
  }

  bool(name: string, doc: string = ""): BoolState {
    return this.add(new BoolState(this.columns.bool(name, doc), this.outs.bool(name, doc)));
  }

  int32(name: string, doc: string = ""): NumberState<i32> {
    return this.add(new NumberState<i32>(this.columns.int32(name, doc), this.outs.int32(name, doc)));
  }

  int64(name: string, doc: string = ""): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.int64(name, doc), this.outs.int64(name, doc)));
  }

  float64(name: string, doc: string = ""): NumberState<f64> {
    return this.add(new NumberState<f64>(this.columns.float64(name, doc), this.outs.float64(name, doc)));
  }

  decimal(name: string, scale: u8, doc: string = ""): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.decimal(name, scale, doc), this.outs.decimal(name, scale, doc)));
  }

  timestamp(name: string, doc: string = ""): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.timestamp(name, doc), this.outs.timestamp(name, doc)));
  }

  string(name: string, doc: string = ""): StringState {
    return this.add(new StringState(this.columns.string(name, doc), this.outs.string(name, doc)));
  }

  bytes(name: string, doc: string = ""): BytesState {
    return this.add(new BytesState(this.columns.bytes(name, doc), this.outs.bytes(name, doc)));
  }

  take(rows: i32, first: i32): void {
    super.take(rows, first);
    for (let i = 0; i < this.fields.length; i++) this.fields[i].take(rows, first);
    for (let i = first; i < first + rows; i++) {
      if (!this.isNull(i)) continue;
      for (let f = 0; f < this.fields.length; f++) this.fields[f].clear(i); // what lies under a null is arbitrary
    }
  }

  protected read(_row: i32, _i: i32): void {}

  give(i: i32): void {
    if (this.isNull(i)) return this.to.setNull();
    for (let f = 0; f < this.fields.length; f++) this.fields[f].give(i);
    changetype<OutStruct>(this.to).set();
  }

  move(into: i32, from: i32): void {
    super.move(into, from);
    for (let f = 0; f < this.fields.length; f++) this.fields[f].move(into, from);
  }
}
