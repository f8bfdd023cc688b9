// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// State and timers as a host keeps them: what ../../../abi/SPEC.md says under "State".

import { decodeBatch, encodeBatch, schemaOf } from "./batch.js";
import { Type } from "./describe.js";

export const EVENT_TIMER = 0x10002;
export const PROCESSING_TIMER = 0x10003;
const STATE = 0x20000;
const REQUEST = 0x30000;
const DELETE = 3;
const MAX_SCANS = 64;
/** Rows of a scan that are given at once: few, so that tests see several pages. */
const PAGE = 100;

/** The watermark before the first one, and at the end of all input. */
export const NO_WATERMARK = -(2n ** 63n);
export const END_OF_INPUT = 2n ** 63n - 1n;

export const TIMER_FIELDS = [
  { name: "time", type: Type.Timestamp, scale: 0, children: [] },
  { name: "namespace", type: Type.Bytes, scale: 0, children: [] },
];

/** A key as text: equal keys have equal texts. */
export function keyText(values) {
  return JSON.stringify(values, (_, v) => (typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? { bytes: [...v] } : v));
}

function compare(a, b) {
  if (a === null || b === null) return (a !== null) - (b !== null);
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : Number(a > b);
}

function compareKeys(a, b) {
  for (let i = 0; i < a.length; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function begins(key, prefix) {
  const last = prefix.findLastIndex((v) => v !== null);
  return prefix.slice(0, last + 1).every((want, i) => {
    if (i < last || key[i] === null || typeof want === "bigint" || typeof want === "number" || typeof want === "boolean") return compare(key[i], want) === 0;
    return Buffer.from(key[i]).subarray(0, Buffer.from(want).length).equals(Buffer.from(want));
  });
}

function within(key, bounds, ends) {
  if (bounds === 4) return begins(key, ends[0]);
  return (!(bounds & 1) || compareKeys(key, ends[0]) >= 0) && (!(bounds & 2) || compareKeys(key, ends.at(-1)) < 0);
}

function merged(how, old, put) {
  if (put === null) return old;
  if (old === null) return put;
  if (how === "min") return compare(put, old) < 0 ? put : old;
  if (how === "max") return compare(put, old) > 0 ? put : old;
  if (how === "append" && typeof old !== "string") return old instanceof Uint8Array ? Uint8Array.from([...old, ...put]) : [...old, ...put];
  return old + put;
}

/** The state and the timers of an operator. Rows are never changed, so that copies of maps are a snapshot. */
export class Store {
  watermark = NO_WATERMARK;
  /** The last result. */
  result = new Uint8Array(0);
  /** Something was put in the call at hand. */
  hasPut = false;
  #description;
  #host;
  /** By number: a map of the text of a key to its rows, { key, fields, stamp }. */
  #states;
  /** By text: { schema, time, key, namespace }. */
  #timers = new Map();
  #keys = [];
  #isBroadcast = false;
  #scans = [];
  /** By which rows are over: the watermark, but for the end of all input. */
  #eventTime = NO_WATERMARK;

  constructor(description, host) {
    this.#description = description;
    this.#host = host;
    this.#states = description.states.map(() => new Map());
  }

  /** Begins a call: keys are texts, by key number. */
  begin(keys, isBroadcast) {
    this.#keys = keys;
    this.#isBroadcast = isBroadcast;
    this.#scans = [];
    this.hasPut = false;
  }

  /** Returns a function that brings back what there is now. */
  snapshot() {
    const states = this.#states.map((rows) => new Map(rows)), timers = new Map(this.#timers);
    return () => {
      this.#states = states;
      this.#timers = timers;
    };
  }

  /** Moves the watermark. What was written before the first one counts as written then. */
  advance(to) {
    if (to > this.watermark) this.watermark = to;
    if (this.watermark === END_OF_INPUT) return;
    const first = this.#eventTime === NO_WATERMARK;
    this.#eventTime = this.watermark;
    if (!first) return;
    this.#states.forEach((rows, number) => {
      if (!this.#description.states[number].eventTime) return;
      for (const [key, list] of rows) rows.set(key, list.map((row) => ({ ...row, stamp: this.#eventTime })));
    });
  }

  #state(number) {
    const state = this.#description.states[number];
    if (state === undefined) throw new Error(`the operator has no state ${number}`);
    return state;
  }

  #keyOf(state, number) {
    if (state.scope !== "key") return "";
    if (this.#keys[number >>> 0] === undefined) throw new Error(`state ${state.name}: there is no key number ${number} in a call of ${this.#keys.length} keys`);
    return this.#keys[number >>> 0];
  }

  #now(state) {
    return state.eventTime ? this.#eventTime : this.#host.now;
  }

  /** The rows of a key that are not over. Where the state says so, reading renews them. */
  #live(number, key, isRead) {
    const state = this.#state(number), rows = this.#states[number].get(key) ?? [];
    if (state.ttl === 0n) return rows;
    const now = this.#now(state);
    let live = rows.filter((row) => now === NO_WATERMARK || now - row.stamp < state.ttl);
    if (isRead && state.renew === "read") live = live.map((row) => ({ ...row, stamp: now }));
    this.#states[number].set(key, live);
    return live;
  }

  #message(bytes, fields, isKeyed) {
    const { rows, groups, kinds } = decodeBatch(bytes, () => fields);
    if (isKeyed && groups === null && rows.length > 0) throw new Error("rows of a keyed state have no key numbers");
    return { rows: rows.map((row) => fields.map((f) => row[f.name])), groups: groups ?? rows.map(() => 0), kinds: kinds ?? rows.map(() => 0) };
  }

  #answer(number, rows) {
    const state = this.#state(number), fields = [...state.key, ...state.fields];
    const named = rows.map((row) => Object.fromEntries(fields.map((f, i) => [f.name, row ? [...row.key, ...row.fields][i] : null])));
    const kinds = rows.includes(null) ? rows.map((row) => (row ? 0 : DELETE)) : null;
    this.result = encodeBatch({ schema: STATE + number, fields, rows: named, kinds });
    return this.result;
  }

  get(number, request) {
    const state = this.#state(number), isKeyed = state.scope === "key";
    if (state.kind === "list") throw new Error(`state ${state.name} is a list: it is scanned`);
    if (request === null && state.kind === "map") throw new Error(`state ${state.name} is a map: say which entries`);
    let asked = { rows: (isKeyed ? this.#keys : [0]).map(() => []), groups: isKeyed ? this.#keys.map((_, i) => i) : [0] };
    if (request !== null) {
      if (schemaOf(request) !== REQUEST + number) throw new Error(`a request of state ${number} has schema ${schemaOf(request)}`);
      asked = this.#message(request, state.key, isKeyed);
    }
    const find = (key, i) => this.#live(number, this.#keyOf(state, asked.groups[i]), true).find((row) => compareKeys(row.key, key) === 0);
    return this.#answer(number, asked.rows.map((key, i) => find(key, i) ?? null));
  }

  scan(number, key, bounds, request) {
    const state = this.#state(number);
    const ends = bounds === 0 ? [] : this.#message(request, state.key, false).rows;
    const rows = this.#live(number, this.#keyOf(state, key), true).filter((row) => within(row.key, bounds, ends));
    if (this.#scans.filter((scan) => scan !== null).length === MAX_SCANS) throw new Error(`more than ${MAX_SCANS} scans are open`);
    return this.#scans.push({ number, rows }) - 1;
  }

  next(scan, limit) {
    const open = this.#scans[scan] ?? null;
    if (open === null) throw new Error(`no scan ${scan} is open`);
    const rows = limit < 0 ? [] : open.rows.splice(0, limit > 0 ? Math.min(limit, PAGE) : PAGE);
    if (rows.length === 0) this.#scans[scan] = null;
    return this.#answer(open.number, rows);
  }

  put(bytes) {
    this.hasPut = true;
    const schema = schemaOf(bytes);
    if (schema === EVENT_TIMER || schema === PROCESSING_TIMER) return this.#putTimers(schema, bytes);
    const number = schema - STATE, state = this.#state(number);
    if (state.scope === "broadcast" && !this.#isBroadcast) throw new Error(`state ${state.name} is broadcast: only rows of a broadcast input may write it`);
    const { rows, groups, kinds } = this.#message(bytes, [...state.key, ...state.fields], state.scope === "key");
    rows.forEach((row, i) => this.#putRow(number, this.#keyOf(state, groups[i]), row, kinds[i] === DELETE));
  }

  #putRow(number, key, row, isRemoved) {
    const state = this.#state(number), rows = this.#live(number, key, false);
    const entry = { key: row.slice(0, state.key.length), fields: row.slice(state.key.length), stamp: this.#now(state) };
    if (state.kind === "list") {
      this.#states[number].set(key, isRemoved ? [] : [...rows, entry]);
      return;
    }
    const old = rows.find((other) => compareKeys(other.key, entry.key) === 0);
    const others = rows.filter((other) => other !== old);
    if (old !== undefined && state.kind === "reducing") entry.fields = entry.fields.map((v, i) => merged(state.merge[i], old.fields[i], v));
    if (old !== undefined && state.renew === "create") entry.stamp = old.stamp;
    this.#states[number].set(key, isRemoved ? others : [...others, entry].sort((a, b) => compareKeys(a.key, b.key)));
  }

  #putTimers(schema, bytes) {
    const { rows, groups, kinds } = this.#message(bytes, TIMER_FIELDS, true);
    rows.forEach(([time, namespace], i) => {
      const key = this.#keys[groups[i]];
      if (key === undefined || time === null) throw new Error(`a timer of key number ${groups[i]}, of ${this.#keys.length} keys, at ${time}`);
      const timer = { schema, time, key, namespace: namespace ?? new Uint8Array(0) };
      const text = keyText([schema, time, key, timer.namespace]);
      if (kinds[i] === DELETE) this.#timers.delete(text);
      else this.#timers.set(text, timer);
    });
  }

  /** Takes the earliest timers of a clock that are due at a time, at most so many and one a key. */
  pop(schema, to, most) {
    const due = [...this.#timers].filter(([, t]) => t.schema === schema && t.time <= to);
    due.sort(([, a], [, b]) => compare(a.time, b.time) || compare(a.key, b.key) || compare(a.namespace, b.namespace));
    const repeated = due.findIndex(([, t], i) => due.slice(0, i).some(([, other]) => other.key === t.key));
    const taken = due.slice(0, Math.min(most, repeated < 0 ? due.length : repeated));
    for (const [text] of taken) this.#timers.delete(text);
    return taken.map(([, timer]) => timer);
  }
}
