//! Every case of `tests/cases`, tried, and a line for each: whether it comes out as it should, or what differs.
//!
//! Tests try them (`tests/shared/cases.rs`), several in one where they share a host, and print a line for each. What has
//! no folder, or is tried by tests with a wider subject, is listed in `tests/cases/elsewhere.txt`, with those tests. A
//! case that no test comes to is told as well.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::ci::{cargo, require_tools};
use crate::command::print;
use crate::error::{Context, Error, Result};
use crate::promises::has_function;
use crate::workspace;

/// Which tests print a line for each case they try.
const TESTS: &str = "binary(cases) | test(/^cases::/)";

/// Where cases are listed that other tests try.
const ELSEWHERE: &str = "tests/cases/elsewhere.txt";

/// The packages with those tests.
const PACKAGES: [&str; 4] = ["kamal-core", "kamal-cli", "kamal-proxy", "kamal-tests"];

/// A case, and one of the tests that try it.
#[derive(Debug, PartialEq, Eq)]
struct Elsewhere<'a> {
    case: &'a str,
    /// What nextest calls the program with the test, such as `kamal-proxy::server`.
    binary: &'a str,
    test: &'a str,
}

/// Runs the tests, prints a line for each case, and tells whether all are as they should be.
///
/// # Errors
///
/// When the tests cannot be run, or the folders not be read.
pub fn run() -> Result<bool> {
    require_tools()?;
    let list = list()?;
    let elsewhere = elsewhere(&list)?;
    let mut nextest = cargo();
    nextest.args(["nextest", "run", "--all-features", "--no-fail-fast", "--color", "never", "-E", &filter(&elsewhere)]);
    nextest.args(PACKAGES.iter().flat_map(|package| ["-p", package]));
    nextest.args(["--success-output", "immediate", "--failure-output", "immediate", "--status-level", "pass"]);
    let output = nextest.stderr(Stdio::piped()).spawn().and_then(std::process::Child::wait_with_output);
    let output = output.context(|| "starting `cargo nextest`".to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut verdicts = verdicts(&text);
    judge(&elsewhere, &text, &mut verdicts);
    for name in folders()? {
        verdicts.entry(name).or_insert_with(|| "differs: no test came to it".to_owned());
    }
    for (name, verdict) in &verdicts {
        print(format_args!("{name:<50} {verdict}"))?;
    }
    let well = verdicts.values().filter(|verdict| *verdict == "ok").count();
    print(format_args!("{} cases, {well} ok", verdicts.len()))?;
    Ok(well == verdicts.len() && output.status.success())
}

/// Listed tests that are not there, one line each: renamed or moved since.
pub(crate) fn check() -> Result<Vec<String>> {
    let list = list()?;
    let elsewhere = elsewhere(&list)?;
    let missing = elsewhere.iter().filter(|listed| !listed.exists(workspace()));
    Ok(missing.map(|Elsewhere { binary, test, .. }| format!("{ELSEWHERE}: there is no {binary} {test}")).collect())
}

fn list() -> Result<String> {
    let list = workspace().join(ELSEWHERE);
    fs::read_to_string(&list).context(|| format!("reading {}", list.display()))
}

impl Elsewhere<'_> {
    /// Whether a file of its modules has the test.
    fn exists(&self, workspace: &Path) -> bool {
        let (package, target) = self.binary.split_once("::").unwrap_or((self.binary, "bin/"));
        let package = match package {
            "kamal-tests" => workspace.join("tests"),
            name => workspace.join("crates").join(name),
        };
        let root = if target.starts_with("bin/") { package.join("src") } else { package.join("tests").join(target) };
        let mut modules: Vec<&str> = self.test.split("::").collect();
        let Some(name) = modules.pop() else { return false };
        let named = modules.iter().scan(root.clone(), |path, module| {
            path.push(module);
            Some(path.with_extension("rs"))
        });
        named.chain(["lib.rs", "main.rs"].map(|file| root.join(file))).any(|file| has_function(&file, name))
    }
}

/// The cases' folders, `files/01-…`.
fn folders() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for kind in ["files", "reports"] {
        let folder = workspace().join("tests/cases").join(kind);
        let reading = || format!("reading {}", folder.display());
        for entry in fs::read_dir(&folder).context(reading)? {
            found.push(format!("{kind}/{}", entry.context(reading)?.file_name().to_string_lossy()));
        }
    }
    Ok(found)
}

/// Reads the list: `CASE = BINARY TEST`, `#` before what is for people.
fn elsewhere(list: &str) -> Result<Vec<Elsewhere<'_>>> {
    let lines = list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let read =
        |line| read(line).ok_or_else(|| Error::Refused(format!("{ELSEWHERE}: not `CASE = BINARY TEST`: {line}")));
    lines.map(read).collect()
}

fn read(line: &str) -> Option<Elsewhere<'_>> {
    let (case, test) = line.split_once(" = ")?;
    let (binary, test) = test.split_once(' ')?;
    Some(Elsewhere { case, binary, test })
}

/// What nextest is asked for: the tests that print lines, and those of the list.
fn filter(elsewhere: &[Elsewhere<'_>]) -> String {
    let tests = elsewhere.iter().map(|Elsewhere { binary, test, .. }| format!("(binary_id({binary}) & test(={test}))"));
    std::iter::once(TESTS.to_owned()).chain(tests).collect::<Vec<_>>().join(" | ")
}

/// Adds what became of the list's cases: each of their tests has to have passed.
fn judge(elsewhere: &[Elsewhere<'_>], printed: &str, verdicts: &mut BTreeMap<String, String>) {
    let passed: HashSet<&str> = printed.lines().filter_map(passed).collect();
    for Elsewhere { case, binary, test } in elsewhere {
        let known = verdicts.entry((*case).to_owned()).or_insert_with(|| "ok".to_owned());
        if !passed.contains(format!("{binary} {test}").as_str()) {
            *known = format!("differs: {binary} {test} has not passed");
        }
    }
}

/// The test in a line such as `PASS [   0.012s] (1/9) kamal-core name::tests::all`, with its program.
fn passed(line: &str) -> Option<&str> {
    let (_, rest) = line.trim_start().strip_prefix("PASS [")?.split_once("] ")?;
    Some(rest.split_once(") ").filter(|(number, _)| number.starts_with('(')).map_or(rest, |(_, test)| test))
}

/// What the tests printed of each case. One that several tests have a part of is well when all of them are.
fn verdicts(printed: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in printed.lines() {
        let line = line.strip_prefix("    ").unwrap_or(line);
        if let Some((name, verdict)) = line.strip_prefix("case ").and_then(|rest| rest.split_once(": ")) {
            let known = found.entry(name.to_owned()).or_insert_with(|| "ok".to_owned());
            if verdict == "ok" {
                last = None;
            } else {
                verdict.clone_into(known);
                last = Some(name.to_owned());
            }
        } else if let Some(verdict) =
            last.as_ref().filter(|_| line.starts_with("    ")).and_then(|name| found.get_mut(name))
        {
            verdict.push('\n');
            verdict.push_str(line);
        } else {
            last = None;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_well_where_all_its_parts_are() {
        let printed = "  stdout ───\n\n    case files/1: ok\n    case files/2: differs: it says\n        one\n        two\n    \
                       test x ... FAILED\n        no part of it\n    case files/2: ok\n    case files/3: ok\ncase files/3: differs: so\n";
        let wanted = [("files/1", "ok"), ("files/2", "differs: it says\n    one\n    two"), ("files/3", "differs: so")];
        let wanted = wanted.map(|(name, verdict)| (name.to_owned(), verdict.to_owned()));
        assert_eq!(verdicts(printed), BTreeMap::from(wanted));
    }

    #[test]
    fn a_listed_test_that_was_renamed_or_moved_is_missing() {
        let exists = |binary, test| Elsewhere { case: "a/1", binary, test }.exists(workspace());
        assert!(exists("kamal-core", "name::tests::no_name_can_hold_shell_syntax"));
        assert!(exists("kamal-tests::end_to_end", "build::a_repository_without_a_commit"));
        assert!(!exists("kamal-core", "name::tests::no_name_can_hold"));
        assert!(!exists("kamal-core", "naming::tests::no_name_can_hold_shell_syntax"));
        assert!(!exists("kamal-core::config", "name::tests::no_name_can_hold_shell_syntax"));
    }

    #[test]
    fn a_case_of_the_list_is_well_when_all_its_tests_passed() {
        let list = "# why\n\na/1 = kamal-core name::tests::all\na/1 = kamal-proxy::server wire::it\nb/2 = x y\n";
        let elsewhere = elsewhere(list).unwrap();
        assert!(filter(&elsewhere).ends_with(" | (binary_id(x) & test(=y))"), "{}", filter(&elsewhere));
        let printed = "        PASS [   0.012s] (1/3) kamal-core name::tests::all\n        PASS [   1.100s] kamal-proxy::server wire::it\n\
                       FAIL [   0.1s] (3/3) x y\n";
        let mut found = BTreeMap::new();
        judge(&elsewhere, printed, &mut found);
        assert_eq!(found["a/1"], "ok");
        assert_eq!(found["b/2"], "differs: x y has not passed");
        let error = super::elsewhere("a/1 kamal-core x").unwrap_err().to_string();
        assert!(error.contains("elsewhere.txt") && error.contains("a/1 kamal-core x"), "{error}");
    }
}
