//! What Kamal can do with a configuration and this program cannot yet. It is refused before anything is done with the
//! file; only commands that show the file pass over it.

use super::super::diagnostic::{Diagnostic, Report};
use super::super::yaml::{Entry, Node};
use super::registry::is_local;

/// What is not supported, each with its place and what to do instead.
pub(crate) fn unsupported(root: &Node, report: &Report<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut refuse = |entry: Option<&Entry>, what: &str, help: &str| {
        if let Some(entry) = entry.filter(|entry| !entry.value.is_blank()) {
            found.push(report.unsupported(entry.key, format!("{what} is not supported yet"), help.to_owned()));
        }
    };
    let builder = |key: &str| root.get("builder").and_then(|builder| builder.entry(key));
    refuse(builder("remote"), "builder/remote", "build here: remove `remote` and `local: false`");
    refuse(builder("pack"), "builder/pack", "build with a Dockerfile: remove `pack`");
    let output = root.get("output").and_then(|output| output.entry("otel"));
    refuse(output, "output/otel", "write the output to files with output/file/path");
    let server = root.get("registry").and_then(|registry| registry.entry("server"));
    refuse(
        server.filter(|server| server.value.text().is_some_and(|server| is_local(&server))),
        "registry/server: a registry on this machine",
        "name a registry that the hosts can reach",
    );
    found
}
