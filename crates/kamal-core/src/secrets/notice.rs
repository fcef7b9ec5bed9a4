//! What a user should know about a secret that is put to use, without the value itself.

use super::Secrets;
use crate::{redact::weak, secret::Secret, shell::escape};

/// What becomes of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is a variable of a container.
    Variable,
    /// Anything else: a password, a certificate.
    Other,
}

/// What is odd about a secret, with its file and line.
#[must_use]
pub fn notice(secrets: &Secrets, key: &str, value: &Secret, used_as: Use) -> Option<String> {
    let value = value.expose();
    let uncovered = weak(value).map(|why| format!("{why}, so it is not covered where it is shown"));
    let changed = value.chars().find(|c| escape::env_file_value(&c.to_string()) != c.to_string());
    let changed = changed.filter(|_| used_as == Use::Variable).map(|c| {
        let spelled = escape::env_file_value(&c.to_string());
        format!("reaches the container with other bytes, as in Kamal: {} becomes {spelled}", named(c))
    });
    let found: Vec<String> = changed.into_iter().chain(uncovered).collect();
    let place = secrets.place(key).map(|(path, line)| format!("{path}:{line}: ")).unwrap_or_default();
    (!found.is_empty()).then(|| format!("{place}{key} {}", found.join("; it ")))
}

fn named(c: char) -> String {
    match c {
        '\n' => "a line break".to_owned(),
        '\t' => "a tab".to_owned(),
        '\\' => "a backslash".to_owned(),
        c => format!("the character {c:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretsFile;
    use super::*;

    #[test]
    fn secrets_that_change_or_cannot_be_covered_are_told_without_their_value() {
        let text = "\nPEM=\"A\nB\n\"\nWIN='C:\\new'\nHASH='pa#$word'\nUNI=h\u{e9}llo-there\nPORT=5432\n";
        let file = SecretsFile { path: ".kamal/secrets".to_owned(), text: Secret::new(text) };
        let secrets = Secrets::new(&[file], &[]).unwrap();
        let told = |key: &str, value: &str, used_as| notice(&secrets, key, &Secret::new(value), used_as);
        let bytes = "reaches the container with other bytes, as in Kamal:";
        let pem = format!(".kamal/secrets:2: PEM {bytes} a line break becomes \\n");
        assert_eq!(told("PEM", "long\nenough\n", Use::Variable), Some(pem));
        let win = format!(".kamal/secrets:5: WIN {bytes} a backslash becomes \\\\");
        assert_eq!(told("WIN", "C:\\new\\x", Use::Variable), Some(win));
        for (key, value) in [("HASH", "pa#$word"), ("UNI", "h\u{e9}llo-there"), ("HASH", "a\"b'c ${x}")] {
            assert_eq!(told(key, value, Use::Variable), None, "{key}");
        }
        assert_eq!(told("PEM", "long\nenough\n", Use::Other), None);
        let port = "is a common word or number, so it is not covered where it is shown";
        assert_eq!(told("PORT", "5432", Use::Other), Some(format!(".kamal/secrets:8: PORT {port}")));
        let both = told("PORT", "a\tb", Use::Variable).unwrap();
        assert!(both.contains("a tab becomes \\t; it is shorter than four characters"), "{both}");
    }
}
