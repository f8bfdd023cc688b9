// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! The operators by which wasmill checks an SDK; `abi/conformance/README.md` says what each does.

mod aggregates;
mod maps;
mod processes;

use aggregates::{Longest, Mean};
use maps::{Crash, Everything, Refuse, Route, Say, Shift, Split};
use processes::{Alarm, Collect, Forget, Ledger, LedgerBulk, Rules};

wasmill::module!(
    Everything, Split, Route, Shift, Refuse, Crash, Say, Mean, Longest, Ledger, LedgerBulk, Collect, Alarm,
    Forget, Rules,
);
