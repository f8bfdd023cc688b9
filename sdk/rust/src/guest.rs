// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What the host calls: the exports of a module, and the one operator that an instance runs.

use crate::describe::{self, Description};
use crate::wire::{CONFIG, Source};
use crate::{Error, Result, Row};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// How a module finds an operator of its own.
pub struct Entry {
    pub describe: fn() -> Description,
    pub open: fn(&[u8]) -> Result<Box<dyn Running>>,
}

/// An operator that is open. Each call is given whole messages of the host.
pub trait Running {
    fn process(&mut self, batch: &[u8]);
    fn timer(&mut self, _batch: &[u8]) {
        panic!("only a process has timers");
    }
    fn aggregate(&mut self, step: u32, a: &[u8], b: &[u8]);
}

/// A type that is an operator. `Kind` is which trait makes it one, and is inferred, so that
/// [`module!`](crate::module) lists operators of all kinds.
pub trait Operator<Kind> {
    const ENTRY: Entry;
}

/// The entry of an operator.
pub const fn entry<Kind, O: Operator<Kind>>() -> Entry {
    O::ENTRY
}

/// Describes a module that holds the operators.
pub fn description(operators: &[Entry]) -> Vec<u8> {
    let operators: Vec<_> = operators.iter().map(|entry| (entry.describe)()).collect();
    describe::module(&operators)
}

/// Reads the configuration from its batch of one row.
pub fn config<'a, C: Row>(source: &mut Source<'a>) -> Result<C::Of<'a>> {
    assert!(source.schema == CONFIG && source.rows == 1, "the host gave no configuration");
    let columns = C::columns(source);
    match C::lacks(&columns, 0) {
        Some(field) => Err(Error::new(format_args!("configuration: {field} is not given"))),
        None => Ok(C::read(&columns, 0)),
    }
}

#[cfg(target_family = "wasm")]
pub use instance::Guest;

#[cfg(target_family = "wasm")]
mod instance {
    use super::{Entry, Running};
    use crate::host;
    use crate::memory::{bytes, bytes_mut};
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::cell::UnsafeCell;

    /// The memory of an instance that outlasts a call.
    pub struct Guest {
        operators: &'static [Entry],
        state: UnsafeCell<State>,
    }

    struct State {
        description: Vec<u8>,
        input: Vec<u64>,
        running: Option<Box<dyn Running>>,
    }

    // SAFETY: a module of this contract has one thread.
    unsafe impl Sync for Guest {}

    impl Guest {
        pub const fn new(operators: &'static [Entry]) -> Self {
            let state = State { description: Vec::new(), input: Vec::new(), running: None };
            Guest { operators, state: UnsafeCell::new(state) }
        }

        #[allow(clippy::mut_from_ref)]
        fn state(&self) -> &mut State {
            // SAFETY: there is one thread, calls of the host never nest, and each export calls this
            // once and drops the reference before it returns, so that it is the only one.
            unsafe { &mut *self.state.get() }
        }

        pub fn describe(&self) -> u64 {
            host::catch_panics();
            let state = self.state();
            state.description = super::description(self.operators);
            (state.description.as_ptr() as u64) << 32 | state.description.len() as u64
        }

        pub fn buffer(&self, size: usize) -> *mut u8 {
            let input = &mut self.state().input;
            let words = size.div_ceil(8).max(1);
            if input.len() < words {
                *input = Vec::new(); // given back before the larger one is asked for
                // If possible larger, so that slowly growing batches do not each want a new one.
                let larger = input.try_reserve_exact(words + words / 4);
                if larger.or_else(|_| input.try_reserve_exact(words)).is_err() {
                    return core::ptr::null_mut();
                }
                input.resize(input.capacity(), 0);
            }
            bytes_mut(input).as_mut_ptr()
        }

        pub fn open(&self, operator: usize, config: usize, len: usize) -> i32 {
            host::catch_panics();
            let state = self.state();
            let entry = self.operators.get(operator).expect("the module has no operator of that number");
            match (entry.open)(message(&state.input, config, len)) {
                Ok(running) => state.running = Some(running),
                Err(error) => host::fail(host::REFUSED, error.message()),
            }
            0
        }

        pub fn process(&self, batch: usize, len: usize) -> i32 {
            let State { input, running, .. } = self.state();
            running.as_mut().expect("no operator is open").process(message(input, batch, len));
            0
        }

        pub fn timer(&self, batch: usize, len: usize) -> i32 {
            let State { input, running, .. } = self.state();
            running.as_mut().expect("no operator is open").timer(message(input, batch, len));
            0
        }

        pub fn aggregate(&self, step: u32, a: usize, a_len: usize, b: usize, b_len: usize) -> i32 {
            let State { input, running, .. } = self.state();
            let (a, b) = (message(input, a, a_len), message(input, b, b_len));
            running.as_mut().expect("no operator is open").aggregate(step, a, b);
            0
        }
    }

    /// A message that the host wrote to the input buffer.
    fn message(input: &[u64], at: usize, len: usize) -> &[u8] {
        let input = bytes(input);
        if len == 0 {
            return &[];
        }
        let start = at.checked_sub(input.as_ptr() as usize);
        start
            .and_then(|start| input.get(start..)?.get(..len))
            .expect("a message lies outside of the input buffer")
    }
}

/// Makes a module of operators: exports what the host calls. A crate calls it once, and is built
/// as a `cdylib` for `wasm32-unknown-unknown`. The operators have the numbers in which they are listed.
///
/// ```
/// # struct Double;
/// # wasmill::row! { pub struct N { n: i64 } }
/// # impl wasmill::Map for Double {
/// #     const NAME: &'static str = "double";
/// #     type Config = ();
/// #     type Input = N;
/// #     type Outputs = wasmill::Output<N>;
/// #     fn open(_: ()) -> wasmill::Result<Self> { Ok(Double) }
/// # }
/// wasmill::module!(Double);
/// ```
#[macro_export]
macro_rules! module {
    ($($operator:ty),+ $(,)?) => {
        const _: () = {
            #[allow(dead_code)] // unless it is built for the host
            static OPERATORS: &[$crate::__private::Entry] = &[$($crate::__private::entry::<_, $operator>()),+];

            #[cfg(target_family = "wasm")]
            const _: () = {
                static GUEST: $crate::__private::Guest = $crate::__private::Guest::new(OPERATORS);

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_version() -> i32 {
                    $crate::VERSION
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_describe() -> u64 {
                    GUEST.describe()
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_buffer(size: usize) -> *mut u8 {
                    GUEST.buffer(size)
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_open(operator: usize, config: usize, config_len: usize) -> i32 {
                    GUEST.open(operator, config, config_len)
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_process(batch: usize, len: usize) -> i32 {
                    GUEST.process(batch, len)
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_timer(batch: usize, len: usize) -> i32 {
                    GUEST.timer(batch, len)
                }

                #[unsafe(no_mangle)]
                extern "C" fn wasmill_aggregate(step: u32, a: usize, a_len: usize, b: usize, b_len: usize) -> i32 {
                    GUEST.aggregate(step, a, a_len, b, b_len)
                }
            };
        };
    };
}
