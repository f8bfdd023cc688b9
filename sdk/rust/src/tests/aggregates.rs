// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use super::conformance::aggregates::{Average, Longest, Mean, Sample, Sum, Text, Winner};
use crate::Value;
use crate::aggregate::RunningAggregate;
use crate::guest::Running;
use crate::testing::{fold, fold_merged, message, recorder, write};
use crate::wire::{ACCUMULATOR, CONFIG, Source};

#[test]
fn rows_of_a_group_are_folded() {
    let rows = [Some(1.0), None, Some(-3.0), Some(2.0)].map(|x| Sample { x });
    for folded in [fold::<Mean>((), &rows), fold_merged::<Mean>((), &rows)] {
        let folded = folded.expect("it opens");
        assert_eq!(folded.rows(), [Average { mean: Some(1.5), count: 2 }]);
        assert_eq!(folded.failures(), [(2, "x is negative".to_string())]);
    }
}

#[test]
fn a_group_may_have_no_rows() {
    let folded = fold::<Mean>((), &[]).expect("it opens");
    assert_eq!(folded.rows(), [Average { mean: None, count: 0 }]);
}

#[test]
fn a_batch_of_no_rows_needs_no_groups() {
    let mut mean = RunningAggregate::<Mean>::open(message::<()>(CONFIG, &[()]).bytes()).expect("it opens");
    let rows = message::<Sample>(0, &[]);
    let accumulators = write(ACCUMULATOR, 0, &mut <Sum as Value>::Builder::default(), None);
    mean.aggregate(0, rows.bytes(), accumulators.bytes());
    assert_eq!(Source::new(recorder::take().emitted[0].bytes()).rows, 0);
}

#[test]
fn an_accumulator_may_borrow_from_its_rows() {
    for (rows, longest) in [
        (&[Some("a"), Some("cc"), None, Some("bb"), Some("")][..], Some("cc")),
        (&[None, Some("")], Some("")),
        (&[None, None], None),
    ] {
        let rows: Vec<_> = rows.iter().map(|&s| Text { s }).collect();
        for folded in [fold::<Longest>((), &rows), fold_merged::<Longest>((), &rows)] {
            assert_eq!(folded.expect("it opens").rows(), [Winner { longest }]);
        }
    }
}
