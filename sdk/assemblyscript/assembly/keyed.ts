// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { hostStateGet, hostStateNext, hostStateRead } from "./host";
import { Input } from "./input";
import { Clock, Puts } from "./puts";
import { SCHEMA_STATE } from "./wire";

/** What a state is, as a description says it. */
export const enum StateKind {
  Value = 1,
  List = 2,
  Map = 3,
  Reducing = 4,
}

/** What a time to live counts from. */
export enum Renew {
  Create,
  Write,
  ReadAndWrite,
}

/** More memory than this is not kept for the next call. */
const KEPT: u32 = 4 << 20;

/** Memory for a result of the host. */
export class Result {
  at: usize = 0;
  private room: u32 = 0;

  private grow(room: u32): void {
    if (this.at != 0) heap.free(this.at);
    this.at = heap.alloc(room);
    this.room = room;
  }

  /** Reads rows by a request. */
  get(state: u32, request: usize, size: u32): usize {
    if (this.room == 0) this.grow(4096);
    return this.whole(hostStateGet(state, request, size, this.at, this.room));
  }

  /** Reads the next rows of a scan. */
  next(scan: i32): usize {
    if (this.room == 0) this.grow(4096);
    return this.whole(hostStateNext(scan, 0, this.at, this.room));
  }

  private whole(size: u32): usize {
    if (size > this.room) {
      this.grow(size + (size >> 2));
      assert(hostStateRead(this.at, this.room) == size, "the host gives another result than it said");
    }
    return this.at;
  }

  /** Begins a call. */
  release(): void {
    if (this.room <= KEPT) return;
    heap.free(this.at);
    this.at = 0;
    this.room = 0;
  }
}

/** What states of all kinds share. Make them by methods of a ProcessOperator. */
export abstract class KeyedState extends Puts {
  /** The columns of rows that are read: of a map its key, then the fields. */
  readonly reader: Input = new Input();
  /** How many of them are a map's key. */
  keys: i32 = 0;
  /** Of a reducing state: how each column is merged. */
  readonly merges: u8[] = [];
  /** 0 key, 1 operator, 2 broadcast. */
  scope: u8 = 0;
  timeToLive: i64 = 0;
  renew: Renew = Renew.Create;
  clock: Clock = Clock.ProcessingTime;
  protected result: Result = new Result();

  constructor(readonly number: u32, readonly kind: StateKind, readonly name: string, readonly doc: string) {
    super(SCHEMA_STATE + number);
  }

  protected title(): string {
    return `state ${this.name}`;
  }

  /** Forgets a row so many microseconds after it was created, written, or written or read. */
  ttl(after: i64, renew: Renew = Renew.Create, clock: Clock = Clock.ProcessingTime): void {
    this.timeToLive = after;
    this.renew = renew;
    this.clock = clock;
  }

  /** Has the state be one of the subtask, whatever the key. */
  ofOperator(): void {
    this.scope = 1;
    this.isKeyed = false;
  }

  /** Has the state be the same on each subtask; only rows of a broadcast input may write it. */
  broadcast(): void {
    this.scope = 2;
    this.isKeyed = false;
  }

  /** Begins a call: what was read in the last one does not count. */
  begin(): void {
    this.result.release();
  }
}
