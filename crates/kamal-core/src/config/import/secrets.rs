//! The lines of `.kamal/secrets` a draft counts on. A secret that stands in the original stays there: a line says where to
//! look, in the environment or in a file that is there already.

use super::marks::Marks;

/// The lines, in the order in which they are looked up.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Secret>);

#[derive(Debug, PartialEq, Eq)]
struct Secret {
    name: String,
    /// Where it is looked up.
    source: String,
    /// What it is, where the original has that in clear.
    value: String,
}

impl Secrets {
    /// Adds a secret, and returns what `env/secret` calls it: `NAME`, or `NAME:KEY` where another secret of `owner`'s has
    /// that name already. `value` is what it is, where the original has that in clear.
    pub(super) fn add(&mut self, owner: &str, name: &str, value: &str, source: &str) -> String {
        let mut secret = Secret { name: name.to_owned(), source: source.to_owned(), value: value.to_owned() };
        if self.0.contains(&secret) {
            return secret.name;
        }
        if self.0.iter().any(|known| known.name == name) {
            let owner = owner.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            secret.name = format!("{owner}_{name}");
            if secret.source == format!("${name}") {
                secret.source = format!("${}", secret.name);
            }
        }
        let called = if secret.name == name { name.to_owned() } else { format!("{name}:{}", secret.name) };
        if !self.0.iter().any(|known| known.name == secret.name) {
            self.0.push(secret);
        }
        called
    }

    /// Makes sure that there is a secret others refer to.
    pub(super) fn refer(&mut self, name: &str, source: &str) {
        if !self.0.iter().any(|known| known.name == name) {
            let (name, source) = (name.to_owned(), source.to_owned());
            self.0.push(Secret { name, source, value: String::new() });
        }
    }

    /// The secret that has this very value.
    pub(super) fn of_value(&self, value: &str) -> Option<&str> {
        self.0.iter().find(|known| known.value == value && !value.is_empty()).map(|known| known.name.as_str())
    }

    /// Whether a secret of this name and value is known.
    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.0.iter().any(|known| known.name == name && known.value == value)
    }

    /// Each secret's name and line.
    pub(super) fn lines(self) -> Vec<(String, String)> {
        let line = |secret: Secret| {
            let line = format!("{}={}", secret.name, secret.source);
            (secret.name, line)
        };
        self.0.into_iter().map(line).collect()
    }
}

/// Takes the value of a variable out of an env file, whether in quotes or not.
pub(super) fn from_file(name: &str, path: &str, text: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().trim_start_matches("export ").strip_prefix(name)?.strip_prefix('='));
    if line.is_some_and(|value| value.starts_with(['"', '\''])) {
        format!("$(sed -n '/^{name}=/{{s/^{name}=.//;s/.$//;p;}}' {path})")
    } else {
        format!("$(sed -n 's/^{name}=//p' {path})")
    }
}

/// A text in which `${NAME}` is looked up, as a line has it.
pub(super) fn composed(text: &str, marks: &Marks) -> String {
    match marks.within(text).next() {
        Some(mark) if text.chars().count() == 1 => {
            mark.variable.as_ref().map_or_else(|| marks.dotenv(text), |name| format!("${name}"))
        }
        _ => marks.dotenv(text),
    }
}
