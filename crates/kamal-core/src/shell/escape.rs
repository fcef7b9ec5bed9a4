//! Quoting, in one place: POSIX words for what we write ourselves, and Kamal's own rendering of values, options and
//! env files (spec 4.1, 4.2, 6.3), whose effect on a host must equal Kamal's.

use crate::config::model::{DockerOptions, OptionValue};

/// Quotes a text as one POSIX shell word; words that need no quotes stay as they are.
#[must_use]
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    // zsh puts the path of a program for `=ls`.
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Quotes a path as one word in which the host's shell fills in variables, as in Kamal: `$PWD/app-db/data`.
#[must_use]
pub fn path(text: &str) -> String {
    let bare = text.replace("$PWD", "");
    if word(&bare) == bare || bare.is_empty() {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for (at, c) in text.char_indices() {
        let is_command = c == '$' && text[at..].starts_with("$(");
        if matches!(c, '"' | '\\' | '`') || is_command {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// Renders a value as Kamal does for env, labels and options (spec 4.1): double-quoted, control characters in Ruby's
/// `dump` spelling, `${…}` left to the host's shell.
///
/// Two of Kamal's slips are fixed: text outside ASCII stands inside the quotes, so that blanks beside it cannot
/// split the word, and `#{` gets no stray backslash. The empty text renders as nothing, as in Kamal.
#[must_use]
pub fn value(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '`' => out.push_str("\\`"),
            '$' if !(rest.starts_with("${") && rest.contains('}')) => out.push_str("\\$"),
            // A backslash before `n` survives double quotes in a POSIX shell, so the container sees two characters.
            c => dumped(c, &mut out),
        }
        rest = &rest[c.len_utf8()..];
    }
    out.push('"');
    out
}

/// Renders one line of an env file, without its newline (spec 6.3): docker reads values literally, so a newline has
/// to arrive as the two characters Kamal writes.
#[must_use]
pub fn env_file_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c => dumped(c, &mut out),
        }
    }
    out
}

/// Ruby's `String#dump` for one character, without what quoting needs.
fn dumped(c: char, out: &mut String) {
    match c {
        c if named(c).is_some() => out.extend(named(c)),
        c if (c as u32) < 0x20 || c == '\x7f' => out.push_str(&format!("\\x{:02X}", c as u32)),
        c => out.push(c),
    }
}

/// The characters Ruby has a letter for.
pub(crate) const fn named(c: char) -> Option<&'static str> {
    match c {
        '\n' => Some("\\n"),
        '\t' => Some("\\t"),
        '\r' => Some("\\r"),
        '\x07' => Some("\\a"),
        '\x08' => Some("\\b"),
        '\x0b' => Some("\\v"),
        '\x0c' => Some("\\f"),
        '\x1b' => Some("\\e"),
        _ => None,
    }
}

/// `flag key=value` for each pair (spec 4.2, argumentize). `false` stays bare. An empty value is one, and is given: of a
/// key alone docker makes what stands in its own environment, or nothing.
pub fn pairs<'a>(flag: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    pairs
        .into_iter()
        .map(|(key, text)| match (word(key), text) {
            (key, "false") => format!("{flag} {key}=false"),
            (key, text) => format!("{flag} {key}={}", value(text)),
        })
        .collect()
}

/// `--key value` for each option (spec 4.2, optionize).
#[must_use]
pub fn options(options: &DockerOptions) -> Vec<String> {
    let flag = |key: &str| word(&format!("--{key}"));
    // An empty text is a word all the same: without one the next would be taken for the value.
    let one = |key: &str, text: &str| match text {
        "" => format!("{} \"\"", flag(key)),
        text => format!("{} {}", flag(key), value(text)),
    };
    options
        .iter()
        .flat_map(|(key, option)| match option {
            OptionValue::Flag => vec![flag(key)],
            OptionValue::One(text) => vec![one(key, text)],
            OptionValue::Many(texts) => texts.iter().map(|text| one(key, text)).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_when_needed() {
        assert_eq!(word("a-b/c:1"), "a-b/c:1");
        assert_eq!(word(""), "''");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word("$HOME"), "'$HOME'");
    }

    #[test]
    fn paths_are_one_word_with_variables_in_it() {
        for (text, quoted) in [
            ("$PWD/app-db/data", "$PWD/app-db/data"),
            ("/var/data", "/var/data"),
            ("/mnt/my disk", "\"/mnt/my disk\""),
            ("$PWD/app/${NODE}/it's", "\"$PWD/app/${NODE}/it's\""),
            ("/a\"b`id`$(id)\\", r#""/a\"b\`id\`\$(id)\\""#),
        ] {
            assert_eq!(path(text), quoted);
        }
    }

    #[test]
    fn values_render_as_in_the_golden_vectors() {
        for (text, rendered) in [
            ("plain", r#""plain""#),
            ("q\"q", r#""q\"q""#),
            (r"b\s", r#""b\\s""#),
            ("a\nb\tc\x1b\x01\x7f", r#""a\nb\tc\e\x01\x7F""#),
            ("$HOME", r#""\$HOME""#),
            ("$(id)", r#""\$(id)""#),
            ("^a$", r#""^a\$""#),
            ("${PWD}", r#""${PWD}""#),
            ("${cat /etc/hostname}", r#""${cat /etc/hostname}""#),
            ("${PWD]", r#""\${PWD]""#),
            ("it's !x", r#""it's !x""#),
            ("`id`", r#""\`id\`""#),
            ("café au", r#""café au""#),
            ("https://example.com/$2", r#""https://example.com/\$2""#),
            ("", ""),
        ] {
            assert_eq!(value(text), rendered, "{text:?}");
        }
    }

    #[test]
    fn env_files_keep_everything_but_control_characters() {
        assert_eq!(env_file_value("hello\nthere"), r"hello\nthere");
        assert_eq!(env_file_value(r"hello\nthere"), r"hello\\nthere");
        assert_eq!(env_file_value(r##"#$foo #{bar} "q" 'x' é 🙂"##), r##"#$foo #{bar} "q" 'x' é 🙂"##);
    }

    #[test]
    fn pairs_and_options_follow_kamal() {
        assert_eq!(
            pairs("--label", [("foo", "`bar`"), ("baz", "qux"), ("quux", ""), ("quuz", "false")]),
            [r#"--label foo="\`bar\`""#, r#"--label baz="qux""#, "--label quux=", "--label quuz=false"]
        );
        let many = OptionValue::Many(vec!["a:1".into(), "b:2".into()]);
        let given = vec![
            ("foo".to_owned(), OptionValue::One("bar".into())),
            ("quux".to_owned(), OptionValue::Flag),
            ("add-host".to_owned(), many),
        ];
        assert_eq!(pairs("--env", [("A;id", "b")]), [r#"--env 'A;id'="b""#]);
        assert_eq!(pairs("--env", [("A", ""), ("B", " ")]), ["--env A=", r#"--env B=" ""#]);
        assert_eq!(options(&vec![("x".to_owned(), OptionValue::One(String::new()))]), [r#"--x """#]);
        assert_eq!(options(&vec![("x $(id)".to_owned(), OptionValue::Flag)]), ["'--x $(id)'"]);
        assert_eq!(options(&given), [r#"--foo "bar""#, "--quux", r#"--add-host "a:1""#, r#"--add-host "b:2""#]);
    }
}
