// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! State against a model of it: random operations by an operator, and by plain Rust values.

use crate::{ListState, MapState, Output, Process, ReducingState, Result, ValueState, bail, testing};
use std::collections::BTreeMap;
use std::fmt::Write;

wasmill::row! {
    struct Key {
        key: i64,
    }
}

wasmill::row! {
    struct Step<'a> {
        key: i64,
        op: &'a str,
        a: &'a str,
        b: Option<i64>,
        n: i64,
        fail: bool, // after all
    }
}

wasmill::row! {
    struct Answer {
        text: String,
    }
}

wasmill::row! {
    struct Pair<'a> {
        a: &'a str,
        b: Option<i64>,
    }
}

wasmill::row! {
    #[derive(Default)]
    struct Value {
        n: i64,
        words: Vec<String>,
        last: Option<String>,
    }
}

wasmill::row! {
    struct Sums<'a> {
        #[merge = Add]
        added: i64,
        #[merge = Min]
        least: Option<i64>,
        #[merge = Max]
        most: &'a str,
        #[merge = Append]
        text: Option<&'a str>,
    }
}

wasmill::states! {
    struct State {
        value: ValueState<Value>,
        number: ValueState<i64>,
        list: ListState<&'static str>,
        map: MapState<Pair<'static>, Value>,
        sums: ReducingState<Sums<'static>>,
        #[scope = Operator]
        shared: ListState<i64>,
    }
}

const OPS: [&str; 24] = [
    "set",
    "update",
    "clear",
    "value",
    "number",
    "append",
    "append",
    "list",
    "first",
    "clear list",
    "put",
    "put",
    "get",
    "count",
    "remove",
    "clear map",
    "map",
    "from",
    "to",
    "range",
    "prefix",
    "add",
    "sums",
    "clear sums",
];

/// Does a step by states.
struct Stepper;

impl Process for Stepper {
    const NAME: &'static str = "stepper";
    type Config = ();
    type Key = Key;
    type Input = Step<'static>;
    type State = State;
    type Outputs = Output<Answer>;

    fn open(_: ()) -> Result<Self> {
        Ok(Stepper)
    }

    fn process(&mut self, step: Step, state: &mut State, out: &mut Output<Answer>) -> Result {
        out.emit(Answer { text: by_state(&step, state) });
        if step.fail {
            bail!("as told");
        }
        Ok(())
    }
}

fn by_state(step: &Step, state: &mut State) -> String {
    let key = Pair { a: step.a, b: step.b };
    let map = &mut state.map;
    state.shared.append(step.n);
    let found = match step.op {
        "set" => {
            state.value.set(value(step));
            return String::new();
        }
        "update" => {
            update(state.value.update(), step);
            return String::new();
        }
        "clear" => return format!("{:?}", state.value.take()),
        "value" => return format!("{:?}", state.value.get()),
        "number" => {
            *state.number.update() += step.n;
            return format!("{:?} {}", state.number.get(), state.shared.iter().sum::<i64>());
        }
        "append" => {
            (0..step.n).for_each(|_| state.list.append(step.a));
            return String::new();
        }
        "list" => return state.list.iter().collect::<Vec<_>>().join(","),
        "first" => return format!("{:?}", state.list.iter().next()),
        "clear list" => {
            state.list.clear();
            return String::new();
        }
        "put" => {
            map.put(key, value(step));
            return String::new();
        }
        "get" => return format!("{:?}", map.get(key)),
        "count" => {
            update(map.update(key), step);
            return String::new();
        }
        "remove" => {
            map.remove(key);
            return String::new();
        }
        "clear map" => {
            map.clear();
            return String::new();
        }
        "add" => {
            state.sums.add(Sums { added: step.n, least: step.b, most: step.a, text: Some(step.a) });
            return String::new();
        }
        "sums" => {
            return state.sums.get().map_or(String::new(), |sums| {
                format!("{} {:?} {} {:?}", sums.added, sums.least, sums.most, sums.text)
            });
        }
        "clear sums" => {
            state.sums.clear();
            return String::new();
        }
        "from" => map.range(key..),
        "to" => map.range(..key),
        "range" => map.range(key..Pair { a: "c", b: None }),
        "prefix" => map.prefix_columns(key, 1),
        _ => map.iter(),
    };
    let mut text = String::new();
    for (key, value) in found {
        write!(text, "{} {:?} {value:?};", key.a, key.b).expect("a string takes all");
    }
    text
}

fn value(step: &Step) -> Value {
    Value { n: step.n, words: vec![step.a.into(); step.n as usize], last: step.b.map(|b| b.to_string()) }
}

fn update(value: &mut Value, step: &Step) {
    value.n += step.n;
    value.words.push(step.a.into());
    value.last = Some(step.a.into());
}

/// The state of a key as plain values.
#[derive(Clone, Default)]
struct Model {
    value: Option<Value>,
    number: i64,
    list: Vec<String>,
    map: BTreeMap<(String, Option<i64>), Value>,
    sums: Option<(i64, Option<i64>, String, String)>,
}

impl Model {
    fn step(&mut self, step: &Step, shared: i64) -> String {
        let key = (step.a.to_string(), step.b);
        let text = |entries: &mut dyn Iterator<Item = (&(String, Option<i64>), &Value)>| {
            entries.map(|((a, b), value)| format!("{a} {b:?} {value:?};")).collect::<String>()
        };
        match step.op {
            "set" => self.value = Some(value(step)),
            "update" => update(self.value.get_or_insert_default(), step),
            "clear" => return format!("{:?}", self.value.take()),
            "value" => return format!("{:?}", self.value),
            "number" => {
                self.number += step.n;
                return format!("{:?} {shared}", Some(self.number));
            }
            "append" => (0..step.n).for_each(|_| self.list.push(step.a.into())),
            "list" => return self.list.join(","),
            "first" => return format!("{:?}", self.list.first()),
            "clear list" => self.list.clear(),
            "put" => drop(self.map.insert(key, value(step))),
            "get" => return format!("{:?}", self.map.get(&key)),
            "count" => update(self.map.entry(key).or_default(), step),
            "remove" => drop(self.map.remove(&key)),
            "clear map" => self.map.clear(),
            "add" => {
                let sums = self.sums.get_or_insert_with(|| (0, None, String::new(), String::new()));
                sums.0 += step.n;
                sums.1 = [sums.1, step.b].into_iter().flatten().min();
                sums.2 = sums.2.clone().max(step.a.into());
                sums.3.push_str(step.a);
            }
            "sums" => {
                return self.sums.as_ref().map_or(String::new(), |(added, least, most, text)| {
                    format!("{added} {least:?} {most} {:?}", Some(text))
                });
            }
            "clear sums" => self.sums = None,
            "from" => return text(&mut self.map.range(key..)),
            "to" => return text(&mut self.map.range(..key)),
            "range" => return text(&mut self.map.iter().filter(|(k, _)| **k >= key && k.0.as_str() < "c")),
            "prefix" => return text(&mut self.map.iter().filter(|(k, _)| k.0.starts_with(step.a))),
            _ => return text(&mut self.map.iter()),
        }
        String::new()
    }
}

/// Numbers that look random, by xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn step(&mut self) -> Step<'static> {
        let op = OPS[self.below(OPS.len() as u64) as usize];
        let many = op == "append" && self.below(30) == 0; // several batches of a scan
        Step {
            key: self.below(3) as i64,
            op,
            a: ["", "a", "ab", "b", "bb", "c\0", "cü"][self.below(7) as usize],
            b: (self.below(2) == 0).then(|| self.below(3) as i64),
            n: if many { 250 } else { self.below(5) as i64 },
            fail: self.below(40) == 0,
        }
    }
}

#[test]
fn state_is_what_a_model_of_it_is() {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    for case in 0..150 {
        let seed = clock.as_nanos() as u64 ^ (case << 48) | 1;
        let mut random = Random(seed);
        let mut stepper = testing::open::<Stepper>(()).expect("it opens");
        if case % 3 > 0 {
            stepper = stepper.reuse_instance();
        }
        let (mut models, mut shared) = (BTreeMap::<i64, Model>::new(), 0);
        for _ in 0..=random.below(4) {
            let steps: Vec<Step> = (0..=random.below(60)).map(|_| random.step()).collect();
            let mut wanted = Vec::new();
            for step in &steps {
                let mut model = models.get(&step.key).cloned().unwrap_or_default();
                let text = model.step(step, shared + step.n);
                if !step.fail {
                    models.insert(step.key, model);
                    shared += step.n;
                    wanted.push(Answer { text });
                }
            }
            let run = stepper.process(&steps);
            assert_eq!(run.rows(|out| out), wanted, "seed {seed}, steps {steps:?}");
        }
    }
}

#[test]
fn more_loops_may_be_left_early_than_scans_may_be_open() {
    let step = |op, n| Step { key: 1, op, a: "x", b: None, n, fail: false };
    let mut stepper = testing::open::<Stepper>(()).expect("it opens");
    let mut steps = vec![step("first", 0); 200];
    steps[0] = step("append", 300);
    let run = stepper.process(&steps);
    let answers = run.rows(|out| out);
    assert_eq!(answers.len(), 200);
    assert_eq!(answers[199].text, "Some(\"x\")");
}
