//! Fuzzing for a bounded time, by the toolchain everything else is built with.
//!
//! What libFuzzer asks of a program, counters at its branches and words of what it compares, are flags of code
//! generation, which stable Rust has. Only sanitizers need a nightly one, and they look for faults of memory, which code
//! without `unsafe` does not have.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

use crate::ci::cargo;
use crate::command::{note, print, run, show};
use crate::error::{Context, Error, Result};
use crate::programs;
use crate::sandbox::require_packages;
use crate::workspace;

/// Each target, and where texts of the kind it reads stand besides `fuzz/seeds/TARGET`.
const TARGETS: [(&str, &[&str]); 9] = [
    ("config", &["crates/kamal-core/tests/conformance", "tests/cases"]),
    ("erb", &["crates/kamal-core/tests/config/templates", "tests/cases/files"]),
    ("dotenv", &[]),
    ("ssh_config", &[]),
    ("known_hosts", &[]),
    ("route", &[]),
    ("requests", &[]),
    ("answers", &[]),
    ("state", &[]),
];

/// What makes a program tell libFuzzer where it has been.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Nothing that is read takes longer than a few milliseconds, or more memory than this.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=4096"];

/// How much of what a target said is shown when it failed.
const LINES_SHOWN: usize = 60;

/// How a target ended.
#[derive(Debug)]
struct Ended {
    target: &'static str,
    passed: bool,
    /// `Done 1234 runs in 61 second(s)`, or where to read on.
    said: String,
}

/// Fuzzes these targets, or all, each for so many seconds, as many at a time as there are processors. Prints a line for
/// each, and tells whether nothing was found.
///
/// # Errors
///
/// When there is no such target, or they cannot be built or started.
pub fn run_all(names: &[String], seconds: u64) -> Result<bool> {
    let wanted = chosen(names)?;
    require_packages(&[("c++", "g++")])?;
    let folder = folder();
    let programs = build(&folder, &wanted)?;
    let ended = side_by_side(&wanted, |target| fuzz(target, &folder, &programs, seconds))?;
    for Ended { target, passed, said } in &ended {
        let verdict = if *passed { "ok" } else { "FAILED" };
        print(format_args!("{target:<14} {verdict:<7} {said}"))?;
    }
    Ok(ended.iter().all(|ended| ended.passed))
}

/// The targets of these names, all when there are none.
fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    let all = TARGETS.map(|(target, _)| target);
    if let Some(unknown) = names.iter().find(|name| !all.contains(&name.as_str())) {
        return Err(Error::Refused(format!("no fuzz target {unknown:?}; there are {}", all.join(", "))));
    }
    Ok(all.into_iter().filter(|target| names.is_empty() || names.iter().any(|name| name == target)).collect())
}

/// Where everything of fuzzing is: what is built, what was learnt, what was found.
fn folder() -> PathBuf {
    programs::target().join("fuzz")
}

/// Builds the targets and gives the folder they are in.
fn build(folder: &Path, targets: &[&str]) -> Result<PathBuf> {
    note("building the fuzz targets (a few minutes the first time)");
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]).current_dir(workspace()))?;
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--profile", "fuzz", "--manifest-path", "fuzz/Cargo.toml"]);
    // With a target named, flags are for what is fuzzed alone, not for build scripts and macros.
    cargo.args(["--target", host.trim()]).arg("--target-dir").arg(folder).env("RUSTFLAGS", FLAGS);
    cargo.args(targets.iter().flat_map(|target| ["--bin", target]));
    show(&mut cargo)?;
    Ok(folder.join(host.trim()).join("fuzz"))
}

/// Does something for each target, as many at a time as there are processors.
fn side_by_side(targets: &[&'static str], work: impl Fn(&'static str) -> Result<Ended> + Sync) -> Result<Vec<Ended>> {
    let lanes = thread::available_parallelism().map_or(1, usize::from);
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().ok()?.next();
    thread::scope(|scope| {
        let lane = || std::iter::from_fn(&next).map(|target| work(target)).collect::<Result<Vec<_>>>();
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        let mut ended = Vec::new();
        for lane in lanes {
            ended.extend(lane.join().map_err(|_| Error::Refused("a thread ended early".to_owned()))??);
        }
        ended.sort_by_key(|ended| targets.iter().position(|target| *target == ended.target));
        Ok(ended)
    })
}

/// Fuzzes one target. What it says goes into a file, and is shown where it found something.
fn fuzz(target: &'static str, folder: &Path, programs: &Path, seconds: u64) -> Result<Ended> {
    let made = |kind: &str| {
        let folder = folder.join(kind).join(target);
        fs::create_dir_all(&folder).context(|| format!("creating {}", folder.display()))?;
        Ok(folder)
    };
    // What led to new places in earlier runs is where the next one begins.
    let (corpus, found) = (made("corpus")?, made("found")?);
    let log = folder.join(format!("{target}.log"));
    let writing = || format!("writing {}", log.display());
    let output = File::create(&log).context(writing)?;
    let mut command = Command::new(programs.join(target));
    command.arg(format!("-max_total_time={seconds}")).args(LIMITS).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", found.display()));
    let dictionary = workspace().join(format!("fuzz/dict/{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.arg(corpus).args(seeds(target)).stdin(Stdio::null());
    command.stdout(output.try_clone().context(writing)?).stderr(output);
    note(format_args!("fuzzing {target} for {seconds} s"));
    let status = command.status().context(|| format!("starting the fuzz target {target}"))?;
    let text = fs::read(&log).context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    if !status.success() {
        let lines: Vec<&str> = text.lines().collect();
        note(lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n"));
    }
    let said = said(&text).unwrap_or_else(|| format!("{status}; see {} and {}", log.display(), found.display()));
    Ok(Ended { target, passed: status.success(), said })
}

/// The folders with what a target begins with.
fn seeds(target: &str) -> Vec<PathBuf> {
    let of_its_own = workspace().join("fuzz/seeds").join(target);
    let others = TARGETS.iter().filter(|(name, _)| *name == target).flat_map(|(_, folders)| *folders);
    let mut found: Vec<PathBuf> = others.map(|folder| workspace().join(folder)).collect();
    found.extend(Some(of_its_own).filter(|folder| folder.is_dir()));
    found
}

/// The line in which libFuzzer counts what it tried; there is none where it found something.
fn said(log: &str) -> Option<String> {
    log.lines().rev().find(|line| line.starts_with("Done ")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    // A target that no run comes to would look as if it held.
    #[test]
    fn every_target_of_the_folder_is_known() {
        let manifest = fs::read_to_string(workspace().join("fuzz/Cargo.toml")).unwrap();
        let binaries = manifest.split("[[bin]]").skip(1).filter_map(|entry| entry.split('"').nth(1));
        let mut binaries: Vec<&str> = binaries.collect();
        let mut known = TARGETS.map(|(target, _)| target);
        binaries.sort_unstable();
        known.sort_unstable();
        assert_eq!(binaries, known);
        for folder in TARGETS.iter().flat_map(|(target, _)| seeds(target)) {
            assert!(fs::read_dir(&folder).unwrap().next().is_some(), "{}", folder.display());
        }
    }

    #[test]
    fn targets_are_chosen_by_name() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(chosen(&names(&["state", "config"])).unwrap(), ["config", "state"]);
        assert_eq!(chosen(&[]).unwrap().len(), TARGETS.len());
        let error = chosen(&names(&["confg"])).unwrap_err().to_string();
        assert!(error.contains("no fuzz target \"confg\"; there are config, "), "{error}");
    }
}
