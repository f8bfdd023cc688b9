// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! What a module asks of the host. On a machine of its own, in unit tests, the calls go to a
//! recorder of [`testing`](crate::testing).

use crate::{EventTime, Timestamp};
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
        pub safe fn watermark() -> i64;
        pub fn state_get(state: u32, request: *const u8, len: usize, out: *mut u64, cap: usize) -> usize;
        pub fn state_scan(state: u32, key: u32, bounds: u32, request: *const u8, len: usize) -> u32;
        pub fn state_next(scan: u32, limit: i32, out: *mut u64, cap: usize) -> usize;
        pub fn state_read(out: *mut u64, cap: usize) -> usize;
        pub fn state_put(batch: *const u8, len: usize);
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

/// Reads rows of a state into `out`, where they fit, and returns how many bytes they are.
#[cfg(target_family = "wasm")]
pub fn state_get(state: u32, request: &[u8], out: &mut [u64]) -> usize {
    // SAFETY: the host reads the request and writes no more than there is room for.
    unsafe {
        let (at, room) = (out.as_mut_ptr(), size_of_val(out));
        imports::state_get(state, request.as_ptr(), request.len(), at, room)
    }
}

/// Begins to read a list or a map.
#[cfg(target_family = "wasm")]
pub fn state_scan(state: u32, key: u32, bounds: u32, request: &[u8]) -> u32 {
    // SAFETY: the host reads the request before it returns.
    unsafe { imports::state_scan(state, key, bounds, request.as_ptr(), request.len()) }
}

/// Reads the next rows of a scan as [`state_get`] does; limit -1 ends it.
#[cfg(target_family = "wasm")]
pub fn state_next(scan: u32, limit: i32, out: &mut [u64]) -> usize {
    // SAFETY: the host writes no more than there is room for.
    unsafe { imports::state_next(scan, limit, out.as_mut_ptr(), size_of_val(out)) }
}

/// Reads the last result, which did not fit.
#[cfg(target_family = "wasm")]
pub fn state_read(out: &mut [u64]) -> usize {
    // SAFETY: the host writes no more than there is room for.
    unsafe { imports::state_read(out.as_mut_ptr(), size_of_val(out)) }
}

/// Writes rows of a state, or sets timers.
#[cfg(target_family = "wasm")]
pub fn state_put(batch: &[u8]) {
    // SAFETY: the host reads the bytes before it returns.
    unsafe { imports::state_put(batch.as_ptr(), batch.len()) }
}

#[cfg(target_family = "wasm")]
pub use imports::{count, now, watermark};

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::recorder::{
    count, emit, fail, log, now, state_get, state_next, state_put, state_read, state_scan, watermark,
};

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

/// The operator's watermark: no row is expected any more whose event time is not behind it. It is
/// the least `i64` before the first one, the greatest at the end of all input, and stands still
/// during a call.
pub fn current_watermark() -> EventTime {
    EventTime(watermark())
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
