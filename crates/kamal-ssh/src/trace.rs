//! What happened on the way to a host, for those who ask why it failed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A step on the way to a host, in the order they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// The configuration is read.
    Config,
    /// The name is resolved.
    Resolve,
    /// The network connection is made.
    Connect,
    /// Both sides agree on algorithms and a key.
    Handshake,
    /// The host proves who it is.
    HostKey,
    /// We prove who we are.
    Login,
    /// The host runs a script.
    Shell,
    /// The user reaches Docker.
    Docker,
}

impl Stage {
    /// In a word or two.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::HostKey => "host key",
            Self::Login => "login",
            Self::Shell => "shell",
            Self::Docker => "docker",
        }
    }
}

/// Something learnt on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// At which step.
    pub stage: Stage,
    /// Whether the way ended here.
    pub failed: bool,
    /// What was found; for a failure, with what would fix it.
    pub text: String,
    /// Since the way began.
    pub after: Duration,
}

/// Collects findings, or nothing when nobody asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace(Option<Arc<Mutex<Log>>>);

#[derive(Debug)]
struct Log {
    began: Instant,
    current: Stage,
    findings: Vec<Finding>,
}

impl Trace {
    pub(crate) fn on() -> Self {
        Self(Some(Arc::new(Mutex::new(Log { began: Instant::now(), current: Stage::Config, findings: Vec::new() }))))
    }

    /// A step begins: what fails from now on fails there.
    pub(crate) fn begin(&self, stage: Stage) {
        self.with(|log| log.current = stage);
    }

    /// Something was found.
    pub(crate) fn note(&self, stage: Stage, text: impl FnOnce() -> String) {
        self.with(|log| log.push(stage, false, text()));
    }

    /// The way ends here.
    pub(crate) fn fail(&self, text: String) {
        self.with(|log| log.push(log.current, true, text));
    }

    /// All findings, in the order of the steps.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        self.with(|log| findings = std::mem::take(&mut log.findings));
        findings.sort_by_key(|finding| (finding.stage, finding.after));
        findings
    }

    fn with(&self, change: impl FnOnce(&mut Log)) {
        if let Some(log) = &self.0 {
            change(&mut log.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Log {
    fn push(&mut self, stage: Stage, failed: bool, text: String) {
        let known = self.findings.iter().any(|known| known.stage == stage && known.text == text);
        // The way may be taken more than once, when somebody is asked or many keys are tried.
        if !known {
            self.findings.push(Finding { stage, failed, text, after: self.began.elapsed() });
        }
    }
}
