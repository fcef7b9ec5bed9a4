//! Drafts of deploy.yml made of what other tools are told: a Compose file, a `deploy.rb` of Capistrano's, a deploy.yml of
//! Kamal 1. Texts go in, and a text comes out that loads, with a note on whatever could not be taken over; nothing is run.

mod capistrano;
mod comments;
mod compose;
mod kamal1;
mod marks;
mod note;
mod reader;
mod secretive;
mod secrets;
mod tree;

use super::{ConfigErrors, Source};
pub use note::Note;

/// The host a draft names where the original names none: one of the addresses that are nobody's.
const HOST: &str = "192.0.2.10";

/// Why certificates are not taken over.
const SSL_OF_SEVERAL: &str = "the proxy obtains certificates where one host has the role; with several, what stands before \
                              them has the certificate, or `proxy/ssl` names one of your own";

/// Whose file is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `docker-compose.yml`.
    Compose,
    /// Capistrano's `config/deploy.rb`, and a file per stage.
    Capistrano,
    /// Kamal 1's `config/deploy.yml`, and a file per destination.
    Kamal1,
}

/// What a draft is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The file.
    pub source: &'a Source,
    /// Files of the stages or destinations, by their names.
    pub stages: &'a [(String, Source)],
    /// What the project is called where the file does not say: its folder's name.
    pub project: &'a str,
    /// The folder of the project the file is in, which paths in it start from; empty for the project itself.
    pub folder: &'a str,
    /// Reads other files of the project, by their paths in it.
    pub read: &'a dyn Fn(&str) -> Option<String>,
}

impl std::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("source", &self.source.path)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Draft {
    /// The deploy.yml.
    pub deploy: String,
    /// What stands in the files of destinations, `deploy.NAME.yml`, by their names.
    pub destinations: Vec<(String, String)>,
    /// Lines for `.kamal/secrets`: each secret's name, and the line. None of them holds a secret.
    pub secrets: Vec<(String, String)>,
    /// What was not taken over, or not as it was.
    pub notes: Vec<Note>,
}

/// Makes a draft.
///
/// # Errors
///
/// When the file cannot be read for what it is said to be.
pub fn import(origin: Origin, input: &Input<'_>) -> Result<Draft, ConfigErrors> {
    match origin {
        Origin::Compose => compose::import(input),
        Origin::Capistrano => Ok(capistrano::import(input)),
        Origin::Kamal1 => kamal1::import(input),
    }
}

/// A name as deploy.yml has them, made of any: `My App` is `my-app`.
fn service_name(text: &str) -> String {
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = text.chars().map(fitting).collect();
    match name.trim_matches(['-', '_']) {
        "" => "app".to_owned(),
        name => name.to_owned(),
    }
}
