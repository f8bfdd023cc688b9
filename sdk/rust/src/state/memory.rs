// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

//! Where results of the host lie.

use crate::host;
use crate::memory::bytes;
use alloc::vec::Vec;
use core::cell::UnsafeCell;

/// Words that are asked for at least at once.
const CHUNK: usize = 8 << 10;
/// Words that are kept from call to call.
const KEPT: usize = 512 << 10;

/// Has a result written to a buffer that is used again and again. `ask` returns how many bytes the
/// result has; where they do not fit they are read again.
pub(crate) fn read_into(buffer: &mut Vec<u64>, ask: impl FnOnce(&mut [u64]) -> usize) -> &[u8] {
    if buffer.is_empty() {
        buffer.resize(CHUNK, 0);
    }
    let size = ask(buffer);
    if size > size_of_val(buffer.as_slice()) {
        let words = size.div_ceil(8);
        *buffer = Vec::new(); // given back before the larger one is asked for
        buffer.resize(words + words / 4, 0);
        assert_eq!(host::state_read(buffer), size, "the host gives another result than it said");
    }
    &bytes(buffer)[..size]
}

/// Gives a buffer back where it is too large to be kept from call to call, and returns whether it
/// was.
pub(crate) fn relieve(buffer: &mut Vec<u64>) -> bool {
    let large = buffer.len() > KEPT;
    if large {
        *buffer = Vec::new();
    }
    large
}

/// Memory for results that stay as they are until it is cleared.
#[derive(Default)]
pub(crate) struct Arena(UnsafeCell<Chunks>);

#[derive(Default)]
struct Chunks {
    chunks: Vec<Vec<u64>>, // never resized, and dropped only while nothing borrows from the arena
    at: usize,             // the chunk at hand
    used: usize,           // words of it
    likely: usize,         // words of the largest result so far
}

impl Arena {
    /// Has a result written, like [`read_into`].
    #[allow(clippy::mut_from_ref)]
    pub fn read(&self, ask: impl FnOnce(&mut [u64]) -> usize) -> &[u8] {
        // SAFETY: the reference ends with this function. Nothing that it calls comes back here: an
        // arena is reached by its state only, of which the host knows nothing.
        let chunks = unsafe { &mut *self.0.get() };
        let (mut at, mut room) = chunks.room(chunks.likely);
        let size = ask(room);
        if size > size_of_val(room) {
            (at, room) = chunks.room(size.div_ceil(8));
            assert_eq!(host::state_read(room), size, "the host gives another result than it said");
        }
        let words = size.div_ceil(8);
        chunks.likely = chunks.likely.max(words);
        let start = chunks.used;
        chunks.used += words;
        let result: *const [u64] = &raw const chunks.chunks[at][start..start + words];
        // SAFETY: these words are handed out once until the arena is cleared, for which nothing may
        // borrow from it any more, and chunks stay where they are while others are added.
        &bytes(unsafe { &*result })[..size]
    }

    /// Makes all memory free.
    pub fn clear(&mut self) {
        let chunks = self.0.get_mut();
        let mut kept = 0;
        chunks.chunks.retain(|chunk| {
            kept += chunk.len();
            kept <= KEPT
        });
        (chunks.at, chunks.used) = (0, 0);
    }
}

impl Chunks {
    /// Room for a result that is likely to have so many words, and the chunk that it lies in.
    fn room(&mut self, likely: usize) -> (usize, &mut [u64]) {
        while self.at < self.chunks.len() && self.chunks[self.at].len() - self.used < likely.max(128) {
            (self.at, self.used) = (self.at + 1, 0);
        }
        if self.at == self.chunks.len() {
            let chunk = alloc::vec![0; CHUNK.max(likely + likely / 2)];
            self.chunks.push(chunk);
        }
        (self.at, &mut self.chunks[self.at][self.used..])
    }
}
