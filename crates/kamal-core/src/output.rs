//! What programs print, as whole lines: pieces arrive cut anywhere, also within a character or a secret, and an event
//! must not show half of either.

use std::collections::VecDeque;

/// The longest line that is waited for. What is longer comes in pieces.
const LONGEST: usize = 1 << 20;

/// Puts the lines of one stream together.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
}

impl Lines {
    /// Takes a piece of output and hands on the lines that are whole by now, without their ends.
    pub fn feed(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.held.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.held.len() > LONGEST {
                self.end(line);
            }
        }
    }

    /// Hands on the line that has no end.
    pub fn end(&mut self, line: &mut dyn FnMut(&str)) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            let text = held.strip_suffix(b"\n").unwrap_or(&held);
            line(&String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)));
        }
    }
}

/// The last lines of an output: what an error repeats of it.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    /// How many bytes are kept, but always a whole line.
    const LIMIT: usize = 4096;

    /// Takes a line.
    pub fn push(&mut self, line: &str) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line.to_owned());
        while self.bytes > Self::LIMIT && self.lines.len() > 1 {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len() + 1);
        }
    }

    /// The lines that were kept.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: usize) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            lines.feed(piece, &mut |line| found.push(line.to_owned()));
        }
        lines.end(&mut |line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_are_whole_however_the_output_is_cut() {
        for size in [1, 2, 3, 100] {
            assert_eq!(cut("one\r\n\nzwölf\nno end", size), ["one", "", "zwölf", "no end"], "{size}");
        }
    }

    #[test]
    fn a_tail_holds_whole_lines_only() {
        let mut tail = Tail::default();
        (0..2000).for_each(|n| tail.push(&format!("line {n}")));
        let text = tail.text();
        assert!(text.len() <= Tail::LIMIT && text.starts_with("line ") && text.ends_with("\nline 1999"), "{text}");
        tail.push(&"x".repeat(9000));
        assert_eq!(tail.text().len(), 9000);
    }
}
