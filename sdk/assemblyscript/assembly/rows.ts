// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { BoolCell, BytesCell, Cell, ListCell, NumberCell, Rows, StringCell, StructCell } from "./cells";
import { OutColumn, OutColumns } from "./columns";
import { hostStateNext, hostStateScan } from "./host";
import { Column } from "./input";
import { encode, message } from "./message";
import { KeyedState, Result, StateKind } from "./keyed";
import { NO_KEY } from "./puts";
import { KIND_DELETE, SCHEMA_REQUEST } from "./wire";

class RowsOf extends Rows {
  constructor(private state: RowState) {
    super();
  }

  row(): i32 {
    return this.state.row();
  }

  keyIsSet(): void {
    this.state.keyIsSet();
  }
}

/** A state whose rows are put one by one: declare its columns on it. */
export abstract class RowState extends KeyedState {
  /** Of the rows that were read last; less than 0 where there is none. */
  protected at: i32 = -1;
  private rowsOf: RowsOf | null = null;
  protected nextKey: bool = false;
  protected nextMerge: u8 = 0;

  /** The number of the row at hand among those that were read last. */
  row(): i32 {
    if (this.at < 0) throw new Error(`${this.title()}: no row is at hand; get or next finds one`);
    return this.at;
  }

  keyIsSet(): void {}

  /** Makes the column that a part of a map's key is set in. */
  protected keyColumn(_column: Column): OutColumn {
    throw new Error(`${this.title()} has no key`);
  }

  private column(from: Column): OutColumn {
    if (this.nextKey) return this.keyColumn(from);
    return this.writer.like(from);
  }

  private declared<C extends Cell>(cell: C): C {
    let rows = this.rowsOf;
    if (!rows) {
      rows = new RowsOf(this);
      this.rowsOf = rows;
    }
    cell.rows = rows;
    cell.isKey = this.nextKey;
    if (this.nextKey) this.keys++;
    else this.merges.push(this.nextMerge);
    this.nextKey = false;
    this.nextMerge = 0;
    return cell;
  }

  bool(name: string, doc: string = ""): BoolCell {
    const from = this.reader.bool(name, doc);
    return this.declared(new BoolCell(from, this.column(from)));
  }

  int32(name: string, doc: string = ""): NumberCell<i32> {
    const from = this.reader.int32(name, doc);
    return this.declared(new NumberCell<i32>(from, this.column(from)));
  }

  int64(name: string, doc: string = ""): NumberCell<i64> {
    const from = this.reader.int64(name, doc);
    return this.declared(new NumberCell<i64>(from, this.column(from)));
  }

  float64(name: string, doc: string = ""): NumberCell<f64> {
    const from = this.reader.float64(name, doc);
    return this.declared(new NumberCell<f64>(from, this.column(from)));
  }

  decimal(name: string, scale: u8, doc: string = ""): NumberCell<i64> {
    const from = this.reader.decimal(name, scale, doc);
    return this.declared(new NumberCell<i64>(from, this.column(from)));
  }

  timestamp(name: string, doc: string = ""): NumberCell<i64> {
    const from = this.reader.timestamp(name, doc);
    return this.declared(new NumberCell<i64>(from, this.column(from)));
  }

  string(name: string, doc: string = ""): StringCell {
    const from = this.reader.string(name, doc);
    return this.declared(new StringCell(from, this.column(from)));
  }

  bytes(name: string, doc: string = ""): BytesCell {
    const from = this.reader.bytes(name, doc);
    return this.declared(new BytesCell(from, this.column(from)));
  }

  /** A list; declare its item on what is returned. */
  list(name: string, doc: string = ""): ListCell {
    const from = this.reader.list(name, doc);
    return this.declared(new ListCell(from, this.column(from)));
  }

  /** A struct; declare its fields on what is returned. */
  struct(name: string, doc: string = ""): StructCell {
    const from = this.reader.struct(name, doc);
    return this.declared(new StructCell(from, this.column(from)));
  }

  begin(): void {
    super.begin();
    this.at = -1;
  }

  /** Points the columns at the rows of a result; select says which one is at hand. */
  protected take(result: usize): void {
    this.reader.bind(result);
  }

  /** Makes a row of the rows that were read the one at hand, and says whether it is there. */
  protected select(row: i32): bool {
    this.at = row;
    return this.reader.kind(row) != KIND_DELETE;
  }
}

/** A request for one row that has no map key: its key number lies here, and it has no columns. */
const oneGroup = heap.alloc(8);
const noColumns = new OutColumns();

/**
 * Merges rows into one for each key, on the host, column by column. Declare columns by how they are
 * merged: total.sum.int64("total"). Null leaves a column as it is.
 */
export class ReducingState extends RowState {
  constructor(number: u32, name: string, doc: string) {
    super(number, StateKind.Reducing, name, doc);
  }

  private merged(by: u8): ReducingState {
    this.nextMerge = by;
    return this;
  }

  /** Values of the next column are added up. */
  get sum(): ReducingState {
    return this.merged(1);
  }

  /** Of the next column the least value is kept. */
  get min(): ReducingState {
    return this.merged(2);
  }

  /** Of the next column the greatest value is kept. */
  get max(): ReducingState {
    return this.merged(3);
  }

  /** Strings, bytes or lists of the next column are put end to end. */
  get append(): ReducingState {
    return this.merged(4);
  }

  /** Merges what was set into the row of a key. */
  put(key: i32 = NO_KEY): void {
    this.add(key, 0);
  }

  /** Removes the row of a key. */
  clear(key: i32 = NO_KEY): void {
    this.discard();
    this.add(key, KIND_DELETE);
  }

  /** Makes the row of a key the one at hand, and says whether there is one; else all its columns are null. */
  get(key: i32 = NO_KEY): bool {
    this.checkKey(key);
    this.flush();
    store<i32>(oneGroup, key);
    const size = encode(noColumns, SCHEMA_REQUEST + this.number, 1, 0, 0, 0, this.isKeyed ? oneGroup : 0);
    this.take(this.result.get(this.number, message, size));
    return this.select(0);
  }

  /** Reads the rows of all keys of the call in one go, for found. */
  fetch(): void {
    this.flush();
    this.take(this.result.get(this.number, 0, 0));
  }

  /** After fetch: get without a call of the host. */
  found(key: i32): bool {
    return this.select(this.isKeyed ? key : 0);
  }
}

/** The limit that ends a scan. */
const END: i32 = -1;

/** A state of several rows for each key, which can be gone through in order. */
export abstract class ScannedState extends RowState {
  private page: Result = new Result();
  private scanNumber: i32 = 0;
  private isOpen: bool = false;
  private pageAt: usize = 0;
  private pageRow: i32 = 0;
  private pageRows: i32 = 0;
  /** The rows at hand are those of the page. */
  private inPage: bool = false;

  begin(): void {
    super.begin();
    this.page.release();
    this.isOpen = false;
  }

  protected open(key: i32, bounds: i32, request: usize, size: u32): void {
    this.checkKey(key);
    this.stop();
    this.scanNumber = hostStateScan(this.number, this.isKeyed ? key : 0, bounds, request, size);
    this.isOpen = true;
    this.pageRows = 0;
    this.pageRow = 0;
  }

  /** Makes the next row of what scan began the one at hand; false where there are no more. */
  next(): bool {
    if (!this.isOpen) return false;
    if (this.pageRow == this.pageRows) {
      this.turn();
      if (this.pageRows == 0) return false;
    } else if (!this.inPage) this.take(this.pageAt);
    this.inPage = true;
    this.at = this.pageRow++;
    return true;
  }

  private turn(): void {
    this.pageAt = this.page.next(this.scanNumber);
    this.take(this.pageAt);
    this.pageRows = this.reader.rows;
    this.pageRow = 0;
    if (this.pageRows > 0) return;
    this.isOpen = false; // the host has ended it
    this.at = -1;
  }

  protected take(result: usize): void {
    super.take(result);
    this.inPage = false;
  }

  /** Ends what scan began before there are no more rows; the end of the call and another scan do so too. */
  stop(): void {
    if (this.isOpen) hostStateNext(this.scanNumber, END, 0, 0);
    this.isOpen = false;
    this.at = -1;
  }
}

/** A list of each key, in the order in which its items were appended. */
export class ListState extends ScannedState {
  constructor(number: u32, name: string, doc: string) {
    super(number, StateKind.List, name, doc);
  }

  /** Appends the item that was set; a column that was not set is null. */
  append(key: i32 = NO_KEY): void {
    this.add(key, 0);
  }

  /** Removes all items of a key. */
  clear(key: i32 = NO_KEY): void {
    this.discard();
    this.add(key, KIND_DELETE);
  }

  /**
   * Begins to go through the items of a key, in order:
   *
   *     for (items.scan(key); items.next(); ) total += price.get();
   */
  scan(key: i32 = NO_KEY): void {
    this.flush();
    this.open(key, 0, 0, 0);
  }
}
