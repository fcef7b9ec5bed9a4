//! What is printed. A reader that went away, as of `kamal app logs | head`, and a disk that is full are no reason to stop
//! in the middle of an operation: what cannot be printed is lost, and nothing else. Where it is all there is to a command,
//! that is told at its end.

use std::{
    io::{Error, ErrorKind, Write},
    sync::{Mutex, OnceLock, PoisonError},
};

use indicatif::{MultiProgress, ProgressDrawTarget};

/// Lines that change, which everything else is printed above.
static LIVE: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Why something could not be printed first, where somebody still waits for it.
static LOST: OnceLock<Error> = OnceLock::new();

/// Why something that was to be printed is lost.
pub(crate) fn lost() -> Option<&'static Error> {
    LOST.get()
}

/// Prints to standard output as it is. Returns whether somebody takes it.
pub(crate) fn bytes(bytes: &[u8]) -> bool {
    #[cfg(test)]
    if captured::take(bytes) {
        return true;
    }
    above(|| {
        let mut out = anstream::stdout().lock();
        let printed = out.write_all(bytes).and_then(|()| out.flush());
        match printed {
            Ok(()) => true,
            Err(error) => {
                if error.kind() != ErrorKind::BrokenPipe {
                    // The first one tells.
                    let _ = LOST.set(error);
                }
                false
            }
        }
    })
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
    above(|| {
        let mut err = anstream::stderr().lock();
        drop(writeln!(err, "{line}").and_then(|()| err.flush()));
    });
}

/// From now on everything is printed above these lines, until there are none.
pub(crate) fn keep_below(live: Option<MultiProgress>) {
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = live;
}

/// The terminal without lines that change, for a question, until this is dropped.
#[derive(Debug)]
pub(crate) struct Still(Option<MultiProgress>);

impl Still {
    /// Takes the lines that change away.
    pub(crate) fn keep() -> Self {
        let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(live) = &live {
            // A terminal that went away shows nothing.
            drop(live.clear());
            live.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self(live)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        if let Some(live) = &self.0 {
            live.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

fn above<T>(print: impl FnOnce() -> T) -> T {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match live {
        Some(live) => live.suspend(print),
        None => print(),
    }
}

/// What tests see of standard output.
#[cfg(test)]
pub(crate) mod captured {
    use std::cell::RefCell;

    thread_local! {
        static TAKEN: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
    }

    /// From now on this thread's output is kept.
    pub(crate) fn begin() {
        TAKEN.set(Some(Vec::new()));
    }

    /// What was printed since.
    pub(crate) fn end() -> String {
        String::from_utf8(TAKEN.take().unwrap_or_default()).unwrap()
    }

    pub(super) fn take(bytes: &[u8]) -> bool {
        TAKEN.with_borrow_mut(|taken| taken.as_mut().map(|taken| taken.extend_from_slice(bytes)).is_some())
    }
}
