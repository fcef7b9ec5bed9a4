//! A machine that has nothing to say: for configurations that are only looked at.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Answer, CommandError, Complaints, Fact, FileError, Found, RubyError, TemplateWorld};

/// No variables, no files, no commands, and always the same time: a configuration is a function of its text.
#[derive(Clone, Copy, Debug)]
pub struct NoTemplateWorld;

impl TemplateWorld for NoTemplateWorld {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn variables(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    fn set_env(&self, _name: &str, _value: Option<&str>) {}

    fn read_file(&self, _path: &str) -> Result<String, FileError> {
        Err(FileError::Missing)
    }

    fn look(&self, _path: &str) -> Option<Found> {
        None
    }

    fn list(&self, _folder: &str) -> Result<Vec<String>, FileError> {
        Err(FileError::Missing)
    }

    fn run(&self, command: &str, _complaints: Complaints) -> Result<Answer, CommandError> {
        Err(CommandError::missing(command))
    }

    fn fact(&self, _fact: Fact) -> String {
        String::new()
    }

    fn now(&self) -> Zoned {
        Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC)
    }

    fn random(&self, count: usize) -> Vec<u8> {
        vec![0; count]
    }

    fn say(&self, _text: &str) {}

    fn ruby_erb(&self, _template: &str) -> Option<Result<String, RubyError>> {
        None
    }
}
