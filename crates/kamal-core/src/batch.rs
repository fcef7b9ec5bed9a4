//! Many steps, one round trip: neighbouring steps of a host are sent as one script, with a marker around each step's
//! output, so that what a host prints can be told apart, timed, and blamed on the right step while it arrives.

use crate::{
    ports::Chunk,
    shell::{Script, Text},
    step::Step,
};

/// What ends a marker: not the byte one begins with, which a shell's own markers begin with too, so that whoever looks
/// for those would hold it back until more output comes.
const MARK_END: u8 = 0o37;

/// One step's part of a script.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    /// Shell text; its exit status is the step's.
    pub(crate) text: Text,
    /// True when the script goes on after a failure.
    pub(crate) tolerant: bool,
}

/// What a script made of steps does, as data: for an `Exec` that acts steps out and has no shell, such as a simulated
/// host. Its output is expected with the markers [`begin_marker`] and [`end_marker`] give.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Batch {
    /// What its markers begin with.
    pub nonce: String,
    /// The steps, one fragment each, in order.
    pub steps: Vec<Step>,
    /// True when one more fragment observes the host at the end.
    pub observes: bool,
}

/// What a script's output says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A fragment began.
    Started(usize),
    /// A fragment printed a piece of output.
    Printed {
        /// The fragment; `None` is the script itself, a syntax error for example.
        fragment: Option<usize>,
        /// The bytes.
        bytes: Vec<u8>,
        /// True for standard error.
        error: bool,
    },
    /// A fragment ended.
    Finished {
        /// The fragment.
        fragment: usize,
        /// Its exit status.
        status: i32,
    },
}

/// Puts fragments into one script. The nonce must be one that no program prints.
///
/// Fragments run in one shell, so that a later one can use a variable an earlier one set. A failure ends the script
/// with the fragment's status unless the fragment is tolerant.
#[must_use]
pub(crate) fn compose(nonce: &str, fragments: &[Fragment]) -> Text {
    let mut text = Text::from(format!(
        "__kamal_mark() {{ printf '\\036{nonce}%s\\037' \"$1\"; printf '\\036{nonce}%s\\037' \"$1\" >&2; }}\n"
    ));
    for (i, fragment) in fragments.iter().enumerate() {
        text.push(&format!("__kamal_mark 'b{i}'\n{{\n"));
        text.append(&fragment.text);
        text.push(&format!("\n}}\n__kamal_status=$?; __kamal_mark \"e{i},$__kamal_status\"\n"));
        if !fragment.tolerant {
            text.push("[ \"$__kamal_status\" -eq 0 ] || exit \"$__kamal_status\"\n");
        }
    }
    text.push(":\n");
    text
}

/// What a fragment's output begins with, in both streams.
#[must_use]
pub fn begin_marker(nonce: &str, fragment: usize) -> String {
    format!("\u{1e}{nonce}b{fragment}\u{1f}")
}

/// What a fragment's output ends with, in both streams.
#[must_use]
pub fn end_marker(nonce: &str, fragment: usize, status: i32) -> String {
    format!("\u{1e}{nonce}e{fragment},{status}\u{1f}")
}

/// The script of a batch, labelled.
#[must_use]
pub(crate) fn script(label: &str, batch: Batch, fragments: &[Fragment]) -> Script {
    Script::write(label, compose(&batch.nonce, fragments)).made_of(batch)
}

/// Finds the markers in a script's output, however it is cut into pieces.
#[derive(Debug)]
pub(crate) struct Decoder {
    marker: Vec<u8>,
    out: Stream,
    err: Stream,
}

#[derive(Debug, Default)]
struct Stream {
    held: Vec<u8>,
    fragment: Option<usize>,
}

impl Decoder {
    /// A decoder for a script composed with this nonce.
    #[must_use]
    pub(crate) fn new(nonce: &str) -> Self {
        let mut marker = vec![0o36];
        marker.extend_from_slice(nonce.as_bytes());
        Self { marker, out: Stream::default(), err: Stream::default() }
    }

    /// Takes a piece of output.
    pub(crate) fn feed(&mut self, chunk: Chunk<'_>, signal: &mut dyn FnMut(Signal)) {
        match chunk {
            Chunk::Stdout(bytes) => self.out.feed(&self.marker, bytes, false, signal),
            Chunk::Stderr(bytes) => self.err.feed(&self.marker, bytes, true, signal),
        }
    }

    /// Hands out what was held back in case it were a marker's beginning.
    pub(crate) fn finish(&mut self, signal: &mut dyn FnMut(Signal)) {
        for (stream, error) in [(&mut self.out, false), (&mut self.err, true)] {
            let held = std::mem::take(&mut stream.held);
            stream.print(&held, error, signal);
        }
    }
}

impl Stream {
    fn feed(&mut self, marker: &[u8], bytes: &[u8], error: bool, signal: &mut dyn FnMut(Signal)) {
        self.held.extend_from_slice(bytes);
        loop {
            let held = std::mem::take(&mut self.held);
            let Some(at) = held.windows(marker.len()).position(|window| window == marker) else {
                let keep = (1..marker.len()).rev().find(|&n| held.ends_with(&marker[..n])).unwrap_or(0);
                let (ready, rest) = held.split_at(held.len() - keep);
                self.print(ready, error, signal);
                self.held = rest.to_vec();
                return;
            };
            self.print(&held[..at], error, signal);
            let body = &held[at + marker.len()..];
            let Some(end) = body.iter().position(|&byte| byte == MARK_END) else {
                self.held = held[at..].to_vec();
                return;
            };
            self.mark(&String::from_utf8_lossy(&body[..end]), error, signal);
            self.held = body[end + 1..].to_vec();
        }
    }

    fn print(&self, bytes: &[u8], error: bool, signal: &mut dyn FnMut(Signal)) {
        if !bytes.is_empty() {
            signal(Signal::Printed { fragment: self.fragment, bytes: bytes.to_vec(), error });
        }
    }

    /// Markers stand in both streams so that each knows its fragment; only standard output's are told.
    fn mark(&mut self, mark: &str, error: bool, signal: &mut dyn FnMut(Signal)) {
        if let Some(fragment) = mark.strip_prefix('b').and_then(|number| number.parse().ok()) {
            self.fragment = Some(fragment);
            if !error {
                signal(Signal::Started(fragment));
            }
        } else if let Some((fragment, status)) = mark.strip_prefix('e').and_then(|rest| rest.split_once(',')) {
            self.fragment = None;
            if let (false, Ok(fragment), Ok(status)) = (error, fragment.parse(), status.parse()) {
                signal(Signal::Finished { fragment, status });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(fragments: &[(&str, bool)]) -> (Vec<Signal>, Option<i32>) {
        let fragments: Vec<Fragment> = fragments
            .iter()
            .map(|(text, tolerant)| Fragment { text: Text::from(*text), tolerant: *tolerant })
            .collect();
        #[expect(clippy::disallowed_methods, reason = "the shell itself is what is tested")]
        let output =
            std::process::Command::new("sh").args(["-c", &compose("N", &fragments).expose()]).output().unwrap();
        let mut signals = Vec::new();
        let mut decoder = Decoder::new("N");
        // One byte at a time: the hardest cut.
        for byte in &output.stdout {
            decoder.feed(Chunk::Stdout(&[*byte]), &mut |signal| signals.push(signal));
        }
        decoder.feed(Chunk::Stderr(&output.stderr), &mut |signal| signals.push(signal));
        decoder.finish(&mut |signal| signals.push(signal));
        (signals, output.status.code())
    }

    fn text(signals: &[Signal], wanted: Option<usize>, err: bool) -> String {
        let bytes = signals.iter().filter_map(|signal| match signal {
            Signal::Printed { fragment, bytes, error } if *fragment == wanted && *error == err => Some(bytes.clone()),
            _ => None,
        });
        String::from_utf8(bytes.flatten().collect()).unwrap()
    }

    #[test]
    fn output_and_status_are_told_apart_per_fragment() {
        let (signals, code) = run(&[("x=1; echo one; echo oops >&2", false), ("printf no-newline$x", false)]);
        assert_eq!(
            (text(&signals, Some(0), false).as_str(), text(&signals, Some(0), true).as_str()),
            ("one\n", "oops\n")
        );
        assert_eq!(text(&signals, Some(1), false), "no-newline1");
        assert!(signals.contains(&Signal::Finished { fragment: 1, status: 0 }));
        assert_eq!(code, Some(0));
    }

    #[test]
    fn a_failure_ends_the_script_unless_it_is_tolerated() {
        let (signals, code) = run(&[("false", true), ("(exit 7)", false), ("echo never", false)]);
        assert!(signals.contains(&Signal::Finished { fragment: 0, status: 1 }));
        assert!(signals.contains(&Signal::Finished { fragment: 1, status: 7 }));
        assert!(!signals.contains(&Signal::Started(2)));
        assert_eq!(code, Some(7));
    }

    #[test]
    fn a_fragment_may_end_the_shell_or_hold_a_here_document() {
        let (signals, code) = run(&[("cat <<'E'\n$x `y`\nE", false), ("exit 3", false)]);
        assert_eq!(text(&signals, Some(0), false), "$x `y`\n");
        assert!(!signals.iter().any(|signal| matches!(signal, Signal::Finished { fragment: 1, .. })));
        assert_eq!(code, Some(3));
    }

    #[test]
    fn a_nonce_in_the_output_of_a_program_without_its_end_is_held_until_the_end() {
        let (signals, _) = run(&[("printf '\\036'; printf done", false)]);
        assert_eq!(text(&signals, Some(0), false), "\u{1e}done");
    }
}
