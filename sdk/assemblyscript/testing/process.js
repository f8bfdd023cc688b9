// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { encodeBatch } from "./batch.js";
import { collect, emptyResult } from "./guest.js";
import { EVENT_TIMER, PROCESSING_TIMER, Store, TIMER_FIELDS, keyText } from "./state.js";

const TIMERS_AT_ONCE = 100;
const MAX_TIMER_CHAIN = 10_000;

/**
 * An operator with state and timers. As a host does, it keeps the state, takes back a call whose rows
 * fail and calls again without the first of them, and gives each call to a fresh instance: reuse has one
 * instance take them all.
 */
export class TestProcess {
  /** By name. */
  counters = {};
  /** Lines of the log: { level, text }. */
  logs = [];
  /** The job's processing time, in microseconds. */
  now;
  store;
  #fresh;
  #guest = null;
  #reuse;
  #keyNames;
  /** The key's values, by its text. */
  #keys = new Map();

  /** fresh(host) returns a new instance that is open. */
  constructor(description, fresh, { now = 0n, reuse = false, key = [] }) {
    this.description = description;
    this.now = BigInt(now);
    this.#fresh = fresh;
    this.#reuse = reuse;
    this.#keyNames = description.key.length > 0 ? description.key.map((f) => f.name) : key;
    for (const name of description.counters) this.counters[name] = 0n;
    this.store = new Store(description, this);
    this.#guest = fresh(this);
  }

  /** The size of the guest's memory. */
  get memoryBytes() {
    return this.#guest.memoryBytes;
  }

  /** The operator's watermark. */
  get watermark() {
    return this.store.watermark;
  }

  /**
   * Gives rows to an input, by its name, in one batch, and returns what TestOperator.process does.
   * Timers wait for advanceWatermark and advanceClock.
   */
  process(rows, { input = this.description.inputs[0].name, times = null } = {}) {
    const schema = this.description.inputs.findIndex((port) => port.name === input);
    if (schema < 0) throw new Error(`the operator has no input "${input}"; it has ${this.description.inputs.map((port) => `"${port.name}"`).join(", ")}`);
    const { fields, broadcast } = this.description.inputs[schema];
    const keys = rows.map((row) => this.#keyOf(row));
    return this.#run("wasmill_process", rows.length, broadcast, keys, (from, to, groups) =>
      encodeBatch({ schema, fields, rows: rows.slice(from, to), times: times?.slice(from, to) ?? null, groups }));
  }

  #keyOf(row) {
    const values = this.#keyNames.map((name) => (typeof row[name] === "number" ? BigInt(row[name]) : (row[name] ?? null)));
    const text = keyText(values);
    this.#keys.set(text, this.#keyNames.map((name) => row[name] ?? null));
    return text;
  }

  /** Calls with so many rows, which encode gives a run of. */
  #run(name, count, isBroadcast, keys, encode) {
    const result = emptyResult(this.description);
    const run = (from, to) => {
      if (from >= to) return;
      if (!this.#reuse) this.#guest = this.#fresh(this);
      const numbers = [...new Set(keys.slice(from, to))];
      const groups = isBroadcast ? null : keys.slice(from, to).map((key) => numbers.indexOf(key));
      const restore = this.#snapshot();
      this.store.begin(isBroadcast ? [] : numbers, isBroadcast);
      const part = collect(emptyResult(this.description), this.description, this.#guest.call(name, [], [encode(from, to, groups)]), from);
      const failed = Object.keys(part.failures).map(Number);
      if (failed.length === 0 || !this.store.hasPut) return add(result, part);
      restore();
      const first = Math.min(...failed);
      run(from, first);
      result.failures[first] = part.failures[first];
      run(first + 1, to);
    };
    run(0, count);
    return result;
  }

  #snapshot() {
    const counters = { ...this.counters }, logs = this.logs.length, restore = this.store.snapshot();
    return () => {
      restore();
      Object.assign(this.counters, counters);
      this.logs.length = logs;
    };
  }

  /**
   * Moves the watermark, in microseconds, and returns what comes of the timers of event time that are due
   * then: as process does, with the number of a timer in place of a row's, and due, the timers: { time,
   * namespace }. The last watermark is END_OF_INPUT.
   */
  advanceWatermark(to) {
    this.store.advance(BigInt(to));
    return this.#fire(EVENT_TIMER, this.store.watermark);
  }

  /** Likewise moves processing time, which is now too. */
  advanceClock(to) {
    if (BigInt(to) > this.now) this.now = BigInt(to);
    return this.#fire(PROCESSING_TIMER, this.now);
  }

  #fire(schema, to) {
    const result = { ...emptyResult(this.description), due: [] };
    const fields = [...TIMER_FIELDS, ...this.description.key];
    for (;;) {
      const due = this.store.pop(schema, to, TIMERS_AT_ONCE);
      if (due.length === 0) return result;
      const row = ({ time, namespace, key }) =>
        Object.fromEntries([["time", time], ["namespace", namespace], ...this.description.key.map((f, i) => [f.name, this.#keys.get(key)[i]])]);
      const fired = this.#run("wasmill_timer", due.length, false, due.map((t) => t.key), (from, to, groups) =>
        encodeBatch({ schema, fields, rows: due.slice(from, to).map(row), groups }));
      add(result, fired, result.due.length);
      result.due.push(...due.map(({ time, namespace }) => ({ time, namespace: new TextDecoder().decode(namespace) })));
      if (result.due.length > MAX_TIMER_CHAIN + TIMERS_AT_ONCE * this.#keys.size) throw new Error("the operator sets timers that are due at once, for ever");
    }
  }
}

/** Adds a result to another, its rows being those from first on. */
function add(result, part, first = 0) {
  for (const name of Object.keys(part.outputs)) {
    result.outputs[name].push(...part.outputs[name]);
    result.origins[name].push(...part.origins[name].map((row) => first + row));
    result.times[name].push(...part.times[name]);
  }
  for (const [row, message] of Object.entries(part.failures)) result.failures[first + Number(row)] = message;
  result.batches += part.batches;
}
