//! Matching of hosts and roles with wildcards, as `File.fnmatch(pattern, text, FNM_EXTGLOB)` does (spec 1.6).

/// True when the whole text matches the pattern: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}` and backslash escapes. A leading
/// dot has to be written out.
#[must_use]
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    alternatives(pattern).iter().any(|pattern| {
        let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
        let hidden = text.first() == Some(&'.') && pattern.first() != Some(&'.') && pattern.first() != Some(&'\\');
        !hidden && glob(&pattern, &text)
    })
}

/// Expands the first `{a,b}` and what is left, recursively.
pub(crate) fn alternatives(pattern: &str) -> Vec<String> {
    let chars: Vec<char> = pattern.chars().collect();
    let Some(open) = position(&chars, 0, '{') else { return vec![pattern.to_owned()] };
    let (mut depth, mut parts, mut start) = (0, Vec::new(), open + 1);
    for i in open..chars.len() {
        match chars[i] {
            '{' => depth += 1,
            ',' if depth == 1 => {
                parts.push(&chars[start..i]);
                start = i + 1;
            }
            '}' if depth == 1 => {
                parts.push(&chars[start..i]);
                let (head, tail) = (&chars[..open], &chars[i + 1..]);
                return parts
                    .iter()
                    .flat_map(|part| alternatives(&[head, part, tail].concat().iter().collect::<String>()))
                    .collect();
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    vec![pattern.to_owned()]
}

fn position(chars: &[char], from: usize, wanted: char) -> Option<usize> {
    let mut i = from;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 1,
            c if c == wanted => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some('*'), _) => glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..])),
        (Some('?'), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some('['), Some(&c)) => match class(&pattern[1..], c) {
            Some((hit, rest)) => hit && glob(rest, &text[1..]),
            None => c == '[' && glob(&pattern[1..], &text[1..]),
        },
        (Some('\\'), Some(c)) if pattern.len() > 1 => pattern[1] == *c && glob(&pattern[2..], &text[1..]),
        (Some(p), Some(c)) => p == c && glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}

/// Whether a character is in the class that follows a `[`, and the pattern behind the class; `None` when it is open.
fn class(pattern: &[char], c: char) -> Option<(bool, &[char])> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let body = &pattern[usize::from(negated)..];
    let end = body.iter().skip(1).position(|&p| p == ']')? + 1;
    let (set, mut hit, mut i) = (&body[..end], false, 0);
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            hit |= (set[i]..=set[i + 2]).contains(&c);
            i += 3;
        } else {
            hit |= set[i] == c;
            i += 1;
        }
    }
    Some((hit != negated, &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_as_ruby_does() {
        for (pattern, text, expected) in [
            ("1.1.1.1*", "1.1.1.1", true),
            ("1.1.1.1*", "1.1.1.2", false),
            ("*", "1.1.1.1", true),
            ("1.1.1.[12]", "1.1.1.2", true),
            ("1.1.1.[12]", "1.1.1.3", false),
            ("1.1.1.[!12]", "1.1.1.3", true),
            ("[a-c]x", "bx", true),
            ("w*", "web", true),
            ("we?", "web", true),
            ("{web,jobs}", "jobs", true),
            ("a{b,c{d,e}}", "ace", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*a", ".a", false),
            (".*", ".a", true),
            ("*", "a/b", true),
            ("[", "[", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} on {text}");
        }
    }
}
