// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::conformance::processes::{Account, Balance, Id, In, Posting, Rule};
use super::processes::{posting, start};
use crate::wire::MAX_ROWS;
use crate::{
    Batch, EventTime, EventTimers, Failures, ListState, MapState, Output, Process, ReducingState, Result,
    Timer, ValueState, bail,
};

wasmill::row! {
    #[derive(Default)]
    struct Profile {
        name: String,
        words: Vec<String>,
        visits: Option<i64>,
    }
}

wasmill::row! {
    struct Visit<'a> {
        page: f64,
        name: &'a str,
        n: i64,
    }
}

wasmill::row! {
    struct Line {
        text: String,
    }
}

wasmill::states! {
    struct Everything {
        profile: ValueState<Profile>,
        by_page: MapState<f64, i64>,
        by_name: MapState<&'static str, Profile>,
        names: ListState<&'static str>,
        #[scope = Operator]
        rows: ValueState<i64>,
        #[scope = Operator]
        #[merge = Append]
        all: ReducingState<&'static str>,
        timers: EventTimers,
    }
}

/// Has a state of each kind whose values have strings and lists, without a key of its own.
struct Visits;

impl Process for Visits {
    const NAME: &'static str = "visits";
    type Config = ();
    type Key = ();
    type Input = Visit<'static>;
    type State = Everything;
    type Outputs = Output<Line>;

    fn open(_: ()) -> Result<Self> {
        Ok(Visits)
    }

    fn process(&mut self, row: Visit, state: &mut Everything, out: &mut Output<Line>) -> Result {
        let profile = state.profile.update();
        profile.name.push_str(row.name);
        profile.words.push(row.name.into());
        *profile.visits.get_or_insert_default() += 1;
        *state.by_page.update(row.page) += row.n;
        state.by_name.update(row.name).words.push(row.n.to_string());
        for _ in 0..row.n {
            state.names.append(row.name);
        }
        *state.rows.update() += 1;
        state.all.add(row.name);
        state.timers.set(EventTime(row.n));
        out.emit(Line {
            text: format!(
                "{:?} {:?} {:?} {} {} {:?}",
                state.profile.get().unwrap(),
                state.by_page.iter().collect::<Vec<_>>(),
                state.by_name.get(row.name).unwrap().words,
                state.names.iter().count(),
                state.rows.get().unwrap(),
                state.all.get(),
            ),
        });
        if row.n == 13 {
            bail!("unlucky");
        }
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, _: (), state: &mut Everything, out: &mut Output<Line>) -> Result {
        out.emit(Line { text: format!("{} {:?}", timer.time.0, state.profile.take()) });
        Ok(())
    }
}

#[test]
fn values_may_have_strings_and_lists() {
    let visit = |page, name, n| Visit { page, name, n };
    let mut visits = start::<Visits>().keyed_by(&["page"]);
    let run =
        visits.process(&[visit(1.0, "a", 2), visit(2.0, "b", 3), visit(1.0, "x", 13), visit(1.0, "c", 1)]);
    let lines: Vec<String> = run.rows(|out| out).into_iter().map(|line| line.text).collect();
    assert_eq!(
        lines,
        [
            r#"Profile { name: "a", words: ["a"], visits: Some(1) } [(1.0, 2)] ["2"] 2 1 Some("a")"#,
            r#"Profile { name: "b", words: ["b"], visits: Some(1) } [(2.0, 3)] ["3"] 3 2 Some("ab")"#,
            r#"Profile { name: "ac", words: ["a", "c"], visits: Some(2) } [(1.0, 3)] ["1"] 3 3 Some("abc")"#,
        ]
    );
    assert_eq!(run.failures(), [(2, "unlucky".to_string())]);
    let run = visits.advance_watermark(EventTime(i64::MAX));
    let lines: Vec<String> = run.rows(|out| out).into_iter().map(|line| line.text).collect();
    assert_eq!(
        lines,
        [
            r#"1 Some(Profile { name: "ac", words: ["a", "c"], visits: Some(2) })"#,
            "2 None",
            r#"3 Some(Profile { name: "b", words: ["b"], visits: Some(1) })"#,
        ]
    );
}

#[test]
fn more_rows_are_put_than_fit_into_a_batch() {
    let mut visits = start::<Visits>();
    let many = MAX_ROWS as i64 + 10;
    let run =
        visits.process(&[Visit { page: 0.0, name: "a", n: many }, Visit { page: 0.0, name: "a", n: 1 }]);
    assert!(run.rows(|out| out)[1].text.contains(&format!(" {} 2 ", many + 1)));
}

wasmill::states! {
    struct Counts {
        seen: ValueState<i64>,
        by_name: MapState<&'static str, i64>,
    }
}

/// Works by key numbers.
struct Bulk;

impl Process for Bulk {
    const NAME: &'static str = "bulk";
    type Config = ();
    type Key = Account<'static>;
    type Input = Posting<'static>;
    type State = Counts;
    type Outputs = Output<Balance>;

    fn open(_: ()) -> Result<Self> {
        Ok(Bulk)
    }

    fn process_batch(
        &mut self,
        batch: &Batch<Posting<'static>>,
        state: &mut Counts,
        out: &mut Output<Balance>,
        _: &mut Failures,
    ) {
        let (keys, accounts) = (batch.keys(), batch.columns().account);
        state.by_name.fetch(keys.iter().enumerate().map(|(row, &key)| (key, accounts.get(row))));
        let before = state.seen.values().to_vec();
        let counts = state.seen.update_all();
        for &key in keys {
            counts[key as usize] += 1;
        }
        for (row, &key) in keys.iter().enumerate() {
            crate::Outputs::at(out, row);
            crate::States::at(state, key);
            let n = state.by_name.get(accounts.get(row)).copied().unwrap_or_default() + 1;
            state.by_name.put(accounts.get(row), n);
            assert!(state.seen.get_at(key) > Some(&before[key as usize]));
            out.emit(Balance { sum: n, count: *state.seen.get().unwrap() });
        }
    }
}

#[test]
fn columns_are_worked_on_by_key_number() {
    let mut bulk = start::<Bulk>();
    bulk.process(&[posting("a", 0), posting("b", 0)]);
    let run = bulk.process(&[posting("c", 0), posting("b", 0), posting("b", 0)]);
    let rows: Vec<_> = run.rows(|out| out).iter().map(|row| (row.sum, row.count)).collect();
    assert_eq!(rows, [(1, 1), (2, 3), (3, 3)]);
}

wasmill::states! {
    struct Wrong {
        #[scope = Broadcast]
        limit: ValueState<i64>,
        open: ListState<i64>,
    }
}

/// Writes state where it must not.
struct Misplaced;

impl Process for Misplaced {
    const NAME: &'static str = "misplaced";
    type Config = ();
    type Key = Id;
    type Input = In<'static>;
    type State = Wrong;
    type Outputs = Output<Balance>;

    fn open(_: ()) -> Result<Self> {
        Ok(Misplaced)
    }

    fn process(&mut self, row: In, state: &mut Wrong, _: &mut Output<Balance>) -> Result {
        match row {
            In::Rules(_) => state.open.append(1),
            _ => state.limit.set(1),
        }
        Ok(())
    }
}

#[test]
#[should_panic(expected = "state limit is broadcast: only rows of a broadcast input may write it")]
fn rows_with_a_key_do_not_write_broadcast_state() {
    start::<Misplaced>().process(&[In::Payments(Id { id: 1 })]);
}

#[test]
#[should_panic(expected = "open is kept by key, and there is none here")]
fn rows_of_a_broadcast_input_have_no_key() {
    start::<Misplaced>().process(&[In::Rules(Rule { name: "", limit: None })]);
}

macro_rules! refused {
    ($($test:ident: $key:ty, $state:ty, $message:literal;)*) => { $(
        #[test]
        #[should_panic(expected = $message)]
        fn $test() {
            struct Refused;

            impl Process for Refused {
                const NAME: &'static str = "refused";
                type Config = ();
                type Key = $key;
                type Input = Posting<'static>;
                type State = $state;
                type Outputs = Output<Balance>;

                fn open(_: ()) -> Result<Self> {
                    Ok(Refused)
                }
            }
            start::<Refused>();
        }
    )* };
}

wasmill::row! {
    struct Amount {
        amount: i64,
    }
}

wasmill::states! {
    struct Unmerged {
        sums: ReducingState<Balance>,
    }
}

wasmill::states! {
    struct Nested {
        by_list: MapState<Vec<i64>, i64>,
    }
}

wasmill::states! {
    struct Lived {
        #[scope = Operator]
        timers: EventTimers,
    }
}

refused! {
    a_key_is_a_part_of_each_keyed_input: Id, (), "input \"\" lacks id, of the same type as in the key";
    a_key_is_never_null: Amount, (), "input \"\" lacks amount";
    a_reducing_state_says_how_it_is_merged: (), Unmerged, "column sum needs #[merge = Add]";
    a_key_of_a_map_has_no_list: (), Nested, "no list and no struct among them";
    timers_have_no_scope: (), Lived, "timers sets timers: it has no scope";
}
