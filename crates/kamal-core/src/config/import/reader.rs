//! What all imports have at hand while they read: places, notes, marks, secrets.

use super::super::diagnostic::{ConfigErrors, Report};
use super::super::schema;
use super::super::source::Span;
use super::super::yaml::tree::Origin;
use super::super::yaml::{Kind, Node, parse};
use super::marks::Marks;
use super::secrets::Secrets;
use super::tree::Map;
use super::{Draft, Input, Note};

/// An import under way.
pub(super) struct Reader<'a> {
    pub(super) input: &'a Input<'a>,
    report: Report<'a>,
    pub(super) notes: Vec<Note>,
    pub(super) marks: Marks,
    pub(super) secrets: Secrets,
}

/// Text that no template was made into: its characters stand where they stand.
struct AsWritten(usize);

impl Origin for AsWritten {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.0, start, end }
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &'a Input<'a>) -> Self {
        let sources = [input.source].into_iter().chain(input.stages.iter().map(|(_, source)| source)).collect();
        Self {
            input,
            report: Report::new(sources),
            notes: Vec::new(),
            marks: Marks::default(),
            secrets: Secrets::default(),
        }
    }

    /// The mapping a text of YAML is; `file` is 0 for the file itself, then come those of stages.
    pub(super) fn yaml(&mut self, text: &str, file: usize) -> Result<Node, ConfigErrors> {
        let root = parse(text, &AsWritten(file), &mut self.report);
        match root {
            Some(root) if root.map().is_some() => Ok(root),
            Some(root) => {
                self.report.error(Span { end: root.span.start + 1, ..root.span }, "this is no mapping of YAML");
                Err(ConfigErrors(std::mem::take(&mut self.report.errors)))
            }
            None => Err(ConfigErrors(std::mem::take(&mut self.report.errors))),
        }
    }

    /// Notes that something was not taken over, or not as it was.
    pub(super) fn note(&mut self, span: Span, what: impl Into<String>, why: impl Into<String>) {
        let (file, line) = (self.report.file(span).to_owned(), self.report.line(span));
        let note = Note { file, line, what: what.into(), why: why.into() };
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A scalar as it is written, `yes` and `0755` included.
    pub(super) fn written(&self, node: &Node) -> Option<String> {
        let spelled = self.report.spelling(node).map(str::to_owned);
        spelled.or_else(|| node.text()).or_else(|| match &node.kind {
            Kind::Date(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// The draft, from its tree.
    pub(super) fn finish(self, head: &str, root: &Map, destinations: &[(String, Map)]) -> Draft {
        let mut notes = self.notes;
        notes.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        Draft {
            deploy: root.print(&format!("yaml-language-server: $schema={}\n{head}", schema::URL), &self.marks),
            destinations: destinations.iter().map(|(name, map)| (name.clone(), map.print(head, &self.marks))).collect(),
            secrets: self.secrets.lines(),
            notes,
        }
    }
}
