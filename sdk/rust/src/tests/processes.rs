// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::conformance::processes::*;
use crate::testing::{Driver, open};
use crate::{EventTime, Process, Timestamp};

pub fn start<P: Process<Config = ()>>() -> Driver<P> {
    open::<P>(()).expect("it opens")
}

pub fn posting(account: &str, amount: impl Into<Option<i64>>) -> Posting<'_> {
    Posting { account, amount: amount.into() }
}

fn balances(run: &crate::testing::Emitted<Postings>) -> Vec<(i64, i64)> {
    run.rows(|out| &out.balances).iter().map(|balance| (balance.sum, balance.count)).collect()
}

/// Runs what both ledgers do alike.
fn post<P: Process<Config = (), Input = Posting<'static>, Outputs = Postings>>() {
    let mut ledger = start::<P>();
    let run = ledger.process(&[
        posting("a", 1),
        posting("b", 2),
        posting("a", -3),
        posting("a", 4),
        posting("b", 0),
    ]);
    assert_eq!(balances(&run), [(1, 1), (2, 1), (5, 2), (2, 2)]);
    assert_eq!(run.origins(|out| &out.balances), [0, 1, 3, 4]);
    assert_eq!(run.failures(), [(2, "overdrawn: -2".to_string())], "nothing is left of a row that failed");
    let run = ledger.process(&[posting("a", None), posting("c", None), posting("a", 7), posting("b", 1)]);
    assert_eq!(balances(&run), [(7, 1), (3, 3)]);
    assert_eq!(run.rows(|out| &out.closed), [Closed { account: "a", sum: 5 }]);
}

#[test]
fn values_are_kept_by_key_from_call_to_call() {
    post::<Ledger>();
    post::<LedgerBulk>();
}

#[test]
fn one_instance_may_do_all_calls() {
    let mut ledger = start::<Ledger>().reuse_instance();
    for n in 1..5 {
        assert_eq!(balances(&ledger.process(&[posting("a", 1), posting("b", 1)])), [(n, n); 2]);
    }
    ledger.process(&[posting("a", None)]);
    assert_eq!(balances(&ledger.process(&[posting("b", 1), posting("a", 1)])), [(5, 5), (1, 1)]);
}

fn order<'a>(op: &'a str, name: &'a str, n: i64) -> Order<'a> {
    Order { id: 1, op, name: (!name.is_empty()).then_some(name), at: Some(n), n: Some(n), to: None }
}

fn found(run: &crate::testing::Emitted<Finds>) -> Vec<(Option<&str>, Option<i64>)> {
    run.rows(|out| &out.found).into_iter().map(|found| (found.name, found.n)).collect()
}

#[test]
fn lists_are_read_in_the_order_in_which_items_were_appended() {
    let mut collect = start::<Collect>();
    let names: Vec<String> = (0..450).map(|n| format!("item {n}")).collect();
    let appends: Vec<Order> = names.iter().zip(0..).map(|(name, n)| order("append", name, n)).collect();
    collect.process(&appends);
    let run = collect.process(&[
        order("append", "last", 450),
        order("items", "", 0),
        order("clear_items", "", 0),
        order("append", "new", 1),
        order("items", "", 0),
    ]);
    let mut wanted: Vec<(Option<&str>, Option<i64>)> =
        names.iter().zip(0..).map(|(name, n)| (Some(name.as_str()), Some(n))).collect();
    wanted.extend([(Some("last"), Some(450)), (Some("new"), Some(1))]);
    assert_eq!(found(&run), wanted);
}

#[test]
fn maps_are_read_in_the_order_of_their_keys() {
    let mut collect = start::<Collect>();
    let keys = ["b", "", "ab", "a", "aü", "c", "b"];
    let puts: Vec<Order> = keys.iter().zip(0..).map(|(name, n)| order("put", name, n)).collect();
    collect.process(&puts);
    let to = Order { to: Some("b"), ..order("range", "ab", 0) };
    let run = collect.process(&[order("entries", "", 0)]);
    assert_eq!(
        found(&run).iter().map(|(name, n)| (name.unwrap_or("null"), n.unwrap())).collect::<Vec<_>>(),
        [("null", 1), ("a", 3), ("ab", 2), ("aü", 4), ("b", 0), ("b", 6), ("c", 5)]
    );
    let read = |rows: &[Order]| -> Vec<i64> {
        let mut collect = start::<Collect>();
        collect.process(&puts);
        found(&collect.process(rows)).iter().map(|(_, n)| n.unwrap()).collect()
    };
    assert_eq!(read(&[to]), [2, 4]);
    assert_eq!(read(&[order("range", "b", 1)]), [6, 5]);
    assert_eq!(read(&[Order { name: None, to: Some("b"), ..order("range", "", 0) }]), [1, 3, 2, 4]);
    assert_eq!(read(&[order("prefix", "a", 0)]), [3, 2, 4]);
    assert_eq!(read(&[order("get", "b", 6), order("get", "b", 1)]), [6]);
    let changed =
        [order("remove", "b", 6), order("put", "b", 0), order("get", "b", 6), order("prefix", "b", 0)];
    assert_eq!(read(&changed), [0], "what was put is read");
    let cleared =
        [order("put", "z", 9), order("clear_entries", "", 0), order("put", "y", 8), order("entries", "", 0)];
    assert_eq!(read(&cleared), [8]);
}

#[test]
fn what_is_added_is_merged() {
    let mut collect = start::<Collect>();
    let run = collect.process(&[
        order("sums", "", 0),
        order("add", "b", 5),
        order("add", "", 2),
        order("sums", "", 0),
        order("fail", "zz", 1),
        order("add", "a", 3),
        order("sums", "", 0),
        order("clear_sums", "", 0),
        order("sums", "", 0),
    ]);
    let sums = run.rows(|out| &out.sums);
    assert_eq!(sums[0], Summary { added: Some(7), least: Some(2), most: Some("b"), text: Some("b") });
    assert_eq!(sums[1], Summary { added: Some(10), least: Some(2), most: Some("b"), text: Some("ba") });
    assert_eq!(sums.len(), 2);
    assert_eq!(run.failures(), [(4, "failed: zz".to_string())]);
}

fn wake<'a>(id: i64, op: &'a str, at: i64, space: &'a str) -> Wake<'a> {
    Wake { id, op, at: Some(Timestamp(at)), space: Some(space.as_bytes()) }
}

#[test]
fn timers_come_when_their_time_has_come() {
    let mut alarm = start::<Alarm>();
    alarm.process(&[
        wake(1, "event", 20, ""),
        wake(2, "event", 10, "again"),
        wake(1, "event", 20, ""),
        wake(1, "processing", 5, "stop"),
        wake(1, "event", 15, "x"),
        wake(1, "cancel_event", 15, "x"),
        wake(3, "event", 12, "fail"),
    ]);
    assert!(alarm.advance_watermark(EventTime(9)).rows(|out| &out.event).is_empty());
    let run = alarm.advance_watermark(EventTime(1_000_010));
    let rows = run.rows(|out| &out.event);
    let rung: Vec<_> = rows.iter().map(|row| (row.id.unwrap(), row.at.unwrap().0, row.pending)).collect();
    assert_eq!(rung, [(2, 10, 1), (1, 20, 4), (2, 1_000_010, 1)]);
    assert_eq!(rows[0].space, Some(&b"again"[..]));
    assert_eq!(rows[0].watermark, 1_000_010);
    assert_eq!(run.failures(), [(1, "timer failed".to_string())]);
    let run = alarm.advance_clock(Timestamp(5));
    assert_eq!(run.rows(|out| &out.processing).len(), 1);
    let run = alarm.process(&[wake(1, "count", 0, ""), wake(3, "count", 0, "")]);
    let pending: Vec<i64> = run.rows(|out| &out.event).iter().map(|row| row.pending).collect();
    assert_eq!(pending, [0, 1], "a timer writes the state of its key, and one that failed does not");
}

#[test]
fn state_is_forgotten_after_its_time() {
    let memo = |op| Memo { id: 1, op, n: Some(4) };
    let second = 1_000_000;
    let mut forget = start::<Forget>();
    let known = |forget: &mut Driver<Forget>| forget.process(&[memo("read")]).rows(|out| out)[0].clone();
    forget.process(&[memo("set")]);
    forget.advance_clock(Timestamp(6 * second));
    forget.advance_watermark(EventTime(0));
    assert_eq!(known(&mut forget).created, Some(4));
    forget.process(&[memo("set")]);
    forget.advance_clock(Timestamp(10 * second));
    let now = known(&mut forget);
    assert_eq!((now.created, now.written, now.used, now.by_event), (None, Some(4), Some(4), Some(4)));
    assert_eq!((now.items, now.entries), (1, 1));
    forget.advance_clock(Timestamp(19 * second));
    forget.advance_watermark(EventTime(10 * second));
    let now = known(&mut forget);
    assert_eq!((now.written, now.used, now.by_event), (None, Some(4), None));
}

#[test]
fn rows_of_several_inputs_share_state() {
    let sale = |id, name, amount| In::Orders(Sale { id, name, amount });
    let rule = |name, limit| In::Rules(Rule { name, limit });
    let mut rules = start::<Rules>();
    let run = rules.process(&[
        sale(1, "tea", 30),
        rule("tea", Some(10)),
        sale(1, "tea", 12),
        sale(1, "tea", 9),
        In::Payments(Id { id: 1 }),
        rule("nut", Some(1)),
        rule("nut", None),
        rule("?", None),
        In::Payments(Id { id: 1 }),
    ]);
    let paid: Vec<i64> = run.rows(|out| &out.paid).iter().map(|row| row.amount).collect();
    assert_eq!(paid, [30, 9]);
    assert_eq!(run.failures(), [(2, "over the limit of 10: 12".to_string())]);
    let known = run.rows(|out| &out.known);
    let known: Vec<_> = known.iter().map(|rule| (rule.name, rule.limit)).collect();
    assert_eq!(known, [("tea", None), ("nut", None), ("nut", None), ("tea", Some(10))]);
}
