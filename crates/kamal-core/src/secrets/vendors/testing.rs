//! Programs in a table, for the vendors' own tests.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use zeroize::Zeroizing;

use super::program::{NotRun, Output, Program, Programs};
use super::{Ask, Found, Sessions, Vendor, VendorError};

/// A value with everything in it that has ever broken a deploy: quotes, blanks, `$`, JSON, parentheses, line ends,
/// a backslash, and text outside ASCII.
pub(super) const ODD: &str = "it's \"q\" \\ $HOME ${X} $(id) `id` {\"j\":[1]} )(\nline 2\t文中 é #!";

/// Answers by command line, and what was run. A command line not in the table is a program that is not installed.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<HashMap<String, VecDeque<Output>>>,
    ran: Mutex<Vec<Program>>,
    pub(crate) env: HashMap<&'static str, &'static str>,
    pub(crate) files: Vec<&'static str>,
}

impl Script {
    /// What a command line prints. Said twice, it prints the second thing the second time.
    pub(crate) fn says(self, line: &str, stdout: &str) -> Self {
        self.ends(line, 0, stdout, "")
    }

    /// How a command line fails.
    pub(crate) fn fails(self, line: &str, stderr: &str) -> Self {
        self.ends(line, 1, "", stderr)
    }

    pub(crate) fn ends(self, line: &str, status: i32, stdout: &str, stderr: &str) -> Self {
        let output = Output {
            status: Some(status),
            stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
            stderr: stderr.as_bytes().to_vec(),
        };
        self.answers.lock().unwrap().entry(line.to_owned()).or_default().push_back(output);
        self
    }

    /// What was run, words quoted where they need it.
    pub(super) fn ran(&self) -> Vec<String> {
        self.ran.lock().unwrap().iter().map(line).collect()
    }

    /// The runs themselves.
    pub(super) fn runs(&self) -> Vec<Program> {
        self.ran.lock().unwrap().clone()
    }
}

fn line(program: &Program) -> String {
    let words = std::iter::once(program.name).chain(program.args.iter().map(String::as_str));
    words.map(crate::shell::escape::word).collect::<Vec<_>>().join(" ")
}

impl Programs for Script {
    fn run(&self, program: &Program) -> Result<Output, NotRun> {
        self.ran.lock().unwrap().push(program.clone());
        let mut answers = self.answers.lock().unwrap();
        let queue = answers.get_mut(&line(program)).ok_or(NotRun::NotInstalled)?;
        let last = queue.len() == 1;
        Ok(if last { queue.front().cloned() } else { queue.pop_front() }.unwrap())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).map(|&value| value.to_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.files.contains(&path)
    }
}

/// A request.
pub(super) fn ask(names: &[&str], account: Option<&'static str>, from: Option<&'static str>) -> Ask<'static> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    Ask::new(names.leak(), account, from)
}

/// Fetches from a vendor by name.
pub(super) fn fetch(vendor: &str, ask: &Ask<'_>, script: &Script) -> Result<Found, VendorError> {
    Sessions::default().fetch(Vendor::named(vendor).unwrap(), ask, script)
}

/// What the error of a fetch says.
pub(super) fn refused(vendor: &str, ask: &Ask<'_>, script: &Script) -> String {
    fetch(vendor, ask, script).unwrap_err().to_string()
}

/// Names and values in the open.
pub(super) fn shown(found: &Found) -> Vec<(String, String)> {
    found.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect()
}

/// A JSON text.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
