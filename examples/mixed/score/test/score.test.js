// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "wasmill/testing";

const module = await load(new URL("../build/score.wasm", import.meta.url));
const flight = { delay: 0, distance: 0, origin_latitude: 30, destination_latitude: 30 };

function risks(rows, config = {}) {
  return module.open("score", config).process(rows.map((row) => ({ ...flight, ...row }))).outputs[""].map((row) => row.risk);
}

test("each part of the score has its bounds", () => {
  assert.deepEqual(risks([-5, 0, 1, 2, 119, 120, 999].map((delay) => ({ delay }))), [0n, 0n, 0n, 1n, 59n, 60n, 60n]);
  assert.deepEqual(risks([199, 200, 3999, 4000, 9000].map((distance) => ({ distance }))), [0n, 1n, 19n, 20n, 20n]);
  assert.deepEqual(risks([{ origin_latitude: 40 }, { destination_latitude: 39.99 }, { destination_latitude: 61 }]), [20n, 0n, 20n]);
});

test("flights below the limit are dropped", () => {
  assert.deepEqual(risks([{ delay: 79 }, { delay: 80 }, { delay: 120 }], { at_least: 40 }), [40n, 60n]);
});

test("a negative distance fails its row alone", () => {
  const { outputs, failures } = module.open("score").process([{ ...flight, distance: -1 }, flight]);
  assert.deepEqual(failures, { 0: "a distance of -1 miles" });
  assert.equal(outputs[""].length, 1);
});
