//! Texts.

mod edit;
mod format;
mod look;
mod search;

pub(super) use edit::EDIT;
pub(super) use format::format;
pub(super) use look::LOOK;
pub(super) use search::SEARCH;

use super::super::run::MAX_OUTPUT;
use super::super::stop::Stop;
use super::Call;

/// Refuses to make a text that is too large before it is made.
fn fits(call: &Call<'_>, length: usize) -> Result<(), Stop> {
    if length > MAX_OUTPUT {
        return Err(Stop::limit(call.place, "this template makes too large a value"));
    }
    Ok(())
}

/// What Ruby strips from a text's ends.
fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b' || c == '\0'
}
