//! Templates that only Ruby understands.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use kamal_core::config::RubyError;
use serde::Deserialize;

use super::super::Environment;

/// What a ruby made of a template.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) text: String,
    /// Environment variables it has changed.
    pub(super) environment: BTreeMap<String, Option<String>>,
}

/// What `erb.rb` prints.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    text: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
    error: Option<String>,
    line: Option<usize>,
}

/// Renders a template with the `ruby` on PATH; `None` when there is none.
pub(super) fn render(
    template: &str,
    project: &Path,
    environment: &Environment,
    variables: &BTreeMap<String, Option<String>>,
) -> Option<Result<Rendered, RubyError>> {
    let mut process = Command::new("ruby");
    process.args(["-e", include_str!("erb.rb")]).current_dir(project);
    environment.give(&mut process);
    for (name, value) in variables {
        match value {
            Some(value) => process.env(name, value),
            None => process.env_remove(name),
        };
    }
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = process.spawn().ok()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A ruby that does not read to the end says so itself.
        drop(stdin.write_all(template.as_bytes()));
    }
    let output = child.wait_with_output().ok()?;
    Some(match serde_json::from_slice(&output.stdout) {
        Ok(Said { text: Some(text), environment, .. }) => Ok(Rendered { text, environment }),
        Ok(Said { error, line, .. }) => Err(RubyError::new(error.unwrap_or_default(), line)),
        Err(_) => Err(RubyError::new(format!("ruby did not render this template: {}", output.status), None)),
    })
}
