// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// An instance of a module, and what it may ask of its host.

import { decodeBatch, encodeBatch } from "./batch.js";
import { Type, readDescription } from "./describe.js";

const CONFIG = 0x10001;
export const ACCUMULATOR = 0x10000;

/** What an operator said when it failed: refused on purpose, or a bug. */
export class GuestError extends Error {
  constructor(message, bug) {
    super(message);
    this.bug = bug;
  }
}

/** One instance. host has now, counters and logs, and store where the operator has state. */
export class Guest {
  #emitted = [];
  #instance;

  constructor(compiled, description, host) {
    this.description = description;
    this.#instance = new WebAssembly.Instance(compiled, this.#imports(host));
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

  #imports(host) {
    const utf16 = (at) => {
      if (at === 0) return "";
      const size = new DataView(this.#instance.exports.memory.buffer).getUint32((at >>> 0) - 4, true);
      return new TextDecoder("utf-16le").decode(this.#bytes(at, size));
    };
    const store = () => {
      if (!host.store) throw new Error("the operator has no state");
      return host.store;
    };
    const answer = (bytes, out, room) => {
      if (bytes.length <= room >>> 0) this.#bytes(out, bytes.length).set(bytes);
      return bytes.length;
    };
    return {
      wasmill: {
        emit: (at, size) => this.#emitted.push(this.#bytes(at, size).slice()),
        log: (level, at, size) => host.logs.push({ level, text: this.#text(at, size) }),
        count: (counter, delta) => {
          const name = this.description.counters[counter];
          if (name === undefined) throw new Error(`the operator has no counter ${counter}`);
          host.counters[name] += delta;
        },
        fail: (kind, at, size) => {
          throw new GuestError(this.#text(at, size), kind === 1);
        },
        now: () => host.now,
        watermark: () => store().watermark,
        state_get: (state, at, size, out, room) => answer(store().get(state, size === 0 ? null : this.#bytes(at, size).slice()), out, room),
        state_scan: (state, key, bounds, at, size) => store().scan(state, key, bounds, this.#bytes(at, size).slice()),
        state_next: (scan, limit, out, room) => answer(store().next(scan, limit), out, room),
        state_read: (out, room) => answer(store().result, out, room),
        state_put: (at, size) => store().put(this.#bytes(at, size).slice()),
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

  /** Opens an operator. What config leaves out has its default. */
  open(number, config) {
    const fields = this.description.config;
    const row = Object.fromEntries(fields.filter((f) => f.default !== "").map((f) => [f.name, parseDefault(f)]));
    this.call("wasmill_open", [number], [encodeBatch({ schema: CONFIG, fields, rows: [{ ...row, ...config }] })]);
  }

  /** Puts inputs into the guest's memory, calls a function with their places, and returns the batches that it emits. */
  call(name, first, inputs) {
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

/** The result of calls: see TestOperator.process. */
export function emptyResult(description) {
  const result = { outputs: {}, origins: {}, times: {}, failures: {}, batches: 0 };
  for (const { name } of description.outputs) {
    result.outputs[name] = [];
    result.origins[name] = [];
    result.times[name] = [];
  }
  return result;
}

/** Adds batches that were emitted for the rows from first on to a result. */
export function collect(result, description, batches, first = 0) {
  for (const batch of batches) {
    const { name } = description.outputs[batch.schema];
    result.outputs[name].push(...batch.rows);
    result.origins[name].push(...(batch.origin ?? batch.rows.map((_, i) => i)).map((row) => first + row));
    result.times[name].push(...(batch.times ?? []));
    for (const { row, message } of batch.failures) result.failures[first + row] = message;
  }
  result.batches += batches.length;
  return result;
}
