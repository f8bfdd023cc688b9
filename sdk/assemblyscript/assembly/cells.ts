// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { BoolColumn, BytesColumn, Column, Columns, ListColumn, NumberColumn, StringColumn } from "./input";
import { OutBool, OutBytes, OutColumn, OutList, OutNumber, OutString, OutStruct, appendValue } from "./columns";

/** Rows of a state, one of which may be at hand. */
export abstract class Rows {
  /** The row at hand; throws where there is none. */
  abstract row(): i32;
  /** Something is set in the map key that is to be used next. */
  abstract keyIsSet(): void;
}

/**
 * A column of a list, map or reducing state. What reads it reads the row at hand, which get or next
 * has found; what sets it sets a row that is to be put, or of a map's key the key that is used next.
 */
export abstract class Cell {
  /** Both are filled in by what declares the cell. */
  rows: Rows | null = null;
  isKey: bool = false;

  constructor(readonly from: Column, readonly to: OutColumn) {}

  isNull(): bool {
    return this.from.isNull(this.rows!.row());
  }

  setNull(): void {
    this.begin();
    this.to.setNull();
  }

  /** Sets the value of a row of another column of the same type, or null where it is. */
  copy(from: Column, row: i32): void {
    assert(from.type == this.from.type, `${this.from.name} and ${from.name} are not of one type`);
    this.begin();
    appendValue(this.to, from, row);
  }

  /** Sets a column of an output of the same type, to null where this is. */
  copyTo(to: OutColumn): void {
    assert(to.type == this.from.type, `${this.from.name} and ${to.name} are not of one type`);
    appendValue(to, this.from, this.rows!.row());
  }

  protected begin(): void {
    if (this.isKey) this.rows!.keyIsSet();
  }
}

export class BoolCell extends Cell {
  get(): bool {
    return changetype<BoolColumn>(this.from).get(this.rows!.row());
  }

  set(value: bool): void {
    this.begin();
    changetype<OutBool>(this.to).set(value);
  }
}

/** An int32, int64, float64, decimal (times 10^scale) or timestamp (microseconds). */
export class NumberCell<T> extends Cell {
  get(): T {
    return changetype<NumberColumn<T>>(this.from).get(this.rows!.row());
  }

  set(value: T): void {
    this.begin();
    changetype<OutNumber<T>>(this.to).set(value);
  }
}

export class StringCell extends Cell {
  get(): string {
    return changetype<StringColumn>(this.from).get(this.rows!.row());
  }

  set(value: string): void {
    this.begin();
    changetype<OutString>(this.to).set(value);
  }
}

/** Bytes. */
export class BytesCell extends Cell {
  get(): Uint8Array {
    return changetype<BytesColumn>(this.from).get(this.rows!.row());
  }

  set(value: Uint8Array): void {
    this.begin();
    changetype<OutBytes>(this.to).set(value);
  }
}

/**
 * A list: declare its item on items and on writer alike; that of items is read from first() to end(), as a
 * ListColumn's is, that of writer is set, as an OutList's is.
 */
export class ListCell extends Cell {
  get items(): ListColumn {
    return changetype<ListColumn>(this.from);
  }

  get writer(): OutList {
    return changetype<OutList>(this.to);
  }

  first(): i32 {
    return this.items.first(this.rows!.row());
  }

  end(): i32 {
    return this.items.end(this.rows!.row());
  }
}

/** A struct: declare its fields on fields and on writer alike; a row of fields is that of row(). */
export class StructCell extends Cell {
  get fields(): Columns {
    return changetype<Columns>(this.from);
  }

  get writer(): OutStruct {
    return changetype<OutStruct>(this.to);
  }

  row(): i32 {
    return this.rows!.row();
  }
}
