// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Bytes seen as numbers and back. A batch holds its columns as arrays of little-endian numbers,
//! each at a multiple of 8, so that a column can be read in place.

#[cfg(target_endian = "big")]
compile_error!("wasmill's batches are little endian, and so must be the machine that tests an operator");

/// A number that a batch holds as it lies in memory.
///
/// # Safety
///
/// The type has no padding, every bit pattern is a value of it, and its alignment is at most 8.
pub unsafe trait Plain: Copy + Default + 'static {}

macro_rules! plain {
    ($($number:ty),*) => { $(
        // SAFETY: the primitive integers and floats have no padding and take every bit pattern.
        unsafe impl Plain for $number {}
    )* };
}
plain!(u8, u32, i32, i64, u64, f64);

/// Returns the `count` numbers that begin at byte `at` of a batch. It panics where they do not
/// lie inside of it, at a multiple of their alignment: the host broke the contract.
pub fn view<T: Plain>(batch: &[u8], at: usize, count: usize) -> &[T] {
    if count == 0 {
        return &[];
    }
    let bytes = count
        .checked_mul(size_of::<T>())
        .and_then(|size| batch.get(at..)?.get(..size))
        .expect("a buffer of the batch ends after its last byte");
    // SAFETY: T is Plain, so that any bytes are values of it.
    let (before, numbers, after) = unsafe { bytes.align_to::<T>() };
    assert!(before.is_empty() && after.is_empty(), "a buffer of the batch is not aligned");
    numbers
}

/// Returns numbers as the bytes that they are.
pub fn bytes<T: Plain>(numbers: &[T]) -> &[u8] {
    // SAFETY: T is Plain: it has no padding, so that each of its bytes has a value.
    unsafe { core::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}

/// Returns words as the bytes that they are, to be written.
pub fn bytes_mut(words: &mut [u64]) -> &mut [u8] {
    // SAFETY: u64 is Plain: any bytes that are written are values of it.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), size_of_val(words)) }
}

/// Copies bytes to numbers, which are as many bytes.
pub fn copy<T: Plain>(from: &[u8], to: &mut [T]) {
    assert_eq!(from.len(), size_of_val(to), "a number takes as many bytes as its type has");
    // SAFETY: T is Plain: any bytes are values of it; both are as long, and do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), to.as_mut_ptr().cast(), from.len()) }
}
