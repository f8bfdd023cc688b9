// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What a module asks of the host. On a machine of its own, in unit tests, the calls go to a
//! recorder of [`testing`](crate::testing).

use crate::Timestamp;
use alloc::string::ToString;
use core::fmt;

#[cfg(target_family = "wasm")]
mod imports {
    #[link(wasm_import_module = "wasmill")]
    unsafe extern "C" {
        pub fn emit(batch: *const u8, len: usize);
        pub fn log(level: u32, text: *const u8, len: usize);
        pub safe fn count(counter: u32, delta: i64);
        pub fn fail(kind: u32, text: *const u8, len: usize) -> !;
        pub safe fn now() -> i64;
    }
}

/// The kind of a failure that the operator wanted.
pub const REFUSED: u32 = 0;
/// The kind of a failure that is a bug.
#[cfg(target_family = "wasm")]
pub const PANIC: u32 = 1;

#[cfg(target_family = "wasm")]
pub fn emit(batch: &[u8]) {
    // SAFETY: the host reads the bytes before it returns.
    unsafe { imports::emit(batch.as_ptr(), batch.len()) }
}

#[cfg(target_family = "wasm")]
pub fn log(level: Level, text: &str) {
    // SAFETY: the host reads the text before it returns.
    unsafe { imports::log(level as u32, text.as_ptr(), text.len()) }
}

#[cfg(target_family = "wasm")]
pub fn fail(kind: u32, text: &str) -> ! {
    // SAFETY: the host reads the text and ends the instance.
    unsafe { imports::fail(kind, text.as_ptr(), text.len()) }
}

#[cfg(target_family = "wasm")]
pub use imports::{count, now};

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::recorder::{count, emit, fail, log, now};

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the operator's author.
    Debug = 0,
    /// For whoever runs the job.
    Info = 1,
    /// Something to look at.
    Warn = 2,
    /// Something is wrong.
    Error = 3,
}

impl TryFrom<i32> for Level {
    type Error = crate::Error;

    fn try_from(level: i32) -> crate::Result<Self> {
        Ok(match level {
            0 => Level::Debug,
            1 => Level::Info,
            2 => Level::Warn,
            3 => Level::Error,
            _ => crate::bail!("there is no log level {level}, only 0 to 3"),
        })
    }
}

/// Logs a line: `wasmill::log(Level::Info, format_args!("{n} rows"))`.
pub fn log_line(level: Level, line: impl fmt::Display) {
    log(level, &line.to_string());
}

/// The job's processing time. It stands still while the operator processes a batch.
pub fn current_time() -> Timestamp {
    Timestamp(now())
}

/// Fails the operator, not just a row, with a message for whoever runs the job. To fail a row or to
/// refuse to open, return an error instead.
pub fn fail_operator(message: impl fmt::Display) -> ! {
    fail(REFUSED, &message.to_string())
}

/// Has panics reported to the host, with their message and place.
#[cfg(all(target_family = "wasm", feature = "std"))]
pub fn catch_panics() {
    std::panic::set_hook(std::boxed::Box::new(|info| {
        let payload = info.payload();
        let message = payload.downcast_ref::<&str>().copied();
        let message =
            message.or_else(|| payload.downcast_ref::<alloc::string::String>().map(|text| text.as_str()));
        report(&message.unwrap_or("a panic without a message"), info.location())
    }));
}

/// The panic handler is there from the start.
#[cfg(all(target_family = "wasm", not(feature = "std")))]
pub fn catch_panics() {}

#[cfg(all(target_family = "wasm", not(feature = "std")))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    report(&info.message(), info.location())
}

#[cfg(target_family = "wasm")]
fn report(message: &dyn fmt::Display, location: Option<&core::panic::Location<'_>>) -> ! {
    use fmt::Write;
    let mut text = Text { bytes: [0; 1024], len: 0 };
    // A text that is full keeps what it has.
    let _ = match location {
        Some(location) => write!(text, "{message} ({location})"),
        None => write!(text, "{message}"),
    };
    let text = core::str::from_utf8(&text.bytes[..text.len]).unwrap_or("a panic whose message is cut");
    fail(PANIC, text)
}

/// A text of bounded length, for messages that must not allocate: memory may be what has run out.
#[cfg(target_family = "wasm")]
struct Text {
    bytes: [u8; 1024],
    len: usize,
}

#[cfg(target_family = "wasm")]
impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let mut size = part.len().min(self.bytes.len() - self.len);
        while !part.is_char_boundary(size) {
            size -= 1;
        }
        self.bytes[self.len..self.len + size].copy_from_slice(&part.as_bytes()[..size]);
        self.len += size;
        Ok(())
    }
}
