//! What scrolls by above the lines that change: what is said, what programs of this machine print, and what fails. A
//! build's own log is kept back; it is shown where the build fails.

use std::{collections::VecDeque, time::Duration};

use kamal_core::event::{EventKind, Outcome};

/// How many lines of a build's log are shown when it fails: more than the log of one step usually has.
const LOG: usize = 60;

/// A step of a build that takes this long is worth a line when it is done; the line that changes showed the others.
const LONG: Duration = Duration::from_secs(1);

/// Chooses what scrolls by.
#[derive(Debug, Default)]
pub(super) struct Scroll {
    /// What this machine does.
    running: Option<String>,
    /// The end of a build's log.
    log: VecDeque<EventKind>,
}

impl Scroll {
    /// Calls `print` with what is to be seen, in order.
    pub(super) fn take(&mut self, kind: &EventKind, mut print: impl FnMut(&EventKind)) {
        match kind {
            EventKind::StepStarted { host: None, step, .. } => self.running = Some(step.clone()),
            EventKind::Output { host: None, line, .. } if is_of_a_build(line) => {
                if self.log.len() == LOG {
                    self.log.pop_front();
                }
                self.log.push_back(kind.clone());
            }
            EventKind::Say { .. } | EventKind::Output { host: None, .. } => print(kind),
            EventKind::StepFinished { host, outcome: Outcome::Failed(_), .. } => {
                if host.is_none() {
                    self.log.drain(..).for_each(|line| print(&line));
                }
                print(kind);
            }
            EventKind::StepFinished { host: None, step, took, .. } => {
                let ends = self.running.as_ref() == Some(step);
                if ends {
                    self.log.clear();
                }
                if ends || *took >= LONG {
                    print(kind);
                }
            }
            _ => {}
        }
    }
}

/// buildx begins each line of its plain log with the number of what it is about: `#12 0.345 compiling`.
fn is_of_a_build(line: &str) -> bool {
    let number = line.strip_prefix('#').and_then(|rest| rest.split(' ').next());
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(step: &str) -> EventKind {
        EventKind::StepStarted { host: None, step: step.to_owned(), command: String::new() }
    }

    fn ended(host: Option<&str>, step: &str, outcome: Outcome, took: u64) -> EventKind {
        let host = host.map(|host| host.parse().unwrap());
        EventKind::StepFinished { host, step: step.to_owned(), outcome, took: Duration::from_millis(took) }
    }

    fn printed(host: Option<&str>, line: &str) -> EventKind {
        EventKind::Output { host: host.map(|host| host.parse().unwrap()), line: line.to_owned(), error: false }
    }

    /// What of events is seen: lines of output, and the names of steps.
    fn seen(events: &[EventKind]) -> Vec<String> {
        let mut scroll = Scroll::default();
        let mut seen = Vec::new();
        for event in events {
            scroll.take(event, |kind| match kind {
                EventKind::Output { line, .. } => seen.push(line.clone()),
                EventKind::StepFinished { step, .. } => seen.push(step.clone()),
                other => panic!("{other:?}"),
            });
        }
        seen
    }

    #[test]
    fn output_of_hosts_does_not_scroll_by_and_what_fails_does() {
        let failed = || Outcome::Failed("no".to_owned());
        assert_eq!(seen(&[printed(Some("h"), "x"), ended(Some("h"), "s", Outcome::Ok, 9000)]), [""; 0]);
        assert_eq!(seen(&[printed(None, "hook"), ended(Some("h"), "s", failed(), 0)]), ["hook", "s"]);
        assert_eq!(
            seen(&[printed(None, "# a heading"), printed(None, "#1a no number")]),
            ["# a heading", "#1a no number"]
        );
    }

    #[test]
    fn a_build_is_a_line_and_its_slow_steps() {
        let events = [
            began("build"),
            printed(None, "#1 [1/2] COPY"),
            ended(None, "[1/2] COPY", Outcome::Ok, 20),
            ended(None, "[2/2] RUN make", Outcome::Ok, 20_000),
            ended(None, "build", Outcome::Ok, 20_100),
        ];
        assert_eq!(seen(&events), ["[2/2] RUN make", "build"]);
    }

    #[test]
    fn a_build_that_fails_shows_the_end_of_its_log_once() {
        let mut events = vec![began("build")];
        events.extend((1..=100).map(|n| printed(None, &format!("#7 {n}"))));
        events.push(ended(None, "[2/2] RUN make", Outcome::Failed("exit code: 2".to_owned()), 10));
        events.push(ended(None, "build", Outcome::Failed("exit status 1".to_owned()), 10));
        let seen = seen(&events);
        assert_eq!(seen.len(), LOG + 2);
        assert_eq!((seen[0].as_str(), seen[LOG - 1].as_str()), ("#7 41", "#7 100"));
        assert_eq!(seen[LOG..], ["[2/2] RUN make", "build"]);
    }

    #[test]
    fn a_build_that_passes_leaves_no_log_to_what_fails_later() {
        let failed = Outcome::Failed("no".to_owned());
        let events = [
            began("a"),
            printed(None, "#1 x"),
            ended(None, "a", Outcome::Ok, 0),
            began("b"),
            ended(None, "b", failed, 0),
        ];
        assert_eq!(seen(&events), ["a", "b"]);
    }
}
