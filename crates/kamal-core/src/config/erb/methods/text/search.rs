//! What is looked for in texts, put in its place, or split at.

use std::rc::Rc;

use super::super::super::ast::Place;
use super::super::super::run::Run;
use super::super::super::stop::Stop;
use super::super::super::value::{Key, Match, Regexp, Value};
use super::super::{Call, Method, block, plain};
use super::edit::set;
use super::fits;

pub(in super::super) const SEARCH: &[Method] = &[
    plain("=~", 1, 1, |run, call| match call.value(0) {
        Value::Regexp(_) => run.send(call.value(0), "=~", std::slice::from_ref(call.receiver), call.place),
        Value::Nil => Ok(Value::Nil),
        _ => Err(call.raise("TypeError", "wrong argument type (expected Regexp)")),
    }),
    plain("match", 1, 1, |run, call| {
        let regexp = pattern(run, call, true)?;
        let found = run.search(&regexp, &subject(call)?, 0, call.place)?;
        Ok(found.map_or(Value::Nil, Value::Match))
    }),
    plain("match?", 1, 1, |run, call| {
        let before = run.last_match.clone();
        let regexp = pattern(run, call, true)?;
        let found = run.search(&regexp, &subject(call)?, 0, call.place)?.is_some();
        run.last_match = before;
        Ok(Value::Bool(found))
    }),
    plain("index", 1, 2, |run, call| {
        let text = subject(call)?;
        let from = if call.values.len() > 1 { call.size(1)? } else { 0 };
        let Some((from, _)) = text.char_indices().chain([(text.len(), ' ')]).nth(from) else { return Ok(Value::Nil) };
        let regexp = pattern(run, call, false)?;
        let found = run.search(&regexp, &text, from, call.place)?;
        Ok(found.map_or(Value::Nil, |found| Value::count(text[..found.range().0].chars().count())))
    }),
    plain("rindex", 1, 1, |_, call| {
        let text = call.subject()?;
        Ok(text.rfind(&call.text(0)?).map_or(Value::Nil, |at| Value::count(text[..at].chars().count())))
    }),
    block("scan", 1, 1, |run, call| {
        let regexp = pattern(run, call, false)?;
        let text = subject(call)?;
        let mut items = Vec::new();
        for found in run.all(&regexp, &text, call.place)? {
            let groups: Vec<Value> = (1..found.groups.len()).map(|group| Value::or_nil(found.text(group))).collect();
            let item = if groups.is_empty() { Value::or_nil(found.text(0)) } else { run.list(groups) };
            if call.block.is_some() {
                run.last_match = Some(found);
                call.yields(run, &[item])?;
            } else {
                items.push(item);
            }
        }
        Ok(if call.block.is_some() { call.receiver.clone() } else { run.list(items) })
    }),
    block("sub gsub", 1, 2, |run, call| replaced(run, call, call.name == "gsub").map(|(text, _)| Value::text(text))),
    block("sub! gsub!", 1, 2, |run, call| match replaced(run, call, call.name == "gsub!")? {
        (text, true) => set(call, text),
        (_, false) => Ok(Value::Nil),
    }),
    block("split", 0, 2, |run, call| {
        let parts = split(run, call)?;
        let Some(_) = call.block else { return Ok(run.texts(parts)) };
        for part in parts {
            call.yields(run, &[Value::text(part)])?;
        }
        Ok(call.receiver.clone())
    }),
    plain("partition", 1, 1, |run, call| {
        let regexp = pattern(run, call, false)?;
        let text = subject(call)?;
        let parts = match run.search(&regexp, &text, 0, call.place)? {
            Some(found) => {
                let (start, end) = found.range();
                [&text[..start], &text[start..end], &text[end..]]
            }
            None => [&text[..], "", ""],
        };
        Ok(run.texts(parts))
    }),
    plain("rpartition", 1, 1, |run, call| {
        let (text, separator) = (call.subject()?, call.text(0)?);
        let parts = match text.rfind(&separator) {
            Some(at) => [&text[..at], &text[at..at + separator.len()], &text[at + separator.len()..]],
            None => ["", "", &text],
        };
        Ok(run.texts(parts))
    }),
    plain("[]=", 2, 3, |run, call| {
        let text = subject(call)?;
        let new = call.text(call.values.len() - 1)?;
        if call.values.len() == 2 && matches!(call.value(0), Value::Text(_) | Value::Regexp(_)) {
            let regexp = pattern(run, call, false)?;
            let Some(found) = run.search(&regexp, &text, 0, call.place)? else {
                return Err(call.raise("IndexError", "string not matched"));
            };
            let (start, end) = found.range();
            return set(call, format!("{}{new}{}", &text[..start], &text[end..]));
        }
        Err(call.unknown())
    }),
];

fn subject(call: &Call<'_>) -> Result<Rc<str>, Stop> {
    call.subject().map(Rc::from)
}

/// The first argument as a regular expression. A text is one only where that `is_source`, else it means itself.
fn pattern(run: &mut Run<'_>, call: &Call<'_>, is_source: bool) -> Result<Rc<Regexp>, Stop> {
    match call.value(0) {
        Value::Regexp(regexp) => Ok(Rc::clone(regexp)),
        Value::Text(text) => {
            let text = text.borrow().clone();
            let source = if is_source { text } else { super::super::regexp::escaped(&text) };
            run.regexp(&source, "", call.place)
        }
        other => Err(call.no_conversion(other, "Regexp")),
    }
}

impl Run<'_> {
    /// The first place at or behind a byte, which is remembered as `$~`.
    pub(in super::super) fn search(
        &mut self,
        regexp: &Regexp,
        text: &Rc<str>,
        from: usize,
        place: Place,
    ) -> Result<Option<Rc<Match>>, Stop> {
        self.step(place)?;
        let found = regexp.find(text, from).map_err(|message| Stop::unknown(place, message))?;
        self.last_match = found.map(Rc::new);
        Ok(self.last_match.clone())
    }

    /// All places, one behind the other.
    fn all(&mut self, regexp: &Regexp, text: &Rc<str>, place: Place) -> Result<Vec<Rc<Match>>, Stop> {
        let mut all: Vec<Rc<Match>> = Vec::new();
        let mut from = 0;
        while let Some(found) = self.search(regexp, text, from, place)? {
            let (start, end) = found.range();
            // Something empty is found once at a place, and then what is behind it is looked at.
            let step = text[end..].chars().next().map_or(1, char::len_utf8);
            from = if end == start { end + step } else { end };
            all.push(found);
        }
        self.last_match = all.last().cloned();
        Ok(all)
    }
}

/// The text after `sub` or `gsub`, and whether anything was found.
fn replaced(run: &mut Run<'_>, call: &Call<'_>, all: bool) -> Result<(String, bool), Stop> {
    if call.values.len() == 1 && call.block.is_none() {
        return Err(call.unknown());
    }
    let regexp = pattern(run, call, false)?;
    let text = subject(call)?;
    let places = if all {
        run.all(&regexp, &text, call.place)?
    } else {
        run.search(&regexp, &text, 0, call.place)?.into_iter().collect()
    };
    let mut out = String::new();
    let mut at = 0;
    for found in &places {
        let (start, end) = found.range();
        out.push_str(&text[at..start]);
        let whole = found.text(0).unwrap_or_default();
        match (call.values.get(1), &call.block) {
            (Some(Value::Map(map)), _) => {
                let value = map.get(&Key::Text(whole)).unwrap_or(Value::Nil);
                out.push_str(&run.print(&value, call.place)?);
            }
            (Some(_), _) => expand(&call.text(1)?, found, &mut out),
            (None, _) => {
                run.last_match = Some(Rc::clone(found));
                let value = call.yields(run, &[Value::text(whole)])?;
                out.push_str(&run.print(&value, call.place)?);
            }
        }
        fits(call, out.len())?;
        at = end;
    }
    out.push_str(&text[at..]);
    Ok((out, !places.is_empty()))
}

/// A replacement with its `\1`, `\0`, `\k<name>`.
fn expand(replacement: &str, found: &Match, out: &mut String) {
    let mut characters = replacement.chars().peekable();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some(digit @ '0'..='9') => {
                let group = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
                out.push_str(&found.text(group).unwrap_or_default());
            }
            Some('&') => out.push_str(&found.text(0).unwrap_or_default()),
            Some('k') if characters.peek() == Some(&'<') => {
                characters.next();
                let name: String = characters.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(&found.named(&name).flatten().unwrap_or_default());
            }
            Some('\\') | None => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
}

fn split(run: &mut Run<'_>, call: &Call<'_>) -> Result<Vec<String>, Stop> {
    let text = subject(call)?;
    let limit = if call.values.len() > 1 { call.int(1)? } else { 0 };
    let most = usize::try_from(limit).ok().filter(|most| *most > 0);
    let mut parts: Vec<String> = Vec::new();
    let full = |parts: &Vec<String>| most.is_some_and(|most| parts.len() + 1 >= most);
    match call.value(0) {
        blank if blank.is_nil() || matches!(blank, Value::Text(text) if *text.borrow() == " ") => {
            let mut rest = text.trim_start_matches(super::is_blank);
            while !full(&parts)
                && let Some(end) = rest.find(super::is_blank)
            {
                parts.push(rest[..end].to_owned());
                rest = rest[end..].trim_start_matches(super::is_blank);
            }
            if !rest.is_empty() || limit != 0 {
                parts.push(rest.to_owned());
            }
            if limit == 0 || text.is_empty() {
                strip_empty(&mut parts);
            }
            return Ok(parts);
        }
        Value::Text(separator) if separator.borrow().is_empty() => {
            let mut rest = &*text;
            while !full(&parts)
                && let Some(first) = rest.chars().next()
            {
                parts.push(first.to_string());
                rest = &rest[first.len_utf8()..];
            }
            parts.push(rest.to_owned());
        }
        Value::Text(separator) => {
            let separator = separator.borrow().clone();
            let found: Vec<&str> = match most {
                Some(most) => text.splitn(most, &separator).collect(),
                None => text.split(&separator).collect(),
            };
            parts = found.into_iter().map(str::to_owned).collect();
        }
        Value::Regexp(regexp) => {
            let regexp = Rc::clone(regexp);
            let mut at = 0;
            for found in run.all(&regexp, &text, call.place)? {
                let (start, end) = found.range();
                if full(&parts) {
                    break;
                }
                if start == end && (start == 0 && text.is_empty() || start >= text.len() || start == at && start == 0) {
                    continue;
                }
                parts.push(text[at..start].to_owned());
                parts.extend((1..found.groups.len()).filter_map(|group| found.text(group)));
                at = end;
            }
            parts.push(text[at..].to_owned());
        }
        other => return Err(call.no_conversion(other, "Regexp")),
    }
    if limit == 0 || text.is_empty() {
        strip_empty(&mut parts);
    }
    Ok(parts)
}

fn strip_empty(parts: &mut Vec<String>) {
    while parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
}
