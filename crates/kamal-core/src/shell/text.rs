//! Shell text in which secrets stay marked.

use crate::secret::Secret;
use zeroize::Zeroizing;

/// Shell text, already quoted. `Display` and `Debug` show `[REDACTED]` for secrets.
#[derive(Clone, Default)]
pub struct Text {
    parts: Vec<Part>,
}

#[derive(Clone)]
enum Part {
    Clear(String),
    Secret(Secret),
}

impl Text {
    /// No text.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends clear text.
    pub fn push(&mut self, text: &str) -> &mut Self {
        match self.parts.last_mut() {
            Some(Part::Clear(last)) => last.push_str(text),
            _ => self.parts.push(Part::Clear(text.to_owned())),
        }
        self
    }

    /// Appends text that must not be shown.
    pub fn push_secret(&mut self, text: Secret) -> &mut Self {
        self.parts.push(Part::Secret(text));
        self
    }

    /// Appends another text.
    pub fn append(&mut self, other: &Text) -> &mut Self {
        for part in &other.parts {
            match part {
                Part::Clear(text) => self.push(text),
                Part::Secret(secret) => self.push_secret(secret.clone()),
            };
        }
        self
    }

    /// True when there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The text with its secrets in clear.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::new());
        for part in &self.parts {
            match part {
                Part::Clear(text) => out.push_str(text),
                Part::Secret(secret) => out.push_str(secret.expose()),
            }
        }
        out
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self { parts: vec![Part::Clear(text.into())] }
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Clear(text) => f.write_str(text),
            Part::Secret(_) => f.write_str("[REDACTED]"),
        })
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_show_only_when_exposed() {
        let mut text = Text::from("printf %s ");
        text.push_secret(Secret::new("'hunter2'")).push(" > x");
        assert_eq!(text.to_string(), "printf %s [REDACTED] > x");
        assert_eq!(format!("{text:?}"), "\"printf %s [REDACTED] > x\"");
        assert_eq!(*text.expose(), "printf %s 'hunter2' > x");
    }
}
