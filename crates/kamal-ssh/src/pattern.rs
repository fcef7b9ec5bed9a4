//! Patterns of OpenSSH's files: `*` stands for any text, `?` for one character.

/// True when the whole name fits the pattern.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // The last star seen, and where its text ends so far: enough to go back, and never more than pattern × name steps.
    let (mut p, mut n, mut star) = (0, 0, None);
    while let Some(c) = name.get(n) {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(expected) if *expected == '?' || expected == c => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star_at, end)) = star else { return false };
                star = Some((star_at, end + 1));
                p = star_at + 1;
                n = end + 1;
            }
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == '*'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_marks() {
        for (pattern, name, expected) in [
            ("*.example.com", "web.example.com", true),
            ("*.example.com", "example.com", false),
            ("10.0.?.1", "10.0.3.1", true),
            ("10.0.?.1", "10.0.33.1", false),
            ("*", "", true),
            ("", "a", false),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("[web]:2222", "[web]:2222", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
