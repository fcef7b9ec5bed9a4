//! One of a shell's two outputs: what its login shell prints first is no script's output, what follows is.

use super::marker::Decoder;
use crate::displayable::displayable_bytes;

/// How much of what a login shell prints is kept to explain why it ended.
const NOISE_KEPT: usize = 400;

/// Standard output or standard error of a shell.
#[derive(Debug)]
pub(super) struct Stream {
    decoder: Decoder,
    greeted: bool,
    noise: Vec<u8>,
}

impl Stream {
    pub(super) fn new(nonce: &str) -> Self {
        Self { decoder: Decoder::new(nonce), greeted: false, noise: Vec::new() }
    }

    /// Takes a piece of output while a script runs; returns the script's status once its mark is complete.
    pub(super) fn feed(&mut self, mut piece: &[u8], mut pass: impl FnMut(&[u8])) -> Option<i32> {
        loop {
            let Self { decoder, greeted, noise } = self;
            let status = decoder.feed(piece, |clear| {
                if *greeted {
                    pass(clear);
                } else {
                    let room = NOISE_KEPT.saturating_sub(noise.len());
                    noise.extend(clear.iter().take(room));
                }
            })?;
            if self.greeted {
                return Some(status);
            }
            self.greeted = true;
            piece = b"";
        }
    }

    /// Takes a piece of output while no script runs: looks for the greeting, forgets the rest.
    pub(super) fn discard(&mut self, piece: &[u8]) {
        if !self.greeted {
            self.feed(piece, |_| ());
        }
    }

    /// Prepares for the next script: what programs left behind printed after the last one is not its output.
    pub(super) fn rewind(&mut self) {
        if self.greeted {
            self.decoder.clear();
        }
    }

    /// True once the shell has said that it reads programs.
    pub(super) fn greeted(&self) -> bool {
        self.greeted
    }

    /// What the login shell printed.
    pub(super) fn noise(&self) -> String {
        displayable_bytes(&self.noise)
    }
}
