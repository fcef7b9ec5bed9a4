//! Why secrets could not be fetched. Each message says what to do about it where that can be known; the first line is
//! Kamal's own where Kamal has one (spec 3.4).

/// Why secrets could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VendorError {
    /// No vendor goes by that name.
    #[error("Unknown secrets adapter: {name}\nhelp: {}", meant.clone().unwrap_or_else(|| format!("there is {}", known.join(", "))))]
    Unknown {
        /// The name given.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
        /// The question whether another was meant.
        meant: Option<String>,
    },
    /// The request itself is wrong.
    #[error("{message}")]
    Usage {
        /// What is wrong with it.
        message: String,
    },
    /// The vendor's program is not on this machine.
    #[error("{name} is not installed\nhelp: there is no program `{program}` on the PATH; get it from {site}")]
    NotInstalled {
        /// What it is called.
        name: &'static str,
        /// The program's name.
        program: &'static str,
        /// Where it is to be had.
        site: &'static str,
    },
    /// The vendor's program is there and cannot be run.
    #[error("cannot run `{program}`: {why}")]
    NotRun {
        /// The program's name.
        program: &'static str,
        /// Why.
        why: String,
    },
    /// Nobody is logged in.
    #[error("{message}{}\nhelp: {help}", after(said))]
    NotLoggedIn {
        /// In Kamal's words.
        message: String,
        /// What the program said.
        said: String,
        /// What to run.
        help: String,
    },
    /// The program could not read what it was asked for.
    #[error("{message}{}", after(said))]
    Unread {
        /// In Kamal's words, with the names.
        message: String,
        /// What the program said.
        said: String,
    },
    /// The vendor answered, and lacks some of what was asked for.
    #[error("{message}")]
    Missing {
        /// In Kamal's words, with the names.
        message: String,
    },
    /// What the program printed is not what it prints.
    #[error("`{program}` printed something else than {expected}")]
    Garbled {
        /// The program's name.
        program: &'static str,
        /// What was expected, with the place where it went wrong. Never the text, which may be a secret.
        expected: String,
    },
    /// Several of the things above.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(
        /// Each.
        Vec<Self>,
    ),
}

impl VendorError {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into() }
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self::Missing { message: message.into() }
    }
}

/// All successes, or all failures.
pub(super) fn gather<T>(results: impl IntoIterator<Item = Result<T, VendorError>>) -> Result<Vec<T>, VendorError> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(error) => bad.push(error),
        }
    }
    match bad.len() {
        0 => Ok(good),
        1 => Err(bad.swap_remove(0)),
        _ => Err(VendorError::Several(bad)),
    }
}

fn after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}
