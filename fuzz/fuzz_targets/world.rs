//! The world the targets' templates may ask: a few variables and files, and commands that echo, so that every branch
//! of an evaluator can be reached without anything being run.

use kamal_core::config::{Answer, CommandError, Complaints, Fact, FileError, Found, TemplateWorld, RubyError, Zoned};
use kamal_core::testing::NoTemplateWorld;

/// Answers from constants.
#[derive(Debug)]
pub struct World;

impl TemplateWorld for World {
    fn env(&self, name: &str) -> Option<String> {
        (name.len() < 3).then(|| format!("{name}, {name}"))
    }

    fn variables(&self) -> Vec<(String, String)> {
        ["A", "B"].map(|name| (name.to_owned(), format!("{name}, {name}"))).into()
    }

    fn set_env(&self, _name: &str, _value: Option<&str>) {}

    fn read_file(&self, path: &str) -> Result<String, FileError> {
        if path.len() < 5 { Ok(format!("{path}\n12\n")) } else { Err(FileError::Missing) }
    }

    fn look(&self, path: &str) -> Option<Found> {
        let found = if path.len().is_multiple_of(2) { Found::folder(12) } else { Found::file(12) };
        (path.len() < 8).then(|| found.executable(false))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        if folder.len() < 6 { Ok(vec!["a".to_owned(), "b.rb".to_owned()]) } else { Err(FileError::Missing) }
    }

    fn run(&self, command: &str, _complaints: Complaints) -> Result<Answer, CommandError> {
        if command.contains('!') {
            return Err(CommandError::Other("refused".to_owned()));
        }
        Ok(Answer::printed(format!("{command}\n")))
    }

    fn fact(&self, _fact: Fact) -> String {
        "/a".to_owned()
    }

    fn now(&self) -> Zoned {
        NoTemplateWorld.now()
    }

    fn random(&self, count: usize) -> Vec<u8> {
        NoTemplateWorld.random(count)
    }

    fn say(&self, _text: &str) {}

    fn ruby_erb(&self, _template: &str) -> Option<Result<String, RubyError>> {
        None
    }
}
