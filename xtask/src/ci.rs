//! Everything a change must pass, in one command, here and in CI alike.

use std::env;
use std::fmt::{self, Display};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::command::{find_program, note, print, run, show};
use crate::error::{Context, Result};
use crate::sandbox::{self, Sandbox};
use crate::{book, reach, tidy, workspace};

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is wrong.
    Passed,
    /// Something is, and was shown.
    Failed,
    /// It takes something that is not to be had here.
    Skipped(String),
}

impl Verdict {
    pub(crate) fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.pad("ok"),
            Self::Failed => f.pad("FAILED"),
            Self::Skipped(_) => f.pad("skipped"),
        }
    }
}

/// Cargo's arguments for each step, in the order of how soon they tell.
const STEPS: [(&str, &[&str]); 6] = [
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]),
    ("no features", &["check", "-p", "kamal-core", "-p", "kamal-ssh", "-p", "kamal-docker", "-p", "kamal-proxy"]),
    ("packages", &PACKAGES),
    ("doc tests", &["test", "--workspace", "--all-features", "--doc"]),
    ("documentation", &["doc", "--workspace", "--all-features", "--no-deps"]),
];

/// Checks of how far the crates reach, by name.
type Reach = (&'static str, fn() -> Result<Verdict>);

/// They come after the steps, as they build what these have not. What would build everything anew has a machine of its own
/// in the workflow: the oldest Rust and every set of features (`cargo xtask reach oldest` and `features`), fuzzing
/// (`cargo xtask fuzz`) and counts of instructions (`cargo xtask bench instructions`).
const REACH: [Reach; 2] = [("web", reach::web), ("dependencies", reach::dependencies)];

/// What others would get of each crate holds all it needs: it can be packed, each depending on the others by version.
const PACKAGES: [&str; 16] = [
    "package",
    "--quiet",
    "--no-verify",
    "--allow-dirty",
    "-p",
    "kamal-core",
    "-p",
    "kamal-ssh",
    "-p",
    "kamal-docker",
    "-p",
    "kamal-proxy",
    "-p",
    "kamal",
    "-p",
    "kamal-cli",
];

/// What the tests run besides what the sandbox needs, and the Debian package each is in.
const PROGRAMS: [(&str, &str); 11] = [
    ("pg_ctlcluster", "postgresql"),
    ("musl-gcc", "musl-tools"),
    ("pebble", "pebble"),
    ("age", "age"),
    ("dash", "dash"),
    ("zsh", "zsh"),
    ("fish", "fish"),
    ("busybox", "busybox-static"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("chromium", "chromium"),
];

/// Runs all checks, also after one has failed, and tells whether all passed. The summary of the tests comes last.
///
/// A sandbox that the tests brought up goes with them: there is room for one on a machine, and the next run of another
/// checkout must not find it taken.
///
/// # Errors
///
/// When a check cannot be run at all.
pub fn run_all() -> Result<bool> {
    let mut results = Vec::new();
    for (name, arguments) in STEPS {
        let step = || show(cargo().args(arguments).env("RUSTDOCFLAGS", "-D warnings")).is_ok();
        results.push(timed(name, || Ok(Verdict::of(step())))?);
    }
    for (name, check) in REACH {
        results.push(timed(name, check)?);
    }
    results.push(timed("book", book::build)?);
    results.push(timed("tidy", || Ok(Verdict::of(tidy_passes()?)))?);
    // Before the first test, as many of them run beside the one that brings the sandbox up.
    require_tools()?;
    let sandbox_was_up = Sandbox::find().is_ok_and(|sandbox| !sandbox.hosts().is_empty());
    let mut summary = String::new();
    results.push(timed("tests", || {
        let (passed, line) = tests()?;
        summary = line;
        Ok(Verdict::of(passed))
    })?);
    if !sandbox_was_up && Sandbox::find().is_ok_and(|sandbox| !sandbox.hosts().is_empty()) {
        let down = || sandbox::down().inspect_err(|error| note(error)).is_ok();
        results.push(timed("sandbox down", || Ok(Verdict::of(down())))?);
    }

    for (name, verdict, elapsed) in &results {
        let why = if let Verdict::Skipped(why) = verdict { format!("  {why}") } else { String::new() };
        print(format_args!("{name:<14} {verdict:<7} {:>7.1} s{why}", elapsed.as_secs_f64()))?;
    }
    print(summary)?;
    Ok(results.iter().all(|(_, verdict, _)| *verdict != Verdict::Failed))
}

fn timed(name: &'static str, step: impl FnOnce() -> Result<Verdict>) -> Result<(&'static str, Verdict, Duration)> {
    note(format_args!("── {name}"));
    let started = Instant::now();
    let verdict = step()?;
    Ok((name, verdict, started.elapsed()))
}

fn tidy_passes() -> Result<bool> {
    let complaints = tidy::check()?;
    for complaint in &complaints {
        print(complaint)?;
    }
    Ok(complaints.is_empty())
}

/// Runs all tests and gives back whether they passed, and the line in which nextest counts them.
fn tests() -> Result<(bool, String)> {
    let mut nextest = cargo();
    nextest.args(["nextest", "run", "--profile", "ci", "--workspace", "--all-features", "--color", "never"]);
    let output = nextest.stderr(Stdio::piped()).spawn().and_then(std::process::Child::wait_with_output);
    let output = output.context(|| "starting `cargo nextest`".to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr);
    note(text.trim_end());
    let summary = text.lines().rev().find(|line| line.trim_start().starts_with("Summary"));
    Ok((output.status.success(), summary.unwrap_or("no tests were run").trim().to_owned()))
}

/// Makes sure that there is what tests are run by, and what they run.
pub(crate) fn require_tools() -> Result<()> {
    require_nextest()?;
    sandbox::require()?;
    sandbox::require_packages(&PROGRAMS)
}

fn require_nextest() -> Result<()> {
    if find_program("cargo-nextest").is_some() || run(cargo().args(["nextest", "--version"])).is_ok() {
        return Ok(());
    }
    note("installing cargo-nextest");
    show(cargo().args(["install", "--locked", "cargo-nextest"]))
}

pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}
