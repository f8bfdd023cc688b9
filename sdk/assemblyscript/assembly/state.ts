// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { BinaryColumn, BoolColumn, Column, Columns, Input, NumberColumn } from "./input";
import { OutBinary, OutBool, OutColumn, OutColumns, OutNumber, OutString, OutStruct } from "./columns";
import { Output } from "./output";
import { Field, SCHEMA_ACCUMULATOR, regrow } from "./wire";

/**
 * A part of the accumulators: a value for each, that functions read and set by the accumulator's
 * number. A value that was never set is null, and reads as zero.
 */
export abstract class State {
  /** A byte for each accumulator, 1 where it has a value. */
  protected has: usize = 0;
  /** 8 bytes for each. */
  protected values: usize = 0;
  protected room: i32 = 0;

  constructor(protected from: Column, protected to: OutColumn) {}

  @inline
  isNull(i: i32): bool {
    return load<u8>(this.has + i) == 0;
  }

  @inline
  touch(i: i32): void {
    store<u8>(this.has + i, 1);
  }

  /** Takes over so many accumulators of the batch at hand, the first as number first. */
  take(rows: i32, first: i32): void {
    const count = first + rows;
    if (count > this.room) {
      this.has = regrow(this.has, first, 2 * count);
      this.values = regrow(this.values, 8 * first, 16 * count);
      this.room = 2 * count;
    }
    for (let row = 0; row < rows; row++) {
      const i = first + row;
      const has = !this.from.isNull(row);
      store<u8>(this.has + i, <u8>has);
      store<u64>(this.values + (<usize>i << 3), 0);
      if (has) this.read(row, i);
    }
  }

  protected abstract read(row: i32, i: i32): void;
  /** Appends an accumulator to the column that is emitted. */
  abstract give(i: i32): void;

  /** Makes a value null. */
  clear(i: i32): void {
    store<u8>(this.has + i, 0);
    store<u64>(this.values + (<usize>i << 3), 0);
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
    return load<T>(this.values + (<usize>i << 3));
  }

  @inline
  set(i: i32, value: T): void {
    store<T>(this.values + (<usize>i << 3), value);
    this.touch(i);
  }

  protected read(row: i32, i: i32): void {
    this.set(i, changetype<NumberColumn<T>>(this.from).get(row));
  }

  give(i: i32): void {
    if (this.isNull(i)) this.to.setNull();
    else changetype<OutNumber<T>>(this.to).set(this.get(i));
  }
}

export class BoolState extends State {
  get(i: i32): bool {
    return load<u8>(this.values + (<usize>i << 3)) != 0;
  }

  set(i: i32, value: bool): void {
    store<u8>(this.values + (<usize>i << 3), <u8>value);
    this.touch(i);
  }

  protected read(row: i32, i: i32): void {
    this.set(i, changetype<BoolColumn>(this.from).get(row));
  }

  give(i: i32): void {
    if (this.isNull(i)) this.to.setNull();
    else changetype<OutBool>(this.to).set(this.get(i));
  }
}

/** What was set as a string must live until the call has returned. */
const kept: ArrayBuffer[] = [];

/** A string: an address and a size, of the batch at hand or of what was set. */
export class StringState extends State {
  private start(i: i32): usize {
    return load<u32>(this.values + (<usize>i << 3));
  }

  /** How many bytes it has. */
  size(i: i32): i32 {
    return load<i32>(this.values + (<usize>i << 3), 4);
  }

  get(i: i32): string {
    return String.UTF8.decodeUnsafe(this.start(i), this.size(i));
  }

  private point(i: i32, at: usize, size: i32): void {
    store<u32>(this.values + (<usize>i << 3), <u32>at);
    store<i32>(this.values + (<usize>i << 3), size, 4);
    this.touch(i);
  }

  set(i: i32, value: string): void {
    const bytes = String.UTF8.encode(value, false, String.UTF8.ErrorMode.REPLACE);
    kept.push(bytes);
    this.point(i, changetype<usize>(bytes), bytes.byteLength);
  }

  /** Sets the string of a row, without making an object. */
  copy(i: i32, from: BinaryColumn, row: i32): void {
    this.point(i, from.start(row), from.size(row));
  }

  /** Sets a column of an output, to null where this is. */
  copyTo(i: i32, to: OutBinary): void {
    if (this.isNull(i)) to.setNull();
    else to.put(this.start(i), this.size(i));
  }

  protected read(row: i32, i: i32): void {
    this.copy(i, changetype<BinaryColumn>(this.from), row);
  }

  give(i: i32): void {
    this.copyTo(i, changetype<OutString>(this.to));
  }
}

/** Declares the fields of an accumulator that is a struct. They are numbers, bools and strings. */
export class StructState extends State {
  private fields: State[] = [];

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

  bool(name: string): BoolState {
    return this.add(new BoolState(this.columns.bool(name), this.outs.bool(name)));
  }

  int32(name: string): NumberState<i32> {
    return this.add(new NumberState<i32>(this.columns.int32(name), this.outs.int32(name)));
  }

  int64(name: string): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.int64(name), this.outs.int64(name)));
  }

  float64(name: string): NumberState<f64> {
    return this.add(new NumberState<f64>(this.columns.float64(name), this.outs.float64(name)));
  }

  decimal(name: string, scale: u8): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.decimal(name, scale), this.outs.decimal(name, scale)));
  }

  timestamp(name: string): NumberState<i64> {
    return this.add(new NumberState<i64>(this.columns.timestamp(name), this.outs.timestamp(name)));
  }

  string(name: string): StringState {
    return this.add(new StringState(this.columns.string(name), this.outs.string(name)));
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

/** An aggregate's accumulators; declare their type by one method. */
export class Accumulators {
  private reader: Input = new Input();
  private writer: Output = new Output();
  root: State | null = null;
  isStruct: bool = false;

  private of<S extends State>(state: S): S {
    this.root = state;
    return state;
  }

  int64(): NumberState<i64> {
    return this.of(new NumberState<i64>(this.reader.int64("accumulator"), this.writer.int64("accumulator")));
  }

  float64(): NumberState<f64> {
    return this.of(new NumberState<f64>(this.reader.float64("accumulator"), this.writer.float64("accumulator")));
  }

  decimal(scale: u8): NumberState<i64> {
    return this.of(new NumberState<i64>(this.reader.decimal("accumulator", scale), this.writer.decimal("accumulator", scale)));
  }

  timestamp(): NumberState<i64> {
    return this.of(new NumberState<i64>(this.reader.timestamp("accumulator"), this.writer.timestamp("accumulator")));
  }

  string(): StringState {
    return this.of(new StringState(this.reader.string("accumulator"), this.writer.string("accumulator")));
  }

  struct(): StructState {
    this.isStruct = true;
    return this.of(new StructState(this.reader.struct("accumulator"), this.writer.struct("accumulator")));
  }

  /** The accumulator's type, as a description has it. */
  get field(): Field {
    return this.reader.children[0];
  }

  /** Takes over a batch of accumulators, the first as number first, and returns how many it has. */
  take(batch: usize, first: i32): i32 {
    if (first == 0) kept.length = 0;
    this.reader.bind(batch);
    if (this.reader.rows > 0) this.root!.take(this.reader.rows, first);
    return this.reader.rows;
  }

  /** Emits the first so many accumulators. */
  send(count: i32): void {
    const root = this.root!;
    for (let i = 0; i < count; i++) root.give(i);
    this.writer.schema = SCHEMA_ACCUMULATOR;
    this.writer.sendRows(count);
  }
}
