// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use core::time::Duration;
use wasmill::{
    Batch, Clock, EventTime, EventTimers, Failures, Forward, ListState, MapState, Output, Outputs, Process,
    ProcessingTimers, ReducingState, Result, Timer, Timestamp, Ttl, ValueState, bail, watermark,
};

wasmill::row! {
    pub struct Account<'a> {
        pub account: &'a str,
    }
}

wasmill::row! {
    pub struct Posting<'a> {
        pub account: &'a str,
        pub amount: Option<i64>,
    }
}

wasmill::row! {
    #[derive(Copy, Default)]
    pub struct Balance {
        pub sum: i64,
        pub count: i64,
    }
}

wasmill::row! {
    pub struct Closed<'a> {
        pub account: &'a str,
        pub sum: i64,
    }
}

wasmill::states! {
    pub struct Balances {
        /// What was posted.
        pub balance: ValueState<Balance>,
    }
}

wasmill::outputs! {
    pub struct Postings {
        pub balances: Forward<Balance>,
        pub closed: Output<Closed<'static>>,
    }
}

fn check(balance: Balance) -> Result {
    if balance.sum < 0 {
        bail!("overdrawn: {}", balance.sum);
    }
    Ok(())
}

pub struct Ledger;

impl Process for Ledger {
    const NAME: &'static str = "ledger";
    const DOC: &'static str = "Balances of accounts.";
    type Config = ();
    type Key = Account<'static>;
    type Input = Posting<'static>;
    type State = Balances;
    type Outputs = Postings;

    fn open(_: ()) -> Result<Self> {
        Ok(Ledger)
    }

    fn process(&mut self, row: Posting, state: &mut Balances, out: &mut Postings) -> Result {
        let Some(amount) = row.amount else {
            if let Some(Balance { sum, .. }) = state.balance.take() {
                out.closed.emit(Closed { account: row.account, sum });
            }
            return Ok(());
        };
        let balance = state.balance.update();
        balance.sum += amount;
        balance.count += 1;
        out.balances.emit(*balance);
        check(*balance)
    }
}

pub struct LedgerBulk;

impl Process for LedgerBulk {
    const NAME: &'static str = "ledger_bulk";
    const DOC: &'static str = "Balances of accounts, by the column.";
    type Config = ();
    type Key = Account<'static>;
    type Input = Posting<'static>;
    type State = Balances;
    type Outputs = Postings;

    fn open(_: ()) -> Result<Self> {
        Ok(LedgerBulk)
    }

    fn process_batch(
        &mut self,
        batch: &Batch<Posting<'static>>,
        state: &mut Balances,
        out: &mut Postings,
        failures: &mut Failures,
    ) {
        let columns = batch.columns();
        for (row, &key) in batch.keys().iter().enumerate() {
            out.at(row);
            if columns.amount.nulls().is_null(row) {
                if let Some(Balance { sum, .. }) = state.balance.take_at(key) {
                    out.closed.emit(Closed { account: columns.account.get(row), sum });
                }
                continue;
            }
            let balance = state.balance.update_at(key);
            balance.sum += columns.amount.values()[row];
            balance.count += 1;
            out.balances.emit(*balance);
            if let Err(error) = check(*balance) {
                failures.add(row, error);
            }
        }
    }
}

wasmill::row! {
    pub struct Id {
        pub id: i64,
    }
}

wasmill::row! {
    pub struct Order<'a> {
        pub id: i64,
        pub op: &'a str,
        pub name: Option<&'a str>,
        pub at: Option<i64>,
        pub n: Option<i64>,
        pub to: Option<&'a str>,
    }
}

wasmill::row! {
    pub struct Item<'a> {
        pub name: Option<&'a str>,
        pub n: Option<i64>,
    }
}

wasmill::row! {
    #[derive(Copy)]
    pub struct Place<'a> {
        pub name: Option<&'a str>,
        pub at: Option<i64>,
    }
}

wasmill::row! {
    #[derive(Default)]
    pub struct Entry {
        pub n: Option<i64>,
    }
}

wasmill::row! {
    pub struct Summary<'a> {
        #[merge = Add]
        pub added: Option<i64>,
        #[merge = Min]
        pub least: Option<i64>,
        #[merge = Max]
        pub most: Option<&'a str>,
        #[merge = Append]
        pub text: Option<&'a str>,
    }
}

wasmill::row! {
    pub struct Found<'a> {
        pub op: &'a str,
        pub name: Option<&'a str>,
        pub at: Option<i64>,
        pub n: Option<i64>,
    }
}

wasmill::states! {
    pub struct Collected {
        pub items: ListState<Item<'static>>,
        pub entries: MapState<Place<'static>, Entry>,
        pub sums: ReducingState<Summary<'static>>,
    }
}

wasmill::outputs! {
    pub struct Finds {
        pub found: Output<Found<'static>>,
        pub sums: Output<Summary<'static>>,
    }
}

pub struct Collect;

impl Process for Collect {
    const NAME: &'static str = "collect";
    const DOC: &'static str = "A list, a map and a reducing state.";
    type Config = ();
    type Key = Id;
    type Input = Order<'static>;
    type State = Collected;
    type Outputs = Finds;

    fn open(_: ()) -> Result<Self> {
        Ok(Collect)
    }

    fn process(&mut self, row: Order, state: &mut Collected, out: &mut Finds) -> Result {
        let Order { op, name, n, .. } = row;
        let summary = Summary { added: n, least: n, most: name, text: name };
        let place = Place { name, at: row.at };
        match op {
            "append" => state.items.append(Item { name, n }),
            "items" => {
                for Item { name, n } in state.items.iter() {
                    out.found.emit(Found { op, name, at: None, n });
                }
            }
            "clear_items" => state.items.clear(),
            "add" => state.sums.add(summary),
            "sums" => {
                if let Some(summary) = state.sums.get() {
                    out.sums.emit(summary);
                }
            }
            "clear_sums" => state.sums.clear(),
            "fail" => {
                state.items.append(Item { name, n });
                state.entries.put(place, Entry { n });
                state.sums.add(summary);
                bail!("failed: {}", name.unwrap_or_default());
            }
            _ => return entries(&row, place, state, out),
        }
        Ok(())
    }
}

/// Does what an order says of the map.
fn entries(row: &Order, place: Place, state: &mut Collected, out: &mut Finds) -> Result {
    let to = Place { name: row.to, at: None };
    let found = match (row.op, row.name, row.to) {
        ("put", ..) => {
            state.entries.put(place, Entry { n: row.n });
            return Ok(());
        }
        ("remove", ..) => {
            state.entries.remove(place);
            return Ok(());
        }
        ("clear_entries", ..) => {
            state.entries.clear();
            return Ok(());
        }
        ("get", ..) => {
            if let Some(&Entry { n }) = state.entries.get(place) {
                out.found.emit(Found { op: row.op, name: place.name, at: place.at, n });
            }
            return Ok(());
        }
        ("prefix", Some(_), _) => state.entries.prefix_columns(place, 1),
        ("range", Some(_), Some(_)) => state.entries.range(place..to),
        ("range", Some(_), None) => state.entries.range(place..),
        ("range", None, Some(_)) => state.entries.range(..to),
        ("entries" | "prefix" | "range", ..) => state.entries.iter(),
        _ => bail!("unknown op: {}", row.op),
    };
    for (Place { name, at }, Entry { n }) in found {
        out.found.emit(Found { op: row.op, name, at, n });
    }
    Ok(())
}

wasmill::row! {
    pub struct Wake<'a> {
        pub id: i64,
        pub op: &'a str,
        pub at: Option<Timestamp>,
        pub space: Option<&'a [u8]>,
    }
}

wasmill::row! {
    pub struct Rung<'a> {
        pub id: Option<i64>,
        pub at: Option<Timestamp>,
        pub space: Option<&'a [u8]>,
        pub pending: i64,
        pub watermark: i64,
    }
}

wasmill::states! {
    pub struct Alarms {
        pub pending: ValueState<i64>,
        pub by_event: EventTimers,
        pub by_clock: ProcessingTimers,
    }
}

wasmill::outputs! {
    pub struct Rings {
        pub event: Output<Rung<'static>>,
        pub processing: Output<Rung<'static>>,
    }
}

pub struct Alarm;

impl Process for Alarm {
    const NAME: &'static str = "alarm";
    const DOC: &'static str = "Timers.";
    type Config = ();
    type Key = Id;
    type Input = Wake<'static>;
    type State = Alarms;
    type Outputs = Rings;

    fn open(_: ()) -> Result<Self> {
        Ok(Alarm)
    }

    fn process(&mut self, row: Wake, state: &mut Alarms, out: &mut Rings) -> Result {
        let (at, space) = (row.at.unwrap_or_default(), row.space.unwrap_or_default());
        match row.op {
            "event" => {
                state.by_event.set_in(space, EventTime(at.0));
                *state.pending.update() += 1;
            }
            "processing" => {
                state.by_clock.set_in(space, at);
                *state.pending.update() += 1;
            }
            "cancel_event" => state.by_event.delete_in(space, EventTime(at.0)),
            "cancel_processing" => state.by_clock.delete_in(space, at),
            "count" => {
                let pending = state.pending.get().copied().unwrap_or_default();
                out.event.emit(Rung {
                    id: Some(row.id),
                    at: None,
                    space: None,
                    pending,
                    watermark: watermark().0,
                });
            }
            op => bail!("unknown op: {op}"),
        }
        Ok(())
    }

    fn on_timer(&mut self, timer: Timer, key: Id, state: &mut Alarms, out: &mut Rings) -> Result {
        let rung = Rung {
            id: Some(key.id),
            at: Some(timer.time),
            space: Some(timer.namespace),
            pending: state.pending.get().copied().unwrap_or_default(),
            watermark: watermark().0,
        };
        let second_later = timer.time.0 + 1_000_000;
        match timer.clock {
            Clock::EventTime => out.event.emit(rung),
            Clock::ProcessingTime => out.processing.emit(rung),
        }
        match (timer.namespace, timer.clock) {
            (b"again", Clock::EventTime) => state.by_event.set(EventTime(second_later)),
            (b"again", Clock::ProcessingTime) => state.by_clock.set(Timestamp(second_later)),
            (b"stop", _) => state.pending.clear(),
            (b"fail", _) => {
                state.pending.set(-1);
                bail!("timer failed");
            }
            _ => {}
        }
        Ok(())
    }
}

wasmill::row! {
    pub struct Memo<'a> {
        pub id: i64,
        pub op: &'a str,
        pub n: Option<i64>,
    }
}

wasmill::row! {
    pub struct Known {
        pub created: Option<i64>,
        pub written: Option<i64>,
        pub used: Option<i64>,
        pub by_event: Option<i64>,
        pub items: i64,
        pub entries: i64,
    }
}

const WHILE: Duration = Duration::from_secs(10);

wasmill::states! {
    pub struct Memory {
        #[ttl = Ttl::since_creation(WHILE)]
        pub created: ValueState<Option<i64>>,
        #[ttl = Ttl::since_write(WHILE)]
        pub written: ValueState<Option<i64>>,
        #[ttl = Ttl::since_use(WHILE)]
        pub used: ValueState<Option<i64>>,
        #[ttl = Ttl::since_write(WHILE).by_event_time()]
        pub by_event: ValueState<Option<i64>>,
        #[ttl = Ttl::since_creation(WHILE)]
        pub items: ListState<Option<i64>>,
        #[ttl = Ttl::since_write(WHILE)]
        pub entries: MapState<Option<i64>, Option<i64>>,
    }
}

pub struct Forget;

impl Process for Forget {
    const NAME: &'static str = "forget";
    const DOC: &'static str = "State with a time to live.";
    type Config = ();
    type Key = Id;
    type Input = Memo<'static>;
    type State = Memory;
    type Outputs = Output<Known>;

    fn open(_: ()) -> Result<Self> {
        Ok(Forget)
    }

    fn process(&mut self, row: Memo, state: &mut Memory, out: &mut Output<Known>) -> Result {
        match row.op {
            "set" => {
                state.created.set(row.n);
                state.written.set(row.n);
                state.used.set(row.n);
                state.by_event.set(row.n);
                state.items.append(row.n);
                state.entries.put(row.n, row.n);
            }
            "read" => out.emit(Known {
                created: state.created.get().copied().flatten(),
                written: state.written.get().copied().flatten(),
                used: state.used.get().copied().flatten(),
                by_event: state.by_event.get().copied().flatten(),
                items: state.items.iter().count() as i64,
                entries: state.entries.iter().count() as i64,
            }),
            op => bail!("unknown op: {op}"),
        }
        Ok(())
    }
}

wasmill::row! {
    pub struct Sale<'a> {
        pub id: i64,
        pub name: &'a str,
        pub amount: i64,
    }
}

wasmill::row! {
    pub struct Rule<'a> {
        pub name: &'a str,
        pub limit: Option<i64>,
    }
}

wasmill::inputs! {
    pub enum In<'a> {
        Orders(Sale<'a>),
        Payments(Id),
        #[scope = Broadcast]
        Rules(Rule<'a>),
    }
}

wasmill::row! {
    pub struct Sold<'a> {
        pub name: &'a str,
        pub amount: i64,
    }
}

wasmill::states! {
    pub struct Limits {
        pub open: ListState<Sold<'static>>,
        #[scope = Broadcast]
        pub limits: MapState<&'static str, i64>,
        #[scope = Operator]
        pub names: ListState<&'static str>,
    }
}

wasmill::outputs! {
    pub struct Paid {
        pub paid: Output<Sale<'static>>,
        pub known: Output<Rule<'static>>,
    }
}

pub struct Rules;

impl Process for Rules {
    const NAME: &'static str = "rules";
    const DOC: &'static str = "Two keyed inputs and a broadcast one.";
    type Config = ();
    type Key = Id;
    type Input = In<'static>;
    type State = Limits;
    type Outputs = Paid;

    fn open(_: ()) -> Result<Self> {
        Ok(Rules)
    }

    fn process(&mut self, row: In, state: &mut Limits, out: &mut Paid) -> Result {
        match row {
            In::Orders(Sale { name, amount, .. }) => {
                state.open.append(Sold { name, amount });
                match state.limits.get(name) {
                    Some(&limit) if limit < amount => bail!("over the limit of {limit}: {amount}"),
                    _ => {}
                }
            }
            In::Payments(Id { id }) => {
                for Sold { name, amount } in state.open.iter() {
                    out.paid.emit(Sale { id, name, amount });
                }
                state.open.clear();
            }
            In::Rules(Rule { name: "?", .. }) => {
                for name in state.names.iter() {
                    out.known.emit(Rule { name, limit: None });
                }
                for (name, limit) in state.limits.iter() {
                    out.known.emit(Rule { name, limit: Some(limit) });
                }
            }
            In::Rules(Rule { name, limit }) => {
                match limit {
                    Some(limit) => state.limits.put(name, limit),
                    None => state.limits.remove(name),
                }
                state.names.append(name);
            }
        }
        Ok(())
    }
}
