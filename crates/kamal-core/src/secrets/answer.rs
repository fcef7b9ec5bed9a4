//! What `kamal secrets fetch` prints and `kamal secrets extract` reads (spec 3.3): a compact JSON object, for a
//! secrets file escaped so that it is one word of a command again.

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::vendors::Found;
use crate::secret::Secret;

/// Why a secret cannot be taken out of what was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// There is no text.
    #[error(
        "there is nothing to extract {name} from\nhelp: the second argument is what `kamal secrets fetch` printed; a \
         variable must be set above the line that uses it"
    )]
    Nothing {
        /// The name asked for.
        name: String,
    },
    /// The text is no JSON object. It is not repeated: it may hold secrets.
    #[error(
        "what `kamal secrets extract` was given is no JSON object (line {line}, column {column})\nhelp: the second argument \
         is what `kamal secrets fetch` printed: NAME=$(kamal secrets extract NAME $SECRETS)"
    )]
    NotJson {
        /// Where it stops being one.
        line: usize,
        /// As above.
        column: usize,
    },
    /// The object has no such name.
    #[error("Could not find secret {name}\nhelp: fetched were {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NotFound {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

/// What was fetched, as compact JSON.
#[must_use]
pub fn printed(found: &Found) -> Zeroizing<String> {
    let mut out = Zeroizing::new("{".to_owned());
    for (index, (name, value)) in found.iter().enumerate() {
        let quoted = |text: &str| Zeroizing::new(Value::from(text).to_string());
        out.push_str(if index == 0 { "" } else { "," });
        out.push_str(&quoted(name));
        out.push(':');
        out.push_str(&quoted(value.expose()));
    }
    out.push('}');
    out
}

/// A text as one word of a command, as Ruby's `shellescape` writes it.
#[must_use]
pub fn escaped(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    if text.is_empty() {
        out.push_str("''");
    }
    for character in text.chars() {
        match character {
            '\n' => out.push_str("'\n'"),
            plain if plain.is_ascii_alphanumeric() || "_-.,:+/@".contains(plain) => out.push(plain),
            special => {
                out.push('\\');
                out.push(special);
            }
        }
    }
    out
}

/// The value of a name, else of the first name that ends in `/NAME`.
///
/// # Errors
///
/// See [`ExtractError`].
pub fn extracted(name: &str, json: &str) -> Result<Secret, ExtractError> {
    let values: Map<String, Value> = serde_json::from_str(json)
        .map_err(|error| ExtractError::NotJson { line: error.line(), column: error.column() })?;
    let ending = format!("/{name}");
    let set = |value: &&Value| !matches!(value, Value::Null | Value::Bool(false));
    let exact = values.get(name).filter(set);
    let value = exact.or_else(|| values.iter().find(|(key, _)| key.ends_with(&ending)).map(|(_, value)| value));
    match value {
        Some(Value::String(text)) => Ok(Secret::new(text.as_str())),
        None | Some(Value::Null) => {
            Err(ExtractError::NotFound { name: name.to_owned(), known: values.keys().cloned().collect() })
        }
        Some(other) => Ok(Secret::new(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_extracted_again_also_through_a_shells_words() {
        let odd = "it's \"q\" \\ $HOME $(id) {\"j\":[1]} )(\nline 2\t文中 é\u{1}";
        let found: Found = [("f/A", odd), ("B", "")].map(|(name, value)| (name.to_owned(), Secret::new(value))).into();
        let json = printed(&found);
        assert!(json.starts_with(r#"{"f/A":"it's \"q\" \\ $HOME"#) && json.ends_with(r#","B":""}"#), "{}", *json);
        let words = crate::shell::split(&format!("extract A {}", *escaped(&json))).unwrap();
        assert_eq!(words.len(), 3);
        assert_eq!(extracted("A", &words[2]).unwrap().expose(), odd);
        assert_eq!(extracted("f/A", &words[2]).unwrap().expose(), odd);
    }

    #[test]
    fn words_are_escaped_as_ruby_does() {
        assert_eq!(*escaped(r#"{"a":"b c"}"#), r#"\{\"a\":\"b\ c\"\}"#);
        assert_eq!(*escaped("a\nb"), "a'\n'b");
        assert_eq!(*escaped("文"), "\\文");
        assert_eq!(*escaped(""), "''");
    }

    #[test]
    fn the_exact_name_wins_else_the_first_that_ends_so() {
        let json = r#"{"x/A":"1","y/A":"2","A":"3","z/B":4,"N":null,"v/N":"n"}"#;
        assert_eq!(extracted("A", json).unwrap().expose(), "3");
        assert_eq!(extracted("B", json).unwrap().expose(), "4");
        assert_eq!(extracted("N", json).unwrap().expose(), "n");
        assert_eq!(extracted("A", r#"{"x/A":"1","y/A":"2"}"#).unwrap().expose(), "1");
        let error = extracted("C", r#"{"A":"1","B":"2"}"#).unwrap_err().to_string();
        assert_eq!(error, "Could not find secret C\nhelp: fetched were A, B");
        let error = extracted("A", "hunter2").unwrap_err().to_string();
        assert!(
            error.starts_with("what `kamal secrets extract` was given is no JSON object (line 1, column 1)\nhelp: ")
        );
    }
}
