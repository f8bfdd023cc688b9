// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

// Tests of the SDK through its conformance module, and against the golden messages: npm test

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { END_OF_INPUT, GuestError, load } from "../testing/index.js";
import { decodeBatch } from "../testing/batch.js";
import { Type, readDescription } from "../testing/describe.js";

const testdata = new URL("../../../abi/testdata/", import.meta.url);
const golden = (name) => new Uint8Array(readFileSync(new URL(name, testdata)));
const module = await load(new URL("../build/conformance.wasm", import.meta.url));

/** Writes a value as ../../../abi/testdata/README.md says. */
function text(field, v) {
  if (v === null) return null;
  switch (field.type) {
    case Type.Float64:
      return Object.is(v, -0) ? "-0" : Number.isFinite(v) ? v : String(v);
    case Type.Bytes:
      return Buffer.from(v).toString("hex");
    case Type.List:
      return v.map((item) => text(field.children[0], item));
    case Type.Struct:
      return Object.fromEntries(field.children.map((f) => [f.name, text(f, v[f.name])]));
    default:
      return typeof v === "bigint" ? String(v) : v;
  }
}

test("each type passes through the module, in whatever layout the host writes it", () => {
  const want = JSON.parse(readFileSync(new URL("batch-everything.json", testdata), "utf8")).rows;
  for (const name of ["batch-everything.bin", "batch-everything-relaid.bin"]) {
    const operator = module.open("everything");
    const fields = operator.description.outputs[0].fields;
    for (let call = 0; call < 3; call++) {
      const { outputs, origins } = operator.processBytes(golden(name));
      const got = outputs[""].map((row) => Object.fromEntries(fields.map((f) => [f.name, text(f, row[f.name])])));
      assert.deepEqual(got, want);
      assert.deepEqual(origins[""], want.map((_, i) => i));
    }
  }
});

test("no rows emit nothing", () => {
  assert.equal(module.open("everything").processBytes(golden("batch-empty.bin")).batches, 0);
});

test("the description says what the contract's conformance asks for", () => {
  const want = ["describe-conformance.bin", "describe-state.bin"].flatMap((name) => readDescription(golden(name)).operators);
  const plain = (op) => JSON.parse(JSON.stringify(op, (key, value) => (key === "doc" ? undefined : typeof value === "bigint" ? String(value) : value)));
  assert.equal(module.description.abi, 1);
  assert.deepEqual(module.description.operators.map(plain), want.map(plain));
});

test("what the test host writes and reads agrees with the golden bytes", () => {
  const n = [{ name: "n", type: Type.Int64, scale: 0, children: [] }];
  const { failures, origin } = decodeBatch(golden("batch-failures.bin"), () => n);
  assert.deepEqual(origin, [1, 3]);
  assert.deepEqual(failures[1], { row: 2, message: "zu groß: 日本 🎈" });
});

test("words are emitted with their rows", () => {
  const split = module.open("split");
  const { outputs, origins } = split.process([{ text: "a bb  größer" }, { text: "" }, { text: "🎈 end" }]);
  assert.deepEqual(outputs[""].map((row) => row.word), ["a", "bb", "größer", "🎈", "end"]);
  assert.deepEqual(outputs[""].map((row) => row.index), [0, 1, 2, 0, 1]);
  assert.deepEqual(origins[""], [0, 0, 0, 2, 2]);
  assert.deepEqual(split.counters, { words: 5n });
});

test("a configuration outlasts the call that brought it", () => {
  const split = module.open("split", { separator: ", " });
  for (let call = 0; call < 3; call++) {
    assert.deepEqual(split.process([{ text: "a, b c" }]).outputs[""].map((row) => row.word), ["a", "b c"]);
  }
});

test("side outputs and failures", () => {
  const route = module.open("route");
  const { outputs, origins, failures } = route.process([{ n: 1 }, { n: 2 }, { n: -3 }, {}, { n: 4 }]);
  assert.deepEqual(outputs, { "": [{ n: 2n }, { n: 4n }], odd: [{ n: 1n }] });
  assert.deepEqual(origins, { "": [1, 4], odd: [0] });
  assert.deepEqual(failures, { 2: "n is negative: -3" });
});

test("failures alone are sent too, and once", () => {
  const route = module.open("route");
  assert.deepEqual(route.process([{ n: -(2n ** 63n) }]).failures, { 0: "n is negative: -9223372036854775808" });
  assert.equal(route.process([]).batches, 0);
});

test("event time is read and written", () => {
  const { times, outputs } = module.open("shift", { by: 7 }).process([{ n: 1 }, {}], { times: [100, -200] });
  assert.deepEqual(times[""], [107n, -193n]);
  assert.deepEqual(outputs[""], [{ n: 1n }, { n: null }]);
});

test("an operator may refuse", () => {
  assert.throws(() => module.open("refuse", { limit: -1 }), (err) => {
    assert.ok(err instanceof GuestError);
    assert.equal(err.message, "limit must be positive, not -1");
    return !err.bug;
  });
});

test("columns are emitted at once", () => {
  const refuse = module.open("refuse", { limit: 1 });
  const rows = Array.from({ length: 1000 }, (_, i) => ({ n: i % 3 === 0 ? null : BigInt(i) }));
  for (let call = 0; call < 2; call++) assert.deepEqual(refuse.process(rows).outputs[""], rows);
  assert.deepEqual(refuse.process([{ n: 1 }]).outputs[""], [{ n: 1n }]);
});

test("an error reaches the host with its message and place", () => {
  const crash = module.open("crash");
  assert.deepEqual(crash.process([{ n: 12 }]).outputs[""], [{ n: 12n }]);
  assert.throws(() => crash.process([{ n: 13 }]), /^Error: unlucky 13 \(.*maps\.ts:\d+:\d+\)$/);
});

test("lines are logged", () => {
  const say = module.open("say");
  assert.equal(say.process([{ level: 2, text: "größer" }]).batches, 0);
  say.process([{ level: 99, text: "loud" }]);
  assert.deepEqual(say.logs, [{ level: 2, text: "größer" }, { level: 3, text: "loud" }]);
});

test("an aggregate adds, merges and ends", () => {
  const mean = module.open("mean");
  const rows = [{ x: 1 }, { x: 3 }, { x: -1 }, { x: 8 }, {}];
  const one = mean.add(rows, [0, 0, 0, 1, 2], [null, null, null, null]);
  assert.deepEqual(one.failures, { 2: "x is negative" });
  assert.deepEqual(one.accumulators.slice(0, 2), [{ sum: 4, count: 2n }, { sum: 8, count: 1n }]);
  assert.equal(one.accumulators[3], null);
  const two = mean.add([{ x: 5 }], [0], [null, null, null, null]);
  const merged = mean.merge(one.accumulators, two.accumulators);
  const { outputs } = mean.result(merged);
  assert.deepEqual(outputs[""].slice(0, 2), [{ mean: 3, count: 3n }, { mean: 8, count: 1n }]);
  assert.deepEqual(outputs[""].slice(2), [{ mean: null, count: 0n }, { mean: null, count: 0n }]);
});

test("a string may be an accumulator", () => {
  const longest = module.open("longest");
  const { accumulators } = longest.add([{ s: "a" }, { s: "bb" }, { s: "cc" }, { s: "" }], [0, 0, 0, 2], [null, null, null]);
  assert.deepEqual(accumulators, ["bb", null, ""]);
  const merged = longest.merge(accumulators, ["dd", "eee", null]);
  assert.deepEqual(longest.result(merged).outputs[""].map((row) => row.longest), ["bb", "eee", ""]);
});

test("a large output is sent in parts", () => {
  const split = module.open("split");
  const rows = Array.from({ length: 1000 }, (_, i) => ({ text: `${i} `.repeat(100) }));
  for (let call = 0; call < 3; call++) {
    const { outputs, batches } = split.process(rows);
    assert.equal(outputs[""].length, 100_000);
    assert.equal(batches, 2);
  }
  const everything = module.open("everything");
  const long = Array.from({ length: 12 }, () => ({ s: "x".repeat(1 << 20) }));
  for (let call = 0; call < 3; call++) assert.equal(everything.process(long).batches, 3);
});

test("memory does not grow from call to call", () => {
  const split = module.open("split");
  const rows = Array.from({ length: 4096 }, (_, i) => ({ text: `${i} makes garbage` }));
  for (let call = 0; call < 8; call++) split.process(rows);
  const before = split.memoryBytes;
  for (let call = 0; call < 32; call++) split.process(rows);
  assert.equal(split.memoryBytes, before);
});

test("the operators of the README build and run", async () => {
  const sdk = new URL("../", import.meta.url);
  const blocks = [...readFileSync(new URL("README.md", sdk), "utf8").matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code);
  const whole = blocks.filter((code) => code.includes("wasmill/exports"));
  mkdirSync(new URL("build/readme", sdk), { recursive: true });
  const files = whole.map((code, i) => {
    writeFileSync(new URL(`build/readme/block${i}.ts`, sdk), code);
    return `build/readme/block${i}.ts`;
  });
  const options = "--runtime minimal --exportStart _initialize -O3 --debug".split(" ");
  const operators = await Promise.all(files.map((file) => {
    const out = file.replace(".ts", ".wasm");
    execFileSync(process.execPath, ["node_modules/assemblyscript/bin/asc.js", file, "--outFile", out, ...options], { cwd: sdk });
    return load(new URL(out, sdk));
  }));
  const [toEuros, watch, countHits] = operators;
  assert.deepEqual(toEuros.open("to_euros").process([{ dollars: 100 }, {}]).outputs[""], [{ euros: 90.8 }, { euros: null }]);

  const accounts = watch.open("watch");
  accounts.process([{ account: "a", amount: 5 }, { account: "b", amount: 1 }, { account: "a", amount: 7 }], { times: [0, 1, 60_000_000] });
  assert.deepEqual(accounts.advanceWatermark(3_600_000_001).outputs[""], [{ account: "b", payments: 1n, total: 1n }]);
  assert.deepEqual(accounts.advanceWatermark(7_200_000_000).outputs[""], [{ account: "a", payments: 2n, total: 12n }]);
  assert.deepEqual(accounts.advanceWatermark(END_OF_INPUT).outputs[""], []);

  const pages = countHits.open("count_hits");
  for (const want of [[1n, 1n, 2n], [3n, 2n, 4n]]) {
    assert.deepEqual(pages.process(["/", "/a", "/"].map((page) => ({ page }))).outputs[""].map((row) => row.n), want);
  }
});
