//! Every case of `tests/cases`, tried, and a line for each: whether it comes out as it should, or what differs.
//!
//! Tests try them (`tests/shared/cases.rs`), several in one where they share a host, and print a line for each. A folder
//! that no test tries is told as well.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use crate::ci::{cargo, require_tools};
use crate::command::print;
use crate::error::{Context, Result};
use crate::workspace;

/// Which tests try cases.
const TESTS: &str = "binary(cases) | test(/^cases::/)";

/// Runs the tests, prints a line for each case, and tells whether all are as they should be.
///
/// # Errors
///
/// When the tests cannot be run, or the folders not be read.
pub fn run() -> Result<bool> {
    require_tools()?;
    let mut nextest = cargo();
    nextest.args(["nextest", "run", "-p", "kamal-cli", "-p", "kamal-tests", "-E", TESTS, "--no-fail-fast"]);
    nextest.args(["--success-output", "immediate", "--failure-output", "immediate", "--color", "never"]);
    let output = nextest.stderr(Stdio::piped()).spawn().and_then(std::process::Child::wait_with_output);
    let output = output.context(|| "starting `cargo nextest`".to_owned())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let mut verdicts = verdicts(&text);
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
}
