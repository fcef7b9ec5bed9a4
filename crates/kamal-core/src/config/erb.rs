//! ERB in deploy.yml and in accessories' files (spec 2.1, step 3). There is no Ruby here: what people really write is
//! evaluated by an evaluator of our own; everything else goes to a `ruby` when there is one, and is otherwise an error
//! with its place, when it is reached. Nothing is ever silently taken for something else.
//!
//! Text is cut into [`template`] pieces, [`lex`]ed and [`parse`]d into an [`ast`], which [`run`] evaluates with the
//! tables of [`methods`]. All effects go through [`TemplateWorld`]. Steps, memory and depth are limited.

mod ast;
mod calls;
mod lex;
mod methods;
mod parse;
mod paths;
mod render;
mod run;
mod stop;
mod template;
mod time;
mod value;
mod world;

pub(crate) use calls::{Datum, RubyCall, calls};
pub(crate) use render::render;
pub use world::{Answer, CommandError, Complaints, Fact, FileError, Found, RubyError, TemplateWorld};

use super::diagnostic::{ConfigErrors, Report};
use super::source::Source;

/// Renders a template that is not deploy.yml, such as an accessory's file.
///
/// # Errors
///
/// One diagnostic: the template is not understood (and there is no Ruby), or something it asked for is not there.
pub fn render_template(template: &Source, outside: &dyn TemplateWorld) -> Result<String, ConfigErrors> {
    render(&template.text, 0, outside).map(|rendered| rendered.text).map_err(|error| {
        let mut report = Report::new(vec![template]);
        report.error_with(error.span, error.message, error.help);
        ConfigErrors(report.errors)
    })
}

/// Why a template did not render.
#[derive(Clone, Debug)]
struct TemplateFault {
    place: ast::Place,
    message: String,
    /// True when Ruby would perhaps understand it; false when the template itself went wrong.
    unknown: bool,
}

impl TemplateFault {
    fn unknown(place: ast::Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unknown: true }
    }

    fn fault(place: ast::Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into(), unknown: false }
    }
}
