// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Writes and reads batches, as ../../../abi/SPEC.md lays them out. A row is an object by column
// name: bool, int32 and float64 are a boolean or a number, int64, decimal and timestamp a BigInt
// (a number does for writing), string a string, bytes a Uint8Array, list an array, struct an
// object; null and what is left out are null.

import { Table, Type } from "./describe.js";

const align8 = (n) => (n + 7) & ~7;
const bits = (flags) => {
  const bytes = new Uint8Array((flags.length + 7) >> 3);
  flags.forEach((flag, i) => (bytes[i >> 3] |= Number(flag) << (i & 7)));
  return bytes;
};
const bytesOf = (array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** The values of a column as Column nodes, depth first: { rows, nulls, validity, offsets, values }. */
function columnNodes(field, values) {
  const present = values.map((v) => v !== null && v !== undefined);
  const nulls = present.filter((p) => !p).length;
  const node = { rows: values.length, nulls, validity: nulls > 0 ? bits(present) : null, offsets: null, values: null };
  switch (field.type) {
    case Type.Bool:
      node.values = bits(values.map((v) => v === true));
      return [node];
    case Type.Int32:
      node.values = bytesOf(Int32Array.from(values, (v) => v ?? 0));
      return [node];
    case Type.Float64:
      node.values = bytesOf(Float64Array.from(values, (v) => v ?? 0));
      return [node];
    case Type.String:
    case Type.Bytes: {
      const runs = values.map((v) => (typeof v === "string" ? new TextEncoder().encode(v) : (v ?? new Uint8Array(0))));
      node.offsets = offsets(runs);
      node.values = new Uint8Array(node.offsets.at(-1));
      runs.forEach((run, i) => node.values.set(run, node.offsets[i]));
      return [node];
    }
    case Type.List:
      node.offsets = offsets(values.map((v) => v ?? []));
      return [node, ...columnNodes(field.children[0], values.flatMap((v) => v ?? []))];
    case Type.Struct:
      return [node, ...field.children.flatMap((child) => columnNodes(child, values.map((v) => v?.[child.name])))];
    default:
      node.values = bytesOf(BigInt64Array.from(values, (v) => BigInt(v ?? 0)));
      return [node];
  }
}

function offsets(runs) {
  const ends = new Int32Array(runs.length + 1);
  runs.forEach((run, i) => (ends[i + 1] = ends[i] + run.length));
  return ends;
}

/** Writes rows as a batch: { schema, fields, rows, times, kinds, groups }. */
export function encodeBatch({ schema, fields, rows, times = null, kinds = null, groups = null }) {
  const names = new Set(fields.map((f) => f.name));
  for (const row of rows) {
    const unknown = Object.keys(row).find((key) => !names.has(key));
    if (unknown !== undefined) throw new Error(`a row has "${unknown}"; its columns are ${[...names].join(", ")}`);
  }
  const nodes = fields.flatMap((field) => columnNodes(field, rows.map((row) => row[field.name])));
  const parts = [];
  let body = align8(148 + 4 + 24 * nodes.length);
  const append = (data) => {
    if (data === null || data.length === 0) return 0;
    const at = body;
    parts.push([at, bytesOf(data)]);
    body = align8(body + data.byteLength);
    return at;
  };
  const columns = nodes.map((n) => [n.rows, n.nulls, append(n.validity), append(n.offsets), append(n.values), n.values?.length ?? 0]);
  const perRow = [
    times && [4, [rows.length, 0, 0, 0, append(BigInt64Array.from(times, BigInt)), 8 * rows.length]],
    kinds && [5, [rows.length, 0, 0, 0, append(Uint8Array.from(kinds)), rows.length]],
    groups && [7, [rows.length, 0, 0, 0, append(Uint32Array.from(groups)), 4 * rows.length]],
  ].filter(Boolean);
  const out = new Uint8Array(body);
  const view = new DataView(out.buffer);
  const u32 = (at, v) => view.setUint32(at, v, true);
  u32(0, 32);
  out.set(new TextEncoder().encode("WMB1"), 4);
  view.setUint16(8, 20, true);
  view.setUint16(10, 116, true);
  u32(32, 24);
  const present = (id, offset) => {
    view.setUint16(12 + 2 * id, offset, true);
    return 32 + offset;
  };
  u32(present(0, 4), schema);
  u32(present(1, 8), rows.length);
  u32(present(2, 12), 148 - 44);
  u32(148, nodes.length);
  const put = (at, column) => column.forEach((v, i) => u32(at + 4 * i, v));
  columns.forEach((column, i) => put(152 + 24 * i, column));
  perRow.forEach(([id, column]) => put(present(id, 20 + 24 * (id - 4)), column));
  parts.forEach(([at, data]) => out.set(data, at));
  return out;
}

/** Reads the values of a column, and of those beneath it. */
function readColumn(view, field, nodes) {
  const at = nodes.shift();
  const u32 = (i) => view.getUint32(at + 4 * i, true);
  const [rows, nulls, validity, ends, values] = [u32(0), u32(1), u32(2), u32(3), u32(4)];
  const bit = (base, row) => ((view.getUint8(base + (row >> 3)) >> (row & 7)) & 1) !== 0;
  const end = (row) => (rows === 0 ? 0 : view.getInt32(ends + 4 * row, true));
  const each = (f) => Array.from({ length: rows }, (_, row) => (nulls > 0 && !bit(validity, row) ? null : f(row)));
  const run = (row) => new Uint8Array(view.buffer, view.byteOffset + values + end(row), end(row + 1) - end(row)).slice();
  switch (field.type) {
    case Type.Bool:
      return each((row) => bit(values, row));
    case Type.Int32:
      return each((row) => view.getInt32(values + 4 * row, true));
    case Type.Float64:
      return each((row) => view.getFloat64(values + 8 * row, true));
    case Type.String:
      return each((row) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(run(row)));
    case Type.Bytes:
      return each(run);
    case Type.List: {
      const items = readColumn(view, field.children[0], nodes);
      return each((row) => items.slice(end(row), end(row + 1)));
    }
    case Type.Struct: {
      const children = field.children.map((child) => [child.name, readColumn(view, child, nodes)]);
      return each((row) => Object.fromEntries(children.map(([name, column]) => [name, column[row]])));
    }
    default:
      return each((row) => view.getBigInt64(values + 8 * row, true));
  }
}

/** The schema number of a batch. */
export function schemaOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Table(view, view.getUint32(0, true)).uint32(0);
}

/** Reads a batch: { schema, rows, origin, times, kinds, groups, failures }; fields is a function of the schema. */
export function decodeBatch(bytes, fields) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = new Table(view, view.getUint32(0, true));
  const schema = table.uint32(0);
  const count = table.uint32(1);
  const nodes = table.entries(2, 24);
  const columns = fields(schema).map((field) => [field.name, readColumn(view, field, nodes)]);
  if (nodes.length > 0) throw new Error(`a batch of schema ${schema} has ${nodes.length} columns too many`);
  const perRow = (id, read) => {
    const at = table.field(id);
    const values = at === 0 ? 0 : view.getUint32(at + 16, true);
    return at === 0 ? null : Array.from({ length: count }, (_, row) => read(values, row));
  };
  const failures = table.entries(3, 12).map((at) => {
    const [row, message, size] = [0, 4, 8].map((o) => view.getUint32(at + o, true));
    return { row, message: new TextDecoder().decode(bytes.subarray(message, message + size)) };
  });
  return {
    schema,
    rows: Array.from({ length: count }, (_, row) => Object.fromEntries(columns.map(([name, values]) => [name, values[row]]))),
    times: perRow(4, (at, row) => view.getBigInt64(at + 8 * row, true)),
    kinds: perRow(5, (at, row) => view.getUint8(at + row)),
    groups: perRow(7, (at, row) => view.getUint32(at + 4 * row, true)),
    origin: perRow(6, (at, row) => view.getUint32(at + 4 * row, true)),
    failures,
  };
}
