// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Reads a module's description: the Module message of ../../../abi/wasmill.fbs.

export const Type = { Bool: 1, Int32: 2, Int64: 3, Float64: 4, Decimal: 5, String: 6, Bytes: 7, Timestamp: 8, List: 9, Struct: 10 };

const KINDS = [undefined, "map", "process", "aggregate"];
const STATE_KINDS = [undefined, "value", "list", "map", "reducing"];
const SCOPES = ["key", "operator", "broadcast"];
const MERGES = [undefined, "add", "min", "max", "append"];
const RENEWS = ["create", "write", "read"];

/** A FlatBuffers table at a position of a DataView. */
export class Table {
  constructor(view, at) {
    this.view = view;
    this.at = at;
    this.vtable = at - view.getInt32(at, true);
  }

  /** Where a field lies, 0 where it is absent. */
  field(id) {
    const slot = 4 + 2 * id;
    if (slot + 2 > this.view.getUint16(this.vtable, true)) return 0;
    const offset = this.view.getUint16(this.vtable + slot, true);
    return offset === 0 ? 0 : this.at + offset;
  }

  uint8(id, byDefault = 0) {
    const at = this.field(id);
    return at === 0 ? byDefault : this.view.getUint8(at);
  }

  uint32(id) {
    const at = this.field(id);
    return at === 0 ? 0 : this.view.getUint32(at, true);
  }

  int64(id) {
    const at = this.field(id);
    return at === 0 ? 0n : this.view.getBigInt64(at, true);
  }

  follow(at) {
    return at + this.view.getUint32(at, true);
  }

  text(id) {
    const at = this.field(id);
    return at === 0 ? "" : textAt(this.view, this.follow(at));
  }

  table(id) {
    const at = this.field(id);
    return at === 0 ? null : new Table(this.view, this.follow(at));
  }

  /** Where the entries of a vector lie, each of so many bytes. */
  entries(id, size) {
    const at = this.field(id);
    if (at === 0) return [];
    const vector = this.follow(at);
    return Array.from({ length: this.view.getUint32(vector, true) }, (_, i) => vector + 4 + size * i);
  }

  tables(id) {
    return this.entries(id, 4).map((at) => new Table(this.view, this.follow(at)));
  }
}

function textAt(view, at) {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at + 4, view.getUint32(at, true)));
}

function field(t) {
  return {
    name: t.text(0), type: t.uint8(1, Type.Bool), scale: t.uint8(2), required: t.uint8(3) !== 0,
    children: t.tables(4).map(field), default: t.text(5), doc: t.text(6),
  };
}

function port(t) {
  return {
    name: t.text(0), fields: t.tables(1).map(field), forward: t.uint8(2) !== 0, time: t.uint8(3) !== 0, broadcast: t.uint8(4) !== 0,
  };
}

function state(t) {
  return {
    name: t.text(0), kind: STATE_KINDS[t.uint8(1, 1)], doc: t.text(2), fields: t.tables(3).map(field), key: t.tables(4).map(field),
    merge: t.entries(5, 1).map((at) => MERGES[t.view.getUint8(at)]), scope: SCOPES[t.uint8(6)],
    ttl: t.int64(7), renew: RENEWS[t.uint8(8)], eventTime: t.uint8(9) !== 0,
  };
}

function operator(t) {
  const accumulator = t.table(6);
  return {
    name: t.text(0), kind: KINDS[t.uint8(1, 1)], doc: t.text(2),
    inputs: t.tables(3).map(port), outputs: t.tables(4).map(port), config: t.tables(5).map(field),
    accumulator: accumulator === null ? null : field(accumulator),
    counters: t.entries(7, 4).map((at) => textAt(t.view, t.follow(at))),
    key: t.tables(8).map(field), states: t.tables(9).map(state),
  };
}

/** Reads a description out of bytes: { abi, sdk, operators }. */
export function readDescription(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const root = new Table(view, view.getUint32(0, true));
  return { abi: root.uint32(0), sdk: root.text(1), operators: root.tables(2).map(operator) };
}
