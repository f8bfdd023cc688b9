// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { Field, Type, tableField } from "./wire";

/**
 * A column of the batch at hand, or of the configuration. Rows count from 0; what get returns for
 * a row that is null is arbitrary. Nothing is copied: a column looks into the host's batch.
 */
export class Column extends Field {
  /** A bit for each row, least significant first, 1 for a value; 0 where there are no nulls. */
  validity: usize = 0;
  /** i32 offsets, one more than rows, of a string, of bytes, of a list. */
  offsets: usize = 0;
  /** The values, one after the other; of a bool a bit for each. */
  values: usize = 0;

  @inline
  isNull(row: i32): bool {
    return this.validity != 0 && !((load<u8>(this.validity + (row >> 3)) >> <u8>(row & 7)) & 1);
  }
}

export class BoolColumn extends Column {
  @inline
  get(row: i32): bool {
    return ((load<u8>(this.values + (row >> 3)) >> <u8>(row & 7)) & 1) != 0;
  }

  /** Of a configuration: the value. */
  get value(): bool {
    return this.get(0);
  }
}

/** An int32, int64, float64, decimal (times 10^scale) or timestamp (microseconds). */
export class NumberColumn<T> extends Column {
  @inline
  get(row: i32): T {
    return load<T>(this.values + (<usize>row << alignof<T>()));
  }

  /** Of a configuration: the value. */
  get value(): T {
    return this.get(0);
  }
}

/** A column of strings or bytes, by address: for work on them without making objects. */
export class BinaryColumn extends Column {
  /** Where the bytes of a row begin. */
  @inline
  start(row: i32): usize {
    return this.values + load<u32>(this.offsets + ((<usize>row) << 2));
  }

  /** How many bytes a row has. */
  @inline
  size(row: i32): i32 {
    const at = this.offsets + ((<usize>row) << 2);
    return load<i32>(at, 4) - load<i32>(at);
  }

  /** Whether a row has the same bytes as a row of another column; both must not be null. */
  equals(row: i32, other: BinaryColumn, otherRow: i32): bool {
    const size = this.size(row);
    return size == other.size(otherRow) && memory.compare(this.start(row), other.start(otherRow), size) == 0;
  }
}

export class StringColumn extends BinaryColumn {
  /** The text as an object; equals and an output's copy need none. */
  get(row: i32): string {
    return String.UTF8.decodeUnsafe(this.start(row), this.size(row));
  }

  /** Of a configuration: the value. */
  get value(): string {
    return this.get(0);
  }
}

export class BytesColumn extends BinaryColumn {
  /** A copy of the bytes. */
  get(row: i32): Uint8Array {
    const copy = new Uint8Array(this.size(row));
    memory.copy(copy.dataStart, this.start(row), copy.length);
    return copy;
  }
}

/**
 * Declares columns, each by a method of its type:
 *
 *     const origin = flights.required.string("origin", "Code of the airport it left");
 *     const delay = flights.int64("delay", "Minutes late");
 */
export class Columns extends Column {
  private nextRequired: bool = false;
  private nextDefault: string = "";
  protected nextKey: bool = false;

  /** The next column can't be null: the host fails a row in which it is, or asks for the field. */
  get required(): Columns {
    this.nextRequired = true;
    return this;
  }

  /** The next column, of a configuration, has this value where the pipeline gives none. */
  byDefault(value: string): Columns {
    this.nextDefault = value;
    return this;
  }

  private add<C extends Column>(column: C, type: Type, name: string, doc: string): C {
    column.type = type;
    column.name = name;
    column.doc = doc;
    column.isRequired = this.nextRequired || this.nextKey;
    column.isKey = this.nextKey;
    column.def = this.nextDefault;
    this.nextRequired = false;
    this.nextKey = false;
    this.nextDefault = "";
    this.children.push(column);
    return column;
  }

  bool(name: string, doc: string = ""): BoolColumn {
    return this.add(new BoolColumn(), Type.Bool, name, doc);
  }

  int32(name: string, doc: string = ""): NumberColumn<i32> {
    return this.add(new NumberColumn<i32>(), Type.Int32, name, doc);
  }

  int64(name: string, doc: string = ""): NumberColumn<i64> {
    return this.add(new NumberColumn<i64>(), Type.Int64, name, doc);
  }

  float64(name: string, doc: string = ""): NumberColumn<f64> {
    return this.add(new NumberColumn<f64>(), Type.Float64, name, doc);
  }

  decimal(name: string, scale: u8, doc: string = ""): NumberColumn<i64> {
    const column = this.add(new NumberColumn<i64>(), Type.Decimal, name, doc);
    column.scale = scale;
    return column;
  }

  timestamp(name: string, doc: string = ""): NumberColumn<i64> {
    return this.add(new NumberColumn<i64>(), Type.Timestamp, name, doc);
  }

  string(name: string, doc: string = ""): StringColumn {
    return this.add(new StringColumn(), Type.String, name, doc);
  }

  bytes(name: string, doc: string = ""): BytesColumn {
    return this.add(new BytesColumn(), Type.Bytes, name, doc);
  }

  /** A list; declare its one item on what is returned. */
  list(name: string, doc: string = ""): ListColumn {
    return this.add(new ListColumn(), Type.List, name, doc);
  }

  /** A struct; declare its fields on what is returned. They have the same rows. */
  struct(name: string, doc: string = ""): Columns {
    return this.add(new Columns(), Type.Struct, name, doc);
  }
}

/** A list's items are rows of the column that it declares, from first(row) to end(row). */
export class ListColumn extends Columns {
  @inline
  first(row: i32): i32 {
    return load<i32>(this.offsets + ((<usize>row) << 2));
  }

  @inline
  end(row: i32): i32 {
    return load<i32>(this.offsets + ((<usize>row) << 2), 4);
  }
}

/** The rows of a batch: an operator's input, or its configuration. */
export class Input extends Columns {
  /** How many rows the batch has. */
  rows: i32 = 0;
  /** Each subtask is given all rows. */
  isBroadcast: bool = false;
  /** The port has the event time of each row. */
  timed: bool = false;
  times: usize = 0;
  kinds: usize = 0;
  groups: usize = 0;

  /** Has the host give the event time of each row. */
  withTime(): Input {
    this.timed = true;
    return this;
  }

  /** The event time of a row, in microseconds since 1970 UTC. */
  @inline
  time(row: i32): i64 {
    return load<i64>(this.times + ((<usize>row) << 3));
  }

  /** 0 insert, 1 update before, 2 update after, 3 delete. */
  kind(row: i32): u8 {
    return this.kinds == 0 ? 0 : load<u8>(this.kinds + row);
  }

  /** The number of a row's accumulator, of an aggregate's input; of its key, of a process's. */
  @inline
  group(row: i32): i32 {
    return load<i32>(this.groups + ((<usize>row) << 2));
  }

  /** The number of a batch's port. */
  static schemaOf(batch: usize): u32 {
    const at = tableField(batch + load<u32>(batch), 0);
    return at == 0 ? 0 : load<u32>(at);
  }

  /** Points the columns at a batch of the host. */
  bind(batch: usize): void {
    const table = batch + load<u32>(batch);
    let at = tableField(table, 1);
    this.rows = at == 0 ? 0 : load<i32>(at);
    this.times = perRow(batch, table, 4);
    this.kinds = perRow(batch, table, 5);
    this.groups = perRow(batch, table, 7);
    at = tableField(table, 2);
    const vector: usize = at == 0 ? 0 : at + load<u32>(at);
    const given = vector == 0 ? 0 : load<i32>(vector);
    if (given != this.nodes() - 1) {
      assert(this.rows == 0 && given == 0, `a batch has ${given} columns, the operator declares ${this.nodes() - 1}`);
      return;
    }
    bindChildren(this, batch, vector + 4);
  }
}

function perRow(batch: usize, table: usize, id: u32): usize {
  const column = tableField(table, id);
  return column == 0 ? 0 : batch + load<u32>(column, 16);
}

/** Binds the columns beneath a node, depth first, and returns where the next one lies. */
function bindChildren(parent: Field, batch: usize, wire: usize): usize {
  const children = parent.children;
  for (let i = 0; i < children.length; i++) {
    const column = changetype<Column>(unchecked(children[i])); // a Field of an Input is a Column
    column.validity = load<u32>(wire, 4) == 0 ? 0 : batch + load<u32>(wire, 8);
    column.offsets = batch + load<u32>(wire, 12);
    column.values = batch + load<u32>(wire, 16);
    wire = bindChildren(column, batch, wire + 24);
  }
  return wire;
}
