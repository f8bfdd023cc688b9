// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Tests of state and timers, through the conformance module, and of the test host's: npm test

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { END_OF_INPUT, NO_WATERMARK, load } from "../testing/index.js";
import { decodeBatch } from "../testing/batch.js";
import { readDescription } from "../testing/describe.js";

const testdata = new URL("../../../abi/testdata/", import.meta.url);
const golden = (name) => new Uint8Array(readFileSync(new URL(name, testdata)));
const module = await load(new URL("../build/conformance.wasm", import.meta.url));

/** Builds the module in the folder assembly beside this file. */
async function own() {
  const sdk = new URL("../", import.meta.url);
  const options = "--runtime minimal --exportStart _initialize -O3 --debug --outFile build/test.wasm".split(" ");
  execFileSync(process.execPath, ["node_modules/assemblyscript/bin/asc.js", "test/assembly/index.ts", ...options], { cwd: sdk });
  return load(new URL("build/test.wasm", sdk));
}

const ownModule = await own();
const ways = { "a fresh instance for each call": { reuse: false }, "one instance": { reuse: true } };

/** Runs a test with a fresh instance for each call, and with one for all. */
function each(name, run) {
  for (const [way, options] of Object.entries(ways)) test(`${name}, with ${way}`, () => run((operator) => module.open(operator, {}, options)));
}

for (const name of ["ledger", "ledger_bulk"]) {
  each(`${name}: a value is kept by key`, (open) => {
    const ledger = open(name);
    const post = (...rows) => ledger.process(rows.map(([account, amount]) => ({ account, amount })));
    assert.deepEqual(post(["a", 5], ["b", 1], ["a", 7]).outputs[""], [{ sum: 5n, count: 1n }, { sum: 1n, count: 1n }, { sum: 12n, count: 2n }]);
    const { outputs, origins } = post(["b", 2], ["a", null], ["a", null], ["a", 1]);
    assert.deepEqual(outputs, { "": [{ sum: 3n, count: 2n }, { sum: 1n, count: 1n }], closed: [{ account: "a", sum: 12n }] });
    assert.deepEqual(origins, { "": [0, 3], closed: [1] });
    assert.deepEqual(post(["a", 1]).outputs[""], [{ sum: 2n, count: 2n }]);
    post(["b", 1], ["b", null]);
    assert.deepEqual(post(["b", null]).outputs.closed, []);
  });

  each(`${name}: nothing is left of a row that fails`, (open) => {
    const ledger = open(name);
    const rows = [{ account: "a", amount: 5 }, { account: "a", amount: -6 }, { account: "a", amount: -5 }, { account: "b", amount: -1 }];
    const { outputs, failures } = ledger.process(rows);
    assert.deepEqual(failures, { 1: "overdrawn: -1", 3: "overdrawn: -1" });
    assert.deepEqual(outputs[""], [{ sum: 5n, count: 1n }, { sum: 0n, count: 2n }]);
    assert.deepEqual(ledger.process([{ account: "b", amount: 1 }]).outputs[""], [{ sum: 1n, count: 1n }]);
  });

  each(`${name}: many keys`, (open) => {
    const ledger = open(name);
    const rows = Array.from({ length: 3000 }, (_, i) => ({ account: `account ${i % 1001}`, amount: i % 17 === 0 && i > 2000 ? null : i }));
    const sums = new Map();
    for (let call = 0; call < 3; call++) {
      const want = [];
      for (const { account, amount } of rows) {
        if (amount === null) sums.delete(account);
        else sums.set(account, (sums.get(account) ?? 0n) + BigInt(amount));
        if (amount !== null) want.push(sums.get(account));
      }
      assert.deepEqual(ledger.process(rows).outputs[""].map((row) => row.sum), want);
    }
  });
}

each("a list is gone through page by page, in order", (open) => {
  const collect = open("collect");
  const names = Array.from({ length: 1000 }, (_, i) => `größer ${i}`);
  collect.process(names.map((name, n) => ({ id: 1, op: "append", name, n })));
  const { outputs } = collect.process([{ id: 2, op: "items" }, { id: 1, op: "append" }, { id: 1, op: "items" }]);
  assert.deepEqual(outputs[""].map((row) => row.name), [...names, null]);
  collect.process([{ id: 1, op: "append", name: "before" }, { id: 1, op: "clear_items" }, { id: 1, op: "append", name: "behind" }]);
  assert.deepEqual(collect.process([{ id: 1, op: "items" }]).outputs[""].map((row) => row.name), ["behind"]);
});

each("a map is in the order of its keys, and each row finds what those before it put", (open) => {
  const collect = open("collect");
  const entries = (op, more = {}) => collect.process([{ id: 1, op, ...more }]).outputs[""].map(({ name, at, n }) => [name, at, n]);
  const puts = [["b", 2, 1], ["a", 7, 2], [null, 3, 3], ["ab", null, 4], ["ü", 0, 5], ["b", -1, 6]];
  const want = [[null, 3n, 3n], ["a", 7n, 2n], ["ab", null, 4n], ["b", -1n, 6n], ["b", 2n, 1n], ["ü", 0n, 5n]];
  const { outputs } = collect.process([...puts.map(([name, at, n]) => ({ id: 1, op: "put", name, at, n })), { id: 1, op: "get", name: "b", at: 2 }]);
  assert.deepEqual(outputs[""], [{ op: "get", name: "b", at: 2n, n: 1n }]);
  assert.deepEqual(entries("entries"), want);
  assert.deepEqual(entries("range", { name: "ab" }), want.slice(2));
  assert.deepEqual(entries("range", { to: "b" }), want.slice(0, 3));
  assert.deepEqual(entries("range", { name: "a", at: 8, to: "b" }), want.slice(2, 3));
  assert.deepEqual(entries("prefix", { name: "a" }), want.slice(1, 3));
  collect.process([{ id: 1, op: "remove", name: "b", at: 2 }, { id: 1, op: "remove", name: "c", at: 2 }, { id: 2, op: "clear_entries" }]);
  assert.deepEqual(entries("get", { name: "b", at: 2 }), []);
  assert.equal(entries("entries").length, 5);
  collect.process([{ id: 1, op: "put", name: "z" }, { id: 1, op: "clear_entries" }, { id: 1, op: "put", name: "y" }]);
  assert.deepEqual(entries("entries"), [["y", null, null]]);
});

each("a reducing state is merged column by column", (open) => {
  const collect = open("collect");
  const add = (name, n) => ({ id: 1, op: "add", name, n });
  const { outputs } = collect.process([add("b", 3), add("a", -1), { id: 1, op: "sums" }, add(null, null), { id: 2, op: "sums" }, { id: 1, op: "sums" }]);
  const merged = { added: 2n, least: -1n, most: "b", text: "ba" };
  assert.deepEqual(outputs.sums, [merged, merged]);
  assert.deepEqual(collect.process([{ id: 1, op: "clear_sums" }, { id: 1, op: "sums" }]).outputs.sums, []);
});

each("nothing is left in a list, a map and a reducing state of a row that fails", (open) => {
  const collect = open("collect");
  const { failures } = collect.process([{ id: 1, op: "append", name: "kept" }, { id: 1, op: "fail", name: "x", n: 1 }, { id: 1, op: "what" }]);
  assert.deepEqual(failures, { 1: "failed: x", 2: "unknown op: what" });
  const { outputs } = collect.process(["items", "entries", "sums"].map((op) => ({ id: 1, op })));
  assert.deepEqual(outputs[""].map((row) => row.name), ["kept"]);
  assert.deepEqual(outputs.sums, []);
});

each("timers come in the order of time, with the state of their key", (open) => {
  const alarm = open("alarm");
  const set = (op, id, at, space = null) => ({ id, op, at, space: space && new TextEncoder().encode(space) });
  alarm.process([set("event", 1, 30), set("event", 2, 10, "x"), set("event", 1, 20), set("event", 1, 20), set("event", 3, 5), set("cancel_event", 3, 5)]);
  const { outputs, due } = alarm.advanceWatermark(25);
  assert.deepEqual(due, [{ time: 10n, namespace: "x" }, { time: 20n, namespace: "" }]);
  assert.deepEqual(outputs[""].map(({ id, at, pending, watermark }) => [id, at, pending, watermark]), [[2n, 10n, 1n, 25n], [1n, 20n, 3n, 25n]]);
  assert.deepEqual(alarm.advanceWatermark(END_OF_INPUT).outputs[""].map((row) => row.at), [30n]);
});

each("a timer sets another, removes state, and fails alone", (open) => {
  const alarm = open("alarm");
  const set = (id, at, space) => ({ id, op: "processing", at, space: new TextEncoder().encode(space) });
  alarm.process([set(1, 10, "again"), set(2, 10, "stop"), set(3, 10, "fail"), set(3, 20, "")]);
  const { outputs, failures, due } = alarm.advanceClock(1_000_010);
  assert.deepEqual(outputs.processing.map(({ id, at, pending }) => [id, at, pending]), [[1n, 10n, 1n], [2n, 10n, 1n], [3n, 20n, 2n], [1n, 1_000_010n, 1n]]);
  const failed = Number(Object.keys(failures)[0]);
  assert.deepEqual(Object.values(failures), ["timer failed"]);
  assert.deepEqual(due[failed], { time: 10n, namespace: "fail" });
  const counts = alarm.process([1, 2, 3].map((id) => ({ id, op: "count" }))).outputs[""];
  assert.deepEqual(counts.map((row) => row.pending), [1n, 0n, 2n]);
  assert.deepEqual(counts[0].watermark, NO_WATERMARK);
});

each("state is forgotten in time", (open) => {
  const forget = open("forget");
  const read = () => Object.values(forget.process([{ id: 1, op: "read" }]).outputs[""][0]);
  forget.advanceWatermark(0);
  forget.process([{ id: 1, op: "set", n: 5 }]);
  forget.advanceClock(6_000_000);
  forget.process([{ id: 1, op: "set", n: 6 }]);
  assert.deepEqual(read(), [6n, 6n, 6n, 6n, 2n, 2n]);
  forget.advanceClock(10_000_000);
  assert.deepEqual(read(), [null, 6n, 6n, 6n, 1n, 1n]);
  forget.advanceClock(16_000_000);
  assert.deepEqual(read(), [null, null, 6n, 6n, 0n, 0n]);
  forget.advanceWatermark(10_000_000);
  assert.deepEqual(read(), [null, null, 6n, null, 0n, 0n]);
});

each("two keyed inputs and a broadcast one", (open) => {
  const rules = open("rules");
  const give = (input, ...rows) => rules.process(rows, { input });
  give("rules", { name: "x", limit: 10 }, { name: "y", limit: 1 }, { name: "y" });
  const { failures } = give("orders", { id: 1, name: "x", amount: 12 }, { id: 1, name: "x", amount: 9 }, { id: 2, name: "y", amount: 5 });
  assert.deepEqual(failures, { 0: "over the limit of 10: 12" });
  assert.deepEqual(give("payments", { id: 1 }, { id: 1 }).outputs[""], [{ id: 1n, name: "x", amount: 9n }]);
  const known = give("rules", { name: "?" }).outputs.known;
  assert.deepEqual(known, [{ name: "x", limit: null }, { name: "y", limit: null }, { name: "y", limit: null }, { name: "x", limit: 10n }]);
});

for (const [way, options] of Object.entries(ways)) {
  test(`each type is kept in values and lists, with ${way}`, () => {
    const types = ownModule.open("types", {}, options);
    const scalars = { b: true, i: -7, f: 1.5, d: -250n, s: "größer 🎈", y: Uint8Array.of(0, 255) };
    const nested = { ls: ["a", null, "bb"], st: { a: 1n, b: "c" } };
    const none = { b: null, i: null, f: null, d: null, s: null, y: null, ls: null, st: null };
    const long = { ...none, s: "x".repeat(5 << 20), ls: [] };
    const rows = [{ ...scalars, ...nested }, {}, long];
    assert.deepEqual(types.process([{ id: 1, ...rows[0] }, { id: 2 }]).outputs[""], []);
    const { outputs } = types.process([{ id: 1 }, { id: 2, ...rows[2] }, { id: 1 }]);
    const first = { ...none, ...scalars };
    assert.deepEqual(outputs[""], [first, rows[0], none, none, none, rows[0], none]);
    assert.deepEqual(types.process([{ id: 2 }]).outputs[""], [{ ...long, ls: null }, none, long]);
  });

  test(`many entries are read at once, with ${way}`, () => {
    const bulk = ownModule.open("bulk", {}, options);
    const give = (...words) => bulk.process(words.map(([id, word]) => ({ id, word }))).outputs[""].map((row) => Object.values(row).map(Number));
    assert.deepEqual(give([1, "a"], [2, "a"], [1, "b"]), [[0, 0, 1], [0, 0, 2], [0, 0, 3]]);
    assert.deepEqual(give([1, "b"], [2, "b"], [1, "a"]), [[1, 2, 4], [0, 1, 5], [1, 2, 6]]);
    assert.equal(give(...Array.from({ length: 3000 }, (_, i) => [i, "c"])).length, 3000);
  });

  test(`loops are left early, and entries read within them, with ${way}`, () => {
    const page = ownModule.open("page", {}, options);
    for (const most of [3, 150]) {
      const { outputs } = page.process(Array.from({ length: 70 }, () => ({ id: 1, most })));
      assert.deepEqual(outputs[""].slice(0, most), Array.from({ length: most }, (_, n) => ({ number: BigInt(n), twice: BigInt(2 * n + 2) })));
      assert.equal(outputs[""].length, 70 * most);
    }
  });
}

for (const [wrong, want] of Object.entries({
  "no such key": /state one: there is no key 100 in this call, which has 1/,
  "no key": /state many is kept by key: give the number of one/,
  "no row": /state many: no row is at hand; get or next finds one/,
  "set twice": /column n was set more than once for a row/,
  "not put": /state many: n was set for a row that was not put before the next read/,
})) {
  test(`an error says what is wrong: ${wrong}`, () => {
    assert.throws(() => ownModule.open("misuse").process([{ id: 1, wrong }]), want);
  });
}

test("a timer that nothing takes is an error", () => {
  const misuse = ownModule.open("misuse");
  misuse.process([{ id: 1, wrong: "timer" }]);
  assert.throws(() => misuse.advanceWatermark(1), /operator misuse sets timers, and has no onTimer/);
});

test("memory does not grow from call to call", () => {
  const operators = ["ledger", "collect", "alarm"].map((name) => module.open(name, {}, { reuse: true }));
  const call = () => {
    operators[0].process(Array.from({ length: 2000 }, (_, i) => ({ account: `account ${i}`, amount: i })));
    operators[1].process(Array.from({ length: 1400 }, (_, i) => ({ id: i % 7, op: ["append", "items", "put", "get", "add", "sums", "clear_items"][i % 7], name: "x".repeat(i % 50), n: i })));
    operators[2].process(Array.from({ length: 2000 }, (_, i) => ({ id: i, op: i % 2 ? "event" : "cancel_event", at: i })));
  };
  for (let i = 0; i < 12; i++) call();
  const before = operators.map((operator) => operator.memoryBytes);
  for (let i = 0; i < 24; i++) call();
  assert.deepEqual(operators.map((operator) => operator.memoryBytes), before);
});

test("the test host reads the golden messages of state", () => {
  const collect = readDescription(golden("describe-state.bin")).operators.find((op) => op.name === "collect");
  const entries = collect.states.find((state) => state.name === "entries");
  const put = decodeBatch(golden("batch-state-rows.bin"), () => [...entries.key, ...entries.fields]);
  const want = JSON.parse(readFileSync(new URL("batch-state-rows.json", testdata), "utf8"));
  assert.equal(put.schema, want.schema);
  assert.deepEqual(put.kinds, want.kind);
  assert.deepEqual(put.groups, want.group);
  const asked = decodeBatch(golden("batch-state-request.bin"), () => entries.key);
  assert.equal(asked.rows.length, JSON.parse(readFileSync(new URL("batch-state-request.json", testdata), "utf8")).rows.length);
});
