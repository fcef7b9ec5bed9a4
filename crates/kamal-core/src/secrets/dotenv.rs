//! The grammar of a secrets file, as the dotenv gem (3.x) reads it (spec 3.2): `KEY=value` lines, single and double
//! quotes that may span lines, comments; what fits no rule is skipped.

use zeroize::Zeroizing;

use crate::secret::Secret;

/// A value before anything in it is expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// The line its key stands on, from 1.
    pub(crate) line: usize,
}

/// How a value is written decides what is expanded in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// In single quotes: taken as it is.
    Literal(Secret),
    /// In double quotes.
    Quoted(Secret),
    /// Without quotes.
    Bare(Secret),
    /// `export KEY` alone: a claim that the key is set above.
    Exported,
}

/// A file taken apart.
#[derive(Debug, Default)]
pub(crate) struct Scanned {
    /// The entries, and whether a comment begins in the middle of what looks like the value.
    pub(crate) entries: Vec<(Entry, bool)>,
    /// Lines that are neither an entry nor a comment.
    pub(crate) skipped: Vec<usize>,
}

/// Reads all entries in order.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    scan(text).entries.into_iter().map(|(entry, _)| entry).collect()
}

/// Reads all entries in order, and notes what is passed over.
pub(crate) fn scan(text: &str) -> Scanned {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = Zeroizing::new(Zeroizing::new(text.replace("\r\n", "\n")).replace('\r', "\n"));
    let mut found = Scanned::default();
    let mut at = 0;
    let mut line = 1;
    while at < text.len() {
        let (next, counted) = match entry(&text, at) {
            Some((key_at, key, value, end)) => {
                let line = line + newlines(&text[at..key_at]);
                let cut = matches!(value, Value::Bare(_)) && is_cut(&text[key_at..end]);
                found.entries.push((Entry { key, value, line }, cut));
                (end, at)
            }
            None => {
                let rest = text[at..].split('\n').next().unwrap_or_default().trim();
                if !rest.is_empty() && !rest.starts_with('#') {
                    found.skipped.push(line);
                }
                (at, at)
            }
        };
        // On to the next line, which is where an entry can begin.
        let next = text[next..].find('\n').map_or(text.len(), |newline| next + newline + 1);
        line += newlines(&text[counted..next]);
        at = next;
    }
    found
}

/// Whether the comment of an entry without quotes begins right behind something of its value.
fn is_cut(entry: &str) -> bool {
    let Some((_, value)) = entry.split_once(['=', ':']) else { return false };
    let (kept, comment) = value.split_at(bare_length(value));
    comment.starts_with('#') && kept.ends_with(|c: char| !c.is_whitespace())
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// An entry beginning at the line start `at`: where its key stands, the key, its value, and where it ends.
fn entry(text: &str, at: usize) -> Option<(usize, String, Value, usize)> {
    let start = skip_blank(text, at);
    // `export` may also be a key of its own (`export=1`), hence the second try.
    let exported = text[start..].strip_prefix("export").and_then(|rest| {
        let key = skip_blank(text, text.len() - rest.len());
        (key > text.len() - rest.len()).then_some(key)
    });
    exported.and_then(|key| key_and_value(text, key, true)).or_else(|| key_and_value(text, start, false))
}

fn key_and_value(text: &str, at: usize, export: bool) -> Option<(usize, String, Value, usize)> {
    let length = text[at..].bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')).count();
    if length == 0 {
        return None;
    }
    let key = text[at..at + length].to_owned();
    let after = at + length;
    if let Some(separated) = separator(text, after)
        && let Some((value, end)) = value(text, separated)
    {
        return Some((at, key, value, end));
    }
    let end = tail(text, after)?;
    let value = if export { Value::Exported } else { Value::Bare(Secret::new("")) };
    Some((at, key, value, end))
}

/// `=` with blanks around it, or `:` and a blank.
fn separator(text: &str, at: usize) -> Option<usize> {
    let equals = skip_blank(text, at);
    if text[equals..].starts_with('=') {
        return Some(equals + 1);
    }
    let rest = text[at..].strip_prefix(':')?;
    rest.starts_with(is_blank).then_some(at + 2)
}

fn value(text: &str, at: usize) -> Option<(Value, usize)> {
    let start = skip_blank(text, at);
    for quote in ['\'', '"'] {
        if text[start..].starts_with(quote)
            && let Some((inner, end)) = quoted(text, start, quote)
        {
            return Some((
                if quote == '"' { Value::Quoted(Secret::new(inner)) } else { Value::Literal(Secret::new(inner)) },
                end,
            ));
        }
    }
    let length = bare_length(&text[at..]);
    let raw = text[at..at + length].trim();
    let value = match strip_quotes(raw) {
        Some(('\'', inner)) => Value::Literal(Secret::new(inner)),
        Some((_, inner)) => Value::Quoted(Secret::new(inner)),
        None => Value::Bare(Secret::new(raw)),
    };
    Some((value, tail(text, at + length)?))
}

/// What stands between quotes, where nothing but a comment may follow. A backslash keeps a quote from closing, unless
/// the entry would never close then.
fn quoted(text: &str, start: usize, quote: char) -> Option<(String, usize)> {
    let mut escaped = Vec::new();
    let mut closing = None;
    for (offset, character) in text[start + 1..].char_indices() {
        let at = start + 1 + offset;
        if character == quote {
            if text[..at].ends_with('\\') && at > start + 1 {
                escaped.push(at);
            } else {
                closing = Some(at);
                break;
            }
        }
    }
    let candidates = closing.into_iter().chain(escaped.into_iter().rev());
    candidates.filter_map(|close| Some((text[start + 1..close].to_owned(), tail(text, close + 1)?))).next()
}

/// Up to a comment or the end of the line. A `#` inside `$(…)` belongs to the command.
fn bare_length(text: &str) -> usize {
    let line = text.split('\n').next().unwrap_or_default();
    let mut at = 0;
    while at < line.len() {
        let rest = &line[at..];
        // `${#NAME}` is told of, not cut short.
        let length_of = line[..at].ends_with("${") && rest.contains('}');
        if rest.starts_with('#') && !length_of {
            return at;
        }
        let escaped = line[..at].ends_with('\\');
        let command = rest.strip_prefix('$').filter(|_| !escaped).and_then(super::expand::command_length);
        at += command.map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), |length| length + 1);
    }
    line.len()
}

fn strip_quotes(raw: &str) -> Option<(char, &str)> {
    let quote = raw.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = raw.strip_prefix(quote)?.strip_suffix(quote)?;
    Some((quote, inner))
}

/// Blanks and a comment up to the end of the line.
fn tail(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let line = rest.split('\n').next().unwrap_or_default();
    let trimmed = line.trim_start();
    (trimmed.is_empty() || trimmed.starts_with('#')).then_some(at + line.len())
}

fn skip_blank(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(is_blank).len()
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}
