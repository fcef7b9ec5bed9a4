//! A world in a table, and shorthands.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use jiff::Zoned;
use kamal_core::config::{
    Answer, CommandError, Complaints, ConfigErrors, Fact, FileError, Found, Loaded, RubyError, Source, TemplateWorld,
    load,
};

/// The base of most cases: valid, and without what the case is about.
pub(crate) const BASE: &str = "service: app\nimage: acme/app\nservers: [1.1.1.1]\nregistry: {username: u, password: [P]}\nbuilder: {arch: amd64}\n";

/// Answers from tables.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) env: RefCell<BTreeMap<String, String>>,
    pub(crate) files: HashMap<String, String>,
    pub(crate) commands: HashMap<String, String>,
    pub(crate) ruby: Option<Result<String, RubyError>>,
    /// What was shown to the user.
    pub(crate) said: RefCell<String>,
}

/// The project's folder.
pub(crate) const FOLDER: &str = "/srv/shop";

impl Table {
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.get_mut().insert(name.to_owned(), value.to_owned());
    }

    fn inside(path: &str) -> &str {
        let path = path.strip_prefix(FOLDER).unwrap_or(path).trim_start_matches('/');
        path.strip_prefix("./").unwrap_or(path)
    }

    fn below(&self, folder: &str) -> Vec<String> {
        let folder = match Self::inside(folder) {
            "" | "." => String::new(),
            folder => format!("{}/", folder.trim_end_matches('/')),
        };
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&folder)?.split('/').next().map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

impl TemplateWorld for Table {
    fn env(&self, name: &str) -> Option<String> {
        self.env.borrow().get(name).cloned()
    }

    fn variables(&self) -> Vec<(String, String)> {
        self.env.borrow().clone().into_iter().collect()
    }

    fn set_env(&self, name: &str, value: Option<&str>) {
        let mut env = self.env.borrow_mut();
        match value {
            Some(value) => drop(env.insert(name.to_owned(), value.to_owned())),
            None => drop(env.remove(name)),
        }
    }

    fn read_file(&self, path: &str) -> Result<String, FileError> {
        self.files.get(Self::inside(path)).cloned().ok_or(FileError::Missing)
    }

    fn look(&self, path: &str) -> Option<Found> {
        let file = self.files.get(Self::inside(path));
        let folder = file.is_none();
        if folder && self.below(path).is_empty() {
            return None;
        }
        let size = file.map_or(0, |text| u64::try_from(text.len()).unwrap_or(0));
        Some(if folder { Found::folder(size) } else { Found::file(size) })
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let names = self.below(folder);
        if names.is_empty() { Err(FileError::Missing) } else { Ok(names) }
    }

    fn run(&self, command: &str, _complaints: Complaints) -> Result<Answer, CommandError> {
        // `exit 3` ends with that status and prints nothing.
        if let Some(status) = command.strip_prefix("exit ") {
            return Ok(Answer::default().ended(status.parse().unwrap()));
        }
        let missing = || CommandError::missing(command.split(' ').next().unwrap_or_default());
        self.commands.get(command).map(Answer::printed).ok_or_else(missing)
    }

    fn fact(&self, fact: Fact) -> String {
        match fact {
            Fact::Folder => FOLDER,
            Fact::Home => "/home/ann",
            Fact::Host => "builder",
            Fact::User => "ann",
            Fact::Processors => "4",
            Fact::Platform => "aarch64-linux",
            Fact::ArchitectureQuestion => "which processors",
            _ => "",
        }
        .to_owned()
    }

    fn now(&self) -> Zoned {
        jiff::civil::date(2026, 3, 4).at(5, 6, 7, 89_000_000).to_zoned(jiff::tz::TimeZone::UTC).unwrap()
    }

    fn random(&self, count: usize) -> Vec<u8> {
        (0..count).map(|byte| u8::try_from(byte % 256).unwrap_or(0)).collect()
    }

    fn say(&self, text: &str) {
        self.said.borrow_mut().push_str(text);
    }

    fn ruby_erb(&self, _template: &str) -> Option<Result<String, RubyError>> {
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
