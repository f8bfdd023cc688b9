// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use alloc::string::{String, ToString};
use core::fmt;

/// Why a row failed, or why an operator refuses to open: a message for a person.
///
/// Any error becomes one by `?`; [`bail!`](crate::bail) makes one from a format string.
pub struct Error {
    message: String,
}

/// What an operator's methods return.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

impl Error {
    /// Makes an error of a message.
    pub fn new(message: impl fmt::Display) -> Self {
        Error { message: message.to_string() }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Cuts the message where it has more bytes than `size`.
    pub(crate) fn cut(mut self, mut size: usize) -> Self {
        size = size.min(self.message.len());
        while !self.message.is_char_boundary(size) {
            size -= 1;
        }
        self.message.truncate(size);
        self
    }
}

// Error itself is no core::error::Error: that is what lets every other one be converted.
impl<E: core::error::Error> From<E> for Error {
    fn from(cause: E) -> Self {
        Error::new(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Returns from the function with an error: the row fails, or the operator refuses to open.
///
/// ```
/// fn check(n: i64) -> wasmill::Result {
///     if n < 0 {
///         wasmill::bail!("n is negative: {n}");
///     }
///     Ok(())
/// }
/// assert_eq!(check(-3).unwrap_err().message(), "n is negative: -3");
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::core::result::Result::Err($crate::Error::new(::core::format_args!($($message)*)))
    };
}
