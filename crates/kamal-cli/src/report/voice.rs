//! How sinks speak to the user: where they may.

use crate::output;

/// What a sink may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    /// Whether it may say what went well.
    tells: bool,
    /// Whether it may say what went wrong.
    complains: bool,
}

impl Voice {
    /// One that says what goes wrong, and what goes well if that is wanted.
    pub(super) fn new(tells: bool) -> Self {
        Self { tells, complains: true }
    }

    #[cfg(test)]
    pub(super) fn silent() -> Self {
        Self { tells: false, complains: false }
    }

    /// On standard output.
    pub(super) fn tell(self, text: &str) {
        if self.tells {
            output::line(text);
        }
    }

    /// On standard error.
    pub(super) fn complain(self, text: &str) {
        if self.complains {
            output::complain(text);
        }
    }
}
