//! What Kamal can do with a configuration and this program cannot yet. It is refused before anything is done with the
//! file; only commands that show the file pass over it.

use super::super::diagnostic::{Diagnostic, Report};
use super::super::yaml::{Entry, Node};

/// What is not supported, each with its place and what to do instead.
pub(crate) fn unsupported(root: &Node, report: &Report<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut refuse = |entry: Option<&Entry>, what: &str, help: &str| {
        if let Some(entry) = entry.filter(|entry| !entry.value.is_blank()) {
            found.push(report.unsupported(entry.key, format!("{what} is not supported yet"), help.to_owned()));
        }
    };
    let output = root.get("output").and_then(|output| output.entry("otel"));
    refuse(output, "output/otel", "write the output to files with output/file/path");
    found
}
