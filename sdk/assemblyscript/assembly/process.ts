// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { BytesColumn, Input, NumberColumn } from "./input";
import { KeyedState } from "./keyed";
import { MapState } from "./map";
import { Operator, OperatorKind } from "./operator";
import { beginCall } from "./output";
import { Clock, NO_KEY, Timers } from "./puts";
import { ListState, ReducingState } from "./rows";
import { ValueState } from "./value";
import { Field, SCHEMA_PROCESSING_TIMER } from "./wire";

/** An input of a ProcessOperator. Rows of a keyed one have the number of their key. */
export class ProcessInput extends Input {
  private rowFunction: ((row: i32, key: i32) => void) | null = null;
  private rowsFunction: ((rows: i32) => void) | null = null;

  /** The next column is of the key, and never null. All keyed inputs have the same ones. */
  get key(): ProcessInput {
    this.nextKey = true;
    return this;
  }

  /** The number of a row's key: numbers run from 0 without a gap, and mean nothing in another call. */
  keyOf(row: i32): i32 {
    return this.isBroadcast ? NO_KEY : this.group(row);
  }

  /** Is called for each row, with the number of its key; a broadcast input's have none. */
  onRow(row: (row: i32, key: i32) => void): void {
    this.rowFunction = row;
  }

  /** Is called for each batch, with its number of rows; keyOf, or u32 values at groups, are their keys. */
  onRows(rows: (rows: i32) => void): void {
    this.rowsFunction = rows;
  }

  run(): void {
    const rows = this.rows, whole = this.rowsFunction;
    if (whole) return whole(rows);
    const each = this.rowFunction!;
    for (let row = 0; row < rows; row++) each(row, this.keyOf(row));
  }
}

/** Timers that are due, by number. */
export class Due {
  readonly columns: Input = new Input();
  private times: NumberColumn<i64> = this.columns.timestamp("time");
  /** Of each timer, as bytes. */
  readonly namespaces: BytesColumn = this.columns.bytes("namespace");
  /** What they all go by. */
  clock: Clock = Clock.EventTime;

  /** When a timer was due, in microseconds. */
  time(timer: i32): i64 {
    return this.times.get(timer);
  }

  /** The namespace of a timer, as an object; namespaces needs none. */
  namespace(timer: i32): string {
    return String.UTF8.decodeUnsafe(this.namespaces.start(timer), this.namespaces.size(timer));
  }
}

/**
 * An operator with state and timers. State is of a key, which functions name by its number: what a row
 * has written, rows behind it read. Where a row fails, the host takes back what the call did and
 * calls again without it.
 */
export class ProcessOperator extends Operator {
  readonly eventTimers: Timers = new Timers(Clock.EventTime);
  readonly processingTimers: Timers = new Timers(Clock.ProcessingTime);
  readonly due: Due = new Due();
  private timerFunction: ((timer: i32, key: i32) => void) | null = null;

  constructor(name: string, doc: string = "") {
    super(OperatorKind.Process, name, doc);
  }

  /** Declares an input whose rows have a key; there are one or two. */
  keyedInput(name: string = ""): ProcessInput {
    const input = new ProcessInput();
    input.name = name;
    this.inputs.push(input);
    return input;
  }

  /** Declares an input whose rows are given to each subtask. They have no key, and may write broadcast state. */
  broadcastInput(name: string): ProcessInput {
    const input = this.keyedInput(name);
    input.isBroadcast = true;
    return input;
  }

  private state<S extends KeyedState>(state: S): S {
    this.states.push(state);
    return state;
  }

  /** Declares a state of at most one value a key. */
  value(name: string, doc: string = ""): ValueState {
    return this.state(new ValueState(this.states.length, name, doc));
  }

  /** Declares a state of a list a key. */
  list(name: string, doc: string = ""): ListState {
    return this.state(new ListState(this.states.length, name, doc));
  }

  /** Declares a state of a map a key. */
  map(name: string, doc: string = ""): MapState {
    return this.state(new MapState(this.states.length, name, doc));
  }

  /** Declares a state of one row a key, into which the host merges what is put. */
  reducing(name: string, doc: string = ""): ReducingState {
    return this.state(new ReducingState(this.states.length, name, doc));
  }

  /**
   * Is called for each timer that is due, with the number of its key, in the order of their time. The
   * columns of the first keyed input's key are then the timers'.
   */
  onTimer(timer: (timer: i32, key: i32) => void): void {
    this.timerFunction = timer;
  }

  failRow(row: i32, text: string): void {
    super.failRow(row, text);
    for (let i = 0; i < this.states.length; i++) this.states[i].discard();
  }

  keyFields(): Field[] {
    for (let i = 0; i < this.inputs.length; i++) {
      if (!this.inputs[i].isBroadcast) return this.inputs[i].children.filter((f: Field) => f.isKey);
    }
    return [];
  }

  open(config: usize, size: i32): void {
    const keys = this.keyFields();
    for (let i = 0; i < keys.length; i++) this.due.columns.children.push(keys[i]);
    super.open(config, size);
  }

  private begin(rows: i32): void {
    beginCall(rows);
    for (let i = 0; i < this.states.length; i++) this.states[i].begin();
  }

  /** Hands over what a call has written, emitted and failed. */
  protected end(): void {
    for (let i = 0; i < this.states.length; i++) {
      this.states[i].discard();
      this.states[i].flush();
    }
    this.eventTimers.flush();
    this.processingTimers.flush();
    super.end();
  }

  process(batch: usize): void {
    const input = changetype<ProcessInput>(this.inputs[Input.schemaOf(batch)]); // keyedInput has made them all
    input.bind(batch);
    this.begin(input.rows);
    input.run();
    this.end();
  }

  timer(batch: usize): void {
    const each = this.timerFunction, due = this.due, timers = due.columns;
    if (!each) throw new Error(`operator ${this.name} sets timers, and has no onTimer`);
    due.clock = Input.schemaOf(batch) == SCHEMA_PROCESSING_TIMER ? Clock.ProcessingTime : Clock.EventTime;
    timers.bind(batch);
    this.begin(timers.rows);
    for (let timer = 0, rows = timers.rows; timer < rows; timer++) each(timer, timers.group(timer));
    this.end();
  }
}
