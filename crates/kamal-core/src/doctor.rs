//! `doctor`: everything a deploy relies on, looked at before it is needed. What was found is gathered by the runner; what
//! it comes to is a table of checks, each of which judges by a pure function.

mod checks;
mod here;
mod hosts;
mod joined;

use jiff::Timestamp;
use serde::Serialize;

pub use checks::table_as_markdown;
pub(crate) use joined::to_try;

use crate::{
    config::Config,
    error::Cover,
    hint::Hint,
    name::{HostName, ServiceName},
    redact::Redactor,
    status::Surveyed,
    table::table,
    targets::Targets,
};

/// The form of the object, which changes when something in it gets another meaning or goes.
pub const SCHEMA: &str = "kamal/doctor/1";

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Checkup {
    /// The form it has, [`SCHEMA`].
    pub schema: &'static str,
    /// When it was asked.
    pub at: Timestamp,
    /// The service; none where deploy.yml cannot be used.
    pub service: Option<ServiceName>,
    /// Whether nothing failed.
    pub ok: bool,
    /// What each check came to, host by host.
    pub findings: Vec<Finding>,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The check's name.
    pub check: &'static str,
    /// The host; none for this machine and the configuration.
    pub host: Option<HostName>,
    /// How it is.
    pub result: Judgement,
    /// What was found.
    pub said: String,
    /// What would put it right, where it is not as it should be.
    pub fix: Option<Hint>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// As it should be.
    Ok,
    /// Somebody should know of it.
    Warning,
    /// A deploy will not succeed, or what is served suffers already.
    Failed,
}

/// What this machine said about itself.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) docker: Ran,
    pub(crate) buildx: Ran,
    pub(crate) git: Ran,
    pub(crate) agent: Ran,
    /// What is wrong with the secrets a deploy needs.
    pub(crate) secrets: Result<usize, String>,
}

/// A local program that was asked something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    /// The status it ended with; `None` when it could not be run.
    pub(crate) status: Option<i32>,
    /// What it said, or why it could not be run.
    pub(crate) said: String,
}

impl Ran {
    fn went_well(&self) -> bool {
        self.status == Some(0)
    }
}

/// What checks judge by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patient<'p> {
    pub(crate) config: &'p Config,
    pub(crate) targets: &'p Targets,
    pub(crate) here: &'p Here,
    pub(crate) surveyed: &'p [Surveyed],
    pub(crate) at: Timestamp,
}

/// Goes over the table.
pub(crate) fn checkup(patient: &Patient<'_>) -> Checkup {
    let findings = checks::findings(patient);
    Checkup {
        schema: SCHEMA,
        at: patient.at,
        service: Some(patient.config.service.clone()),
        ok: findings.iter().all(|finding| finding.result != Judgement::Failed),
        findings,
    }
}

impl Checkup {
    /// What is found where deploy.yml cannot be used: that, and nothing else can be looked at.
    #[must_use]
    pub fn unusable(at: Timestamp, why: &str) -> Self {
        Self { schema: SCHEMA, at, service: None, ok: false, findings: vec![checks::unusable(why)] }
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn count(&self, result: Judgement) -> usize {
        self.findings.iter().filter(|finding| finding.result == result).count()
    }
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        })
    }
}

/// A line for each finding, and what would put right those that are not as they should be.
impl std::fmt::Display for Checkup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = |finding: &Finding| {
            let place = finding.host.as_ref().map_or_else(|| "here".to_owned(), ToString::to_string);
            vec![finding.result.to_string(), place, finding.check.to_owned(), finding.said.clone()]
        };
        let rows: Vec<Vec<String>> = self.findings.iter().map(row).collect();
        write!(f, "{}", table(&["RESULT", "WHERE", "CHECK", "FOUND"], &rows))?;
        let mut fixes: Vec<String> = Vec::new();
        for finding in &self.findings {
            let Some(fix) = &finding.fix else { continue };
            let line = format!("{}: {fix}", finding.check);
            if !fixes.contains(&line) {
                fixes.push(line);
            }
        }
        if !fixes.is_empty() {
            f.write_str("\nWhat would help:\n")?;
        }
        fixes.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let (failed, warnings) = (self.count(Judgement::Failed), self.count(Judgement::Warning));
        writeln!(f, "\n{} checks, {failed} failed, {warnings} warnings", self.findings.len())
    }
}

impl Cover for Checkup {
    fn cover(&mut self, redactor: &Redactor) {
        for finding in &mut self.findings {
            finding.said.cover(redactor);
            finding.fix.iter_mut().for_each(|fix| fix.cover(redactor));
        }
    }
}

#[cfg(test)]
mod tests;
