//! The causes by name.

use serde::{Deserialize, Serialize};

use super::table::{Row, TABLE, UNKNOWN};

/// Why a container did not become healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// Its image is for another processor.
    WrongArchitecture,
    /// What it is to run is not in the image.
    MissingProgram,
    /// What it is to run may not be executed.
    NotExecutable,
    /// Docker could not start it.
    NotStarted,
    /// There was no memory for it.
    OutOfMemory,
    /// A disk is full.
    DiskFull,
    /// Something it needs has no address.
    NameUnknown,
    /// Something it needs does not answer.
    NetworkUnreachable,
    /// A signal ended it.
    Signal,
    /// It came to its end.
    Finished,
    /// It ended with a failure.
    Exited,
    /// The proxy does not reach its network.
    OffNetwork,
    /// It listens where nobody outside of it gets to.
    LoopbackOnly,
    /// It listens on another port.
    OtherPort,
    /// It answers a host it does not know with a refusal.
    HostRefused,
    /// It wants health checks to come by https.
    RedirectsToHttps,
    /// It redirects health checks.
    Redirects,
    /// It wants a login.
    LoginWanted,
    /// It knows nothing of the path.
    NotFound,
    /// It fails at the request.
    ServerError,
    /// It answers something else.
    OtherAnswer,
    /// What it says is not HTTP.
    NotHttp,
    /// It is asked and does not answer in time.
    SlowAnswer,
    /// It was up too late.
    TooSlow,
    /// The image's own check fails.
    HealthCommand,
    /// Nothing listens.
    NothingListens,
    /// Nothing of the above.
    Unknown,
}

impl Cause {
    /// Its name, as programs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// All causes, in the order in which they are looked for.
    pub fn all() -> impl Iterator<Item = Self> {
        rows().map(|row| row.cause)
    }

    fn row(self) -> &'static Row {
        rows().find(|row| row.cause == self).unwrap_or(&UNKNOWN)
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    TABLE.iter().chain([&UNKNOWN])
}

/// The table of causes, for the documentation.
#[must_use]
pub fn table_as_markdown() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let row = |row: &Row| format!("| `{}` | {} | {} |\n", row.name, cell(row.says), cell(row.advice));
    let rows: String = rows().map(row).collect();
    format!("| Cause | What is said | What helps |\n| --- | --- | --- |\n{rows}")
}
