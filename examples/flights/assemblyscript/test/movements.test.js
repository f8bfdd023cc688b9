// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "wasmill/testing";

const module = await load(new URL("../build/movements.wasm", import.meta.url));
const flight = { origin: "JFK", destination: "LAX", delay: 0, distance: 100 };

test("a flight is two movements", () => {
  const { outputs, origins } = module.open("movements").process([{ ...flight, delay: 15 }, flight]);
  assert.deepEqual(outputs[""], [
    { airport: "JFK", movement: "departure", late: true },
    { airport: "LAX", movement: "arrival", late: true },
    { airport: "JFK", movement: "departure", late: false },
    { airport: "LAX", movement: "arrival", late: false },
  ]);
  assert.deepEqual(origins[""], [0, 0, 1, 1]);
});

test("late is null without a delay", () => {
  const { outputs } = module.open("movements").process([{ ...flight, delay: null }]);
  assert.deepEqual(outputs[""].map((row) => row.late), [null, null]);
});

test("long flights have a band", () => {
  const distances = [null, 1499, 1500, 2499, 2500];
  const { outputs, origins } = module.open("movements").process(distances.map((distance) => ({ ...flight, distance })));
  assert.deepEqual(outputs.long_haul, [{ band: "long" }, { band: "long" }, { band: "very long" }]);
  assert.deepEqual(origins.long_haul, [2, 3, 4]);
});

test("a flight to itself fails alone", () => {
  const operator = module.open("movements");
  const { outputs, failures } = operator.process([{ ...flight, destination: "JFK" }, flight]);
  assert.deepEqual(failures, { 0: "flight from JFK to itself" });
  assert.equal(outputs[""].length, 2);
  assert.deepEqual(operator.counters, { flights: 1n });
});

test("late_after must not be negative", () => {
  assert.throws(() => module.open("movements", { late_after: -1 }), /^Error: late_after must not be negative, got -1$/);
});
