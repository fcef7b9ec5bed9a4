//! Daemons: starting them so that they outlive us, and ending exactly those we started.
//!
//! A pid alone may since belong to somebody else, so it is recorded with the time the process started. Everything else
//! that must end (an engine's containerd and shims, the containers, sessions of sshd) is found by the network namespace
//! it is in, which is ours alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::command::SYSTEM_PATH;
use crate::error::{Context, Error, Result};

/// How often a starting or ending process is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long a process may take to end after SIGKILL.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// Lines of its log shown when a daemon does not start.
const LOG_LINES: usize = 12;

/// Closes what our caller leaked into us, lest the daemon hold some stranger's lock (`flock FILE cargo …`) for ever.
const CLOSE_AND_RUN: &str = r#"exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec "$@""#;

/// A process that is alive, with when it started, in clock ticks since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) pid: i32,
    pub(super) started: u64,
}

/// Starts a daemon in a session of its own and waits until it answers.
pub(super) fn start(
    command: &[&str],
    pid_file: &Path,
    log: &Path,
    limit: Duration,
    answers: impl Fn() -> bool,
) -> Result<()> {
    let begun = Instant::now();
    let output =
        File::options().create(true).append(true).open(log).context(|| format!("opening {}", log.display()))?;
    let errors = output.try_clone().context(|| format!("opening {}", log.display()))?;
    let mut child = Command::new("setsid")
        .args(["sh", "-c", CLOSE_AND_RUN, "sh"])
        .args(command)
        .env_clear()
        .envs([("PATH", SYSTEM_PATH), ("HOME", "/root"), ("LANG", "C.UTF-8")])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .context(|| "starting `setsid`".to_owned())?;
    let pid = i32::try_from(child.id()).map_err(|_| Error::Refused("a pid out of range".to_owned()))?;
    let started = read_stat(pid).map(|stat| stat.started).unwrap_or_default();
    fs::write(pid_file, format!("{pid} {started}\n")).context(|| format!("writing {}", pid_file.display()))?;
    loop {
        if answers() {
            return Ok(());
        }
        let ended = child.try_wait().context(|| "waiting for a daemon".to_owned())?;
        if ended.is_some() || begun.elapsed() > limit {
            let how =
                ended.map_or_else(|| format!("did not answer within {limit:?}"), |status| format!("ended ({status})"));
            return Err(Error::Refused(format!("{how}; the end of {}:\n{}", log.display(), tail(log))));
        }
        thread::sleep(POLL);
    }
}

/// The daemon recorded in `pid_file`, if it is alive and still the one we started.
pub(super) fn running(pid_file: &Path) -> Option<Running> {
    let text = fs::read_to_string(pid_file).ok()?;
    let (pid, started) = text.trim().split_once(' ')?;
    let recorded = Running { pid: pid.parse().ok()?, started: started.parse().ok()? };
    let stat = read_stat(recorded.pid)?;
    (stat.state != 'Z' && stat.started == recorded.started).then_some(recorded)
}

/// How long a process has been running.
pub(super) fn uptime(process: Running) -> Option<Duration> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    let now = text.split(' ').next()?.parse::<f64>().ok()?;
    let started = process.started as f64 / rustix::param::clock_ticks_per_second() as f64;
    Duration::try_from_secs_f64(now - started).ok()
}

/// Kills the daemon recorded in `pid_file`, if it is alive, and forgets it.
pub(super) fn stop(pid_file: &Path) -> Result<()> {
    if let Some(process) = running(pid_file) {
        kill_all(|| Ok(running(pid_file).map(|_| process.pid).into_iter().collect()))?;
    }
    forget(pid_file)
}

/// Removes a pid file, if it is there.
pub(super) fn forget(pid_file: &Path) -> Result<()> {
    match fs::remove_file(pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(|| format!("removing {}", pid_file.display()))
        }
        _ => Ok(()),
    }
}

/// Kills the daemons whose command line ends with `arguments`, which must name the sandbox, so that none are meant but
/// ours: those whose pid file is gone.
pub(super) fn kill_by_arguments(arguments: &[&str]) -> Result<()> {
    kill_all(|| {
        let pids = all_pids()?.into_iter();
        let ours = pids.filter(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.trim_end_matches('\0').split('\0').collect::<Vec<_>>().ends_with(arguments)
        });
        Ok(ours.collect())
    })
}

/// Kills everything in the network namespace `name`, and everything that descends from it: the containers, which have
/// network namespaces of their own.
pub(super) fn kill_namespace(name: &str) -> Result<()> {
    let Ok(metadata) = fs::metadata(Path::new("/run/netns").join(name)) else { return Ok(()) };
    let own = fs::metadata("/proc/self/ns/net").context(|| "reading /proc/self/ns/net".to_owned())?;
    // Before `ip netns` has mounted the namespace its file is an empty one, on another device.
    if metadata.dev() != own.dev() || metadata.ino() == own.ino() {
        return Ok(());
    }
    let link = format!("net:[{}]", metadata.ino());
    // Once their parents are dead, containers could no longer be told from strangers, so they are remembered.
    let mut doomed = BTreeMap::new();
    kill_all(|| {
        for (pid, started) in descendants_of_namespace(&link)? {
            doomed.insert(pid, started);
        }
        doomed.retain(|pid, started| read_stat(*pid).is_some_and(|stat| stat.started == *started && stat.state != 'Z'));
        Ok(doomed.keys().copied().collect())
    })
}

fn descendants_of_namespace(link: &str) -> Result<BTreeMap<i32, u64>> {
    let mut stats = BTreeMap::new();
    let mut found = BTreeSet::new();
    for pid in all_pids()? {
        let Some(stat) = read_stat(pid) else { continue };
        stats.insert(pid, stat);
        if fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|target| target == Path::new(link)) {
            found.insert(pid);
        }
    }
    loop {
        let before = found.len();
        found.extend(
            stats.iter().filter(|(_, stat)| found.contains(&stat.parent)).map(|(pid, _)| *pid).collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    Ok(found.into_iter().filter_map(|pid| Some((pid, stats.get(&pid)?.started))).collect())
}

fn all_pids() -> Result<Vec<i32>> {
    let entries = fs::read_dir("/proc").context(|| "reading /proc".to_owned())?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Kills what `alive` lists, again and again, until it lists nothing.
fn kill_all(mut alive: impl FnMut() -> Result<Vec<i32>>) -> Result<()> {
    let begun = Instant::now();
    loop {
        let pids = alive()?;
        if pids.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > KILL_LIMIT {
            return Err(Error::Refused(format!("processes {pids:?} of the sandbox do not end, even when killed")));
        }
        for pid in pids.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself in the meantime.
            let _ = kill_process(pid, Signal::KILL);
        }
        thread::sleep(POLL);
    }
}

#[derive(Debug, Clone, Copy)]
struct Stat {
    state: char,
    parent: i32,
    started: u64,
}

/// Fields 3, 4 and 22 of `/proc/PID/stat`, see proc(5). The second, in brackets, may contain anything.
fn read_stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, started })
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_known_by_its_start_time_and_ends_when_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        // Answering means here: `setsid` has become `sleep`.
        let answers = || fs::read_to_string(&log).is_ok_and(|text| text == "ready\n");
        start(&["sh", "-c", "echo ready; exec sleep 1000"], &pid_file, &log, Duration::from_secs(10), answers).unwrap();
        let process = running(&pid_file).unwrap();
        assert!(uptime(process).unwrap() < Duration::from_secs(600));

        let other = folder.path().join("other");
        fs::write(&other, format!("{} {}\n", process.pid, process.started + 1)).unwrap();
        assert_eq!(running(&other), None);

        stop(&pid_file).unwrap();
        assert_eq!(running(&pid_file), None);
        assert!(!pid_file.exists());
    }

    #[test]
    fn a_daemon_without_pid_file_is_found_by_its_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        let mark = folder.path().to_string_lossy();
        let answers = || fs::read_to_string(&log).is_ok_and(|text| text == "ready\n");
        let command = ["sh", "-c", "echo ready; while :; do sleep 1; done", "name", &mark];
        start(&command, &pid_file, &log, Duration::from_secs(10), answers).unwrap();
        kill_by_arguments(&["other", &mark]).unwrap();
        assert!(running(&pid_file).is_some());
        kill_by_arguments(&["name", &mark]).unwrap();
        assert_eq!(running(&pid_file), None);
    }

    #[test]
    fn a_daemon_holds_no_files_but_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let leak = folder.path().join("leak");
        // A descriptor without close-on-exec, such as `flock` leaves to its child.
        let script = r#"exec 7>"$1"; shift; exec "$@""#;
        let held = format!("ls -l /proc/self/fd; {CLOSE_AND_RUN}");
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(&leak).args(["sh", "-c", &held, "sh", "ls", "-l", "/proc/self/fd"]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches("/leak").count(), 1, "held before, closed after:\n{text}");
    }

    #[test]
    fn a_daemon_that_ends_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let (pid_file, log) = (folder.path().join("pid"), folder.path().join("log"));
        let command = ["sh", "-c", "echo no luck >&2; exit 7"];
        let error = start(&command, &pid_file, &log, Duration::from_secs(10), || false).unwrap_err().to_string();
        assert!(error.contains("exit status: 7") && error.contains("no luck"), "{error}");
    }
}
