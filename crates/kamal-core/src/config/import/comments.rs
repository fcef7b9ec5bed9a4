//! Comments of a YAML file, which go along with the keys they are about.

use super::super::source::Span;
use super::super::yaml::Node;
use super::tree::{Map, Tree};

/// The lines of a file, and where in it each begins.
pub(super) struct Comments<'t>(Vec<(usize, &'t str)>);

impl<'t> Comments<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let lines = text.lines().scan(0, |start, line| {
            let at = *start;
            // A line ends in one character: where there are two, the other is the line's own for whoever counts.
            *start += line.chars().count() + 1;
            Some((at, line))
        });
        Self(lines.collect())
    }

    /// Gives what is still there of a mapping the comments it had.
    pub(super) fn keep(&self, node: &Node, map: &mut Map) {
        for (key, entry) in node.map().into_iter().flatten() {
            // What is merged in from elsewhere has its comments there.
            let is_own = (node.span.start..node.span.end).contains(&entry.key.start);
            let Some((comment, value)) = map.entry(key).filter(|_| is_own) else { continue };
            if comment.is_empty() {
                *comment = self.about(entry.key, entry.value.span);
            }
            if let Tree::Map(map) = value {
                self.keep(&entry.value, map);
            }
        }
    }

    /// What stands above a key, and behind it or its value.
    fn about(&self, key: Span, value: Span) -> String {
        let after = self.0.partition_point(|(start, _)| *start <= key.start);
        let Some((line, before)) = self.0.get(..after).and_then(<[_]>::split_last) else { return String::new() };
        let above = before.iter().rev().map_while(|(_, line)| said(line)).collect::<Vec<_>>();
        let (start, text) = *line;
        let end = if value.end <= start + text.chars().count() { value.end.max(key.end) } else { key.end };
        let rest: String = text.chars().skip(end - start).collect();
        let behind = rest.find(" #").filter(|at| rest[..*at].trim_matches([' ', ':']).is_empty());
        let behind = behind.and_then(|at| said(&rest[at..]));
        above.into_iter().rev().chain(behind).collect::<Vec<_>>().join("\n")
    }
}

/// What a line says that is a comment. One with a template in it would be run.
fn said(line: &str) -> Option<&str> {
    let text = line.trim().strip_prefix('#').filter(|text| !text.contains("<%"))?;
    Some(text.strip_prefix(' ').unwrap_or(text))
}
