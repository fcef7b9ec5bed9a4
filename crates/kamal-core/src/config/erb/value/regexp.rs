//! Regular expressions in Ruby's words, run by a library that knows most of them.

use std::rc::Rc;

use fancy_regex::RegexBuilder;

/// A regular expression.
#[derive(Debug)]
pub(crate) struct Regexp {
    pub(crate) source: String,
    /// Of `mix`.
    pub(crate) flags: String,
    pattern: fancy_regex::Regex,
}

/// What a regular expression found: the text, and the groups in it as byte ranges.
#[derive(Debug)]
pub(crate) struct Match {
    pub(crate) subject: Rc<str>,
    pub(crate) groups: Vec<Option<(usize, usize)>>,
    pub(crate) names: Vec<Option<Rc<str>>>,
}

/// Steps back before a search is given up.
const MAX_BACKTRACKS: usize = 100_000;
/// The bytes a pattern may take once it is understood.
const MAX_SIZE: usize = 1 << 20;

impl Regexp {
    /// The error says what is not understood.
    pub(crate) fn new(source: &str, flags: &str) -> Result<Self, String> {
        let pattern = RegexBuilder::new(&translated(source, flags.contains('x')))
            .multi_line(true)
            .oniguruma_mode(true)
            .case_insensitive(flags.contains('i'))
            .dot_matches_new_line(flags.contains('m'))
            .verbose_mode(flags.contains('x'))
            .backtrack_limit(MAX_BACKTRACKS)
            .delegate_size_limit(MAX_SIZE)
            .build()
            .map_err(|error| format!("this regular expression is not understood: {error}"))?;
        let flags = ["m", "i", "x"].into_iter().filter(|flag| flags.contains(flag)).collect();
        Ok(Self { source: source.to_owned(), flags, pattern })
    }

    /// What is found first at or behind a byte.
    pub(crate) fn find(&self, text: &Rc<str>, from: usize) -> Result<Option<Match>, String> {
        if from > text.len() {
            return Ok(None);
        }
        let found = self.pattern.captures_from_pos(&**text, from);
        let found = found.map_err(|_| "this regular expression takes too long".to_owned())?;
        Ok(found.map(|captures| {
            let groups =
                (0..captures.len()).map(|group| captures.get(group).map(|at| (at.start(), at.end()))).collect();
            let names = self.pattern.capture_names().map(|name| name.map(Rc::from)).collect();
            Match { subject: Rc::clone(text), groups, names }
        }))
    }

    /// Ruby's `to_s`, which can be put into another regular expression.
    pub(crate) fn print(&self) -> String {
        let off: String = ["m", "i", "x"].into_iter().filter(|flag| !self.flags.contains(flag)).collect();
        let off = if off.is_empty() { off } else { format!("-{off}") };
        format!("(?{}{off}:{})", self.flags, self.source)
    }
}

impl Match {
    /// A group's text.
    pub(crate) fn text(&self, group: usize) -> Option<String> {
        let (start, end) = (*self.groups.get(group)?)?;
        self.subject.get(start..end).map(str::to_owned)
    }

    pub(crate) fn named(&self, name: &str) -> Option<Option<String>> {
        let group = self.names.iter().position(|known| known.as_deref() == Some(name))?;
        Some(self.text(group))
    }

    /// Where it begins and ends.
    pub(crate) fn range(&self) -> (usize, usize) {
        self.groups.first().copied().flatten().unwrap_or_default()
    }
}

/// POSIX classes behind their `[`, and their members: in Ruby those of all languages.
const POSIX: [(&str, &str); 14] = [
    (":alpha:]", r"\p{Alphabetic}"),
    (":alnum:]", r"\p{Alphabetic}\p{Nd}"),
    (":digit:]", r"\p{Nd}"),
    (":lower:]", r"\p{Lowercase}"),
    (":upper:]", r"\p{Uppercase}"),
    (":space:]", r"\p{White_Space}"),
    (":blank:]", r"\p{Zs}\t"),
    (":word:]", r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}"),
    (":punct:]", r"\p{P}\$\+<=>\^`\|\~"),
    (":^alpha:]", r"\P{Alphabetic}"),
    (":^digit:]", r"\P{Nd}"),
    (":^lower:]", r"\P{Lowercase}"),
    (":^upper:]", r"\P{Uppercase}"),
    (":^space:]", r"\P{White_Space}"),
];

/// The members of the POSIX class that stands here, and the length of its name.
fn posix(rest: impl Iterator<Item = char>) -> Option<(&'static str, usize)> {
    let rest: String = rest.take(10).collect();
    POSIX.iter().find(|(name, _)| rest.starts_with(name)).map(|(name, members)| (*members, name.len()))
}

/// A pattern in the library's words: Ruby's `\d`, `\w`, `\s` know ASCII only, and its groups of flags say `m` for `s`.
/// Where blanks count for nothing, those that are escaped or in a class do.
fn translated(source: &str, verbose: bool) -> String {
    let mut out = String::new();
    let mut characters = source.chars().peekable();
    let mut class = 0_usize;
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                let escaped = characters.next();
                let inside = class > 0;
                match escaped {
                    Some('d') => out.push_str(if inside { "0-9" } else { "[0-9]" }),
                    Some('w') => out.push_str(if inside { "a-zA-Z0-9_" } else { "[a-zA-Z0-9_]" }),
                    Some('s') => out.push_str(if inside { r"\x20\t\r\n\f\x0b" } else { r"[\x20\t\r\n\f\x0b]" }),
                    Some('h') => out.push_str(if inside { "0-9a-fA-F" } else { "[0-9a-fA-F]" }),
                    Some('D') if !inside => out.push_str("[^0-9]"),
                    Some('W') if !inside => out.push_str("[^a-zA-Z0-9_]"),
                    Some('S') if !inside => out.push_str(r"[^\x20\t\r\n\f\x0b]"),
                    Some('H') if !inside => out.push_str("[^0-9a-fA-F]"),
                    Some('Z') => out.push_str(r"(?=\n?\z)"),
                    Some(c) if c.is_ascii_whitespace() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
                    // Ruby lets anything be escaped.
                    Some(c) if !c.is_alphanumeric() && !c.is_ascii_punctuation() => out.push(c),
                    Some(c @ ('"' | '\'' | ',' | ':' | ';' | '=' | '@' | '%' | '`' | '/' | '_')) => out.push(c),
                    Some(c) => {
                        out.push('\\');
                        out.push(c);
                    }
                    None => out.push('\\'),
                }
            }
            '[' => {
                // A `[` in a class begins a class in it, or a POSIX one.
                if class > 0
                    && let Some((members, length)) = posix(characters.clone())
                {
                    out.push_str(members);
                    characters.nth(length - 1);
                    continue;
                }
                class += 1;
                out.push('[');
                if characters.peek() == Some(&'^') {
                    out.extend(characters.next());
                }
                if characters.peek() == Some(&']') {
                    characters.next();
                    out.push_str("\\]");
                }
            }
            ']' => {
                class = class.saturating_sub(1);
                out.push(']');
            }
            // `(?m-ix:…)`, which is how another regular expression prints.
            '(' if class == 0 && characters.peek() == Some(&'?') => {
                out.push('(');
                let mut ahead = characters.clone();
                ahead.next();
                let flags: String = ahead.by_ref().take_while(|c| "mix-".contains(*c)).collect();
                let close = characters.clone().nth(1 + flags.chars().count());
                if !flags.is_empty() && matches!(close, Some(':' | ')')) {
                    out.push('?');
                    out.push_str(&flags.replace('m', "s"));
                    characters.nth(flags.chars().count());
                }
            }
            // Brackets in a remark are none.
            '#' if verbose && class == 0 => while characters.next().is_some_and(|c| c != '\n') {},
            c if class > 0 && (c == '#' || c.is_ascii_whitespace()) => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}
