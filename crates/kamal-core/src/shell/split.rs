//! A line in the words a shell would make of it, by the rules of Ruby's `Shellwords`, which aliases and the commands of
//! secrets files are read by. A `#` begins no comment.

/// The words of a line: blanks separate them, quotes and backslashes keep what is in or behind them. `None` where a quote
/// is not closed.
#[must_use]
pub fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(is_blank);
    while !rest.is_empty() {
        let mut word = String::new();
        rest = next(rest, &mut word)?.trim_start_matches(is_blank);
        words.push(word);
    }
    Some(words)
}

/// The first word, and what is behind it.
fn next<'l>(line: &'l str, word: &mut String) -> Option<&'l str> {
    let mut rest = line;
    while let Some(first) = rest.chars().next().filter(|c| !is_blank(*c)) {
        rest = match first {
            '\'' => {
                let (inner, after) = rest[1..].split_once('\'')?;
                word.push_str(inner);
                after
            }
            '"' => double_quoted(&rest[1..], word)?,
            '\\' => escaped(&rest[1..], |c| c != '\n', word),
            _ => {
                let end = rest.find(|c| is_blank(c) || "\\'\"".contains(c)).unwrap_or(rest.len());
                word.push_str(&rest[..end]);
                &rest[end..]
            }
        };
    }
    Some(rest)
}

/// What is behind the quote that closes the word, which goes to `word`.
fn double_quoted<'l>(text: &'l str, word: &mut String) -> Option<&'l str> {
    let mut rest = text;
    loop {
        let end = rest.find(['"', '\\'])?;
        word.push_str(&rest[..end]);
        let (special, after) = rest[end..].split_at(1);
        if special == "\"" {
            return Some(after);
        }
        rest = escaped(after, |c| "$`\"\\\n".contains(c), word);
    }
}

/// A character behind a backslash, which is dropped before some.
fn escaped<'l>(rest: &'l str, drops: impl Fn(char) -> bool, word: &mut String) -> &'l str {
    let next = rest.chars().next();
    if !next.is_some_and(drops) {
        word.push('\\');
    }
    word.extend(next);
    &rest[next.map_or(0, char::len_utf8)..]
}

/// Ruby's `\s`.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_as_ruby_splits_them() {
        for (line, words) in [
            ("", Some(&[][..])),
            ("  a  b\tc\nd ", Some(&["a", "b", "c", "d"])),
            ("echo #x y", Some(&["echo", "#x", "y"])),
            ("'a b'c\"d e\"", Some(&["a bcd e"])),
            ("'' \"\"", Some(&["", ""])),
            (r"a\ b \'c \\", Some(&["a b", "'c", r"\"])),
            (r#""a\"b \$c \`d \\e \n f""#, Some(&[r#"a"b $c `d \e \n f"#])),
            (r"'a\b'", Some(&[r"a\b"])),
            ("\"a\\\nb\" c\\\nd", Some(&["a\nb", "c\\\nd"])),
            (r"end\", Some(&[r"end\"])),
            ("$HOME *.rb {a,b} é~ !", Some(&["$HOME", "*.rb", "{a,b}", "é~", "!"])),
            ("it's", None),
            ("say \"x", None),
            (r#"say "x\""#, None),
        ] {
            let words = words.map(|words| words.iter().map(|word| (*word).to_owned()).collect());
            assert_eq!(split(line), words, "{line:?}");
        }
    }
}
