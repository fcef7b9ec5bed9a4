//! What is left on the terminal of an operation that is over: what it was, of which version, where, how long it took, and
//! where the app is to be found.

use std::time::Duration;

use kamal_core::{
    config::{Config, model::Ssl},
    event::{Event, EventKind, Outcome, Tone},
};

use super::plain::paint;

/// The most hosts that are named.
const NAMED: usize = 4;

/// An operation, in a few words.
#[derive(Debug, Default)]
pub(super) struct Summary {
    urls: Vec<String>,
    operation: String,
    service: String,
    version: Option<String>,
    hosts: Vec<String>,
    failed: Vec<String>,
    outcome: Option<Outcome>,
    took: Duration,
}

impl Summary {
    /// Of operations of an app that is found at these places.
    pub(super) fn new(urls: Vec<String>) -> Self {
        Self { urls, ..Self::default() }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Started { operation, service, version, hosts, .. } => {
                let urls = std::mem::take(&mut self.urls);
                *self = Self {
                    urls,
                    operation: operation.clone(),
                    service: service.clone(),
                    version: version.as_ref().map(ToString::to_string),
                    hosts: hosts.iter().map(ToString::to_string).collect(),
                    ..Self::default()
                };
            }
            EventKind::Planned { version, .. } => self.version = version.as_ref().map(ToString::to_string),
            EventKind::StepFinished { host: Some(host), outcome: Outcome::Failed(_), .. }
                if !self.failed.contains(&host.to_string()) =>
            {
                self.failed.push(host.to_string());
            }
            EventKind::Finished { outcome, took, .. } => (self.outcome, self.took) = (Some(outcome.clone()), *took),
            _ => {}
        }
    }

    /// What it was and how long it took, a line of the hosts, and one for each place where the app is to be found.
    pub(super) fn text(&self) -> String {
        let Self { operation, service, version, took, .. } = self;
        let version = version.iter().map(|version| format!(" {version}")).collect::<String>();
        let (what, seconds) = (format!("{operation} {service}{version}"), took.as_secs_f64());
        let (line, hosts, serves) = if let Some(Outcome::Failed(_)) = &self.outcome {
            (paint(Tone::Problem, &format!("  ✗ {what} failed after {seconds:.1} s")), &self.failed, false)
        } else {
            let green = anstyle::AnsiColor::Green.on_default();
            let line = format!("{}  ✓ {what} in {seconds:.1} s{}", green.render(), green.render_reset());
            let serves = ["setup", "deploy", "redeploy", "rollback", "app boot"].contains(&operation.as_str());
            (line, &self.hosts, serves)
        };
        let urls = self.urls.iter().filter(|_| serves).cloned();
        let below = named(hosts).into_iter().chain(urls).map(|text| format!("\n    {text}"));
        [line].into_iter().chain(below).collect()
    }
}

/// Hosts in a line, if there are any.
fn named(hosts: &[String]) -> Option<String> {
    let (first, last) = (hosts.first()?, hosts.last()?);
    let all = hosts.len() <= NAMED;
    Some(if all { hosts.join(", ") } else { format!("{} hosts, {first} … {last}", hosts.len()) })
}

/// Where an app is to be found.
pub(super) fn urls(config: &Config) -> Vec<String> {
    let proxied = config.roles.iter().filter_map(|role| Some((role.proxy.as_ref()?, role)));
    let mut urls: Vec<String> = Vec::new();
    for (proxy, role) in proxied {
        let scheme = if proxy.ssl == Ssl::Off { "http" } else { "https" };
        let path = proxy.path_prefixes.first().map(|path| path.trim_matches('/')).unwrap_or_default();
        let of = |host: &str| format!("{scheme}://{host}/{path}");
        if proxy.hosts.is_empty() {
            urls.extend(role.hosts.first().map(|tagged| of(tagged.name.as_str())));
        }
        urls.extend(proxy.hosts.iter().map(|host| of(host)));
    }
    urls.dedup();
    urls.truncate(NAMED);
    urls
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::report::testing::{event, finished, started};

    fn summary(operation: &str, outcome: Outcome) -> String {
        let mut summary = Summary::new(vec!["https://a.test/".to_owned()]);
        summary.take(&started(operation, true));
        if let Outcome::Failed(_) = outcome {
            summary.take(&event(EventKind::StepFinished {
                host: Some("1.1.1.2".parse().unwrap()),
                step: "switch".to_owned(),
                outcome: outcome.clone(),
                took: Duration::ZERO,
            }));
        }
        summary.take(&finished(outcome, None));
        strip_str(&summary.text()).to_string()
    }

    #[test]
    fn it_says_what_where_how_long_and_where_to_look() {
        assert_eq!(
            summary("deploy", Outcome::Ok),
            "  ✓ deploy app 999 in 1.2 s\n    1.1.1.1, 1.1.1.2\n    https://a.test/"
        );
        assert_eq!(summary("app stop", Outcome::Ok), "  ✓ app stop app 999 in 1.2 s\n    1.1.1.1, 1.1.1.2");
        let failed = summary("deploy", Outcome::Failed("no".to_owned()));
        assert_eq!(failed, "  ✗ deploy app 999 failed after 1.2 s\n    1.1.1.2");
    }

    #[test]
    fn many_hosts_are_counted() {
        let hosts: Vec<String> = (1..=20).map(|n| format!("web{n}")).collect();
        assert_eq!(named(&hosts).unwrap(), "20 hosts, web1 … web20");
        assert_eq!(named(&[]), None);
    }
}
