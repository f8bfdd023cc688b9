// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The host's side of an operator, for tests:
//
//     import { load } from "wasmill/testing";
//     const movements = await load("build/movements.wasm");
//     const operator = movements.open("movements", { late_after: 15 });
//     const { outputs, failures } = operator.process([{ origin: "JFK", destination: "LAX" }]);
//
// batch.js says how values are written. An operator that fails throws: a GuestError for what it
// said itself, a WebAssembly.RuntimeError for a trap.

import { readFile } from "node:fs/promises";
import { decodeBatch, encodeBatch } from "./batch.js";
import { Type, readDescription } from "./describe.js";

const ACCUMULATOR = 0x10000;
const CONFIG = 0x10001;

/** What an operator said when it failed: refused on purpose, or a bug. */
export class GuestError extends Error {
  constructor(message, bug) {
    super(message);
    this.bug = bug;
  }
}

/** Compiles a module from a file. */
export async function load(path) {
  return new TestModule(await WebAssembly.compile(await readFile(path)));
}

class TestModule {
  #compiled;

  constructor(compiled) {
    this.#compiled = compiled;
    this.description = new TestOperator(compiled).describe();
  }

  /** Opens an operator on an instance of its own. What config leaves out has its default. */
  open(name, config = {}, { now = 0n } = {}) {
    const number = this.description.operators.findIndex((op) => op.name === name);
    if (number < 0) throw new Error(`the module has no operator "${name}"`);
    const operator = new TestOperator(this.#compiled, this.description.operators[number], now);
    operator.open(number, config);
    return operator;
  }
}

class TestOperator {
  /** The job's processing time, in microseconds. */
  now;
  /** By name. */
  counters = {};
  /** Lines of the log: { level, text }. */
  logs = [];
  #emitted = [];
  #instance;

  constructor(compiled, description = null, now = 0n) {
    this.description = description;
    this.now = now;
    for (const name of description?.counters ?? []) this.counters[name] = 0n;
    this.#instance = new WebAssembly.Instance(compiled, this.#imports());
    this.#instance.exports._initialize?.();
  }

  /** The size of the guest's memory. */
  get memoryBytes() {
    return this.#instance.exports.memory.buffer.byteLength;
  }

  #bytes(at, size) {
    return new Uint8Array(this.#instance.exports.memory.buffer, at >>> 0, size >>> 0);
  }

  #text(at, size) {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#bytes(at, size));
  }

  #imports() {
    const utf16 = (at) => {
      if (at === 0) return "";
      const size = new DataView(this.#instance.exports.memory.buffer).getUint32((at >>> 0) - 4, true);
      return new TextDecoder("utf-16le").decode(this.#bytes(at, size));
    };
    return {
      wasmill: {
        emit: (at, size) => this.#emitted.push(this.#bytes(at, size).slice()),
        log: (level, at, size) => this.logs.push({ level, text: this.#text(at, size) }),
        count: (counter, delta) => {
          const name = this.description.counters[counter];
          if (name === undefined) throw new Error(`the operator has no counter ${counter}`);
          this.counters[name] += delta;
        },
        fail: (kind, at, size) => {
          throw new GuestError(this.#text(at, size), kind === 1);
        },
        now: () => this.now,
      },
      env: {
        abort: (message, file, line, column) => {
          throw new GuestError(`${utf16(message)} (${utf16(file)}:${line}:${column})`, true);
        },
      },
    };
  }

  /** Reads the module's description. */
  describe() {
    const where = BigInt.asUintN(64, this.#instance.exports.wasmill_describe());
    return readDescription(this.#bytes(Number(where >> 32n), Number(where & 0xffffffffn)).slice());
  }

  /** Puts inputs into the guest's memory and calls a function with their places. */
  #call(name, first, inputs) {
    const sizes = inputs.map((input) => (input.length + 7) & ~7);
    let at = this.#instance.exports.wasmill_buffer(sizes.reduce((a, b) => a + b, 0));
    if (at === 0) throw new Error("the module has no room for its input");
    const args = [...first];
    inputs.forEach((input, i) => {
      this.#bytes(at, input.length).set(input);
      args.push(at, input.length);
      at += sizes[i];
    });
    while (args.length < this.#instance.exports[name].length) args.push(0);
    this.#emitted = [];
    const status = this.#instance.exports[name](...args);
    if (status !== 0) throw new GuestError(`${name} returned ${status}`, true);
    return this.#emitted.map((bytes) => decodeBatch(bytes, (schema) => this.#fields(schema)));
  }

  #fields(schema) {
    if (schema === ACCUMULATOR) return [this.description.accumulator];
    const output = this.description.outputs[schema];
    if (output === undefined) throw new Error(`the operator emits to output ${schema}, which it does not declare`);
    return output.fields;
  }

  open(number, config) {
    const fields = this.description.config;
    const row = Object.fromEntries(fields.filter((f) => f.default !== "").map((f) => [f.name, parseDefault(f)]));
    this.#call("wasmill_open", [number], [encodeBatch({ schema: CONFIG, fields, rows: [{ ...row, ...config }] })]);
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
    return this.#collect(this.#call("wasmill_process", [], [batch]));
  }

  #collect(batches) {
    const result = { outputs: {}, origins: {}, times: {}, failures: {}, batches: batches.length };
    for (const { name } of this.description.outputs) {
      result.outputs[name] = [];
      result.origins[name] = [];
      result.times[name] = [];
    }
    for (const batch of batches) {
      const { name } = this.description.outputs[batch.schema];
      result.outputs[name].push(...batch.rows);
      result.origins[name].push(...(batch.origin ?? batch.rows.map((_, i) => i)));
      result.times[name].push(...(batch.times ?? []));
      for (const { row, message } of batch.failures) result.failures[row] = message;
    }
    return result;
  }

  #accumulators(values) {
    const fields = [this.description.accumulator];
    return encodeBatch({ schema: ACCUMULATOR, fields, rows: values.map((v) => ({ [fields[0].name]: v })) });
  }

  #step(step, inputs) {
    const batches = this.#call("wasmill_aggregate", [step], inputs);
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

/** Reads the default of a configuration field, as a pipeline file would write it. */
function parseDefault(field) {
  const text = field.default;
  switch (field.type) {
    case Type.Bool:
      return text === "true";
    case Type.Int32:
    case Type.Float64:
      return Number(text);
    case Type.Int64:
      return BigInt(text);
    case Type.String:
      return text;
    default:
      throw new Error(`give "${field.name}" a value: its default "${text}" is not understood here`);
  }
}
