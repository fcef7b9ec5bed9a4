//! The house rules that neither the compiler nor clippy checks: who may depend on what, and what files look like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::run;
use crate::error::{Context, Result};
use crate::{cases, citations, faults, parity, promises, schema, surface, workspace};

/// Most lines of production code in a file; the test module at its end does not count.
const LINE_LIMIT: usize = 600;

/// What the pure engine must not have anywhere in its dependencies.
const BANNED_FROM_CORE: [&str; 4] = ["tokio", "russh", "hyper", "clap"];

/// The most crates the engine may take.
const MOST_BELOW_CORE: usize = 40;

/// Crates that only the named members may depend on directly.
const RESERVED: [(&str, &[&str]); 2] = [("russh", &["kamal-ssh"]), ("clap", &["kamal-cli", "xtask"])];

/// Everything that is not as it should be, one line each, beginning with the file or crate.
///
/// # Errors
///
/// When a file cannot be read or cargo does not answer.
pub fn check() -> Result<Vec<String>> {
    let mut complaints = check_core_dependencies()?;
    complaints.extend(schema::check()?);
    complaints.extend(surface::check()?);
    complaints.extend(parity::check()?);
    complaints.extend(citations::check()?);
    complaints.extend(promises::check()?);
    complaints.extend(cases::check()?);
    complaints.extend(faults::check()?);
    complaints.extend(check_reserved_dependencies()?);
    for path in sources(workspace())? {
        let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(workspace()).unwrap_or(&path).display().to_string();
        let mut found = check_source(&text);
        if name.starts_with("crates/kamal-core/src/") {
            found.extend(check_pure(&text));
        }
        if name.starts_with("crates/kamal-cli/src/") {
            found.extend(check_thin(&text));
        }
        complaints.extend(found.into_iter().map(|complaint| format!("{name}: {complaint}")));
    }
    Ok(complaints)
}

fn check_core_dependencies() -> Result<Vec<String>> {
    let dependencies = tree(&["--package", "kamal-core", "--edges", "normal"])?;
    let found = BANNED_FROM_CORE.iter().filter(|banned| dependencies.contains(**banned));
    let mut complaints: Vec<String> =
        found.map(|banned| format!("kamal-core: depends on {banned}; the engine does no IO")).collect();
    // It is in the list itself.
    let below = dependencies.len().saturating_sub(1);
    if below > MOST_BELOW_CORE {
        complaints.push(format!("kamal-core: takes {below} crates to build; {MOST_BELOW_CORE} is the limit"));
    }
    Ok(complaints)
}

fn check_reserved_dependencies() -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for member in members()? {
        let direct = tree(&["--package", &member, "--edges", "normal,build", "--depth", "1", "--all-features"])?;
        for (dependency, allowed) in RESERVED {
            if direct.contains(dependency) && !allowed.contains(&member.as_str()) {
                complaints.push(format!("{member}: depends on {dependency}, which is for {}", allowed.join(" and ")));
            }
        }
    }
    Ok(complaints)
}

/// Names of the workspace's packages.
fn members() -> Result<BTreeSet<String>> {
    tree(&["--workspace", "--depth", "0"])
}

/// Names of the packages `cargo tree` lists.
fn tree(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["tree", "--quiet", "--prefix", "none", "--format", "{p}"]).args(arguments).current_dir(workspace());
    let text = run(&mut cargo)?;
    Ok(text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

fn check_source(text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push("begins without a module doc that says why it exists".to_owned());
    }
    let lines = production_lines(text);
    if lines > LINE_LIMIT {
        complaints.push(format!("has {lines} lines; split it, {LINE_LIMIT} is the limit"));
    }
    // Assembled here, so that this file does not complain about itself.
    let (allow, todo, unfinished) = (concat!("#[", "allow("), concat!("todo", "!("), concat!("TO", "DO"));
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let line = line.replace("#![", "#[");
        if line.contains(allow) {
            complaints.push(format!("line {number}: {allow}…)]; use #[expect(…, reason = \"…\")]"));
        }
        if line.contains(todo) {
            complaints.push(format!("line {number}: {todo}…) is not finished"));
        }
        let reason = line.split_once(unfinished).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
        if reason.is_some_and(|reason| reason.split_whitespace().count() < 3) {
            complaints.push(format!("line {number}: {unfinished} without a reason"));
        }
    }
    complaints
}

/// The engine holds no commands of docker's: steps say what is meant, kamal-docker and kamal-proxy how it is done.
fn check_pure(text: &str) -> Vec<String> {
    let lines = text.lines().take(production_lines(text)).enumerate();
    let found = lines.filter(|(_, line)| line.contains(concat!("\"", "docker ")));
    found.map(|(index, _)| format!("line {}: a command of docker's; make it a step", index + 1)).collect()
}

/// The engine's ports that have their place in the crate `kamal`: the command has the terminal's alone.
const PORTS: [&str; 15] = [
    "Builder",
    "Clock",
    "Commands",
    "Docker",
    "Entropy",
    "Exec",
    "Hooks",
    "Interceptor",
    "Local",
    "TemplateWorld",
    "Programs",
    "Proxy",
    "Secrets",
    "Ssh",
    "Templates",
];

/// The command is a layer over the library, which somebody else can use as well.
fn check_thin(text: &str) -> Vec<String> {
    let lines = text.lines().take(production_lines(text)).enumerate();
    let port = |line: &str| {
        let port = line.strip_prefix("impl ")?.split_once(" for ")?.0.rsplit("::").next()?.to_owned();
        PORTS.contains(&port.as_str()).then_some(port)
    };
    let found = lines.filter_map(|(index, line)| Some((index, port(line)?)));
    found.map(|(index, port)| format!("line {}: {port} is implemented in the crate kamal", index + 1)).collect()
}

/// Lines up to the test module.
pub(crate) fn production_lines(text: &str) -> usize {
    let lines = text.lines().collect::<Vec<_>>();
    let tests = lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests {"));
    tests.unwrap_or(lines.len())
}

/// All Rust files of the workspace outside of build output and hidden folders.
pub(crate) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).context(|| format!("reading {}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // What cargo builds into carries this mark, whatever it is called.
            if !name.starts_with('.') && !path.join("CACHEDIR.TAG").exists() {
                found.extend(sources(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tidy_file_gets_no_complaint() {
        assert_eq!(check_source("//! Why.\n\nfn f() {}\n"), Vec::<String>::new());
    }

    #[test]
    fn each_rule_complains() {
        let long = format!("//! Why.\n{}", "fn f() {}\n".repeat(LINE_LIMIT));
        for (text, word) in [
            ("fn f() {}\n", "module doc"),
            (long.as_str(), "601 lines"),
            (concat!("//! Why.\n#![", "allow(dead_code)]\n"), "expect"),
            (concat!("//! Why.\nfn f() { todo", "!() }\n"), "not finished"),
            (concat!("//! Why.\n// TO", "DO\n"), "without a reason"),
        ] {
            let complaints = check_source(text);
            assert!(complaints.len() == 1 && complaints[0].contains(word), "{word}: {complaints:?}");
        }
    }

    #[test]
    fn the_engine_has_no_commands_of_dockers_but_in_tests() {
        let text = "//! Why.\nlet a = \"docker ps\";\n#[cfg(test)]\nmod tests {\nlet a = \"docker ps\";\n}\n";
        assert_eq!(check_pure(text), ["line 2: a command of docker's; make it a step"]);
    }

    #[test]
    fn the_command_implements_no_port_but_the_terminals() {
        assert_eq!(
            check_thin("//! Why.\nimpl Events for Reporter {}\nimpl Attendant for TerminalAttendant {}\n"),
            [""; 0]
        );
        let text = "//! Why.\nimpl kamal_core::ports::Secrets for Files {}\nimpl Local for Here {}\n";
        assert_eq!(check_thin(text).len(), 2);
    }

    #[test]
    fn tests_do_not_count_as_production_lines() {
        let text = format!("//! Why.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "// x\n".repeat(LINE_LIMIT));
        assert_eq!(production_lines(&text), 1);
        assert_eq!(check_source(&text), Vec::<String>::new());
    }
}
