//! Backslashes, `$VARIABLES` and `$(commands)` in a value (spec 3.2). The text is walked once, so what a command
//! printed is never expanded again.

use zeroize::Zeroizing;

use super::CommandError;
use crate::secret::Secret;

/// What a secrets file may ask of the world.
pub trait Commands {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// Runs a command line as `sh -c` would.
    ///
    /// # Errors
    ///
    /// Why it could not be run at all, without repeating the command, which may hold a secret. One that fails is none.
    fn run(&self, command: &str) -> Result<Ran, CommandError>;

    /// Runs `kamal secrets …` inside this process. `args` begins with `secrets`; the answer is what goes into the
    /// value, for `fetch` shell-escaped so that it is one word again when it is inserted into another command.
    ///
    /// # Errors
    ///
    /// Why there is no value.
    fn inline_kamal(&self, args: &[String]) -> Result<String, CommandError>;
}

/// How a command went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ran {
    /// Its standard output.
    pub printed: Zeroizing<String>,
    /// Its exit status. Kamal takes what a failing command printed, so a value that is not blank does not depend on it.
    pub status: i32,
}

impl Ran {
    /// A command that succeeded.
    pub fn printed(text: impl Into<String>) -> Self {
        Self { printed: Zeroizing::new(text.into()), status: 0 }
    }

    /// The same, ended with another exit status.
    #[must_use]
    pub fn ended(self, status: i32) -> Self {
        Self { status, ..self }
    }
}

/// A command of a value.
#[derive(Clone, Copy)]
pub(crate) struct Command<'t> {
    /// As it stands in the file.
    pub(crate) written: &'t str,
    /// With the variables filled in.
    pub(crate) filled: &'t str,
}

/// Expands a value. `variable` answers for `$NAME`, `command` for `$(…)`, both in the value and, for variables, in
/// the command's own text. `quoted` says that the value stood in double quotes.
pub(crate) fn expand<E>(
    value: &str,
    quoted: bool,
    variable: &mut dyn FnMut(&str) -> Result<Secret, E>,
    command: &mut dyn FnMut(Command<'_>) -> Result<Secret, E>,
) -> Result<Zeroizing<String>, E> {
    let value = unescape(value, quoted);
    let mut out = Zeroizing::new(String::new());
    let mut rest = value.as_str();
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        if let Some(before) = before.strip_suffix('\\') {
            out.push_str(before);
            out.push('$');
            // An escaped command is literal as a whole, an escaped variable is up to its name.
            let literal = command_length(after).unwrap_or(0);
            out.push_str(&after[..literal]);
            rest = skip_name(&after[literal..], literal == 0, &mut out);
            continue;
        }
        out.push_str(before);
        if let Some(length) = command_length(after) {
            let written = &after[1..length - 1];
            let filled = variables(written, variable)?;
            out.push_str(command(Command { written, filled: &filled })?.expose());
            rest = &after[length..];
        } else if let Some((name, length)) = name(after) {
            out.push_str(variable(name)?.expose());
            rest = &after[length..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The variables alone.
fn variables<E>(text: &str, variable: &mut dyn FnMut(&str) -> Result<Secret, E>) -> Result<Zeroizing<String>, E> {
    let mut out = Zeroizing::new(String::new());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        match name(after) {
            Some(_) if before.ends_with('\\') => {
                out.push_str(&before[..before.len() - 1]);
                out.push('$');
                rest = skip_name(after, true, &mut out);
            }
            Some((name, length)) => {
                out.push_str(before);
                out.push_str(variable(name)?.expose());
                rest = &after[length..];
            }
            None => {
                out.push_str(before);
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn skip_name<'a>(text: &'a str, wanted: bool, out: &mut String) -> &'a str {
    match name(text).filter(|_| wanted) {
        Some((_, length)) => {
            out.push_str(&text[..length]);
            &text[length..]
        }
        None => text,
    }
}

/// A name after `$`, with or without braces, and how long it is with them.
fn name(text: &str) -> Option<(&str, usize)> {
    let braced = text.starts_with('{');
    let start = usize::from(braced);
    let length = text[start..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if length == 0 {
        return None;
    }
    let end = start + length;
    // The gem takes a closing brace also where none was opened.
    let closed = usize::from(text[end..].starts_with('}'));
    Some((&text[start..end], end + closed))
}

/// Drops backslashes, but those before `$`. Inside a command they are the command's own, as in a shell
/// (`printf 'a\nb'`, `sed 's/\(.\)/\1/'`); the gem drops those too, which leaves commands that cannot have been meant. Only
/// what the file's own grammar takes them for is undone there: two are one, and one before a double quote keeps it from
/// closing a value in double quotes.
fn unescape(value: &str, quoted: bool) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::new());
    let mut command_end = 0;
    let mut characters = value.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character == '$'
            && at >= command_end
            && !value[..at].ends_with('\\')
            && let Some(length) = command_length(&value[at + 1..])
        {
            command_end = at + 1 + length;
        }
        if character != '\\' {
            out.push(character);
            continue;
        }
        match characters.peek() {
            Some((_, '$')) | None => out.push('\\'),
            Some((_, next)) if at < command_end && *next != '\\' && !(quoted && *next == '"') => out.push('\\'),
            Some((_, next)) => {
                out.push(*next);
                characters.next();
            }
        }
    }
    out
}

/// Whether a value loses a backslash that keeps nothing else from its meaning.
pub(crate) fn drops_backslashes(value: &str, quoted: bool) -> bool {
    let kept = if quoted { "\\$\"nr" } else { "\\$\"'# " };
    let mut characters = value.char_indices().peekable();
    let mut command_end = 0;
    while let Some((at, character)) = characters.next() {
        if character == '$'
            && at >= command_end
            && let Some(length) = command_length(&value[at + 1..])
        {
            command_end = at + 1 + length;
        }
        if character == '\\' {
            let next = characters.next().map(|(_, next)| next);
            if at >= command_end && next.is_some_and(|next| !kept.contains(next)) {
                return true;
            }
        }
    }
    false
}

/// The first construct of a shell's that values do not have, and what is to be known of it: `${NAME:-default}` and its
/// kin, of which the gem takes the name and leaves the rest behind it, and what it takes for text as a whole: a command
/// that is not closed, `$'…'`.
pub(crate) fn shell_construct(value: &str, quoted: bool) -> Option<String> {
    let whole = |open: &str, close: char| value.len() > open.len() && value.starts_with(open) && value.ends_with(close);
    if !quoted && whole("$'", '\'') {
        return Some("$'…' is shell syntax, and a secrets file knows '…' alone".to_owned());
    }
    if is_open(value) {
        let more = if quoted { "" } else { "; in double quotes it may go over several lines" };
        return Some(format!("$( begins a command that is not closed{more}"));
    }
    let starts = value.match_indices("${").filter(|(at, _)| !value[..*at].ends_with('\\'));
    let construct = |(at, _): (usize, &str)| {
        let inner = &value[at + 2..];
        let end = inner.find('}')?;
        let own = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let of_a_shell = inner.starts_with(own) || inner.starts_with(['#', '!']) && inner[1..].starts_with(own);
        (of_a_shell && !inner[..end].chars().all(own)).then(|| &value[at..at + 2 + braces(inner).unwrap_or(end + 1)])
    };
    let found = starts.filter_map(construct).next()?;
    Some(format!("{found} is shell syntax, and a secrets file knows $NAME and ${{NAME}} alone"))
}

/// How far it is to the brace that closes what is open.
fn braces(text: &str) -> Option<usize> {
    let mut depth = 1_usize;
    for (at, character) in text.char_indices() {
        depth = match character {
            '{' => depth + 1,
            '}' => depth - 1,
            _ => depth,
        };
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

/// Whether a command begins that does not end.
fn is_open(value: &str) -> bool {
    let mut rest = value;
    while let Some(at) = rest.find("$(") {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let length = command_length(after);
        if length.is_none() && !before.ends_with('\\') && !after.starts_with("()") {
            return true;
        }
        rest = &after[length.unwrap_or(1)..];
    }
    false
}

/// The length of `(…)` at the beginning of a text: up to the parenthesis that closes it for a shell, else, when the
/// quotes do not add up, up to the one that balances it.
pub(crate) fn command_length(text: &str) -> Option<usize> {
    if !text.starts_with('(') || text.starts_with("()") {
        return None;
    }
    balanced(text, true).or_else(|| balanced(text, false))
}

fn balanced(text: &str, quotes_count: bool) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match (character, quote) {
            ('\\', open) if open != Some('\'') => drop(characters.next()),
            ('\'' | '"', None) if quotes_count => quote = Some(character),
            (_, Some(open)) if character == open => quote = None,
            (_, Some(_)) => {}
            ('(', None) => depth += 1,
            (')', None) => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
