//! A plan as people read it.

use std::fmt::{Display, Formatter, Result};

use super::{HostWork, Plan, Work};

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "Plan to {} {} {} (digest {})", self.verb, self.service, self.version, self.digest())?;
        for stage in &self.stages {
            match &stage.work {
                Work::Build => line(f, stage.title, "local", "build the image and push it to the registry")?,
                Work::Hook { name, .. } => line(f, stage.title, "local", &format!("run the hook {name}"))?,
                Work::Wait { seconds } => line(f, stage.title, "local", &format!("wait {seconds} s"))?,
                Work::Hosts(hosts) | Work::Boot { hosts, .. } => self.hosts(f, stage.title, hosts)?,
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

impl Plan {
    fn hosts(&self, f: &mut Formatter<'_>, title: &str, hosts: &[HostWork]) -> Result {
        for work in hosts {
            for (i, step) in work.steps.iter().filter(|step| step.is_headline()).enumerate() {
                let host = if i == 0 { work.host.as_str() } else { "" };
                line(f, title, host, &step.to_string())?;
            }
        }
        Ok(())
    }
}

fn line(f: &mut Formatter<'_>, title: &str, host: &str, what: &str) -> Result {
    let title = if host.is_empty() { "" } else { title };
    writeln!(f, "  {title:<9} {host:<16} {what}")
}
