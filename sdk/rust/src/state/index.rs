// Copyright The wasmill Authors
// SPDX-License-Identifier: Apache-2.0

use alloc::vec::Vec;

/// Entries by key number and encoded map key: a hash table with open addressing, whose memory is
/// kept from call to call.
#[derive(Default)]
pub(crate) struct Index {
    entries: Vec<Entry>,
    keys: Vec<u8>,   // encoded, of all entries
    slots: Vec<u32>, // number of the entry and 1, or 0; a power of two of them
}

struct Entry {
    hash: u32,
    key: u32, // number of the key that the map belongs to
    start: usize,
    end: usize,
}

impl Index {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all map keys.
    pub fn bytes(&self) -> usize {
        self.keys.len()
    }

    /// The number of the key and the encoded map key of an entry.
    pub fn at(&self, entry: usize) -> (u32, &[u8]) {
        let Entry { key, start, end, .. } = self.entries[entry];
        (key, &self.keys[start..end])
    }

    /// The entry of a map key, which `encode` appends, and whether it is new.
    pub fn entry(&mut self, key: u32, encode: impl FnOnce(&mut Vec<u8>)) -> (usize, bool) {
        if 2 * (self.entries.len() + 1) > self.slots.len() {
            self.grow();
        }
        let start = self.keys.len();
        encode(&mut self.keys);
        let encoded = &self.keys[start..];
        let hash = hash(key, encoded);
        let mut slot = hash as usize & (self.slots.len() - 1);
        while self.slots[slot] != 0 {
            let number = self.slots[slot] as usize - 1;
            let other = &self.entries[number];
            if other.hash == hash && other.key == key && &self.keys[other.start..other.end] == encoded {
                self.keys.truncate(start);
                return (number, false);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        self.entries.push(Entry { hash, key, start, end: self.keys.len() });
        self.slots[slot] = self.entries.len() as u32;
        (self.entries.len() - 1, true)
    }

    fn grow(&mut self) {
        let size = (2 * self.slots.len()).max(64);
        self.slots.clear();
        self.slots.resize(size, 0);
        for (number, entry) in self.entries.iter().enumerate() {
            let mut slot = entry.hash as usize & (size - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = number as u32 + 1;
        }
    }

    /// Makes it empty.
    pub fn clear(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        if 16 * self.entries.len() < self.slots.len() {
            self.slots.truncate(64); // one call with many entries does not slow down those after it
        }
        self.slots.fill(0);
        self.entries.clear();
        self.keys.clear();
    }
}

/// FNV-1a by words of 8 bytes, and mixed so that its low bits depend on all.
fn hash(key: u32, encoded: &[u8]) -> u32 {
    const PRIME: u64 = 0x100_0000_01b3;
    let mut hash = (0xcbf2_9ce4_8422_2325 ^ u64::from(key)).wrapping_mul(PRIME);
    let words = encoded.chunks_exact(8);
    for &byte in words.remainder() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    for word in words {
        hash = (hash ^ u64::from_le_bytes(word.try_into().unwrap())).wrapping_mul(PRIME);
        hash ^= hash >> 29;
    }
    hash ^= hash >> 32;
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}
