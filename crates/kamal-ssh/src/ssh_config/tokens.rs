//! `~` and the `%` tokens of OpenSSH's configuration values.

use std::path::{Path, PathBuf};

/// What tokens stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'a> {
    /// `%n`: the host as the user names it.
    pub(crate) asked: &'a str,
    /// `%h`: the host that is called.
    pub(crate) host: &'a str,
    /// `%p`.
    pub(crate) port: u16,
    /// `%r`: the user to log in as.
    pub(crate) user: &'a str,
    /// `%u`.
    pub(crate) local_user: &'a str,
    /// `%d`, and `~`.
    pub(crate) home: &'a Path,
    /// `%k`: the name the host's key is known by.
    pub(crate) alias: &'a str,
}

impl Tokens<'_> {
    /// Replaces the tokens of a text; others stay as they are.
    pub(crate) fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('h') => out.push_str(self.host),
                Some('k') => out.push_str(self.alias),
                Some('n') => out.push_str(self.asked),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(self.user),
                Some('u') => out.push_str(self.local_user),
                Some('d') => out.push_str(&self.home.to_string_lossy()),
                other => {
                    out.push('%');
                    out.extend(other);
                }
            }
        }
        out
    }

    /// A path with its tokens and `~` replaced.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        home_path(Path::new(&self.expand(text)), self.home)
    }
}

/// A path with `~` replaced.
pub(crate) fn home_path(path: &Path, home: &Path) -> PathBuf {
    path.strip_prefix("~").map_or_else(|_| path.to_owned(), |rest| home.join(rest))
}
