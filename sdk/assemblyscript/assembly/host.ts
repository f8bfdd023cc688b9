// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// What a module may ask of its host. ../../../abi/SPEC.md has the rules.

// @ts-ignore: decorator
@external("wasmill", "emit")
export declare function hostEmit(batch: usize, size: i32): void;
// @ts-ignore: decorator
@external("wasmill", "log")
declare function hostLog(level: i32, text: usize, size: i32): void;
// @ts-ignore: decorator
@external("wasmill", "count")
declare function hostCount(counter: i32, delta: i64): void;
// @ts-ignore: decorator
@external("wasmill", "fail")
declare function hostFail(kind: i32, text: usize, size: i32): void;
// @ts-ignore: decorator
@external("wasmill", "now")
declare function hostNow(): i64;
// @ts-ignore: decorator
@external("wasmill", "watermark")
declare function hostWatermark(): i64;
// @ts-ignore: decorator
@external("wasmill", "state_get")
export declare function hostStateGet(state: u32, request: usize, size: u32, out: usize, room: u32): u32;
// @ts-ignore: decorator
@external("wasmill", "state_scan")
export declare function hostStateScan(state: u32, key: i32, bounds: i32, request: usize, size: u32): i32;
// @ts-ignore: decorator
@external("wasmill", "state_next")
export declare function hostStateNext(scan: i32, limit: i32, out: usize, room: u32): u32;
// @ts-ignore: decorator
@external("wasmill", "state_read")
export declare function hostStateRead(out: usize, room: u32): u32;
// @ts-ignore: decorator
@external("wasmill", "state_put")
export declare function hostStatePut(batch: usize, size: u32): void;

/** The level of a line in the job's log. */
export enum Level {
  Debug,
  Info,
  Warn,
  Error,
}

/** Encodes a text; a half of a surrogate pair becomes U+FFFD. */
export function utf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** Writes a line to the job's log. A level that is none is an error. */
export function log(level: Level, text: string): void {
  const bytes = utf8(text);
  hostLog(<u32>level > <u32>Level.Error ? Level.Error : level, changetype<usize>(bytes), bytes.byteLength);
}

/** Fails the operator on purpose: it has a configuration that it can't work with. */
export function refuse(text: string): void {
  const bytes = utf8(text);
  hostFail(0, changetype<usize>(bytes), bytes.byteLength);
  unreachable();
}

/** The job's time in microseconds since 1970 UTC; it stands still during a call. */
export function now(): i64 {
  return hostNow();
}

/**
 * The operator's watermark, in microseconds since 1970 UTC: no row is expected any more whose event
 * time is not behind it. It is the least i64 before the first one, the greatest at the end of all
 * input, and stands still during a call.
 */
export function watermark(): i64 {
  return hostWatermark();
}

/** A counter of an operator, as the job's metrics show it. */
export class Counter {
  constructor(private number: i32) {}

  add(delta: i64): void {
    hostCount(this.number, delta);
  }
}
