// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { KeyedState, StateKind } from "./keyed";
import { BoolState, BytesState, Loader, NumberState, State, StringState, StructState } from "./state";
import { KIND_DELETE, regrow } from "./wire";

/** What is known of a key's value; a field that was set counts besides. */
const PRESENT: u8 = 1;
const CHANGED: u8 = 2;

class ValueLoader extends Loader {
  constructor(private state: ValueState) {
    super();
  }

  settle(key: i32): i32 {
    return this.state.settle(key);
  }

  load(): i32 {
    return this.state.load();
  }
}

/**
 * A value of each key. Its fields are read and set by key number: sum.set(key, sum.get(key) + 1).
 *
 * The values of all keys of a batch are read together when the first one is asked for, and those
 * that changed are written together at the end of the call.
 */
export class ValueState extends KeyedState {
  private fields!: StructState;
  private loader: ValueLoader | null = null;
  private loaded: bool = false;
  /** How many keys the call has. */
  private count: i32 = 0;
  /** A byte for each key. There is room for whole words. */
  private flags: usize = 0;
  /** Numbers of the keys that changed. */
  private numbers: usize = 0;
  private room: i32 = 0;
  /** A field may be so long that not all values go into one message. */
  private isLong: bool = false;

  constructor(number: u32, name: string, doc: string) {
    super(number, StateKind.Value, name, doc);
    this.fields = new StructState(this.reader, this.writer);
  }

  private declared<S extends State>(field: S): S {
    let loader = this.loader;
    if (!loader) {
      loader = new ValueLoader(this);
      this.loader = loader;
    }
    field.loader = loader;
    return field;
  }

  bool(name: string, doc: string = ""): BoolState {
    return this.declared(this.fields.bool(name, doc));
  }

  int32(name: string, doc: string = ""): NumberState<i32> {
    return this.declared(this.fields.int32(name, doc));
  }

  int64(name: string, doc: string = ""): NumberState<i64> {
    return this.declared(this.fields.int64(name, doc));
  }

  float64(name: string, doc: string = ""): NumberState<f64> {
    return this.declared(this.fields.float64(name, doc));
  }

  decimal(name: string, scale: u8, doc: string = ""): NumberState<i64> {
    return this.declared(this.fields.decimal(name, scale, doc));
  }

  timestamp(name: string, doc: string = ""): NumberState<i64> {
    return this.declared(this.fields.timestamp(name, doc));
  }

  string(name: string, doc: string = ""): StringState {
    this.isLong = true;
    return this.declared(this.fields.string(name, doc));
  }

  bytes(name: string, doc: string = ""): BytesState {
    this.isLong = true;
    return this.declared(this.fields.bytes(name, doc));
  }

  /** Whether a key has a value. */
  has(key: i32): bool {
    const at = this.settle(key);
    let known = load<u8>(this.flags + at);
    for (let f = 0; f < this.fields.fields.length; f++) known |= (load<u8>(this.fields.fields[f].has + at) & CHANGED) >> 1;
    return (known & PRESENT) != 0;
  }

  /** Has the value of a key written back, also where no field was set by its method. */
  put(key: i32): void {
    const at = this.settle(key);
    store<u8>(this.flags + at, PRESENT | CHANGED);
  }

  /** Removes the value of a key. */
  clear(key: i32): void {
    const at = this.settle(key);
    store<u8>(this.flags + at, CHANGED);
    for (let f = 0; f < this.fields.fields.length; f++) this.fields.fields[f].clear(at);
  }

  /** Returns where the value of a key lies, which is read where it was not yet. */
  settle(key: i32): i32 {
    if (!this.loaded) this.load();
    if (!this.isKeyed) return 0;
    if (<u32>key >= <u32>this.count) throw new RangeError(`${this.title()}: there is no key ${key} in this call, which has ${this.count}`);
    return key;
  }

  /**
   * Reads the values of all keys of the call, unless they were read, and returns how many there
   * are: fields' values lie from their address values on, 8 bytes for each key.
   */
  load(): i32 {
    if (this.loaded) return this.count;
    this.loaded = true;
    const reader = this.reader, fields = this.fields.fields;
    reader.bind(this.result.get(this.number, 0, 0));
    const count = reader.rows;
    this.count = count;
    if (count > this.room) {
      this.room = (2 * count + 7) & ~7;
      this.flags = regrow(this.flags, 0, this.room);
      this.numbers = regrow(this.numbers, 0, 4 * (this.room + 1));
    }
    if (reader.kinds == 0) memory.fill(this.flags, PRESENT, count);
    else for (let i = 0; i < count; i++) store<u8>(this.flags + i, <u8>(reader.kind(i) != KIND_DELETE));
    for (let f = 0; f < fields.length; f++) fields[f].take(count, 0);
    return count;
  }

  begin(): void {
    super.begin();
    this.loaded = false;
    this.count = 0;
    for (let f = 0; f < this.fields.fields.length; f++) this.fields.fields[f].count = 0;
  }

  flush(): void {
    if (!this.loaded) return;
    const fields = this.fields.fields, changed = this.changes(), flags = this.flags;
    if (changed == this.count && !this.isLong && this.isWhole()) {
      for (let f = 0; f < fields.length; f++) fields[f].giveAll(changed);
      if (changed > 0) this.send(changed, 0, this.numbers);
      return;
    }
    for (let n = 0; n < changed; n++) {
      const key = load<i32>(this.numbers + (<usize>n << 2));
      const present = (load<u8>(flags + key) & PRESENT) != 0;
      if (present) for (let f = 0; f < fields.length; f++) fields[f].give(key);
      this.add(key, present ? 0 : KIND_DELETE);
    }
    super.flush();
  }

  /** Collects the numbers of the keys that changed, says of each whether it is present, and returns how many there are. */
  private changes(): i32 {
    const fields = this.fields.fields, flags = this.flags, numbers = this.numbers, count = this.count;
    let n = 0;
    for (let i = 0; i < count; i += 8) {
      let set: u64 = 0;
      for (let f = 0; f < fields.length; f++) set |= load<u64>(unchecked(fields[f]).has + i);
      set &= 0x0202020202020202; // CHANGED
      let known = load<u64>(flags + i) | set | (set >> 1);
      store<u64>(flags + i, known);
      for (let key = i, end = min(i + 8, count); key < end; key++) {
        store<i32>(numbers + (<usize>n << 2), key);
        n += <i32>(known >> 1) & 1;
        known >>= 8;
      }
    }
    return n;
  }

  /** Whether each key has a value. */
  private isWhole(): bool {
    let all = PRESENT;
    for (let i = 0; i < this.count; i++) all &= load<u8>(this.flags + i);
    return all != 0;
  }
}
