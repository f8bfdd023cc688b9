// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Tests of the crate. The operators that they run are those of the conformance module.

mod aggregates;
mod columns;
mod describe;
mod golden;
mod json;
mod maps;
mod model;
mod processes;
mod states;

/// The conformance module's own sources.
#[path = "../../conformance/src"]
#[allow(dead_code, private_interfaces)]
pub mod conformance {
    pub mod aggregates;
    pub mod maps;
    pub mod processes;
}
