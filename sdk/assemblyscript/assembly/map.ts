// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { OutBinary, OutBool, OutColumn, OutColumns, OutNumber, appendValue } from "./columns";
import { Column } from "./input";
import { StateKind } from "./keyed";
import { encode, message } from "./message";
import { NO_KEY } from "./puts";
import { ScannedState } from "./rows";
import { KIND_DELETE, SCHEMA_REQUEST, Type, regrow } from "./wire";

const FROM: i32 = 1;
const TO: i32 = 2;
const PREFIX: i32 = 4;

/**
 * A map of each key, in the order of the map's own key. Declare the columns of that first, by key:
 * entries.key.string("name"). What get, put and remove are about is the map key that was set last; it
 * stays until a part of it is set again, and parts that are not set are null.
 */
export class MapState extends ScannedState {
  /** The map key that was set last. */
  private staged: OutColumns = new OutColumns();
  private isStaged: bool = false;
  /** The ends of the next scan. */
  private ends: OutColumns = new OutColumns();
  private endRows: i32 = 0;
  private bounds: i32 = 0;
  /** What fetch reads. */
  private asked: OutColumns = new OutColumns();
  private askedRows: i32 = 0;
  private groups: usize = 0;
  private groupRoom: i32 = 0;

  constructor(number: u32, name: string, doc: string) {
    super(number, StateKind.Map, name, doc);
  }

  /** The next column is of the map's key. */
  get key(): MapState {
    this.nextKey = true;
    return this;
  }

  protected keyColumn(column: Column): OutColumn {
    assert(this.merges.length == 0, `${this.title()}: declare the columns of the key before the others`);
    this.writer.like(column);
    this.ends.like(column);
    this.asked.like(column);
    return this.staged.like(column);
  }

  keyIsSet(): void {
    if (this.isStaged) this.staged.reset();
    this.isStaged = false;
  }

  private stage(): void {
    if (!this.isStaged) this.staged.endRow(1);
    this.isStaged = true;
  }

  begin(): void {
    super.begin();
    this.staged.reset();
    this.ends.reset();
    this.asked.reset();
    this.isStaged = false;
    this.endRows = 0;
    this.bounds = 0;
    this.askedRows = 0;
  }

  discard(): void {
    super.discard();
    this.staged.reset();
    this.isStaged = false;
  }

  /** Makes what was set the entry of the map key. */
  put(key: i32 = NO_KEY): void {
    this.stage();
    this.copyKey(this.writer);
    this.add(key, 0);
  }

  /** Removes the entry of the map key. */
  remove(key: i32 = NO_KEY): void {
    this.stage();
    super.discard();
    this.copyKey(this.writer);
    this.add(key, KIND_DELETE);
  }

  private copyKey(to: OutColumns): void {
    for (let i = 0; i < this.keys; i++) appendFirst(to.child(i), this.staged.child(i));
  }

  /** Makes the entry of the map key the row at hand, and says whether there is one; else all its columns are null. */
  get(key: i32 = NO_KEY): bool {
    this.ask(key);
    if (this.askedRows > 1) throw new Error(`${this.title()}: fetch what was asked for before get`);
    this.fetch();
    return this.found(0);
  }

  /** Asks for the entry of the map key, which fetch reads, and returns the number of the answer. */
  ask(key: i32 = NO_KEY): i32 {
    this.checkKey(key);
    this.stage();
    const n = this.askedRows++;
    if (n >= this.groupRoom) {
      this.groupRoom = max(2 * n, 64);
      this.groups = regrow(this.groups, 4 * n, 4 * this.groupRoom);
    }
    store<i32>(this.groups + (<usize>n << 2), key);
    this.copyKey(this.asked);
    return n;
  }

  /** Reads all entries that were asked for, at most 65,536, in one call of the host. */
  fetch(): void {
    this.flush();
    const size = encode(this.asked, SCHEMA_REQUEST + this.number, this.askedRows, 0, 0, 0, this.isKeyed ? this.groups : 0);
    this.take(this.result.get(this.number, message, size));
    this.asked.reset();
    this.askedRows = 0;
  }

  /** After fetch: makes an answer the row at hand, and says whether there is an entry. */
  found(answer: i32): bool {
    return this.select(answer);
  }

  /** The next scan begins at the map key that was set. */
  from(): void {
    this.bound(FROM);
  }

  /** The next scan ends before the map key that was set. */
  to(): void {
    this.bound(TO);
  }

  /**
   * The next scan is of the entries that begin with the map key that was set: a string or bytes with
   * these bytes, columns before it equal; those behind it are left null.
   */
  prefix(): void {
    this.bound(PREFIX);
  }

  private bound(which: i32): void {
    assert(this.bounds < which && (this.bounds == 0 || which == TO), `${this.title()}: a scan has a prefix, or a from, a to, or a from and then a to`);
    this.stage();
    this.copyKey(this.ends);
    this.endRows++;
    this.bounds |= which;
  }

  /**
   * Begins to go through the entries of a key in order, all or those that from, to or prefix said:
   *
   *     name.set("b"); entries.from();
   *     for (entries.scan(key); entries.next(); ) total += count.get();
   */
  scan(key: i32 = NO_KEY): void {
    this.flush();
    if (this.bounds == 0) return this.open(key, 0, 0, 0);
    const size = encode(this.ends, SCHEMA_REQUEST + this.number, this.endRows, 0, 0, 0, 0);
    this.open(key, this.bounds, message, size);
    this.ends.reset();
    this.endRows = 0;
    this.bounds = 0;
  }

  /** Removes all entries of a key, which it reads for that. */
  clear(key: i32 = NO_KEY): void {
    super.discard();
    this.bounds = 0;
    this.endRows = 0;
    this.ends.reset();
    for (this.scan(key); this.next(); ) {
      for (let i = 0; i < this.keys; i++) {
        appendValue(this.writer.child(i), changetype<Column>(this.reader.children[i]), this.at);
      }
      this.add(key, KIND_DELETE);
    }
  }
}

/** Appends the first value of another column of the same type, which is neither a list nor a struct. */
function appendFirst(to: OutColumn, from: OutColumn): void {
  if (from.nulls > 0) return to.setNull();
  switch (to.type) {
    case Type.Bool:
      return changetype<OutBool>(to).set((load<u8>(from.values) & 1) != 0);
    case Type.Int32:
      return changetype<OutNumber<i32>>(to).set(load<i32>(from.values));
    case Type.String:
    case Type.Bytes:
      return changetype<OutBinary>(to).put(from.values, from.size);
    default:
      changetype<OutNumber<i64>>(to).set(load<i64>(from.values)); // any type of 8 bytes
  }
}
