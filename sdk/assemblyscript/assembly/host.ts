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

/** A counter of an operator, as the job's metrics show it. */
export class Counter {
  constructor(private number: i32) {}

  add(delta: i64): void {
    hostCount(this.number, delta);
  }
}
