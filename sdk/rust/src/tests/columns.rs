// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Operators that work on whole columns.

use super::conformance::maps::Number;
use crate::testing::run;
use crate::{Batch, Error, Failures, Map, Output, Result};

fn numbers(numbers: &[Option<i64>]) -> Vec<Number> {
    numbers.iter().map(|&n| Number { n }).collect()
}

wasmill::outputs! {
    struct Twice {
        doubled: Output<Number>,
        last: Output<Number>,
    }
}

/// Works on columns: doubles all numbers, and emits those of the last two rows again.
struct ByColumn;

impl Map for ByColumn {
    const NAME: &'static str = "by_column";
    type Config = ();
    type Input = Number;
    type Outputs = Twice;

    fn open(_: ()) -> Result<Self> {
        Ok(ByColumn)
    }

    fn process_batch(&mut self, batch: &Batch<Number>, out: &mut Twice, failures: &mut Failures) {
        let n = batch.columns().n;
        let doubled = n.values().iter().map(|n| n.wrapping_mul(2));
        out.doubled.fill(|columns| columns.n.extend(doubled, n.nulls()));
        let last = batch.len() as u32 - 1;
        out.last.fill_from(&[last, last - 1], |columns| {
            columns.n.push(n.values()[last as usize]);
            columns.n.zeros(1)[0] = n.values()[last as usize - 1];
        });
        for row in (0..batch.len()).filter(|&row| !n.nulls().is_null(row) && n.values()[row] == 13) {
            failures.add(row, Error::new("unlucky"));
        }
    }
}

#[test]
fn an_operator_may_work_on_columns() {
    let input: Vec<_> = (0..20).map(|n| if n % 3 == 1 { None } else { Some(n) }).collect();
    let run = run::<ByColumn>((), &numbers(&input)).expect("it opens");
    let doubled: Vec<_> = run.rows(|out| &out.doubled).iter().map(|row| row.n).collect();
    let wanted: Vec<_> = input.iter().map(|n| n.map(|n| 2 * n)).collect();
    assert_eq!(doubled, wanted);
    assert_eq!(run.rows(|out| &out.last)[1].n, Some(18));
    assert_eq!(run.origins(|out| &out.last), [19, 18]);
}

wasmill::row! {
    struct Named<'a> {
        name: Option<&'a str>,
    }
}

/// Emits the bytes of all names, at the first of them.
struct Join;

impl Map for Join {
    const NAME: &'static str = "join";
    type Config = ();
    type Input = Named<'static>;
    type Outputs = Output<Named<'static>>;

    fn open(_: ()) -> Result<Self> {
        Ok(Join)
    }

    fn process_batch(&mut self, batch: &Batch<Named>, out: &mut Self::Outputs, _: &mut Failures) {
        let names = batch.columns().name;
        let all: String = (0..batch.len()).map(|row| names.get(row)).collect();
        assert_eq!(all.as_bytes(), names.bytes().values());
        assert_eq!(names.bytes().offsets().len(), batch.len() + 1);
        out.fill_from(&[0], |columns| columns.name.push(&all));
    }
}

#[test]
fn columns_of_strings_are_texts_and_bytes() {
    let names = [Some("grü"), None, Some(""), Some("ße")].map(|name| Named { name });
    let run = run::<Join>((), &names).expect("it opens");
    assert_eq!(run.rows(|out| out), [Named { name: Some("grüße") }]);
}

/// Emits for each row whether it is the same text as the first.
struct SameAsFirst;

impl Map for SameAsFirst {
    const NAME: &'static str = "same_as_first";
    type Config = ();
    type Input = Named<'static>;
    type Outputs = Output<Number>;

    fn open(_: ()) -> Result<Self> {
        Ok(SameAsFirst)
    }

    fn process_batch(&mut self, batch: &Batch<Named<'static>>, out: &mut Output<Number>, _: &mut Failures) {
        let name = batch.columns().name;
        let same = (0..batch.len()).map(|row| i64::from(name.equals(row, name.get(0))));
        out.fill(|columns| columns.n.extend(same, name.nulls()));
    }
}

#[test]
fn texts_are_compared_to_the_last_byte() {
    let text = "a text of several words of eight bytes";
    for size in 0..text.len() {
        let mut others = vec![text[..size].to_string(), text[..size + 1].to_string()];
        for at in 0..size {
            let mut other = text[..size].to_string();
            other.replace_range(at..at + 1, "#");
            others.push(other);
        }
        let rows: Vec<_> = others.iter().map(|name| Named { name: Some(name) }).collect();
        let run = run::<SameAsFirst>((), &rows).expect("it opens");
        let same = run.rows(|out| out).iter().filter(|row| row.n == Some(1)).count();
        assert_eq!(same, 1, "of the texts like {:?}", &text[..size]);
    }
}

wasmill::row! {
    struct Ragged {
        a: i64,
        b: i64,
    }
}

struct Uneven;

impl Map for Uneven {
    const NAME: &'static str = "uneven";
    type Config = ();
    type Input = Number;
    type Outputs = Output<Ragged>;

    fn open(_: ()) -> Result<Self> {
        Ok(Uneven)
    }

    fn process_batch(&mut self, _: &Batch<Number>, out: &mut Output<Ragged>, _: &mut Failures) {
        out.fill(|columns| columns.a.push(1));
    }
}

#[test]
#[should_panic(expected = "column b was not filled")]
fn columns_must_have_equally_many_rows() {
    let _ = run::<Uneven>((), &numbers(&[Some(1)]));
}
