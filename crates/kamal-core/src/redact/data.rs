//! Secrets out of data: a value is shown whole or not at all, so that what was YAML or JSON still is.

use std::borrow::Cow;

use serde_json::Value;

use super::{MARK, Redactor};

impl Redactor {
    /// A value as it may be shown: itself, or the mark when a secret is any part of it.
    #[must_use]
    pub fn value<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.text(text) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(_) => Cow::Borrowed(MARK),
        }
    }

    /// Data as it may be shown, names in it too. `true` and `false` hide nothing.
    #[must_use]
    pub fn json(&self, value: Value) -> Value {
        self.data(value, &|names, name| names.shown(self, &name))
    }

    /// A structure of the program's own as it may be shown: its names are known to everybody, and are not covered where a
    /// secret is one of them.
    #[must_use]
    pub fn fields(&self, value: Value) -> Value {
        self.data(value, &|_, name| name)
    }

    fn data(&self, value: Value, shown: &dyn Fn(&mut Names, String) -> String) -> Value {
        match value {
            Value::String(text) => self.value(&text).into(),
            Value::Number(number) if self.value(&number.to_string()) == MARK => MARK.into(),
            Value::Array(items) => items.into_iter().map(|item| self.data(item, shown)).collect(),
            Value::Object(map) => {
                let mut names = Names::default();
                map.into_iter().map(|(name, value)| (shown(&mut names, name), self.data(value, shown))).collect()
            }
            other => other,
        }
    }
}

/// Names of one mapping: several that are covered stay several.
#[derive(Debug, Default)]
pub(crate) struct Names(usize);

impl Names {
    pub(crate) fn shown(&mut self, redactor: &Redactor, name: &str) -> String {
        let shown = redactor.value(name);
        if shown == name {
            return name.to_owned();
        }
        self.0 += 1;
        if self.0 == 1 { MARK.to_owned() } else { format!("{MARK} {}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::Secret;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        secrets.iter().for_each(|secret| redactor.learn(&Secret::new(*secret)));
        redactor
    }

    // A password may well be a word that this program uses for a field, or a user for a variable.
    #[test]
    fn names_are_covered_where_they_are_the_user_s_and_only_there() {
        let redactor = redactor(&["opensesame", "version"]);
        let data = json!({ "version": "opensesame", "opensesame": ["version", 1], "x": { "version 2": true } });
        let covered =
            json!({ "[REDACTED]": "[REDACTED]", "[REDACTED] 2": ["[REDACTED]", 1], "x": { "[REDACTED]": true } });
        let kept = json!({ "version": "[REDACTED]", "opensesame": ["[REDACTED]", 1], "x": { "version 2": true } });
        assert_eq!(redactor.fields(data.clone()), kept);
        let shown = redactor.json(data);
        assert_eq!(shown.as_object().map(serde_json::Map::len), Some(3));
        assert_eq!(shown["x"], covered["x"]);
        assert!(!shown.to_string().contains("opensesame") && !shown.to_string().contains("version"), "{shown}");
    }

    #[test]
    fn a_number_is_data_and_true_hides_nothing() {
        let redactor = redactor(&["7394021", "true"]);
        let data = json!({ "port": 7394021, "other": 739402, "on": true });
        assert_eq!(redactor.fields(data), json!({ "port": "[REDACTED]", "other": 739402, "on": true }));
    }
}
