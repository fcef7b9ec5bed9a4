//! A template to text, keeping the way back to the template.

use super::super::source::Span;
use super::super::yaml::tree::Origin;
use super::Outside;

/// A rendered template.
pub(crate) struct Rendered {
    pub(crate) text: String,
    file: usize,
}

impl Origin for Rendered {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start, end }
    }
}

/// Why a template could not be rendered.
pub(crate) struct ErbError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Renders a template.
pub(crate) fn render(template: &str, file: usize, outside: &dyn Outside) -> Result<Rendered, ErbError> {
    if !template.contains("<%") {
        return Ok(Rendered { text: template.to_owned(), file });
    }
    let start = template.split("<%").next().unwrap_or_default().chars().count();
    let span = Span { file, start, end: start + 2 };
    match outside.ruby_erb(template) {
        Some(Ok(text)) => Ok(Rendered { text, file }),
        Some(Err(message)) => Err(ErbError { span, message, help: None }),
        None => Err(ErbError { span, message: "cannot evaluate this ERB".to_owned(), help: None }),
    }
}
