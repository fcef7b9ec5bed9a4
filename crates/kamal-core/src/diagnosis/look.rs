//! What was seen beside what was expected: what the table's signs are read from, and the words for it.

use super::{
    Answer, Evidence, Expectation, Probe,
    evidence::{ClueKind, Listener, Response},
};
use crate::{ports::Exit, state::ContainerState};

/// How many characters of a body are shown.
const SHOWN: usize = 200;

/// What was seen, and what was expected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) expected: &'a Expectation,
}

/// Values for the places in a row's texts.
pub(super) type Values = Vec<(&'static str, String)>;

impl<'a> Look<'a> {
    /// A line of the log that tells of some kind of trouble.
    pub(super) fn clue(&self, kind: ClueKind) -> Option<Values> {
        self.evidence.clue(kind).map(|line| vec![("line", line.trim().to_owned())])
    }

    /// The same, where something went wrong that it may explain: the container ended, fails at requests, or never listened.
    pub(super) fn explained_by(&self, kind: ClueKind) -> Option<Values> {
        let fails = self.evidence.response().is_some_and(|response| response.status >= 500);
        let silent = matches!(self.evidence.answer, Answer::Silent | Answer::NotHttp);
        (self.evidence.ended() || fails || silent || self.nothing_listens()).then(|| self.clue(kind))?
    }

    /// The port the proxy asks at.
    pub(super) fn probe(&self) -> Option<&'a Probe> {
        self.expected.probe.as_ref()
    }

    /// Who listens on the expected port, and who elsewhere.
    pub(super) fn listeners(&self) -> Option<(Vec<Listener>, Vec<Listener>)> {
        let port = self.probe()?.port;
        let all = self.evidence.listeners.as_ref().filter(|_| self.runs())?;
        Some(all.iter().partition(|listener| listener.port == port))
    }

    /// Whether it runs.
    pub(super) fn runs(&self) -> bool {
        self.evidence.state == Some(ContainerState::Running)
    }

    /// Whether it runs and listens nowhere.
    pub(super) fn nothing_listens(&self) -> bool {
        self.listeners().is_some_and(|(here, elsewhere)| here.is_empty() && elsewhere.is_empty())
    }

    /// A response whose status is as told.
    pub(super) fn answers(&self, status: impl Fn(u16) -> bool) -> Option<&'a Response> {
        self.evidence.response().filter(|response| status(response.status))
    }

    /// Where it redirects to.
    pub(super) fn redirect(&self) -> Option<&'a str> {
        self.answers(|status| (300..400).contains(&status))?.header("location")
    }

    /// A limit that would have sufficed, in seconds: half as much again as it took, and twice the limit at least.
    fn better_limit(&self) -> u64 {
        let took = self.evidence.ran.unwrap_or_default();
        (took + took / 2).max(self.expected.limit * 2).next_multiple_of(10).max(10)
    }

    /// Values every row may use.
    pub(super) fn values(&self) -> Values {
        let Evidence { exit_code, ran, error, silent, disk_free, .. } = self.evidence;
        let probe = self.probe().cloned().unwrap_or_default();
        let seconds = |seconds: &Option<u64>| seconds.unwrap_or_default().to_string();
        vec![
            ("port", probe.port.to_string()),
            ("path", probe.path),
            ("timeout", probe.timeout.to_string()),
            ("longer_timeout", (probe.timeout * 3).to_string()),
            ("limit", self.expected.limit.to_string()),
            ("better_limit", self.better_limit().to_string()),
            ("ran", seconds(ran)),
            ("silent", seconds(silent)),
            ("code", exit_code.to_string()),
            ("status", self.evidence.response().map(|response| response.status).unwrap_or_default().to_string()),
            ("error", error.trim().to_owned()),
            ("free", format!("{} MB", disk_free.unwrap_or_default() / 1_000_000)),
            ("built_for", self.expected.built_for.join(" and ")),
            ("location", self.redirect().unwrap_or_default().to_owned()),
        ]
    }

    /// What was seen, a line each.
    pub(super) fn seen(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.container().into_iter().collect();
        lines.extend(self.listening());
        if let Some(health) = &self.evidence.health {
            let output = shown(&health.output);
            lines.push(format!(
                "the image's health check: {}, exit status {}: {output}",
                health.status,
                Exit(health.exit_code)
            ));
        }
        match (&self.evidence.answer, self.probe()) {
            (Answer::Response(response), Some(probe)) => lines.extend(answer(probe, response)),
            (Answer::Silent, Some(probe)) => {
                lines.push(format!("GET {} on port {}: no answer within {} s", probe.path, probe.port, probe.timeout));
            }
            _ => {}
        }
        lines
    }

    fn container(&self) -> Option<String> {
        let Evidence { state, exit_code, restarts, out_of_memory, error, ran, .. } = self.evidence;
        let mut text = format!("container: {}", state.as_ref()?.word());
        if self.runs() {
            text.extend(ran.map(|seconds| format!(" for {seconds} s")));
        } else {
            text.push_str(&format!(", exit code {}", Exit(*exit_code)));
        }
        if *restarts > 0 {
            text.push_str(&format!(", restarted {restarts} times"));
        }
        if *out_of_memory {
            text.push_str(", killed for lack of memory");
        }
        if !error.is_empty() {
            text.push_str(&format!(", {}", error.trim()));
        }
        Some(text)
    }

    fn listening(&self) -> Option<String> {
        let all = self.evidence.listeners.as_ref().filter(|_| self.runs())?;
        let names = all
            .iter()
            .map(|listener| format!("{}{}", listener.port, if listener.loopback { " (127.0.0.1 only)" } else { "" }));
        let names: Vec<String> = names.collect();
        Some(format!("listens on: {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }))
    }
}

/// The response as it came: its status, its headers, the first bytes of its body.
fn answer(probe: &Probe, response: &Response) -> Vec<String> {
    let mut lines = vec![format!("GET {} on port {}: status {}", probe.path, probe.port, response.status)];
    lines.extend(response.headers.iter().map(|(name, value)| format!("  {name}: {value}")));
    let body = shown(&response.body);
    lines.extend((!body.is_empty()).then(|| format!("  {body}")));
    lines
}

/// The beginning of a text, on one line and without what a terminal would obey.
fn shown(text: &str) -> String {
    let plain: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN).collect()
}
