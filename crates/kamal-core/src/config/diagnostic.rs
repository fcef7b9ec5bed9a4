//! What is wrong with a configuration, and where: Kamal's wording, with the place and a hint beside it.

use std::{collections::HashMap, fmt};

use serde::Serialize;

use super::source::{Source, Span, place};
use super::yaml::{Kind, Node};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but probably does not mean what its author thinks.
    Warning,
}

/// One finding in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in Kamal's words: `servers/web: unknown key: foo`.
    pub message: String,
    /// The file, as [`Source::path`] names it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The text of that line.
    pub snippet: String,
    /// How many characters from `column` are meant, at least 1.
    pub width: usize,
    /// How to fix it.
    pub help: Option<String>,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs are kept in the indent so that the carets stand below what they mean in every terminal.
        let indent: String = self
            .snippet
            .chars()
            .take(self.column.saturating_sub(1))
            .map(|character| if character == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "{severity}: {}", self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.file, self.line, self.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.snippet)?;
        write!(f, "{margin} | {indent}{}", "^".repeat(self.width))?;
        if let Some(help) = &self.help {
            write!(f, "\n{margin} = help: {help}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a configuration, in the order in which Kamal would have found it: the first one is
/// the one Kamal stops at. Warnings come last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigErrors(pub Vec<Diagnostic>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects findings while a configuration is read.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    sources: Vec<&'a Source>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    spellings: HashMap<Span, Spelling>,
}

/// A scalar whose text in the file is not what its value prints as: `1.10`, `yes`, `0x10`.
#[derive(Clone, Debug)]
struct Spelling {
    written: String,
    read: String,
    /// Whether a warning about it has been given wherever it stands.
    told: bool,
}

impl<'a> Report<'a> {
    pub(crate) fn new(sources: Vec<&'a Source>) -> Self {
        Self { sources, errors: Vec::new(), warnings: Vec::new(), spellings: HashMap::new() }
    }

    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.error_with(span, message, None);
    }

    /// An error with a hint. The same message twice is said once (a role's proxy is checked alone and merged).
    pub(crate) fn error_with(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let found = self.diagnose(Severity::Error, span, message.into(), help);
        if !self.errors.contains(&found) {
            self.errors.push(found);
        }
    }

    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        let found = self.diagnose(Severity::Warning, span, message.into(), help);
        if !self.warnings.contains(&found) {
            self.warnings.push(found);
        }
    }

    /// The line a span begins on, for messages that name two places.
    pub(crate) fn line(&self, span: Span) -> usize {
        self.sources.get(span.file).map_or(1, |source| place(&source.text, span).line)
    }

    /// The file a span is of.
    pub(crate) fn file(&self, span: Span) -> &'a str {
        self.sources.get(span.file).map_or("", |source| &source.path)
    }

    /// Notes that a scalar was written otherwise than its value prints; `told` when that has been warned about.
    pub(crate) fn spelled(&mut self, span: Span, written: &str, read: String, told: bool) {
        self.spellings.insert(span, Spelling { written: written.to_owned(), read, told });
    }

    /// An alias is spelled as what it stands for.
    pub(crate) fn spelled_alike(&mut self, alias: Span, anchor: Span) {
        if let Some(spelling) = self.spellings.get(&anchor).cloned() {
            self.spellings.insert(alias, spelling);
        }
    }

    /// How a scalar was written, where its value prints otherwise.
    pub(crate) fn spelling(&self, node: &Node) -> Option<&str> {
        let spelling = self.spellings.get(&node.span)?;
        // One place may hold several scalars, where a template printed them.
        (node.text().as_deref() == Some(&spelling.read)).then_some(&*spelling.written)
    }

    /// Warns of a value that stands where a text is wanted and was not written as it prints.
    pub(crate) fn watch(&mut self, node: &Node) {
        let told = self.spellings.get(&node.span).is_none_or(|spelling| spelling.told);
        let Some(written) = self.spelling(node).filter(|_| !told).map(str::to_owned) else { return };
        let read = node.text().unwrap_or_default();
        let how = if matches!(node.kind, Kind::Int(_) | Kind::Float(_)) { "the number " } else { "" };
        let help = format!("write \"{written}\" in quotes if you mean the text");
        self.warn(node.span, format!("`{written}` is read as {how}{read}"), Some(help));
    }

    fn diagnose(&self, severity: Severity, span: Span, message: String, help: Option<String>) -> Diagnostic {
        let (file, text) = self.sources.get(span.file).map_or(("", ""), |source| (&source.path, &source.text));
        let found = place(text, span);
        Diagnostic {
            severity,
            message,
            file: file.to_owned(),
            line: found.line,
            column: found.column,
            snippet: found.snippet,
            width: found.width,
            help,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_underlines_what_it_means() {
        let source = Source::new("config/deploy.yml", "service: app\nservrs: [a]\n");
        let mut report = Report::new(vec![&source]);
        let span = Span { file: 0, start: 13, end: 19 };
        report.error_with(span, "unknown key: servrs", Some("did you mean `servers`?".to_owned()));
        assert_eq!(
            ConfigErrors(report.errors).to_string(),
            "error: unknown key: servrs\n --> config/deploy.yml:2:1\n  |\n2 | servrs: [a]\n  | ^^^^^^\n  = help: did you mean `servers`?"
        );
    }
}
