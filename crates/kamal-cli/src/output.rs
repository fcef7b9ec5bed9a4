//! What is printed. A reader that went away, as of `kamal app logs | head`, and a disk that is full are no reason to stop
//! in the middle of an operation: what cannot be printed is lost, and nothing else.

use std::io::Write;

/// Prints to standard output as it is. Returns whether somebody takes it.
pub(crate) fn bytes(bytes: &[u8]) -> bool {
    let mut out = anstream::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Prints text to standard output.
pub(crate) fn show(text: &str) {
    bytes(text.as_bytes());
}

/// Prints a line to standard output.
pub(crate) fn line(text: &str) {
    show(&format!("{text}\n"));
}

/// Prints a line to standard error.
pub(crate) fn complain(line: &str) {
    let mut err = anstream::stderr().lock();
    drop(writeln!(err, "{line}").and_then(|()| err.flush()));
}
