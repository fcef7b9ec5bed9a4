//! A world in a table, and shorthands.

use std::collections::HashMap;

use kamal_core::config::{ConfigErrors, Loaded, Outside, Source, load};

/// The base of most cases: valid, and without what the case is about.
pub(crate) const BASE: &str = "service: app\nimage: acme/app\nservers: [1.1.1.1]\nregistry: {username: u, password: [P]}\nbuilder: {arch: amd64}\n";

/// Answers from tables.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) env: HashMap<String, String>,
    pub(crate) files: HashMap<String, String>,
    pub(crate) commands: HashMap<String, String>,
    pub(crate) ruby: Option<Result<String, String>>,
}

impl Outside for Table {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        self.files.get(path).cloned().ok_or_else(|| "No such file or directory".to_owned())
    }

    fn run(&self, command: &str) -> Result<String, String> {
        self.commands.get(command).cloned().ok_or_else(|| format!("no such command: {command}"))
    }

    fn ruby_erb(&self, _template: &str) -> Option<Result<String, String>> {
        self.ruby.clone()
    }
}

/// Loads a base file alone.
pub(crate) fn load_text(text: &str) -> Result<Loaded, ConfigErrors> {
    load(&Source::new("config/deploy.yml", text), None, &Table::default())
}

/// The base with its keys replaced by those of the fragment, which are added at the end.
pub(crate) fn with(fragment: &str) -> String {
    let replaced: Vec<&str> = fragment.lines().filter_map(|line| line.split(':').next()).collect();
    let kept = BASE.lines().filter(|line| !replaced.contains(&line.split(':').next().unwrap_or_default()));
    kept.chain(fragment.lines()).map(|line| format!("{line}\n")).collect()
}
