//! Secrets out of everything that is shown. A [`Redactor`] knows the values resolved so far, in every spelling a program
//! is likely to print them in, and puts `[REDACTED]` in their place: in whole texts, and in streams however they are cut.
//!
//! [`Secret`] keeps what the engine itself says clean by construction. This is for what comes back
//! from elsewhere: a container's log that repeats its environment, a hook with `set -x`, an error of a build. The port
//! [`Secrets`](crate::ports::Secrets) owns the redactor, since it is what learns values; [`Teller`](crate::event::Teller) applies it to events.
//!
//! Every byte that is part of a value is covered, overlapping values included, so what is left of one value never shows
//! beside another. Interactive sessions are shown as they are: the user's terminal is the program's.

pub(crate) mod data;
mod index;
mod spellings;
mod weak;

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::secret::Secret;
use index::Index;
pub use weak::{Weak, weak};

/// What stands where a secret stood.
pub const MARK: &str = "[REDACTED]";

/// Knows secrets and covers them. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    index: Index,
    public: Vec<String>,
}

impl Redactor {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Covers a secret from now on. [`weak`] values are left alone: they would cover words that have nothing to do with
    /// them.
    pub fn learn(&self, secret: &Secret) {
        let value = secret.expose().trim();
        let skipped = weak(value).is_some() || {
            let known = self.known();
            known.index.knows(value.as_bytes()) || known.public.iter().any(|text| text.contains(value))
        };
        if !skipped {
            let spellings = spellings::of(value);
            self.0.write().unwrap_or_else(PoisonError::into_inner).index.add(spellings);
        }
    }

    /// Texts for all to see, as deploy.yml is before its templates are evaluated: a value that is part of one (the
    /// registry's user in an image's name, a database called like the service) is not covered from now on. Nothing would be hidden by that, and
    /// whoever reads names in the output would be misled.
    pub fn spare<'n>(&self, texts: impl IntoIterator<Item = &'n str>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.public.extend(texts.into_iter().map(str::to_owned));
    }

    /// The text without secrets.
    #[must_use]
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut out = Vec::new();
        let cover = Cover::default().take(&self.known().index, text.as_bytes(), true, &mut out).1;
        // Spellings are whole characters, so what is between them is, too.
        if cover.marked { Cow::Owned(String::from_utf8_lossy(&out).into_owned()) } else { Cow::Borrowed(text) }
    }

    /// For output that comes in pieces.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream { redactor: self.clone(), held: Vec::new(), cover: Cover::default() }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

/// Output without secrets, piece by piece. What might be the beginning of a secret is held back until more comes.
#[derive(Debug)]
pub struct Stream {
    redactor: Redactor,
    held: Vec<u8>,
    cover: Cover,
}

impl Stream {
    /// Takes a piece and returns what can be shown by now.
    #[must_use]
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.advance(bytes, false)
    }

    /// Returns what was held back.
    #[must_use]
    pub fn end(&mut self) -> Vec<u8> {
        self.advance(&[], true)
    }

    fn advance(&mut self, bytes: &[u8], complete: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + self.held.len());
        let known = self.redactor.known();
        let held = std::mem::take(&mut self.held);
        let joined = if held.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned([&held, bytes].concat()) };
        let (taken, cover) = self.cover.take(&known.index, &joined, complete, &mut out);
        self.held = joined[taken..].to_vec();
        self.cover = cover;
        out
    }
}

/// Where in a stream a walk is.
#[derive(Clone, Copy, Debug, Default)]
struct Cover {
    /// How many of the bytes to come are known to belong to a secret.
    ahead: usize,
    /// True when the byte before did.
    inside: bool,
    /// True when there ever was one.
    marked: bool,
}

impl Cover {
    /// Walks over bytes and returns how many of them are decided. All are when nothing more will come.
    fn take(self, index: &Index, bytes: &[u8], complete: bool, out: &mut Vec<u8>) -> (usize, Self) {
        let Self { mut inside, mut marked, .. } = self;
        let (mut at, mut until) = (0, self.ahead);
        while at < bytes.len() {
            let clear = if at < until { at } else { index.next(bytes, at) };
            if clear > at {
                out.extend_from_slice(&bytes[at..clear]);
                (at, inside) = (clear, false);
                continue;
            }
            let found = index.at(&bytes[at..]);
            if found.open && !complete {
                break;
            }
            until = until.max(at + found.length);
            if at >= until {
                out.push(bytes[at]);
                inside = false;
            } else if !inside {
                out.extend_from_slice(MARK.as_bytes());
                (inside, marked) = (true, true);
            }
            at += 1;
        }
        (at, Self { ahead: until.saturating_sub(at), inside, marked })
    }
}
