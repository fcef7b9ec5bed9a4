//! Texts made of texts, and texts that are changed where they are.

use super::super::super::run::{Found, Run};
use super::super::super::stop::Stop;
use super::super::super::value::Value;
use super::super::{Call, Method, plain};
use super::{fits, is_blank};

pub(in super::super) const EDIT: &[Method] = &[
    plain("strip lstrip rstrip chomp chop upcase downcase capitalize swapcase reverse squeeze succ next", 0, 1, edited),
    plain(
        "delete_prefix delete_suffix tr tr_s delete squish titleize titlecase camelize camelcase underscore",
        0,
        2,
        edited,
    ),
    plain("dasherize humanize parameterize pluralize upcase_first downcase_first truncate remove", 0, 2, edited),
    plain("center ljust rjust dump shellescape to_param indent strip_heredoc", 0, 2, edited),
    plain("strip! lstrip! rstrip! chomp! chop! upcase! downcase! capitalize! swapcase! reverse!", 0, 1, changed),
    plain("squeeze! delete_prefix! delete_suffix! tr! tr_s! delete! squish! succ! next!", 0, 2, changed),
    plain("<< concat", 1, 20, |run, call| {
        let mut text = call.subject()?;
        for value in call.values {
            match value {
                Value::Int(code) => text.extend(u32::try_from(*code).ok().and_then(char::from_u32)),
                Value::Text(_) => text.push_str(&run.print(value, call.place)?),
                other => return Err(call.no_conversion(other, "String")),
            }
        }
        fits(call, text.len())?;
        set(call, text)
    }),
    plain("prepend", 1, 20, |_, call| {
        let mut text = String::new();
        for index in 0..call.values.len() {
            text.push_str(&call.text(index)?);
        }
        text.push_str(&call.subject()?);
        fits(call, text.len())?;
        set(call, text)
    }),
    plain("replace", 1, 1, |_, call| set(call, call.text(0)?)),
    plain("clear", 0, 0, |_, call| set(call, String::new())),
    plain("insert", 2, 2, |_, call| {
        let mut characters: Vec<char> = call.subject()?.chars().collect();
        let at = call.int(0)?;
        let at = if at < 0 { at + i64::try_from(characters.len()).unwrap_or(i64::MAX) + 1 } else { at };
        let Some(at) = usize::try_from(at).ok().filter(|at| *at <= characters.len()) else {
            return Err(call.raise("IndexError", format!("index {} out of string", call.int(0)?)));
        };
        characters.splice(at..at, call.text(1)?.chars());
        set(call, characters.into_iter().collect())
    }),
    plain("count", 1, 1, |_, call| {
        let set = Letters::new(&call.text(0)?);
        Ok(Value::count(call.subject()?.chars().filter(|c| set.has(*c)).count()))
    }),
    plain("inquiry constantize safe_constantize unpack html_safe? classify tableize singularize", 0, 1, |_, call| {
        Err(call.unknown())
    }),
];

/// Puts a text in the place of the one that is called.
pub(super) fn set(call: &Call<'_>, text: String) -> Found {
    match call.receiver {
        Value::Text(own) => {
            *own.borrow_mut() = text;
            Ok(call.receiver.clone())
        }
        _ => Err(call.unknown()),
    }
}

fn changed(run: &mut Run<'_>, call: &Call<'_>) -> Found {
    let before = call.subject()?;
    let name = call.name.trim_end_matches('!');
    let after = run.print(&edit(call, name)?, call.place)?;
    if before == after { Ok(Value::Nil) } else { set(call, after) }
}

fn edited(_: &mut Run<'_>, call: &Call<'_>) -> Found {
    edit(call, call.name)
}

fn edit(call: &Call<'_>, name: &str) -> Found {
    let text = call.subject()?;
    let bare = call.values.is_empty();
    let most = match name {
        "tr" | "tr_s" | "center" | "ljust" | "rjust" | "truncate" | "indent" => 2,
        "chomp" | "delete_prefix" | "delete_suffix" | "delete" | "squeeze" | "parameterize" | "remove" | "upcase"
        | "downcase" | "camelize" | "camelcase" => 1,
        _ => 0,
    };
    let least = match name {
        "tr" | "tr_s" => 2,
        "delete_prefix" | "delete_suffix" | "delete" | "center" | "ljust" | "rjust" | "truncate" | "remove"
        | "indent" => 1,
        _ => 0,
    };
    if !(least..=most).contains(&call.values.len()) {
        return Err(call.unknown());
    }
    Ok(Value::text(match name {
        "strip" => text.trim_matches(is_blank).to_owned(),
        "lstrip" => text.trim_start_matches(is_blank).to_owned(),
        "rstrip" => text.trim_end_matches(is_blank).to_owned(),
        "chomp" if bare => {
            let ending = ["\r\n", "\n", "\r"].into_iter().find_map(|ending| text.strip_suffix(ending));
            ending.unwrap_or(&text).to_owned()
        }
        "chomp" | "delete_suffix" => text.strip_suffix(&call.text(0)?).unwrap_or(&text).to_owned(),
        "delete_prefix" => text.strip_prefix(&call.text(0)?).unwrap_or(&text).to_owned(),
        "chop" => {
            let shorter = text.strip_suffix("\r\n");
            shorter.unwrap_or_else(|| text.char_indices().last().map_or("", |(at, _)| &text[..at])).to_owned()
        }
        "upcase" | "downcase" if !bare => return Err(call.unknown()),
        "upcase" => text.to_uppercase(),
        "downcase" => text.to_lowercase(),
        "capitalize" => capitalized(&text.to_lowercase()),
        "upcase_first" => capitalized(&text),
        "downcase_first" => {
            let mut characters = text.chars();
            let first: String = characters.next().into_iter().flat_map(char::to_lowercase).collect();
            first + characters.as_str()
        }
        "swapcase" => text
            .chars()
            .flat_map(|c| -> Vec<char> {
                if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
            })
            .collect(),
        "reverse" => text.chars().rev().collect(),
        "squeeze" => {
            let set = if bare { Letters::all() } else { Letters::new(&call.text(0)?) };
            let mut out = String::new();
            for c in text.chars() {
                if !(set.has(c) && out.ends_with(c)) {
                    out.push(c);
                }
            }
            out
        }
        "succ" | "next" => super::super::range::successor(&text),
        "tr" | "tr_s" => translated(&text, &call.text(0)?, &call.text(1)?, name == "tr_s"),
        "delete" => {
            let set = Letters::new(&call.text(0)?);
            text.chars().filter(|c| !set.has(*c)).collect()
        }
        "remove" => match call.value(0) {
            Value::Text(part) => text.replace(&*part.borrow(), ""),
            _ => return Err(call.unknown()),
        },
        "squish" => text.split_whitespace().collect::<Vec<_>>().join(" "),
        "titleize" | "titlecase" => {
            let words = underscored(&text).replace('_', " ");
            words.split(' ').map(capitalized).collect::<Vec<_>>().join(" ")
        }
        "camelize" | "camelcase" => {
            let lower = matches!(call.value(0), Value::Symbol(name) if &**name == "lower");
            let words = text.split('_').map(capitalized).collect::<String>();
            let path = words.split('/').map(capitalized).collect::<Vec<_>>().join("::");
            if !lower {
                path
            } else {
                let mut characters = path.chars();
                characters.next().map(|c| c.to_lowercase().collect::<String>()).unwrap_or_default()
                    + characters.as_str()
            }
        }
        "underscore" => underscored(&text),
        "dasherize" => text.replace('_', "-"),
        "humanize" => {
            capitalized(&text.trim_end_matches("_id").trim_start_matches('_').replace('_', " ").to_lowercase())
        }
        "parameterize" => {
            let (_, options) = call.options(&["separator"])?;
            let separator = match options.get("separator") {
                Some(separator) => separator.print(),
                None if bare => "-".to_owned(),
                None => return Err(call.unknown()),
            };
            parameterize(&text, &separator)
        }
        "truncate" => {
            let (_, options) = call.options(&["omission"])?;
            let omission = options.get("omission").map_or_else(|| "...".to_owned(), |value| value.print());
            let most = call.size(0)?;
            if text.chars().count() <= most {
                text
            } else {
                let kept = most.saturating_sub(omission.chars().count());
                text.chars().take(kept).collect::<String>() + &omission
            }
        }
        "center" | "ljust" | "rjust" => padded(call, &text, name)?,
        "dump" => super::super::super::super::ruby::quote(&text),
        "shellescape" => super::super::encode::shell_escaped(&text),
        "to_param" => text,
        "indent" => {
            let by = call.size(0)?;
            let unit = if call.values.len() > 1 { call.text(1)? } else { " ".to_owned() };
            fits(call, text.lines().count().saturating_mul(by).saturating_mul(unit.len()) + text.len())?;
            let lines = text.split_inclusive('\n');
            lines.map(|line| if line.trim().is_empty() { line.to_owned() } else { unit.repeat(by) + line }).collect()
        }
        "strip_heredoc" => {
            let indent =
                text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len());
            let indent = indent.min().unwrap_or(0);
            text.split_inclusive('\n')
                .map(|line| line.get(indent..).unwrap_or_else(|| line.trim_start_matches(' ')))
                .collect()
        }
        _ => return Err(call.unknown()),
    }))
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first: String = characters.next().into_iter().flat_map(char::to_uppercase).collect();
    first + characters.as_str()
}

fn underscored(text: &str) -> String {
    let characters: Vec<char> = text.replace("::", "/").replace('-', "_").chars().collect();
    let mut out = String::new();
    for (at, c) in characters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| characters.get(before));
        let after = characters.get(at + 1);
        let word = before.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit())
            || before.is_some_and(|c| c.is_uppercase()) && after.is_some_and(|c| c.is_lowercase());
        if c.is_uppercase() && word {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// ActiveSupport's `parameterize`, for texts that are ASCII but for what is left out.
fn parameterize(text: &str, separator: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let words = text.split(|c| !kept(c)).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join(separator);
    joined.trim_matches(|c| separator.contains(c)).to_lowercase()
}

fn padded(call: &Call<'_>, text: &str, name: &str) -> Result<String, Stop> {
    let width = usize::try_from(call.int(0)?).unwrap_or(0);
    let pad = if call.values.len() > 1 { call.text(1)? } else { " ".to_owned() };
    if pad.is_empty() {
        return Err(call.raise("ArgumentError", "zero width padding"));
    }
    fits(call, width)?;
    let missing = width.saturating_sub(text.chars().count());
    let fill = |count: usize| pad.chars().cycle().take(count).collect::<String>();
    Ok(match name {
        "ljust" => text.to_owned() + &fill(missing),
        "rjust" => fill(missing) + text,
        _ => fill(missing / 2) + text + &fill(missing - missing / 2),
    })
}

/// Letters as `tr`, `delete` and `count` name them: `a-z`, `^0-9`.
struct Letters {
    listed: Vec<char>,
    others: bool,
}

impl Letters {
    fn new(written: &str) -> Self {
        let others = written.starts_with('^') && written.len() > 1;
        let written = if others { &written[1..] } else { written };
        let characters: Vec<char> = written.chars().collect();
        let mut listed = Vec::new();
        let mut at = 0;
        while let Some(&c) = characters.get(at) {
            match (c, characters.get(at + 1), characters.get(at + 2)) {
                ('\\', Some(&next), _) => {
                    listed.push(next);
                    at += 2;
                }
                (first, Some('-'), Some(&last)) => {
                    // No alphabet is longer.
                    listed.extend((first..=last).take(1000));
                    at += 3;
                }
                _ => {
                    listed.push(c);
                    at += 1;
                }
            }
        }
        Self { listed, others }
    }

    fn all() -> Self {
        Self { listed: Vec::new(), others: true }
    }

    fn has(&self, c: char) -> bool {
        self.listed.contains(&c) != self.others
    }
}

/// Ruby's `tr`, and `tr_s`, which makes one of neighbours that become the same.
fn translated(text: &str, from: &str, to: &str, squeeze: bool) -> String {
    let (from, to) = (Letters::new(from), Letters::new(to).listed);
    let mut out = String::new();
    let mut last = None;
    for c in text.chars() {
        if !from.has(c) {
            out.push(c);
            last = None;
            continue;
        }
        let place = if from.others { usize::MAX } else { from.listed.iter().position(|own| *own == c).unwrap_or(0) };
        let new = to.get(place).or(to.last()).copied();
        if !(squeeze && last == new) {
            out.extend(new);
        }
        last = new;
    }
    out
}
