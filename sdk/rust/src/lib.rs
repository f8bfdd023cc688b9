// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Operators for wasmill, a stream processor whose operators are WebAssembly modules.
//!
//! Declare rows with [`row!`], implement [`Map`], [`Process`] or [`Aggregate`], list the operators
//! in [`module!`], and build the crate as a `cdylib` for `wasm32-unknown-unknown`. The README has a
//! complete operator; [`testing`] runs one in a unit test.
//!
//! ```
//! use wasmill::{Map, Output, Result};
//!
//! wasmill::row! {
//!     pub struct Bid { price: i64 }
//! }
//!
//! wasmill::row! {
//!     pub struct Config { percent: i64 = 90 }
//! }
//!
//! struct Discount { percent: i64 }
//!
//! impl Map for Discount {
//!     const NAME: &'static str = "discount";
//!     type Config = Config;
//!     type Input = Bid;
//!     type Outputs = Output<Bid>;
//!
//!     fn open(config: Config) -> Result<Self> {
//!         Ok(Discount { percent: config.percent })
//!     }
//!
//!     fn process(&mut self, bid: Bid, out: &mut Output<Bid>) -> Result {
//!         out.emit(Bid { price: bid.price * self.percent / 100 });
//!         Ok(())
//!     }
//! }
//!
//! wasmill::module!(Discount);
//! # let run = wasmill::testing::run::<Discount>(Config { percent: 50 }, &[Bid { price: 8 }]).unwrap();
//! # assert_eq!(run.rows(|out| out), [Bid { price: 4 }]);
//! ```

#![cfg_attr(not(test), no_std)]

extern crate alloc;
#[cfg(test)]
extern crate self as wasmill; // for the macros, and for the conformance operators
#[cfg(any(feature = "std", not(target_family = "wasm")))]
#[macro_use]
extern crate std;

mod aggregate;
pub mod builder;
pub mod column;
#[allow(missing_docs)] // public for what macros expand to, like guest and wire
mod describe;
mod error;
mod flat;
#[allow(missing_docs)]
mod guest;
mod host;
#[allow(missing_docs)]
mod inputs;
mod list;
mod map;
mod memory;
mod output;
mod process;
mod row;
mod scalar;
mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod validity;
mod value;
#[allow(missing_docs)]
mod wire;

pub use aggregate::Aggregate;
pub use builder::Builder;
pub use describe::Merge;
pub use error::{Error, Result};
pub use host::{
    Level, current_time as now, current_watermark as watermark, fail_operator as fail, log_line as log,
};
pub use inputs::Inputs;
pub use list::List;
pub use map::Map;
pub use output::{Counter, Failures, Forward, Output, Outputs};
pub use process::Process;
pub use row::{Batch, Row};
pub use scalar::{Decimal, EventTime, Timestamp};
pub use state::{
    Clock, EventTimers, KeyRange, ListItems, ListState, MapEntries, MapState, Owned, ProcessingTimers,
    ReducingState, States, Stored, Timer, Ttl, ValueState,
};
pub use value::Value;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

/// The version of the contract with the host that this crate speaks.
pub const VERSION: i32 = 1;

/// What the macros of this crate expand to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::describe::{Field, Outgoing, Port, Scope, State, default_text};
    #[cfg(target_family = "wasm")]
    pub use crate::guest::Guest;
    pub use crate::guest::{Entry, description, entry};
    pub use crate::inputs::{batch, port, write_rows};
    pub use crate::output::Numbers;
    pub use crate::state::{Call, Declared, Kept};
    pub use crate::wire::{Sink, Source};
    pub use alloc::string::String;
    pub use alloc::vec::Vec;
}
