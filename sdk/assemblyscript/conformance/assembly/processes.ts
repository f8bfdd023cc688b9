// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

import { Clock, NumberState, OutBytes, OutNumber, Output, ProcessOperator, Renew, watermark } from "wasmill";

// ledger: a value of each key.

const ledger = new ProcessOperator("ledger", "Balances of accounts.");
const postings = ledger.keyedInput();
const account = postings.key.string("account");
const amount = postings.int64("amount");
const balance = ledger.value("balance");
const sum = balance.int64("sum");
const count = balance.int64("count");
const balances = ledger.output().forwarded();
const outSum = balances.int64("sum");
const outCount = balances.int64("count");
const closings = ledger.output("closed");
const closedAccount = closings.string("account");
const closedSum = closings.int64("sum");

postings.onRow((row: i32, key: i32): void => {
  if (amount.isNull(row)) {
    if (!balance.has(key)) return;
    closedAccount.copy(account, row);
    closedSum.set(sum.get(key));
    closings.emit(row);
    return balance.clear(key);
  }
  sum.set(key, sum.get(key) + amount.get(row));
  count.set(key, count.get(key) + 1);
  outSum.set(sum.get(key));
  outCount.set(count.get(key));
  balances.emit(row);
  if (sum.get(key) < 0) ledger.failRow(row, `overdrawn: ${sum.get(key)}`);
});

// ledger_bulk: the same by address.

const bulk = new ProcessOperator("ledger_bulk", "Balances of accounts, by the column.");
const bulkPostings = bulk.keyedInput();
const bulkAccount = bulkPostings.key.string("account");
const bulkAmount = bulkPostings.int64("amount");
const bulkBalance = bulk.value("balance");
const bulkSum = bulkBalance.int64("sum");
const bulkCount = bulkBalance.int64("count");
const bulkBalances = bulk.output().forwarded();
const bulkOutSum = bulkBalances.int64("sum");
const bulkOutCount = bulkBalances.int64("count");
const bulkClosings = bulk.output("closed");
const bulkClosedAccount = bulkClosings.string("account");
const bulkClosedSum = bulkClosings.int64("sum");

bulkPostings.onRows((rows: i32): void => {
  bulkBalance.load();
  const amounts = bulkAmount.values, keys = bulkPostings.groups, sums = bulkSum.values, counts = bulkCount.values;
  for (let row = 0; row < rows; row++) {
    const key = load<u32>(keys + (<usize>row << 2));
    const sumAt = sums + (<usize>key << 3), countAt = counts + (<usize>key << 3);
    if (bulkAmount.isNull(row)) {
      if (!bulkBalance.has(key)) continue;
      bulkClosedAccount.copy(bulkAccount, row);
      bulkClosedSum.set(load<i64>(sumAt));
      bulkClosings.emit(row);
      bulkBalance.clear(key);
      continue;
    }
    store<i64>(sumAt, load<i64>(sumAt) + load<i64>(amounts + (<usize>row << 3)));
    store<i64>(countAt, load<i64>(countAt) + 1);
    bulkSum.touch(key);
    bulkCount.touch(key);
    bulkOutSum.set(load<i64>(sumAt));
    bulkOutCount.set(load<i64>(countAt));
    bulkBalances.emit(row);
    if (load<i64>(sumAt) < 0) bulk.failRow(row, `overdrawn: ${load<i64>(sumAt)}`);
  }
});

// collect: a list, a map and a reducing state.

const collect = new ProcessOperator("collect", "A list, a map and a reducing state.");
const orders = collect.keyedInput();
orders.key.int64("id");
const op = orders.required.string("op");
const name = orders.string("name");
const at = orders.int64("at");
const n = orders.int64("n");
const to = orders.string("to");
const items = collect.list("items");
const itemName = items.string("name");
const itemN = items.int64("n");
const entries = collect.map("entries");
const entryName = entries.key.string("name");
const entryAt = entries.key.int64("at");
const entryN = entries.int64("n");
const sums = collect.reducing("sums");
const added = sums.sum.int64("added");
const least = sums.min.int64("least");
const most = sums.max.string("most");
const text = sums.append.string("text");
const found = collect.output();
const foundOp = found.string("op");
const foundName = found.string("name");
const foundAt = found.int64("at");
const foundN = found.int64("n");
const summaries = collect.output("sums");
const outAdded = summaries.int64("added");
const outLeast = summaries.int64("least");
const outMost = summaries.string("most");
const outText = summaries.string("text");

function append(row: i32, key: i32): void {
  itemName.copy(name, row);
  itemN.copy(n, row);
  items.append(key);
}

function place(row: i32): void {
  entryName.copy(name, row);
  entryAt.copy(at, row);
}

function put(row: i32, key: i32): void {
  place(row);
  entryN.copy(n, row);
  entries.put(key);
}

function add(row: i32, key: i32): void {
  added.copy(n, row);
  least.copy(n, row);
  most.copy(name, row);
  text.copy(name, row);
  sums.put(key);
}

function emitEntry(row: i32): void {
  foundOp.copy(op, row);
  entryName.copyTo(foundName);
  entryAt.copyTo(foundAt);
  entryN.copyTo(foundN);
  found.emit(row);
}

/** Says which entries the next scan is of. */
function bound(row: i32, what: string): void {
  if (what == "range" && !name.isNull(row)) {
    place(row);
    entries.from();
  }
  if (what == "range" && !to.isNull(row)) {
    entryName.copy(to, row);
    entries.to();
  }
  if (what == "prefix" && !name.isNull(row)) {
    entryName.copy(name, row);
    entries.prefix();
  }
}

orders.onRow((row: i32, key: i32): void => {
  const what = op.get(row);
  if (what == "append") append(row, key);
  else if (what == "items") {
    for (items.scan(key); items.next(); ) {
      foundOp.copy(op, row);
      itemName.copyTo(foundName);
      itemN.copyTo(foundN);
      found.emit(row);
    }
  } else if (what == "clear_items") items.clear(key);
  else if (what == "put") put(row, key);
  else if (what == "get") {
    place(row);
    if (entries.get(key)) emitEntry(row);
  } else if (what == "remove") {
    place(row);
    entries.remove(key);
  } else if (what == "entries" || what == "range" || what == "prefix") {
    bound(row, what);
    for (entries.scan(key); entries.next(); ) emitEntry(row);
  } else if (what == "clear_entries") entries.clear(key);
  else if (what == "add") add(row, key);
  else if (what == "sums") {
    if (!sums.get(key)) return;
    added.copyTo(outAdded);
    least.copyTo(outLeast);
    most.copyTo(outMost);
    text.copyTo(outText);
    summaries.emit(row);
  } else if (what == "clear_sums") sums.clear(key);
  else if (what == "fail") {
    append(row, key);
    put(row, key);
    add(row, key);
    collect.failRow(row, `failed: ${name.isNull(row) ? "" : name.get(row)}`);
  } else collect.failRow(row, `unknown op: ${what}`);
});

// alarm: timers.

const SECOND: i64 = 1_000_000;

const alarm = new ProcessOperator("alarm", "Timers.");
const wakes = alarm.keyedInput();
const alarmId = wakes.key.int64("id");
const alarmOp = wakes.required.string("op");
const wakeAt = wakes.timestamp("at");
const space = wakes.bytes("space");
const pendingState = alarm.value("pending");
const pending = pendingState.int64("value");

class Rung {
  output: Output;
  id: OutNumber<i64>;
  at: OutNumber<i64>;
  space: OutBytes;
  pending: OutNumber<i64>;
  watermark: OutNumber<i64>;

  constructor(name: string) {
    const output = alarm.output(name);
    this.output = output;
    this.id = output.int64("id");
    this.at = output.timestamp("at");
    this.space = output.bytes("space");
    this.pending = output.int64("pending");
    this.watermark = output.int64("watermark");
  }

  emit(row: i32, key: i32): void {
    this.id.set(alarmId.get(row));
    this.pending.set(pending.get(key));
    this.watermark.set(watermark());
    this.output.emit(row);
  }
}

const rung = new Rung("");
const rungByClock = new Rung("processing");

wakes.onRow((row: i32, key: i32): void => {
  const what = alarmOp.get(row);
  const time = wakeAt.isNull(row) ? 0 : wakeAt.get(row);
  if (what == "event" || what == "processing") {
    (what == "event" ? alarm.eventTimers : alarm.processingTimers).setIn(key, time, space, row);
    pending.set(key, pending.get(key) + 1);
  } else if (what == "cancel_event") alarm.eventTimers.deleteIn(key, time, space, row);
  else if (what == "cancel_processing") alarm.processingTimers.deleteIn(key, time, space, row);
  else if (what == "count") rung.emit(row, key);
  else alarm.failRow(row, `unknown op: ${what}`);
});

alarm.onTimer((timer: i32, key: i32): void => {
  const due = alarm.due;
  const byEvent = due.clock == Clock.EventTime;
  const out = byEvent ? rung : rungByClock;
  out.at.set(due.time(timer));
  out.space.copy(due.namespaces, timer);
  out.emit(timer, key);
  const namespace = due.namespace(timer);
  if (namespace == "again") (byEvent ? alarm.eventTimers : alarm.processingTimers).set(key, due.time(timer) + SECOND);
  else if (namespace == "stop") pendingState.clear(key);
  else if (namespace == "fail") {
    pending.set(key, -1);
    alarm.failRow(timer, "timer failed");
  }
});

// forget: state with a time to live.

const forget = new ProcessOperator("forget", "State with a time to live.");
const memos = forget.keyedInput();
memos.key.int64("id");
const memoOp = memos.required.string("op");
const memo = memos.int64("n");
const createdState = forget.value("created");
createdState.ttl(10 * SECOND);
const created = createdState.int64("value");
const writtenState = forget.value("written");
writtenState.ttl(10 * SECOND, Renew.Write);
const written = writtenState.int64("value");
const usedState = forget.value("used");
usedState.ttl(10 * SECOND, Renew.ReadAndWrite);
const used = usedState.int64("value");
const byEventState = forget.value("by_event");
byEventState.ttl(10 * SECOND, Renew.Write, Clock.EventTime);
const byEvent = byEventState.int64("value");
const oldItems = forget.list("items");
oldItems.ttl(10 * SECOND);
const oldItem = oldItems.int64("value");
const oldEntries = forget.map("entries");
oldEntries.ttl(10 * SECOND, Renew.Write);
const oldKey = oldEntries.key.int64("key");
const oldValue = oldEntries.int64("value");
const memories = forget.output();
const outCreated = memories.int64("created");
const outWritten = memories.int64("written");
const outUsed = memories.int64("used");
const outByEvent = memories.int64("by_event");
const outItems = memories.int64("items");
const outEntries = memories.int64("entries");

function remember(value: NumberState<i64>, row: i32, key: i32): void {
  if (memo.isNull(row)) value.setNull(key);
  else value.set(key, memo.get(row));
}

function recall(value: NumberState<i64>, key: i32, to: OutNumber<i64>): void {
  if (!value.isNull(key)) to.set(value.get(key));
}

memos.onRow((row: i32, key: i32): void => {
  const what = memoOp.get(row);
  if (what == "set") {
    remember(created, row, key);
    remember(written, row, key);
    remember(used, row, key);
    remember(byEvent, row, key);
    oldItem.copy(memo, row);
    oldItems.append(key);
    oldKey.copy(memo, row);
    oldValue.copy(memo, row);
    oldEntries.put(key);
  } else if (what == "read") {
    recall(created, key, outCreated);
    recall(written, key, outWritten);
    recall(used, key, outUsed);
    recall(byEvent, key, outByEvent);
    let items = 0, entries = 0;
    for (oldItems.scan(key); oldItems.next(); ) items++;
    for (oldEntries.scan(key); oldEntries.next(); ) entries++;
    outItems.set(items);
    outEntries.set(entries);
    memories.emit(row);
  } else forget.failRow(row, `unknown op: ${what}`);
});

// rules: two keyed inputs and a broadcast one.

const rules = new ProcessOperator("rules", "Two keyed inputs and a broadcast one.");
const sales = rules.keyedInput("orders");
sales.key.int64("id");
const saleName = sales.required.string("name");
const saleAmount = sales.required.int64("amount");
const payments = rules.keyedInput("payments");
const paymentId = payments.key.int64("id");
const updates = rules.broadcastInput("rules");
const ruleName = updates.required.string("name");
const ruleLimit = updates.int64("limit");
const open = rules.list("open");
const openName = open.string("name");
const openAmount = open.int64("amount");
const limits = rules.map("limits");
limits.broadcast();
const limitKey = limits.key.string("key");
const limit = limits.int64("value");
const names = rules.list("names");
names.ofOperator();
const nameValue = names.string("value");
const paid = rules.output();
const paidId = paid.int64("id");
const paidName = paid.string("name");
const paidAmount = paid.int64("amount");
const known = rules.output("known");
const knownName = known.string("name");
const knownLimit = known.int64("limit");

sales.onRow((row: i32, key: i32): void => {
  openName.copy(saleName, row);
  openAmount.set(saleAmount.get(row));
  open.append(key);
  limitKey.copy(saleName, row);
  if (!limits.get() || limit.isNull() || limit.get() >= saleAmount.get(row)) return;
  rules.failRow(row, `over the limit of ${limit.get()}: ${saleAmount.get(row)}`);
});

payments.onRow((row: i32, key: i32): void => {
  for (open.scan(key); open.next(); ) {
    paidId.set(paymentId.get(row));
    openName.copyTo(paidName);
    openAmount.copyTo(paidAmount);
    paid.emit(row);
  }
  open.clear(key);
});

updates.onRow((row: i32, _key: i32): void => {
  if (ruleName.get(row) != "?") {
    limitKey.copy(ruleName, row);
    if (ruleLimit.isNull(row)) limits.remove();
    else {
      limit.copy(ruleLimit, row);
      limits.put();
    }
    nameValue.copy(ruleName, row);
    return names.append();
  }
  for (names.scan(); names.next(); ) {
    nameValue.copyTo(knownName);
    known.emit(row);
  }
  for (limits.scan(); limits.next(); ) {
    limitKey.copyTo(knownName);
    limit.copyTo(knownLimit);
    known.emit(row);
  }
});
