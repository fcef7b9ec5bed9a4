//! A template to text, keeping the way back to the template.

use super::super::source::Span;
use super::super::yaml::tree::Origin;
use super::parse::{Mention, Program, parse};
use super::run::evaluate;
use super::template::{Unclosed, pieces};
use super::{TemplateFault, TemplateWorld, methods};

/// A rendered template.
pub(crate) struct Rendered {
    pub(crate) text: String,
    file: usize,
    segments: Vec<Segment>,
}

/// A stretch of rendered text and where it came from; all in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// Where it begins in the rendered text.
    pub(super) at: usize,
    /// The stretch of the template.
    pub(super) from: (usize, usize),
    /// Copied, character by character, rather than printed by a tag.
    pub(super) copied: bool,
}

impl Origin for Rendered {
    fn span(&self, start: usize, end: usize) -> Span {
        let (from, _) = self.origin(start);
        let to = if end > start + 1 { self.origin(end - 1).1 } else { self.origin(start).1 };
        Span { file: self.file, start: from, end: to.max(from) }
    }
}

impl Rendered {
    /// The stretch of the template a character came from.
    fn origin(&self, at: usize) -> (usize, usize) {
        let index = self.segments.partition_point(|segment| segment.at <= at);
        let Some(segment) = index.checked_sub(1).and_then(|index| self.segments.get(index)) else {
            return (at, at + 1);
        };
        if segment.copied {
            let place = (segment.from.0 + at - segment.at).min(segment.from.1);
            (place, place + 1)
        } else {
            segment.from
        }
    }
}

/// Why a template could not be rendered.
pub(crate) struct ErbError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Renders a template.
pub(crate) fn render(template: &str, file: usize, outside: &dyn TemplateWorld) -> Result<Rendered, ErbError> {
    if !template.contains("<%") {
        return Ok(Rendered { text: template.to_owned(), file, segments: Vec::new() });
    }
    let (program, doubt) = match understood(template) {
        Ok(program) => {
            let doubt = doubt(&program);
            (Some(program), doubt)
        }
        Err(trouble) => (None, Some(trouble)),
    };
    // What is not understood wholly is for a ruby, which knows what would go wrong first. Without one it is done as far
    // as it goes: what is not understood may never be reached, and what stands above it comes first.
    let asked = doubt.as_ref().filter(|trouble| trouble.unknown);
    if let Some(answer) = asked.and_then(|trouble| by_ruby(template, file, trouble, outside)) {
        return answer;
    }
    let done = match (program, doubt) {
        (Some(program), _) => evaluate(&program, outside),
        (None, Some(trouble)) => Err(trouble),
        (None, None) => return Ok(Rendered { text: String::new(), file, segments: Vec::new() }),
    };
    let trouble = match done {
        Ok((text, segments)) => return Ok(Rendered { text, file, segments }),
        Err(trouble) => trouble,
    };
    if trouble.unknown
        && let Some(answer) = by_ruby(template, file, &trouble, outside)
    {
        return answer;
    }
    let help = "only common Ruby is understood here; with a `ruby` on PATH any would be".to_owned();
    let span = Span { file, start: trouble.place.0, end: trouble.place.1 };
    Err(ErbError { span, message: trouble.message, help: trouble.unknown.then_some(help) })
}

fn understood(template: &str) -> Result<Program, TemplateFault> {
    let pieces = pieces(template)
        .map_err(|Unclosed(at)| TemplateFault::fault((at, at + 2), "this ERB tag is never closed with %>"))?;
    parse(&pieces)
}

/// The first method or constant a template counts on that nothing here has.
fn doubt(program: &Program) -> Option<TemplateFault> {
    program.mentions.iter().find_map(|(mention, place)| match mention {
        Mention::Method(name) if !methods::is_method(name) => {
            Some(TemplateFault::unknown(*place, format!("the method `{name}` is not understood")))
        }
        Mention::Constant(name) if !methods::is_constant(name) => {
            Some(TemplateFault::unknown(*place, format!("`{name}` is not understood")))
        }
        _ => None,
    })
}

/// What a ruby makes of the template, if there is one.
fn by_ruby(
    template: &str,
    file: usize,
    trouble: &TemplateFault,
    outside: &dyn TemplateWorld,
) -> Option<Result<Rendered, ErbError>> {
    Some(match outside.ruby_erb(template)? {
        Ok(text) => {
            let segments = by_line(template, &text);
            Ok(Rendered { text, file, segments })
        }
        Err(error) => {
            let (start, end) = error.line.map_or(trouble.place, |line| line_of(template, line));
            let help = Some("this is what ruby says".to_owned());
            Err(ErbError { span: Span { file, start, end }, message: error.message, help })
        }
    })
}

/// The characters of a line, from its first that is not blank.
fn line_of(template: &str, number: usize) -> (usize, usize) {
    let mut start = 0;
    for (index, line) in template.split('\n').enumerate() {
        let length = line.chars().count();
        if index + 1 == number {
            let blanks = line.chars().take_while(|c| c.is_whitespace()).count();
            return (start + blanks.min(length), start + length);
        }
        start += length + 1;
    }
    (0, 1)
}

/// Ruby does not tell where its output came from; ERB seldom adds or removes lines, so the line is the best guess.
fn by_line(template: &str, text: &str) -> Vec<Segment> {
    let mut segments = Vec::new();
    let (mut at, mut from) = (0, 0);
    let mut lines = template.split_inclusive('\n');
    for line in text.split_inclusive('\n') {
        let written = lines.next().unwrap_or_default();
        let end = from + written.chars().count();
        segments.push(Segment { at, from: (from, end.max(from + 1)), copied: written == line });
        at += line.chars().count();
        from = end;
    }
    segments
}
