//! A plan as people read it.

use std::fmt::{Display, Formatter, Result};

use super::{Kind, Plan, Stage, Work};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "Plan to {} {}", self.operation, self.service)?;
        for word in self.version.iter().map(ToString::to_string) {
            write!(f, " {word}")?;
        }
        writeln!(f, " (digest {})", self.digest())?;
        if self.is_empty() {
            writeln!(f, "  nothing to do")?;
        }
        for stage in &self.stages {
            let mut before = "";
            for (place, what) in stage.lines() {
                let (title, shown) = if before == place { ("", "") } else { (stage.kind.title(), place) };
                writeln!(f, "  {title:<9} {shown:<16} {what}")?;
                before = place;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

impl Stage {
    /// What is done, and where.
    pub(super) fn lines(&self) -> Vec<(&str, String)> {
        match &self.work {
            Work::Build(task) => vec![("local", task.to_string())],
            Work::Hook { name, .. } => vec![("local", format!("run the hook {name}"))],
            Work::Wait { seconds } => vec![("local", format!("wait {seconds} s"))],
            Work::Lock { host, .. } => vec![(host.as_str(), "take the deploy lock".to_owned())],
            Work::Unlock { host } => vec![(host.as_str(), "release the deploy lock".to_owned())],
            Work::Hosts(_) | Work::Boot { .. } => {
                let steps = self.steps().filter(|(_, step)| step.is_headline());
                steps.map(|(host, step)| (host.as_str(), step.to_string())).collect()
            }
            Work::Ask(questions) => {
                questions.iter().map(|asked| (asked.host.as_str(), asked.query.to_string())).collect()
            }
            Work::Survey { hosts, .. } => {
                hosts.iter().map(|host| (host.as_str(), "see how it is".to_owned())).collect()
            }
            Work::Attach(asked) => vec![(asked.host.as_str(), asked.query.to_string())],
            Work::Tell(_) => Vec::new(),
        }
    }
}

impl Kind {
    /// Its name, as a plan shows it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Build => "build",
            Self::Deliver => "deliver",
            Self::Fetch => "fetch",
            Self::Lock => "lock",
            Self::Prepare => "prepare",
            Self::Release => "release",
            Self::Start => "start",
            Self::Boot => "boot",
            Self::Split => "split",
            Self::Guard => "guard",
            Self::Retire => "retire",
            Self::Finish => "finish",
            Self::Wait => "wait",
            Self::Hook => "hook",
            Self::Change => "change",
            Self::Look => "look",
            Self::Unlock => "unlock",
        }
    }
}
