//! Chance that is the same every time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Entropy;

/// Digits that look random, never repeat, and are the same in every run.
#[derive(Debug, Default)]
pub struct SimEntropy(AtomicU64);

impl Entropy for SimEntropy {
    fn hex(&self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            text.push_str(&format!("{:016x}", scatter(self.0.fetch_add(1, Ordering::Relaxed))));
        }
        text.truncate(digits);
        text
    }
}

/// A number that tells nothing of its neighbours: the finaliser of SplitMix64.
pub(super) fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
