//! Finds the mark that ends a script in a stream of output that arrives in pieces of any size.
//!
//! A mark is `RS nonce blank status newline`, where the nonce is random, so that no output can imitate it. Output before
//! it passes through at once, except for a tail that may be the beginning of a mark.

/// Splits one stream of a shell's output at its marks.
#[derive(Debug)]
pub(super) struct Decoder {
    needle: Vec<u8>,
    held: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(nonce: &str) -> Self {
        Self { needle: format!("\u{1e}{nonce} ").into_bytes(), held: Vec::new() }
    }

    /// Forgets what is held.
    pub(super) fn clear(&mut self) {
        self.held.clear();
    }

    /// Takes a piece of output, passes on what belongs to the script, and returns the status once the mark is
    /// complete. What follows a mark is kept for the next call.
    pub(super) fn feed(&mut self, piece: &[u8], mut pass: impl FnMut(&[u8])) -> Option<i32> {
        // Nearly all output comes here: nothing is held and nothing looks like a mark.
        if self.held.is_empty() && !piece.contains(&0x1e) {
            if !piece.is_empty() {
                pass(piece);
            }
            return None;
        }
        self.held.extend_from_slice(piece);
        let Some(start) = find(&self.held, &self.needle) else {
            let keep = partial(&self.held, &self.needle);
            let tail = self.held.split_off(self.held.len() - keep);
            let clear = std::mem::replace(&mut self.held, tail);
            if !clear.is_empty() {
                pass(&clear);
            }
            return None;
        };
        let status_at = start + self.needle.len();
        let digits = self.held.get(status_at..)?;
        let length = digits.iter().position(|byte| *byte == b'\n')?;
        let status = digits.get(..length).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let rest = self.held.split_off(status_at + length + 1);
        let mut done = std::mem::replace(&mut self.held, rest);
        done.truncate(start);
        if !done.is_empty() {
            pass(&done);
        }
        Some(status.unwrap_or(255))
    }
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}

/// How many bytes at the end of the text may be the beginning of the needle.
fn partial(text: &[u8], needle: &[u8]) -> usize {
    (1..needle.len().min(text.len() + 1))
        .rev()
        .find(|length| needle.get(..*length).is_some_and(|start| text.ends_with(start)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: &str = "0123456789abcdef0123456789abcdef";

    fn run(pieces: &[&[u8]]) -> (Vec<u8>, Vec<i32>) {
        let (mut decoder, mut out, mut statuses) = (Decoder::new(NONCE), Vec::new(), Vec::new());
        for piece in pieces {
            let mut piece = *piece;
            while let Some(status) = decoder.feed(piece, |clear| out.extend_from_slice(clear)) {
                statuses.push(status);
                piece = b"";
            }
        }
        (out, statuses)
    }

    #[test]
    fn output_without_a_newline_keeps_its_end() {
        let text = format!("abc\u{1e}{NONCE} 3\n");
        assert_eq!(run(&[text.as_bytes()]), (b"abc".to_vec(), vec![3]));
    }

    #[test]
    fn a_piece_without_a_mark_passes_at_once() {
        let mut decoder = Decoder::new(NONCE);
        let mut out = Vec::new();
        assert_eq!(decoder.feed(b"\x1e0123 no mark", |clear| out.extend_from_slice(clear)), None);
        assert_eq!(out, b"\x1e0123 no mark");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            first in prop::collection::vec(prop_oneof![Just(0x1e_u8), Just(b'0'), Just(b'1'), Just(b'\n'), any::<u8>()], 0..80),
            second in prop::collection::vec(any::<u8>(), 0..40),
            status in 0_i32..256,
            cuts in prop::collection::vec(0_usize..260, 0..8),
        ) {
            let mut stream = first.clone();
            stream.extend_from_slice(format!("\u{1e}{NONCE} {status}\n").as_bytes());
            stream.extend_from_slice(&second);
            stream.extend_from_slice(format!("\u{1e}{NONCE} 0\n").as_bytes());
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let (out, statuses) = run(&pieces);
            prop_assert_eq!(out, [first, second].concat());
            prop_assert_eq!(statuses, vec![status, 0]);
        }
    }
}
