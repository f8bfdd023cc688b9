// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { Input } from "./input";
import { Output } from "./output";
import { NumberState, State, StringState, StructState } from "./state";
import { Field, SCHEMA_ACCUMULATOR } from "./wire";

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
    this.reader.bind(batch);
    if (this.reader.rows > 0) this.root!.take(this.reader.rows, first);
    return this.reader.rows;
  }

  /** Emits the first so many accumulators. */
  send(count: i32): void {
    const root = this.root!;
    root.giveAll(count);
    this.writer.schema = SCHEMA_ACCUMULATOR;
    this.writer.sendRows(count);
  }
}
