//! Events of the parser to a tree of nodes: anchors, aliases, merge keys, keys given twice, and limits that keep a
//! hostile file from eating the machine.

use std::collections::HashMap;

use indexmap::map::Entry as Slot;
use saphyr_parser::{Event, Parser, ScalarStyle, Span as Mark, StrInput, Tag};

use super::super::diagnostic::Report;
use super::super::source::Span;
use super::merge::merge_key;
use super::node::{Entry, Form, Kind, Map, Node};
use super::scalar::{Surprise, resolve};

/// More nodes than any deploy.yml has, counting every use of an alias ("billion laughs").
const MAX_NODES: usize = 100_000;
/// Deeper than any deploy.yml nests; the tree is built by recursion.
const MAX_DEPTH: usize = 100;

/// Where the parser's characters came from.
pub(crate) trait Origin {
    /// The place in the file before ERB of the characters `start..end` of the text after it.
    fn span(&self, start: usize, end: usize) -> Span;
}

/// Reads a document. `None` when it could not be read; what is wrong is in the report.
pub(crate) fn parse(text: &str, origin: &dyn Origin, report: &mut Report<'_>) -> Option<Node> {
    let mut builder = Builder { parser: Parser::new_from_str(text), origin, anchors: HashMap::new(), nodes: 0, report };
    match builder.document() {
        Ok(node) => Some(node),
        Err(problem) => {
            builder.report.error_with(problem.span, problem.message, problem.help);
            None
        }
    }
}

struct Problem {
    span: Span,
    message: String,
    help: Option<String>,
}

struct Builder<'a, 'r, 's> {
    parser: Parser<'a, StrInput<'a>>,
    origin: &'a dyn Origin,
    /// A finished anchor's node and how many nodes it holds.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    report: &'r mut Report<'s>,
}

impl<'a> Builder<'a, '_, '_> {
    fn document(&mut self) -> Result<Node, Problem> {
        let mut root = None;
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let help = "keep one document per file, and one file per destination".to_owned();
                        return Err(Problem {
                            help: Some(help),
                            ..problem(span, "more than one YAML document in one file")
                        });
                    }
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node { span: Span { end: 1, ..self.origin.span(0, 0) }, kind: Kind::Null }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.parser.next_event() {
            None => Ok((Event::StreamEnd, self.origin.span(0, 0))),
            Some(Ok((event, mark))) => Ok((event, self.span(mark))),
            Some(Err(error)) => {
                let at = error.marker().index();
                Err(problem(self.origin.span(at, at + 1), format!("invalid YAML: {}", error.info())))
            }
        }
    }

    fn span(&self, mark: Mark) -> Span {
        self.origin.span(mark.start.index(), mark.end.index())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        if depth > MAX_DEPTH {
            return Err(problem(span, format!("nested more than {MAX_DEPTH} deep")));
        }
        let before = self.nodes;
        self.count(1, span)?;
        let (kind, anchor, end) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (self.scalar(&text, style, tag.as_deref(), span), anchor, span.end)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break end,
                        (event, span) => items.push(self.node(event, span, depth + 1)?),
                    }
                };
                (Kind::List(items), anchor, end.end)
            }
            Event::MappingStart(anchor, _) => {
                let (map, end) = self.mapping(depth)?;
                (Kind::Map(map), anchor, end)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(problem(span, "an alias inside the value its anchor names"));
                };
                let (kind, size) = (node.kind.clone(), *size);
                let anchor = node.span;
                self.count(size, span)?;
                self.report.spelled_alike(span, anchor);
                return Ok(Node { span, kind });
            }
            other => return Err(problem(span, format!("unexpected {other:?}"))),
        };
        let node = Node { span: Span { end: end.max(span.start), ..span }, kind };
        if anchor != 0 {
            let size = self.nodes - before;
            self.count(size, span)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn mapping(&mut self, depth: usize) -> Result<(Map, usize), Problem> {
        let mut map = Map::new();
        // Keys written out in this mapping, apart from those that came by a merge: only the former can be doubled.
        let mut written: HashMap<String, Span> = HashMap::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) => return Ok((map, end.end)),
                (event, span) => self.node(event, span, depth + 1)?,
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span, depth + 1)?;
            let Some(name) = key_text(&key) else {
                return Err(problem(key.span, "a key must be a plain text"));
            };
            if name == "<<" {
                match merge_key(&mut map, value) {
                    Ok(()) => continue,
                    Err(back) => value = back,
                }
            }
            self.watch_key(&key, &name);
            if let Some(first) = written.insert(name.clone(), key.span) {
                let (first, second) = (self.report.line(first), self.report.line(key.span));
                self.report.warn(
                    key.span,
                    format!("key `{name}` is given twice, on lines {first} and {second}; the last one counts"),
                    Some("use one list for both values, or remove one of them".to_owned()),
                );
            }
            let entry = Entry { key: key.span, form: form(&key), value };
            match map.entry(name) {
                Slot::Occupied(mut slot) => drop(slot.insert(entry)),
                Slot::Vacant(slot) => drop(slot.insert(entry)),
            }
        }
    }

    fn watch_key(&mut self, key: &Node, name: &str) {
        let rewritten = self.report.spelling(key).is_some() && !matches!(key.kind, Kind::Symbol(_));
        if rewritten || matches!(key.kind, Kind::Bool(_)) {
            let help = "put the key in quotes if you mean the word".to_owned();
            self.report.warn(key.span, format!("this key is read as `{name}`"), Some(help));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Kind {
        let suffix = tag.map(|tag| tag.suffix.as_str());
        match suffix {
            Some("ruby/symbol" | "ruby/sym") => return Kind::Symbol(text.to_owned()),
            Some("int" | "float") => {
                let kind = match resolve(text).kind {
                    #[expect(clippy::cast_precision_loss, reason = "as in Ruby")]
                    Kind::Int(value) if suffix == Some("float") => Kind::Float(value as f64),
                    kind => kind,
                };
                return self.noted(kind, text, span, false);
            }
            _ => {}
        }
        if style != ScalarStyle::Plain || matches!(suffix, Some("str" | "")) {
            return Kind::Text(text.to_owned());
        }
        let resolved = resolve(text);
        if let Some(surprise) = resolved.surprise {
            let how = match surprise {
                Surprise::Octal => "an octal number",
                Surprise::Sexagesimal => "a base 60 number",
            };
            let value = match resolved.kind {
                Kind::Int(value) => value,
                _ => 0,
            };
            let help = format!("write \"{text}\" in quotes if you mean the text");
            self.report.warn(span, format!("`{text}` is read as {how}, {value}"), Some(help));
        }
        self.noted(resolved.kind, text, span, resolved.surprise.is_some())
    }

    /// Notes how a value was written where it prints otherwise.
    fn noted(&mut self, kind: Kind, written: &str, span: Span, told: bool) -> Kind {
        let node = Node { span, kind };
        if let Some(read) = node.text().filter(|read| read != written) {
            self.report.spelled(span, written, read, told);
        }
        node.kind
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            return Err(problem(span, format!("more than {MAX_NODES} values, aliases counted in full")));
        }
        Ok(())
    }
}

fn problem(span: Span, message: impl Into<String>) -> Problem {
    Problem { span, message: message.into(), help: None }
}

fn form(key: &Node) -> Form {
    match key.kind {
        Kind::Text(_) => Form::Text,
        Kind::Symbol(_) => Form::Symbol,
        _ => Form::Other,
    }
}

fn key_text(key: &Node) -> Option<String> {
    match &key.kind {
        Kind::Null => Some(String::new()),
        Kind::Date(text) => Some(text.clone()),
        _ => key.text(),
    }
}
