//! What GitHub Actions makes something of: groups of lines, annotations, and the summary of a step.

use std::{fs::OpenOptions, io::Write, path::PathBuf, time::Duration};

use kamal_core::event::{Event, EventKind, Outcome, Tone};

use super::sink::Sink;
use crate::output;

/// Prints workflow commands, and writes the summary.
#[derive(Debug)]
pub(super) struct Github {
    /// Whether the narrative is printed, which groups are made of.
    groups: bool,
    summary: Option<PathBuf>,
    open: bool,
    began: Option<Began>,
    failed: Vec<(String, String, String)>,
}

#[derive(Debug)]
struct Began {
    what: String,
    version: Option<String>,
    hosts: Vec<String>,
}

impl Github {
    /// `summary` is the file GitHub names for it.
    pub(super) fn new(groups: bool, summary: Option<PathBuf>) -> Self {
        Self { groups, summary, open: false, began: None, failed: Vec::new() }
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.open) {
            output::line("::endgroup::");
        }
    }

    fn write_summary(&self, outcome: &Outcome, took: Duration) {
        let (Some(path), Some(began)) = (&self.summary, &self.began) else { return };
        let mut file = OpenOptions::new().create(true).append(true).open(path);
        if let Ok(file) = &mut file {
            // A summary that cannot be written fails nothing.
            drop(file.write_all(began.markdown(outcome, took, &self.failed).as_bytes()));
        }
    }
}

impl Sink for Github {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Started {
                changes: true,
                dry_run: false,
                operation,
                service,
                destination,
                version,
                hosts,
                ..
            } => {
                let destination = destination.iter().map(|name| format!(" to {name}")).collect::<String>();
                self.began = Some(Began {
                    what: format!("{operation} {service}{destination}"),
                    version: version.as_ref().map(ToString::to_string),
                    hosts: hosts.iter().map(ToString::to_string).collect(),
                });
            }
            EventKind::Planned { version: Some(version), .. } => {
                if let Some(began) = &mut self.began {
                    began.version = Some(version.to_string());
                }
            }
            EventKind::Say { text, tone: Tone::Progress } if self.groups && self.began.is_some() => {
                self.end_group();
                output::line(&format!("::group::{}", escaped(text)));
                self.open = true;
            }
            EventKind::Say { text, tone: Tone::Warning } => output::complain(&format!("::warning::{}", escaped(text))),
            EventKind::StepFinished { host, step, outcome: Outcome::Failed(why), .. } => {
                let host = host.as_deref().unwrap_or("local").to_owned();
                self.failed.push((host, step.clone(), why.clone()));
            }
            EventKind::Finished { outcome, took, .. } => {
                self.end_group();
                if let (Outcome::Failed(why), Some(began)) = (outcome, &self.began) {
                    let title = property(&format!("kamal {} failed", began.what));
                    output::complain(&format!("::error title={title}::{}", escaped(why)));
                }
                self.write_summary(outcome, *took);
                self.began = None;
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        self.end_group();
    }
}

impl Began {
    fn markdown(&self, outcome: &Outcome, took: Duration, failed: &[(String, String, String)]) -> String {
        let Self { what, version, hosts } = self;
        let seconds = took.as_secs_f64();
        let mark = if matches!(outcome, Outcome::Failed(_)) { "❌" } else { "✅" };
        let mut text = format!("### {mark} kamal {what}\n\n| | |\n|---|---|\n");
        if let Some(version) = version {
            text.push_str(&format!("| Version | `{version}` |\n"));
        }
        text.push_str(&format!("| Hosts | {} |\n| Time | {seconds:.1} s |\n", hosts.join(", ")));
        if let Outcome::Failed(why) = outcome {
            for (host, step, why) in failed {
                text.push_str(&format!("| {host} | {} failed: {} |\n", cell(step), cell(why)));
            }
            // A fence longer than any run of backticks within.
            let longest = why.split(|c| c != '`').map(str::len).max().unwrap_or(0).max(2);
            let fence = "`".repeat(longest + 1);
            text.push_str(&format!("\n{fence}\n{}\n{fence}\n", why.trim_end()));
        }
        text.push('\n');
        text
    }
}

/// Text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Text behind a workflow command.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Text as a property of one.
fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{event, finished, started};

    fn printed(events: &[Event], summary: Option<PathBuf>) -> String {
        output::captured::begin();
        let mut github = Github::new(true, summary);
        events.iter().for_each(|event| github.take(event));
        github.close();
        output::captured::end()
    }

    #[test]
    fn lines_are_grouped_by_what_is_said() {
        let events = [
            started("deploy", true),
            event(EventKind::say("Build and push app image...")),
            event(EventKind::say("100%\nsure")),
            finished(Outcome::Ok, None),
        ];
        let printed = printed(&events, None);
        let wanted = "::group::Build and push app image...\n::endgroup::\n::group::100%25%0Asure\n::endgroup::\n";
        assert_eq!(printed, wanted);
    }

    #[test]
    fn a_summary_says_what_happened_where_and_why_it_failed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        let failed = EventKind::StepFinished {
            host: Some("1.1.1.2".parse().unwrap()),
            step: "switch a|b".to_owned(),
            outcome: Outcome::Failed("exit status 1".to_owned()),
            took: Duration::ZERO,
        };
        printed(&[started("deploy", true), finished(Outcome::Ok, None)], Some(path.clone()));
        let ended = finished(Outcome::Failed("1.1.1.2: ```no```".to_owned()), None);
        printed(&[started("deploy", true), event(failed), ended], Some(path.clone()));
        let written = std::fs::read_to_string(&path).unwrap();
        let wanted = "### ✅ kamal deploy app to prod\n\n| | |\n|---|---|\n| Version | `999` |\n| Hosts | 1.1.1.1, 1.1.1.2 |\n\
            | Time | 1.2 s |\n\n### ❌ kamal deploy app to prod\n\n| | |\n|---|---|\n| Version | `999` |\n\
            | Hosts | 1.1.1.1, 1.1.1.2 |\n| Time | 1.2 s |\n| 1.1.1.2 | switch a\\|b failed: exit status 1 |\n\n\
            ````\n1.1.1.2: ```no```\n````\n\n";
        assert_eq!(written, wanted);
    }
}
