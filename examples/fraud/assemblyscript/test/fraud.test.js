// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "wasmill/testing";

const module = await load(new URL("../build/fraud.wasm", import.meta.url));
const SECOND = 1_000_000;
const charge = (card, amount, seconds) => ({ card, amount, at: seconds * SECOND });
const alert = (card, seconds, small, large) => ({ card, at: BigInt(seconds * SECOND), small: BigInt(small), large: BigInt(large) });

test("a large charge within a minute after a small one is an alert", () => {
  const operator = module.open("fraud");
  const { outputs } = operator.process([
    charge("a", 60000, 0), // nothing before it
    charge("a", 99, 1),
    charge("b", 60000, 2), // another card
    charge("a", 50000, 3),
    charge("a", 49999, 4),
    charge("a", 1, 10),
    charge("a", 70000, 69),
    charge("a", 70000, 70),
  ]);
  assert.deepEqual(outputs[""], [alert("a", 3, 99, 50000), alert("a", 69, 1, 70000)]);
  assert.deepEqual(operator.counters, { alerts: 2n });
});

test("a small charge is forgotten by the last one's timer", () => {
  const operator = module.open("fraud", { within: 10 });
  operator.process([charge("a", 5, 0), charge("a", 7, 5)]);
  operator.advanceWatermark(10 * SECOND); // when the first one would have been
  assert.deepEqual(operator.process([charge("a", 50000, 14)]).outputs[""], [alert("a", 14, 7, 50000)]);
  operator.advanceWatermark(15 * SECOND);
  assert.deepEqual(operator.process([charge("a", 50000, 14)]).outputs[""], []); // too late
});

test("a configuration that makes no sense is refused", () => {
  for (const config of [{ within: 0 }, { small: 2, large: 1 }]) {
    assert.throws(() => module.open("fraud", config), /^Error: small must not be more than large, and within be a second or more$/);
  }
});
