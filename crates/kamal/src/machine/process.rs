//! Which process this is, and whether another one still runs.
//!
//! A number of a process means something in one namespace of one boot of one machine only, and to one user: others' processes
//! may be hidden. All that, told by Linux below `/proc` and by `ps` elsewhere, is the space of an [`Origin`].

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use kamal_core::lock::Origin;

use super::Environment;

/// Where CI systems tell the page of a job.
const PAGES: [&str; 6] =
    ["CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "TRAVIS_JOB_WEB_URL", "BUILD_URL", "DRONE_BUILD_LINK"];

/// This process.
pub(crate) fn origin(environment: &Environment) -> Origin {
    let process = std::process::id();
    Origin {
        user: environment.get("USER").or_else(|| environment.get("LOGNAME")).unwrap_or_else(|| "unknown".to_owned()),
        machine: machine().unwrap_or_default(),
        space: space().unwrap_or_default(),
        process,
        began: began(process).unwrap_or_default(),
        url: page(environment),
    }
}

/// True when it is certain that a process has ended.
pub(crate) fn has_ended(origin: &Origin) -> bool {
    let Some(space) = space() else { return false };
    let comparable = origin.process != 0 && !origin.began.is_empty() && origin.space == space;
    comparable && began(origin.process).is_none_or(|began| began != origin.began)
}

fn page(environment: &Environment) -> Option<String> {
    let github = || {
        let part = |name| environment.get(name).filter(|value| !value.is_empty());
        let (server, repository) = (part("GITHUB_SERVER_URL")?, part("GITHUB_REPOSITORY")?);
        Some(format!("{server}/{repository}/actions/runs/{}", part("GITHUB_RUN_ID")?))
    };
    PAGES.iter().find_map(|name| environment.get(name)).filter(|url| !url.is_empty()).or_else(github)
}

fn machine() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| said("uname", &["-n"])).map(|name| trimmed(&name))
}

/// Where numbers of processes mean the same.
fn space() -> Option<String> {
    let linux = || {
        let boot = trimmed(&fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?);
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let user = fs::metadata("/proc/self").ok()?.uid();
        Some(format!("{boot} {} {user}", namespace.display()))
    };
    let elsewhere = || {
        let boot = said("sysctl", &["-n", "kern.bootsessionuuid"])?;
        Some(format!("{boot} {}", said("id", &["-u"])?))
    };
    linux().or_else(elsewhere)
}

/// When a process began, if it is there. One that has ended and that nobody has asked about yet is not.
fn began(process: u32) -> Option<String> {
    if fs::exists("/proc/self/stat").unwrap_or(false) {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name in parentheses may hold anything.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        (!matches!(state, "Z" | "X")).then_some(())?;
        return fields.nth(18).map(str::to_owned);
    }
    said("ps", &["-o", "lstart=", "-p", &process.to_string()])
}

/// What a program prints, if it ends well and prints something.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).env("LC_ALL", "C").output().ok()?;
    let text = trimmed(&String::from_utf8(output.stdout).ok()?);
    (output.status.success() && !text.is_empty()).then_some(text)
}

fn trimmed(text: &str) -> String {
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_process_has_ended_is_told_by_its_number_and_its_beginning() {
        let environment = Environment::of([("USER", "ann"), ("CI_JOB_URL", "https://ci.test/1")]);
        let us = origin(&environment);
        assert_eq!((us.user.as_str(), us.url.as_deref()), ("ann", Some("https://ci.test/1")));
        assert!(!us.machine.is_empty() && !has_ended(&us), "{us:?}");

        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let other = Origin { process: child.id(), began: began(child.id()).unwrap(), ..us.clone() };
        assert!(!has_ended(&other), "{other:?}");
        child.kill().unwrap();
        // One that is still to be waited for has ended all the same.
        while fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|stat| !stat.contains(") Z")) {
            std::thread::yield_now();
        }
        assert!(has_ended(&other), "{other:?}");
        child.wait().unwrap();
        assert!(has_ended(&other), "{other:?}");
        // A number that is in use again.
        assert!(has_ended(&Origin { began: "0".into(), ..us.clone() }));
    }

    #[test]
    fn nothing_is_certain_of_a_process_elsewhere() {
        let us = origin(&Environment::of([("USER", "ann")]));
        for unknown in [
            Origin { space: "another boot".into(), process: 1, ..us.clone() },
            Origin { process: 0, ..us.clone() },
            Origin { began: String::new(), ..us },
            Origin::default(),
        ] {
            assert!(!has_ended(&unknown), "{unknown:?}");
        }
    }

    #[test]
    fn ci_systems_tell_their_page() {
        let github =
            [("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_REPOSITORY", "a/b"), ("GITHUB_RUN_ID", "5")];
        assert_eq!(page(&Environment::of(github)).as_deref(), Some("https://github.com/a/b/actions/runs/5"));
        assert_eq!(page(&Environment::of([("GITHUB_RUN_ID", "5")])), None);
        assert_eq!(page(&Environment::of([("BUILD_URL", "http://jenkins/1")])).as_deref(), Some("http://jenkins/1"));
    }
}
