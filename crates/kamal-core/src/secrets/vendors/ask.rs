//! What is asked of a vendor.

/// A request: which secrets, of which account, from where. What the last two mean is the vendor's affair.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ask<'a> {
    /// The names of the secrets.
    pub names: &'a [String],
    /// `--account`.
    pub account: Option<&'a str>,
    /// `--from`.
    pub from: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// A request; blank options count as not given.
    #[must_use]
    pub fn new(names: &'a [String], account: Option<&'a str>, from: Option<&'a str>) -> Self {
        let given = |text: &&str| !text.trim().is_empty();
        Self { names, account: account.filter(given), from: from.filter(given) }
    }

    /// The names, each behind `--from` and a slash.
    pub(super) fn prefixed(&self) -> Vec<String> {
        self.names
            .iter()
            .map(|name| match self.from {
                Some(from) => format!("{from}/{name}"),
                None => name.clone(),
            })
            .collect()
    }

    /// The account, for vendors that need one.
    pub(super) fn account(&self) -> &'a str {
        self.account.unwrap_or_default()
    }
}

/// Names as Kamal writes a list of them in messages: `["a", "b"]`.
pub(super) fn listed(names: &[String]) -> String {
    format!("{names:?}")
}

/// The last part of a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
