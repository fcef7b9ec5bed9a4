//! What was seen of a container that did not become healthy.

use serde::{Deserialize, Serialize};

use crate::state::ContainerState;

/// What was seen of a container. What could not be found out is `None`, or empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Its state; `None` when there is no such container.
    pub state: Option<ContainerState>,
    /// The status it ended with last.
    pub exit_code: i32,
    /// Whether the kernel killed it for want of memory.
    pub out_of_memory: bool,
    /// Why docker could not start it, in docker's words.
    pub error: String,
    /// How often docker started it again.
    pub restarts: u64,
    /// For how many seconds it has run, or had run when it ended.
    pub ran: Option<u64>,
    /// The last run of the image's own health check.
    pub health: Option<HealthCommand>,
    /// Whether it is on the network the proxy reaches it by.
    pub on_network: Option<bool>,
    /// Where its processes listen.
    pub listeners: Option<Vec<Listener>>,
    /// What it answered to a request such as the proxy's.
    pub answer: Answer,
    /// For how many seconds it has logged nothing.
    pub silent: Option<u64>,
    /// Bytes free where docker keeps containers.
    pub disk_free: Option<u64>,
    /// Bytes of memory the host has to give.
    pub memory_free: Option<u64>,
    /// Lines that programs print in trouble of a known kind.
    pub clues: Vec<Clue>,
    /// The last lines of its log.
    pub log: Vec<String>,
}

/// The image's own health check (`HEALTHCHECK`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCommand {
    /// Docker's word: starting, healthy, unhealthy.
    pub status: String,
    /// The status the command ended with last.
    pub exit_code: i32,
    /// What it printed.
    pub output: String,
}

/// A port somebody listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Whether it is on the loopback alone, so that nobody outside of the container reaches it.
    pub loopback: bool,
}

/// What came of a request to the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// None was made.
    #[default]
    NotAsked,
    /// No connection came about.
    Refused,
    /// The connection was taken, and nothing came in time.
    Silent,
    /// The connection was taken and closed again, or what came is not HTTP.
    NotHttp,
    /// A response.
    Response(Response),
}

/// The beginning of a response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its headers in order.
    pub headers: Vec<(String, String)>,
    /// The first bytes of its body.
    pub body: String,
}

impl Response {
    /// A header by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A line that says what kind of trouble there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// The kind.
    pub kind: ClueKind,
    /// The line.
    pub line: String,
}

/// What kind of trouble a line tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClueKind {
    /// A program for another processor, or none at all.
    Format,
    /// A program that is not there.
    MissingProgram,
    /// A program that may not be executed.
    NotExecutable,
    /// No room on a disk.
    Disk,
    /// No memory.
    Memory,
    /// A name without an address.
    Name,
    /// Something else that does not answer.
    Network,
    /// A host the app does not want to be asked for.
    Host,
}

impl Evidence {
    /// The line of the log that tells of some kind of trouble.
    pub(super) fn clue(&self, kind: ClueKind) -> Option<&str> {
        self.clues.iter().find(|clue| clue.kind == kind).map(|clue| clue.line.as_str())
    }

    /// Whether it is over with the container, or was at least once.
    pub(super) fn ended(&self) -> bool {
        use ContainerState::{Created, Dead, Exited, Restarting};
        matches!(self.state, Some(Exited | Dead | Created | Restarting)) || self.restarts > 0
    }

    /// Its response.
    pub(super) fn response(&self) -> Option<&Response> {
        if let Answer::Response(response) = &self.answer { Some(response) } else { None }
    }
}
