//! Values that are not known before the draft is loaded, such as `${TAG:-latest}`. While a draft is made, each is a single
//! character in the texts it stands in, from the area of Unicode that is nobody's; only printing gives it its form.

use std::fmt::Write;

/// The characters marks are made of.
const FIRST: u32 = 0xE000;
const LAST: u32 = 0xF8FF;

/// What is asked of the environment, or kept as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The Ruby expression, as ERB has it.
    pub(super) ruby: String,
    /// The variable that it is the value of.
    pub(super) variable: Option<String>,
    /// What it comes to where nothing is set.
    pub(super) fallback: String,
    /// Whether the original refuses to go on without it.
    pub(super) required: bool,
}

/// The marks of an import.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<Mark>);

impl Marks {
    /// The character that stands for a value; its fallback when there are more than anybody needs.
    pub(super) fn add(&mut self, mark: Mark) -> String {
        let known = self.0.iter().position(|known| *known == mark);
        let code = u32::try_from(known.unwrap_or(self.0.len()))
            .ok()
            .and_then(|at| at.checked_add(FIRST))
            .filter(|code| *code <= LAST);
        let Some(character) = code.and_then(char::from_u32) else { return mark.fallback };
        if known.is_none() {
            self.0.push(mark);
        }
        character.to_string()
    }

    /// Text of others, in which no character is one of ours.
    pub(super) fn cleaned(text: &str) -> String {
        text.replace(|c| (FIRST..=LAST).contains(&u32::from(c)), "\u{fffd}")
    }

    fn of(&self, character: char) -> Option<&Mark> {
        self.0.get(usize::try_from(u32::from(character).checked_sub(FIRST)?).ok()?)
    }

    /// The marks in a text.
    pub(super) fn within<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Mark> {
        text.chars().filter_map(|c| self.of(c))
    }

    /// The text as it is where nothing is set.
    pub(super) fn settled(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match self.of(c) {
                Some(mark) => out.push_str(&mark.fallback),
                None => out.push(c),
            }
        }
        out
    }

    /// The text as a Ruby expression.
    pub(super) fn ruby(&self, text: &str) -> String {
        let mut terms: Vec<String> = Vec::new();
        let mut fixed = String::new();
        for c in text.chars() {
            if let Some(mark) = self.of(c) {
                if !fixed.is_empty() {
                    terms.push(ruby_text(&std::mem::take(&mut fixed)));
                }
                terms.push(format!("({}).to_s", mark.ruby));
            } else {
                fixed.push(c);
            }
        }
        if !fixed.is_empty() || terms.is_empty() {
            terms.push(ruby_text(&fixed));
        }
        terms.join(" + ")
    }

    /// The text as a scalar of YAML; ERB is evaluated before YAML is read, so that its quotes are not YAML's.
    pub(super) fn yaml(&self, text: &str) -> String {
        if !text.chars().any(|c| self.of(c).is_some()) && is_plain(text) {
            return text.to_owned();
        }
        let mut out = "\"".to_owned();
        for c in text.replace("<%", "<%%").chars() {
            match (self.of(c), c) {
                (Some(mark), _) => {
                    let _ = write!(out, "<%= {} %>", mark.ruby);
                }
                (None, '"' | '\\') => out.extend(['\\', c]),
                (None, '\n') => out.push_str("\\n"),
                (None, '\t') => out.push_str("\\t"),
                (None, c) if c.is_control() => {
                    let _ = write!(out, "\\u{:04X}", u32::from(c));
                }
                (None, c) => out.push(c),
            }
        }
        out.push('"');
        out
    }

    /// The text as a template has it, without quotes.
    pub(super) fn bare(&self, text: &str) -> String {
        let spelled = |c: char| self.of(c).map_or_else(|| c.to_string(), |mark| format!("<%= {} %>", mark.ruby));
        text.chars().map(spelled).collect()
    }

    /// The text as a value of a secrets file, in which `${NAME}` is looked up.
    pub(super) fn dotenv(&self, text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match (self.of(c), c) {
                (Some(Mark { variable: Some(name), .. }), _) => {
                    let _ = write!(out, "${{{name}}}");
                }
                (Some(mark), _) => out.push_str(&mark.fallback),
                (None, '"' | '\\' | '$') => out.extend(['\\', c]),
                (None, c) => out.push(c),
            }
        }
        format!("\"{out}\"")
    }
}

/// A text in Ruby's single quotes.
fn ruby_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Whether YAML takes a text for itself, whichever version of YAML it is.
fn is_plain(text: &str) -> bool {
    let resolved = super::super::yaml::scalar::resolve(text);
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '$'));
    let fits = |c: char| c.is_ascii_alphanumeric() || " _-./:@+=,()$;&~<>!?*|'\"[]{}^".contains(c);
    let number = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ':' | '_' | ',' | 'e' | 'x'));
    let address = text.split('.').count() == 4 && !text.contains(':');
    matches!(resolved.kind, super::super::yaml::Kind::Text(_))
        && starts
        && (!number || address)
        && !matches!(text, "y" | "n" | "Y" | "N")
        && text.chars().all(fits)
        && !text.contains(": ")
        && !text.contains("<%")
        && !text.ends_with([':', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag() -> Mark {
        let ruby = "ENV.fetch('TAG', '16')".to_owned();
        Mark { ruby, variable: Some("TAG".to_owned()), fallback: "16".to_owned(), required: false }
    }

    #[test]
    fn a_mark_has_a_form_for_each_place() {
        let mut marks = Marks::default();
        let text = format!("postgres:{}", marks.add(tag()));
        assert_eq!(marks.yaml(&text), "\"postgres:<%= ENV.fetch('TAG', '16') %>\"");
        assert_eq!(marks.settled(&text), "postgres:16");
        assert_eq!(marks.dotenv(&text), "\"postgres:${TAG}\"");
        assert_eq!(marks.ruby(&text), "'postgres:' + (ENV.fetch('TAG', '16')).to_s");
    }

    #[test]
    fn text_stays_text_in_yaml() {
        let marks = Marks::default();
        for (text, spelled) in [
            ("bin/rails server -b 0.0.0.0", "bin/rails server -b 0.0.0.0"),
            ("5432:5432", "\"5432:5432\""),
            ("yes", "\"yes\""),
            ("1.10", "\"1.10\""),
            ("", "\"\""),
            ("a: b", "\"a: b\""),
            ("a\n\"b\" \\", "\"a\\n\\\"b\\\" \\\\\""),
            ("<%= x %>", "\"<%%= x %>\""),
            ("y", "\"y\""),
            ("#x", "\"#x\""),
            ("192.0.2.10", "192.0.2.10"),
        ] {
            assert_eq!(marks.yaml(text), spelled, "{text:?}");
        }
    }
}
