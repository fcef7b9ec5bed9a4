//! ERB in deploy.yml and in accessories' files (spec 2.1, step 3). There is no Ruby here: the expressions people
//! really use are evaluated by a small evaluator of our own; everything else goes to a `ruby` when there is one, and
//! is otherwise an error with its place. Nothing is ever silently taken for something else: a template is understood
//! as a whole before anything in it is done.

mod ast;
mod eval;
mod lex;
mod methods;
mod parse;
mod render;
mod template;
mod value;

pub(crate) use render::render;

use super::diagnostic::{ConfigErrors, Report};
use super::source::Source;

/// What a template may ask of the world. The command line answers for real, tests answer from a table.
pub trait Outside {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// A file's contents, the path being relative to the project. The error says why not, in the words of
    /// [`std::io::Error`].
    fn read_file(&self, path: &str) -> Result<String, String>;

    /// A shell command's standard output; its exit status does not matter. The error says why it could not be run.
    fn run(&self, command: &str) -> Result<String, String>;

    /// Renders a whole template with Ruby's own ERB (trim mode `-`): its output, or its complaint. `None` when there
    /// is no ruby on PATH.
    fn ruby_erb(&self, template: &str) -> Option<Result<String, String>>;
}

/// Renders a template that is not deploy.yml, such as an accessory's file.
///
/// # Errors
///
/// One diagnostic: the template is not understood (and there is no Ruby), or something it asked for is not there.
pub fn render_template(template: &Source, outside: &dyn Outside) -> Result<String, ConfigErrors> {
    render(&template.text, 0, outside).map(|rendered| rendered.text).map_err(|error| {
        let mut report = Report::new(vec![template]);
        report.error_with(error.span, error.message, error.help);
        ConfigErrors(report.errors)
    })
}

/// Why a template did not render.
#[derive(Clone, Debug)]
struct Trouble {
    place: ast::Place,
    message: String,
    /// True when Ruby would perhaps understand it; false when the template itself went wrong.
    unknown: bool,
}

impl Trouble {
    fn unknown(place: ast::Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unknown: true }
    }

    fn fault(place: ast::Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unknown: false }
    }
}
