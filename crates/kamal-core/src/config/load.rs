//! From the texts of one or two files to a configuration (spec 2.1).

use indexmap::IndexMap;

use super::build::build;
use super::destination::lay_over;
use super::diagnostic::{ConfigErrors, Diagnostic, Report};
use super::erb::{self, TemplateWorld};
use super::model::Config;
use super::source::{Source, Span};
use super::yaml::{Kind, Node, parse};
use crate::name::Destination;

/// A configuration that can be used, and what is odd about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the file's author should know.
    pub warnings: Vec<Diagnostic>,
    /// The files, before anything in them was evaluated.
    pub sources: Vec<Source>,
    /// The values as they stand in the files, merged; for printing.
    pub raw: Raw,
}

/// The values of the files, merged but not interpreted.
#[derive(Clone, Debug)]
pub struct Raw(pub(crate) Node);

/// Loads a configuration: ERB, YAML, the destination's file over the base, checks. Templates may run programs and read
/// files ([`TemplateWorld`]) and are waited for: call it on a thread that may block.
///
/// # Errors
///
/// Everything that is wrong, in the order in which Kamal would have found it.
pub fn load(
    base: &Source,
    over: Option<(&Destination, &Source)>,
    outside: &dyn TemplateWorld,
) -> Result<Loaded, ConfigErrors> {
    let mut report = Report::new([base].into_iter().chain(over.map(|(_, source)| source)).collect());
    let Some(root) = read(base, over.map(|(_, source)| source), outside, &mut report) else {
        return Err(ConfigErrors(report.errors));
    };
    let exists = |path: &str| outside.read_file(path).is_ok();
    let config = build(&root, over.map(|(destination, _)| destination), &exists, &mut report);
    if report.errors.is_empty() {
        let sources = [base].into_iter().chain(over.map(|(_, source)| source)).cloned().collect();
        Ok(Loaded { config, warnings: report.warnings, sources, raw: Raw(root) })
    } else {
        // What else there is to know about the file is known as well.
        Err(ConfigErrors([report.errors, report.warnings].concat()))
    }
}

/// The aliases alone, without checking the rest: they are looked up before a command, and with it the need for a
/// sound configuration, is known (spec 1.9).
///
/// # Errors
///
/// When the files cannot be read as YAML at all.
pub fn load_aliases(
    base: &Source,
    over: Option<&Source>,
    outside: &dyn TemplateWorld,
) -> Result<IndexMap<String, String>, ConfigErrors> {
    let mut report = Report::new([base].into_iter().chain(over).collect());
    let Some(root) = read(base, over, outside, &mut report) else { return Err(ConfigErrors(report.errors)) };
    let aliases = root.get("aliases").and_then(Node::map).into_iter().flatten();
    Ok(aliases.filter_map(|(name, entry)| Some((name.clone(), entry.value.text()?))).collect())
}

fn read(base: &Source, over: Option<&Source>, outside: &dyn TemplateWorld, report: &mut Report<'_>) -> Option<Node> {
    let root = file(base, 0, outside, report);
    let over = over.map(|source| file(source, 1, outside, report));
    let (root, over) = (root?, over.map_or(Some(None), |over| over.map(Some))?);
    if let Kind::Null = root.kind
        && over.is_none()
    {
        let needed = "it needs at least service, servers and builder";
        report.error(root.span, format!("the configuration is empty: {needed}"));
        return None;
    }
    let root = settings(root, report);
    let over = over.map(|over| settings(over, report));
    let (root, over) = (root?, over.map_or(Some(None), |over| over.map(Some))?);
    Some(match over {
        Some(over) => lay_over(root, over, report),
        None => root,
    })
}

fn file(source: &Source, number: usize, outside: &dyn TemplateWorld, report: &mut Report<'_>) -> Option<Node> {
    match erb::render(&source.text, number, outside) {
        Ok(rendered) => parse(&rendered.text, &rendered, report),
        Err(error) => {
            report.error_with(error.span, error.message, error.help);
            None
        }
    }
}

/// The file's mapping; an empty file is an empty one.
fn settings(node: Node, report: &mut Report<'_>) -> Option<Node> {
    match node.kind {
        Kind::Map(_) => Some(node),
        Kind::Null => Some(Node::empty_map(node.span)),
        _ => {
            let span = Span { end: node.span.start + 1, ..node.span };
            let help = "write `key: value` lines, beginning with `service: NAME`".to_owned();
            report.error_with(span, "the configuration should be a hash", Some(help));
            None
        }
    }
}
