// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The host's side of an operator, for tests:
//
//     import { load } from "wasmill/testing";
//     const movements = await load("build/movements.wasm");
//     const operator = movements.open("movements", { late_after: 15 });
//     const { outputs, failures } = operator.process([{ origin: "JFK", destination: "LAX" }]);
//
// batch.js says how values are written, process.js what operators with state have besides. An operator
// that fails throws: a GuestError for what it said itself, a WebAssembly.RuntimeError for a trap.

import { readFile } from "node:fs/promises";
import { encodeBatch } from "./batch.js";
import { ACCUMULATOR, Guest, collect, emptyResult } from "./guest.js";
import { TestProcess } from "./process.js";

export { GuestError } from "./guest.js";
export { END_OF_INPUT, NO_WATERMARK } from "./state.js";

/** Compiles a module from a file. */
export async function load(path) {
  return new TestModule(await WebAssembly.compile(await readFile(path)));
}

class TestModule {
  #compiled;

  constructor(compiled) {
    this.#compiled = compiled;
    this.description = new Guest(compiled, null, {}).describe();
  }

  /**
   * Opens an operator on an instance of its own. What config leaves out has its default. Of an operator
   * with state, key is the names of the columns that are its key where it declares none, and reuse has one
   * instance take all calls.
   */
  open(name, config = {}, { now = 0n, key = [], reuse = false } = {}) {
    const number = this.description.operators.findIndex((op) => op.name === name);
    if (number < 0) throw new Error(`the module has no operator "${name}"`);
    const description = this.description.operators[number];
    const fresh = (host) => {
      const guest = new Guest(this.#compiled, description, host);
      guest.open(number, config);
      return guest;
    };
    if (description.kind === "process") return new TestProcess(description, fresh, { now, key, reuse });
    return new TestOperator(description, fresh, now);
  }
}

class TestOperator {
  /** The job's processing time, in microseconds. */
  now;
  /** By name. */
  counters = {};
  /** Lines of the log: { level, text }. */
  logs = [];
  #guest;

  constructor(description, fresh, now) {
    this.description = description;
    this.now = now;
    for (const name of description.counters) this.counters[name] = 0n;
    this.#guest = fresh(this);
  }

  /** The size of the guest's memory. */
  get memoryBytes() {
    return this.#guest.memoryBytes;
  }

  /**
   * Gives a map rows, and returns { outputs, origins, times, failures }: by the name of an output
   * its rows, the row of the input of each, and the event time where it writes one; by the row of
   * the input why it failed. times are the event times of the input.
   */
  process(rows, { times = null } = {}) {
    return this.processBytes(encodeBatch({ schema: 0, fields: this.description.inputs[0].fields, rows, times }));
  }

  /** Likewise, with a batch as bytes. */
  processBytes(batch) {
    return this.#collect(this.#guest.call("wasmill_process", [], [batch]));
  }

  #collect(batches) {
    return collect(emptyResult(this.description), this.description, batches);
  }

  #accumulators(values) {
    const fields = [this.description.accumulator];
    return encodeBatch({ schema: ACCUMULATOR, fields, rows: values.map((v) => ({ [fields[0].name]: v })) });
  }

  #step(step, inputs) {
    const batches = this.#guest.call("wasmill_aggregate", [step], inputs);
    if (batches.length !== 1) throw new Error(`an aggregate emits once a call, not ${batches.length} times`);
    return batches;
  }

  /**
   * Adds rows to accumulators, row n to accumulators[groups[n]], and returns { accumulators,
   * failures }. An accumulator is a value of its type; null is a new one.
   */
  add(rows, groups, accumulators) {
    const input = encodeBatch({ schema: 0, fields: this.description.inputs[0].fields, rows, groups });
    const [batch] = this.#step(0, [input, this.#accumulators(accumulators)]);
    const failures = Object.fromEntries(batch.failures.map(({ row, message }) => [row, message]));
    return { accumulators: batch.rows.map((row) => row[this.description.accumulator.name]), failures };
  }

  /** Merges accumulators with as many later ones. */
  merge(into, later) {
    const [batch] = this.#step(1, [this.#accumulators(into), this.#accumulators(later)]);
    return batch.rows.map((row) => row[this.description.accumulator.name]);
  }

  /** Returns what process does, for the rows that accumulators end in. */
  result(accumulators) {
    return this.#collect(this.#step(2, [this.#accumulators(accumulators)]));
  }
}
