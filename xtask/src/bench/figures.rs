//! What benchmarks found, chapter by chapter, as it is printed and kept.

use std::fmt;

use crate::{
    command::print,
    error::Result,
    figure::{Bound, Figure},
};

/// What was found so far.
#[derive(Debug, Default)]
pub struct Figures {
    chapters: Vec<Chapter>,
}

/// What belongs together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chapter {
    /// What it is about.
    pub(crate) title: String,
    /// What was found.
    pub(crate) figures: Vec<Figure>,
}

impl Figures {
    /// Begins a chapter, whose title is printed.
    ///
    /// # Errors
    ///
    /// When it cannot be printed.
    pub(crate) fn begin(&mut self, title: impl Into<String>) -> Result<()> {
        let title = title.into();
        print(&title)?;
        self.chapters.push(Chapter { title, figures: Vec::new() });
        Ok(())
    }

    /// Prints a figure and keeps it.
    ///
    /// # Errors
    ///
    /// When it cannot be printed.
    pub(crate) fn add(&mut self, figure: Figure) -> Result<()> {
        print(format_args!("  {figure}"))?;
        if let Some(chapter) = self.chapters.last_mut() {
            chapter.figures.push(figure);
        }
        Ok(())
    }

    /// Whether each reached what it has to.
    #[must_use]
    pub fn reached(&self) -> bool {
        self.chapters.iter().flat_map(|chapter| &chapter.figures).all(Figure::reached)
    }

    /// What was found.
    #[must_use]
    pub(crate) fn chapters(&self) -> &[Chapter] {
        &self.chapters
    }
}

impl Figure {
    /// Whether it reached what it has to.
    #[must_use]
    pub(crate) fn reached(&self) -> bool {
        match self.bound {
            None => true,
            Some(Bound::AtMost(most)) => self.ours <= most,
            Some(Bound::AtLeast(least)) => self.ours >= least,
        }
    }

    /// Reads what [`line`](Self::line) writes.
    #[must_use]
    pub(crate) fn read(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let (what, unit, ours, bound) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
        let bound = match (bound.strip_prefix("<="), bound.strip_prefix(">=")) {
            (Some(most), _) => Some(Bound::AtMost(most.parse().ok()?)),
            (_, Some(least)) => Some(Bound::AtLeast(least.parse().ok()?)),
            _ if bound.is_empty() => None,
            _ => return None,
        };
        let pair = |column: &str| {
            let (name, figure) = column.split_once('=')?;
            Some((name.to_owned(), figure.parse().ok()?))
        };
        let beside = columns.map(pair).collect::<Option<_>>()?;
        Some(Self { what: what.to_owned(), unit: unit.to_owned(), ours: ours.parse().ok()?, beside, bound })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.unit.is_empty() { "" } else { " " };
        write!(f, "{:<56} {:>9}{space}{}", self.what, short(self.ours), self.unit)?;
        let others = self.beside.iter().map(|(name, figure)| format!("{name} {}", short(*figure))).collect::<Vec<_>>();
        if !others.is_empty() {
            write!(f, " ({})", others.join(", "))?;
        }
        let verdict = if self.reached() { "reached" } else { "MISSED" };
        match self.bound {
            None => Ok(()),
            Some(Bound::AtMost(most)) => write!(f, "; at most {}: {verdict}", short(most)),
            Some(Bound::AtLeast(least)) => write!(f, "; at least {}: {verdict}", short(least)),
        }
    }
}

/// A number as exact as anybody reads it.
#[must_use]
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_as_it_is_written() {
        let plain = Figure::new("kamal version", "ms", 1.72);
        let much = Figure::new("64 connections", "requests/s", 61082.0).beside("nginx", 56369.5).at_least(56369.5);
        for figure in [plain, much.clone(), Figure::new("a ratio", "", 1.0).at_most(0.5)] {
            assert_eq!(Figure::read(&figure.line()), Some(figure));
        }
        assert_eq!(Figure::read("64 connections\trequests/s\tmany\t"), None);
        assert_eq!(
            much.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
            "64 connections 61082 requests/s (nginx 56370); at least 56370: reached"
        );
    }

    #[test]
    fn what_is_missed_is_known() {
        let mut figures = Figures::default();
        figures.begin("a").unwrap();
        figures.add(Figure::new("x", "s", 1.0).at_most(1.0)).unwrap();
        assert!(figures.reached());
        figures.add(Figure::new("y", "s", 1.0).at_least(1.1)).unwrap();
        assert!(!figures.reached());
        assert_eq!(figures.chapters()[0].figures.len(), 2);
    }
}
