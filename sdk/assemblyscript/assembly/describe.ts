// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// The module's description: FlatBuffers, written parents before children. A table is a vtable and
// then a cell of 4 bytes for each of its fields.

import { utf8 } from "./host";
import { KeyedState, StateKind } from "./keyed";
import { Operator } from "./operator";
import { Clock } from "./puts";
import { Field, regrow } from "./wire";

const SDK = "wasmill-assemblyscript/1";

let data: usize = 0;
let size: u32 = 0;
let room: u32 = 0;

function bytes(count: u32): u32 {
  const at = size;
  if (at + count > room) {
    room = 2 * (at + count) + 1024;
    data = regrow(data, at, room);
  }
  memory.fill(data + at, 0, count);
  size += count;
  return at;
}

/** Has the reference at a place point to what is written next. */
function link(at: u32): void {
  store<u32>(data + at, size - at);
}

function table(reference: u32, fields: u32): u32 {
  const vtableSize = 4 + 2 * fields;
  const vtable = bytes((vtableSize + 3) & ~3);
  link(reference);
  const at = bytes(4 + 4 * fields);
  store<u32>(data + vtable, vtableSize | ((4 + 4 * fields) << 16));
  store<u32>(data + at, at - vtable);
  return at;
}

/** Marks a field as present and returns its place. */
function cell(table: u32, id: u32): u32 {
  const at = 4 + 4 * id;
  store<u16>(data + table - load<u32>(data + table) + 4 + 2 * id, <u16>at);
  return table + at;
}

function number(table: u32, id: u32, value: u32): void {
  if (value != 0) store<u32>(data + cell(table, id), value);
}

function textAt(reference: u32, value: string): void {
  const encoded = utf8(value);
  link(reference);
  const at = bytes((4 + encoded.byteLength + 1 + 3) & ~3);
  store<u32>(data + at, encoded.byteLength);
  memory.copy(data + at + 4, changetype<usize>(encoded), encoded.byteLength);
}

function text(table: u32, id: u32, value: string): void {
  if (value.length > 0) textAt(cell(table, id), value);
}

/** Begins a vector of references and returns the place of the first. */
function vector(table: u32, id: u32, count: u32): u32 {
  link(cell(table, id));
  const at = bytes(4 + 4 * count);
  store<u32>(data + at, count);
  return at + 4;
}

function field(reference: u32, f: Field): void {
  const t = table(reference, 7);
  text(t, 0, f.name);
  number(t, 1, f.type);
  number(t, 2, f.scale);
  number(t, 3, <u32>f.isRequired);
  fields(t, 4, f.children);
  text(t, 5, f.def);
  text(t, 6, f.doc);
}

function fields(table: u32, id: u32, list: Field[]): void {
  if (list.length == 0) return;
  const at = vector(table, id, list.length);
  for (let i = 0; i < list.length; i++) field(at + 4 * i, list[i]);
}

function port(reference: u32, f: Field, forward: bool, time: bool, broadcast: bool): void {
  const t = table(reference, 5);
  text(t, 0, f.name);
  fields(t, 1, f.children);
  number(t, 2, <u32>forward);
  number(t, 3, <u32>time);
  number(t, 4, <u32>broadcast);
}

/** What a state is keyed by, or an operator: only names and types. */
function keys(table: u32, id: u32, list: Field[]): void {
  if (list.length == 0) return;
  const at = vector(table, id, list.length);
  for (let i = 0; i < list.length; i++) {
    const key = new Field();
    key.name = list[i].name;
    key.type = list[i].type;
    key.scale = list[i].scale;
    key.children = list[i].children;
    field(at + 4 * i, key);
  }
}

/** A State table has the time to live, of 8 bytes, behind its other cells. */
const STATE_FIELDS = 10;

function state(reference: u32, s: KeyedState): void {
  const t = table(reference, STATE_FIELDS);
  const ttl = bytes(12); // where it is aligned
  text(t, 0, s.name);
  number(t, 1, s.kind);
  text(t, 2, s.doc);
  const columns = s.reader.children;
  fields(t, 3, columns.slice(s.keys));
  fields(t, 4, columns.slice(0, s.keys));
  if (s.kind == StateKind.Reducing) {
    link(cell(t, 5));
    const at = bytes((4 + s.merges.length + 3) & ~3);
    store<u32>(data + at, s.merges.length);
    for (let i = 0; i < s.merges.length; i++) store<u8>(data + at + 4 + i, s.merges[i]);
  }
  number(t, 6, s.scope);
  if (s.timeToLive == 0) return;
  const at = (ttl + 7) & ~7;
  const vtable = t - load<u32>(data + t);
  store<u16>(data + vtable + 4 + 2 * 7, <u16>(at - t));
  store<u16>(data + vtable + 2, <u16>(at + 8 - t));
  store<i64>(data + at, s.timeToLive);
  number(t, 8, s.renew);
  number(t, 9, <u32>(s.clock == Clock.EventTime));
}

function operator(reference: u32, op: Operator): void {
  const t = table(reference, 10);
  const accumulators = op.accumulators;
  text(t, 0, op.name);
  number(t, 1, op.kind);
  text(t, 2, op.doc);
  const inputs = vector(t, 3, op.inputs.length);
  for (let i = 0; i < op.inputs.length; i++) {
    const input = op.inputs[i];
    port(inputs + 4 * i, input, false, input.timed, input.isBroadcast);
  }
  const outputs = vector(t, 4, op.outputs.length);
  for (let i = 0; i < op.outputs.length; i++) {
    const o = op.outputs[i];
    port(outputs + 4 * i, o, o.forward, o.timed, false);
  }
  fields(t, 5, op.config.children);
  if (accumulators) field(cell(t, 6), accumulators.field);
  if (op.counters.length > 0) {
    const counters = vector(t, 7, op.counters.length);
    for (let i = 0; i < op.counters.length; i++) textAt(counters + 4 * i, op.counters[i]);
  }
  keys(t, 8, op.keyFields());
  if (op.states.length == 0) return;
  const states = vector(t, 9, op.states.length);
  for (let i = 0; i < op.states.length; i++) state(states + 4 * i, op.states[i]);
}

/** Writes the description once, and returns its address and size as the contract wants them. */
export function describe(operators: Operator[]): u64 {
  if (size == 0) {
    bytes(4);
    const t = table(0, 3);
    number(t, 0, 1);
    text(t, 1, SDK);
    const at = vector(t, 2, operators.length);
    for (let i = 0; i < operators.length; i++) operator(at + 4 * i, operators[i]);
  }
  return ((<u64>data) << 32) | size;
}
