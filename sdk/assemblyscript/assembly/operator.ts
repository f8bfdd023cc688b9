// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { Input } from "./input";
import { addFailure, failures } from "./message";
import { Output, beginCall } from "./output";
import { Accumulators } from "./accumulators";
import { Counter } from "./host";
import { KeyedState } from "./keyed";
import { Field } from "./wire";

/** All operators of the module, in the order in which they were made. */
export const operators: Operator[] = [];

/** What an operator is, as a description says it. */
export const enum OperatorKind {
  Map = 1,
  Process = 2,
  Aggregate = 3,
}

/** What operators of all kinds have in common. Make one at the top level of a file. */
export abstract class Operator {
  readonly inputs: Input[] = [];
  readonly config: Input = new Input();
  readonly outputs: Output[] = [];
  readonly counters: string[] = [];
  accumulators: Accumulators | null = null;
  /** Of a process. */
  readonly states: KeyedState[] = [];
  private opener: () => void = () => {};
  private configCopy: usize = 0;

  constructor(readonly kind: OperatorKind, readonly name: string, readonly doc: string) {
    operators.push(this);
  }

  /** Declares an output; the first is the main one. */
  output(name: string = ""): Output {
    const output = new Output();
    output.name = name;
    output.schema = this.outputs.length;
    this.outputs.push(output);
    return output;
  }

  /** Declares a counter. */
  counter(name: string): Counter {
    this.counters.push(name);
    return new Counter(this.counters.length - 1);
  }

  /** Is called once, when the configuration can be read; it may refuse. */
  onOpen(open: () => void): void {
    this.opener = open;
  }

  /** Fails a row of the input: what was set for it is taken back, the other rows are fine. */
  failRow(row: i32, text: string): void {
    for (let i = 0; i < this.outputs.length; i++) this.outputs[i].discard();
    addFailure(row, text);
  }

  open(config: usize, size: i32): void {
    // The host's buffer is the next call's: keep a copy, so that columns of it can always be read.
    this.configCopy = heap.alloc(size);
    memory.copy(this.configCopy, config, size);
    this.config.bind(this.configCopy);
    this.opener();
  }

  /** The columns of the key, of a process. */
  keyFields(): Field[] {
    return [];
  }

  /** Hands over what a call has emitted and which rows failed. */
  protected end(): void {
    for (let i = 0; i < this.outputs.length; i++) this.outputs[i].flush();
    if (failures() > 0) this.outputs[0].send();
  }

  process(_batch: usize): void {
    throw new Error(`operator ${this.name} is an aggregate`);
  }

  timer(_batch: usize): void {
    throw new Error(`operator ${this.name} has no timers`);
  }

  aggregate(_step: i32, _a: usize, _b: usize): void {
    throw new Error(`operator ${this.name} is no aggregate`);
  }
}

/** An operator that makes rows of rows. */
export class MapOperator extends Operator {
  readonly input: Input = new Input();
  private rowFunction: ((row: i32) => void) | null = null;
  private rowsFunction: ((rows: i32) => void) | null = null;

  constructor(name: string, doc: string = "") {
    super(OperatorKind.Map, name, doc);
    this.inputs.push(this.input);
  }

  /** Is called for each row of the input. */
  onRow(row: (row: i32) => void): void {
    this.rowFunction = row;
  }

  /** Is called for each batch, with its number of rows; it is faster by a call for each row. */
  onRows(rows: (rows: i32) => void): void {
    this.rowsFunction = rows;
  }

  process(batch: usize): void {
    this.input.bind(batch);
    const rows = this.input.rows;
    beginCall(rows);
    const whole = this.rowsFunction;
    if (whole) whole(rows);
    else {
      const each = this.rowFunction!;
      for (let row = 0; row < rows; row++) each(row);
    }
    this.end();
  }
}

/** An operator that makes one row of many: the host groups them by key and window. */
export class AggregateOperator extends Operator {
  readonly input: Input = new Input();
  private adder: (accumulator: i32, row: i32) => void = (_a: i32, _r: i32) => {};
  private merger: (into: i32, later: i32) => void = (_i: i32, _l: i32) => {};
  private resulter: (accumulator: i32) => void = (_a: i32) => {};

  constructor(name: string, doc: string = "") {
    super(OperatorKind.Aggregate, name, doc);
    this.inputs.push(this.input);
  }

  /** Declare the accumulator on it. */
  get accumulator(): Accumulators {
    let accumulators = this.accumulators;
    if (!accumulators) {
      accumulators = new Accumulators();
      this.accumulators = accumulators;
    }
    return accumulators;
  }

  /** Is called for each row, to add it to an accumulator. A row that fails must change nothing. */
  onAdd(add: (accumulator: i32, row: i32) => void): void {
    this.adder = add;
  }

  /** Is called to merge an accumulator into another; none of them is null. */
  onMerge(merge: (into: i32, later: i32) => void): void {
    this.merger = merge;
  }

  /** Is called for each accumulator that is at its end, to emit its row. */
  onResult(result: (accumulator: i32) => void): void {
    this.resulter = result;
  }

  aggregate(step: i32, a: usize, b: usize): void {
    const accumulators = this.accumulator;
    if (step == 0) this.add(accumulators, a, b);
    else if (step == 1) this.merge(accumulators, a, b);
    else {
      const count = accumulators.take(a, 0);
      beginCall(count);
      const result = this.resulter;
      for (let i = 0; i < count; i++) result(i);
      this.outputs[0].send();
    }
  }

  private add(accumulators: Accumulators, batch: usize, states: usize): void {
    const count = accumulators.take(states, 0);
    const input = this.input;
    input.bind(batch);
    beginCall(input.rows);
    const add = this.adder;
    const root = accumulators.root!;
    for (let row = 0, rows = input.rows; row < rows; row++) {
      const failed = failures();
      const group = input.group(row);
      add(group, row);
      if (accumulators.isStruct && failed == failures()) root.touch(group);
    }
    accumulators.send(count);
  }

  private merge(accumulators: Accumulators, a: usize, b: usize): void {
    const count = accumulators.take(a, 0);
    accumulators.take(b, count);
    beginCall(count);
    const merge = this.merger;
    const root = accumulators.root!;
    for (let i = 0; i < count; i++) {
      if (root.isNull(i)) root.move(i, count + i);
      else if (!root.isNull(count + i)) merge(i, count + i);
    }
    accumulators.send(count);
  }
}
