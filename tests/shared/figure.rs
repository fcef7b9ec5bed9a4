//! A figure of a benchmark: what was measured, what else did the same in the same run, and what it has to reach.

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// In words, with what it is compared to where it is a ratio.
    pub(crate) what: String,
    /// `ms`, `MB`, `requests/s`; nothing for a ratio.
    pub(crate) unit: String,
    /// What was found of our own.
    pub(crate) ours: f64,
    /// The same of others, by their names.
    pub(crate) beside: Vec<(String, f64)>,
    /// What ours has to reach.
    pub(crate) bound: Option<Bound>,
}

/// What a figure has to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

impl Figure {
    /// A figure that has nothing to reach.
    pub(crate) fn new(what: impl Into<String>, unit: &str, ours: f64) -> Self {
        Self { what: what.into(), unit: unit.to_owned(), ours, beside: Vec::new(), bound: None }
    }

    /// With what another did.
    #[must_use]
    pub(crate) fn beside(mut self, name: impl Into<String>, figure: f64) -> Self {
        self.beside.push((name.into(), figure));
        self
    }

    /// It is to be no more than this.
    #[must_use]
    pub(crate) fn at_most(self, most: f64) -> Self {
        Self { bound: Some(Bound::AtMost(most)), ..self }
    }

    /// It is to be no less than this.
    #[must_use]
    pub(crate) fn at_least(self, least: f64) -> Self {
        Self { bound: Some(Bound::AtLeast(least)), ..self }
    }

    /// A line of a table whose columns are tabs apart: what, unit, ours, bound, and the others.
    #[must_use]
    pub(crate) fn line(&self) -> String {
        let bound = match self.bound {
            None => String::new(),
            Some(Bound::AtMost(most)) => format!("<={most}"),
            Some(Bound::AtLeast(least)) => format!(">={least}"),
        };
        let mut line = [self.what.clone(), self.unit.clone(), self.ours.to_string(), bound].join("\t");
        for (name, figure) in &self.beside {
            line.push_str(&format!("\t{name}={figure}"));
        }
        line
    }
}
