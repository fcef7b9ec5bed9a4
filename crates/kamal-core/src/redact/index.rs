//! Many patterns looked for at once. A bit per hash of four bytes tells almost every position of a text apart from one
//! where a pattern begins, without looking at a pattern; nothing is built when one more is learned; and the patterns lie
//! in memory that is wiped, which automata keep copies out of.

use zeroize::Zeroizing;

/// How many bytes of a pattern are hashed: no pattern is shorter.
pub(super) const HEAD: usize = 4;

/// The table's bits, 8 KiB: with a thousand patterns one position in sixty-four is looked at twice.
const BITS: u32 = 16;

/// Patterns, and a table of their beginnings.
#[derive(Default)]
pub(super) struct Index {
    /// Sorted, each once.
    patterns: Vec<Zeroizing<String>>,
    /// Empty while there are no patterns.
    heads: Vec<u64>,
}

/// What begins at a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The length of the longest pattern that is there; 0 without one.
    pub(super) length: usize,
    /// True when the text ends within what may become a longer pattern.
    pub(super) open: bool,
}

impl Index {
    /// Adds patterns.
    pub(super) fn add(&mut self, patterns: Vec<Zeroizing<String>>) {
        self.heads.resize(1 << (BITS - 6), 0);
        for pattern in patterns {
            let Some(bit) = head(pattern.as_bytes()).map(bit) else { continue };
            if let Err(place) = self.place(pattern.as_bytes()) {
                self.heads[bit / 64] |= 1 << (bit % 64);
                self.patterns.insert(place, pattern);
            }
        }
    }

    /// Whether a pattern is there already.
    pub(super) fn knows(&self, pattern: &[u8]) -> bool {
        self.place(pattern).is_ok()
    }

    fn place(&self, pattern: &[u8]) -> Result<usize, usize> {
        self.patterns.binary_search_by(|known| known.as_bytes().cmp(pattern))
    }

    /// The first position, from `at` on, where a pattern may begin: where its head's bit is set, or where the text ends
    /// before the head does.
    pub(super) fn next(&self, bytes: &[u8], at: usize) -> usize {
        if self.patterns.is_empty() {
            return bytes.len();
        }
        let heads = bytes[at..].windows(HEAD);
        let hit = heads.filter_map(head).position(|head| {
            let bit = bit(head);
            self.heads[bit / 64] >> (bit % 64) & 1 == 1
        });
        hit.map_or_else(|| bytes.len().saturating_sub(HEAD - 1).max(at), |hit| at + hit)
    }

    /// What begins where the text begins.
    pub(super) fn at(&self, text: &[u8]) -> Found {
        let start = &text[..text.len().min(HEAD)];
        let from = self.place(start).unwrap_or_else(|place| place);
        let patterns = self.patterns[from..].iter().map(|pattern| pattern.as_bytes());
        let mut found = Found::default();
        // Sorted, so a longer one comes after one it begins with.
        for pattern in patterns.take_while(|pattern| pattern.starts_with(start)) {
            if text.starts_with(pattern) {
                found.length = pattern.len();
            } else if pattern.starts_with(text) {
                found.open = true;
            }
        }
        found
    }
}

fn head(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<HEAD>().map(|head| u32::from_le_bytes(*head))
}

/// Multiplication by the golden ratio spreads neighbouring texts over the table.
fn bit(head: u32) -> usize {
    (head.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}
