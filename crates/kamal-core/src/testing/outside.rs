//! A machine that has nothing to say.

use crate::config::Outside;

/// No variables, no files, no commands.
#[derive(Clone, Copy, Debug)]
pub struct NothingOutside;

impl Outside for NothingOutside {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        Err(format!("no file {path}"))
    }

    fn run(&self, command: &str) -> Result<String, String> {
        Err(format!("no command {command}"))
    }

    fn ruby_erb(&self, _template: &str) -> Option<Result<String, String>> {
        None
    }
}
