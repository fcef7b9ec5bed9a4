//! Options as Kamal reads them (spec kamal.md 1.1): which words they take, and what becomes of unknown ones. What kind an
//! option is of, clap's definition of it tells; nothing is written twice.

use std::{any::TypeId, time::Duration};

use clap::{Arg, ArgAction};

use super::{refusal::Refusal, values::Pair};

/// Options that Kamal has not. Behind the first word of another program's command line they are that program's.
const OURS: [&str; 3] = ["json", "no_color", "timings"];

/// How an option reads what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `--x`, `--no-x`, `--skip-x`, `--x=true`, `--x false`.
    Flag,
    /// A flag for us, text for Kamal: it has a next word that is nothing else.
    TextFlag,
    Number,
    Text,
    /// Words with a colon.
    Pairs,
    /// Words up to the next option.
    Words,
    /// Text; further ones are added.
    Repeated,
}

impl Kind {
    fn of(arg: &Arg) -> Self {
        let of = |id: TypeId| arg.get_value_parser().type_id() == id;
        let numbers = [TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<u16>(), TypeId::of::<Duration>()];
        match arg.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Self::Flag,
            ArgAction::Append if of(TypeId::of::<Pair>()) => Self::Pairs,
            ArgAction::Append if arg.get_num_args().is_some() => Self::Words,
            ArgAction::Append => Self::Repeated,
            _ if of(TypeId::of::<bool>()) => Self::TextFlag,
            _ if numbers.into_iter().any(of) => Self::Number,
            _ => Self::Text,
        }
    }

    fn is_collected(self) -> bool {
        matches!(self, Self::Pairs | Self::Words | Self::Repeated)
    }
}

/// The options of a command.
#[derive(Debug)]
pub(super) struct Switches<'c> {
    args: Vec<&'c Arg>,
    /// From how many words on our own options are another program's.
    foreign_from: usize,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Found<'c> {
    /// Options and their values. No values: as if it had not been given.
    given: Vec<(&'c Arg, Given)>,
    /// Words that belong to no option.
    pub(super) words: Vec<String>,
    /// Those of the words, by their place, that Kamal would take for the value of a flag.
    spare: Vec<usize>,
}

#[derive(Debug)]
enum Given {
    Flag(bool),
    Values(Vec<String>),
}

impl<'c> Switches<'c> {
    /// The options among some arguments, all but `--help`, which is looked for before. From so many words on, those Kamal
    /// has not are none.
    pub(super) fn new(args: impl Iterator<Item = &'c Arg>, foreign_from: Option<usize>) -> Self {
        let is_option = |arg: &&Arg| arg.get_long().is_some() && !matches!(arg.get_action(), ArgAction::Help);
        Self { args: args.filter(is_option).collect(), foreign_from: foreign_from.unwrap_or(usize::MAX) }
    }

    /// Reads options; `words` are known to be none and come first.
    pub(super) fn read(&self, words: &[String], rest: &[String]) -> Result<Found<'c>, Refusal> {
        let found = Found { words: words.to_vec(), ..Found::default() };
        let mut reader = Reader { switches: self, pile: rest.iter().rev().cloned().collect(), valued: false, found };
        reader.read()?;
        let is_there = |arg: &Arg| reader.found.value(arg.get_id().as_str()).is_some();
        let missing = |arg: &&&Arg| arg.is_required_set() && !is_there(arg);
        let missing: Vec<_> = self.args.iter().filter(missing).map(|arg| format!("--{}", name(arg))).collect();
        if missing.is_empty() { Ok(reader.found) } else { Err(Refusal::Missing(missing)) }
    }

    /// The option a switch stands for.
    fn find(&self, switch: &str, words: usize) -> Option<&'c Arg> {
        let long = switch.strip_prefix("--").map(|long| long.replace('_', "-"));
        let named = |arg: &&&Arg| match &long {
            Some(long) => name(arg) == long,
            None => arg.get_short().is_some() && arg.get_short() == switch.chars().nth(1),
        };
        let ours_no_more = |arg: &Arg| words >= self.foreign_from && OURS.contains(&arg.get_id().as_str());
        self.args.iter().find(named).filter(|arg| !ours_no_more(arg)).copied()
    }
}

impl Found<'_> {
    /// Leaves out words that Kamal would take for a flag's value, as far as a command has no use for them.
    pub(super) fn keep(&mut self, most: usize) {
        for at in std::mem::take(&mut self.spare).into_iter().rev() {
            if self.words.len() > most {
                self.words.remove(at);
            }
        }
    }

    /// The options as clap reads them.
    pub(super) fn canonical(&self) -> impl Iterator<Item = String> {
        self.given.iter().flat_map(|(arg, given)| match given {
            Given::Flag(on) => {
                let long = arg.get_long().unwrap_or_default();
                match arg.get_action() {
                    ArgAction::Set => vec![format!("--{long}={on}")],
                    action if *on == matches!(action, ArgAction::SetTrue) => vec![format!("--{long}")],
                    _ => Vec::new(),
                }
            }
            Given::Values(values) => values.iter().map(|value| format!("--{}={value}", name(arg))).collect(),
        })
    }

    /// The last value of an option.
    pub(super) fn value(&self, id: &str) -> Option<&str> {
        let (_, given) = self.given.iter().find(|(arg, _)| arg.get_id() == id)?;
        match given {
            Given::Values(values) => values.last().map(String::as_str),
            Given::Flag(_) => None,
        }
    }
}

/// An option's name for Kamal: `publish` for what clap calls `--no-publish`.
fn name(arg: &Arg) -> &str {
    let long = arg.get_long().unwrap_or_default();
    match arg.get_action() {
        ArgAction::SetFalse => long.strip_prefix("no-").unwrap_or(long),
        _ => long,
    }
}

/// Words on their way.
struct Reader<'s, 'c> {
    switches: &'s Switches<'c>,
    /// What is to be read, the next word last.
    pile: Vec<String>,
    /// Whether the next word was behind a `=` and is a value, whatever it looks like.
    valued: bool,
    found: Found<'c>,
}

impl<'c> Reader<'_, 'c> {
    fn read(&mut self) -> Result<(), Refusal> {
        while let Some(word) = self.shift() {
            let shape = Shape::of(&word);
            let known = match shape {
                Shape::Plain(switch) | Shape::With(switch, ..) => self.find(switch),
                _ => None,
            };
            match (shape, known) {
                (Shape::Several(letters), _)
                    if letters.chars().any(|letter| self.find(&format!("-{letter}")).is_some()) =>
                {
                    self.pile.extend(letters.chars().rev().map(|letter| format!("-{letter}")));
                }
                (Shape::Plain(switch), Some((arg, no))) => self.assign(arg, no, switch)?,
                (Shape::With(switch, value, is_text), Some((arg, no))) => {
                    self.pile.push(value.to_owned());
                    self.valued = is_text;
                    self.assign(arg, no, switch)?;
                }
                (Shape::Word, _) => self.found.words.push(word),
                // What follows an option nobody knows belongs to it.
                _ => {
                    self.found.words.push(word);
                    while let Some(word) = self.pile.pop_if(|word| !word.starts_with('-')) {
                        self.found.words.push(word);
                    }
                }
            }
        }
        Ok(())
    }

    /// An option, and whether `--no-` or `--skip-` stands before its name.
    fn find(&self, switch: &str) -> Option<(&'c Arg, bool)> {
        let find = |switch: &str| self.switches.find(switch, self.found.words.len());
        let negated = ["--no-", "--no_", "--skip-", "--skip_"].into_iter().find_map(|no| switch.strip_prefix(no));
        let negated = negated.map(|name| format!("--{name}"));
        find(switch).map(|arg| (arg, false)).or_else(|| Some((find(&negated?)?, true)))
    }

    fn assign(&mut self, arg: &'c Arg, no: bool, switch: &str) -> Result<(), Refusal> {
        let kind = Kind::of(arg);
        let given = self.given(arg, kind, no, switch)?;
        let known = self.found.given.iter_mut().find(|(known, _)| *known == arg);
        match (known, given) {
            (Some((_, Given::Values(all))), Given::Values(more)) if kind.is_collected() && !no => all.extend(more),
            (Some((_, known)), given) => *known = given,
            (None, given) => self.found.given.push((arg, given)),
        }
        Ok(())
    }

    fn given(&mut self, arg: &Arg, kind: Kind, no: bool, switch: &str) -> Result<Given, Refusal> {
        let one = |value: String| Given::Values(vec![value]);
        let is_alone = !self.valued && self.pile.last().is_none_or(|next| !matches!(Shape::of(next), Shape::Word));
        match kind {
            Kind::Flag | Kind::TextFlag => {
                if let Some(literal) = self.literal() {
                    self.shift();
                    return Ok(Given::Flag(literal));
                }
                if self.valued {
                    let word = self.shift();
                    self.found.words.extend(word.filter(|_| kind == Kind::Flag));
                } else if kind == Kind::TextFlag && !no && self.is_value() {
                    self.found.spare.push(self.found.words.len());
                }
                Ok(Given::Flag(!no))
            }
            _ if is_alone && no => Ok(Given::Values(Vec::new())),
            Kind::Text | Kind::Repeated if is_alone && !arg.is_required_set() => {
                let default = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
                Ok(one(default.unwrap_or_else(|| arg.get_id().to_string())))
            }
            _ if is_alone => Err(Refusal::NoValue(format!("--{}", name(arg)))),
            Kind::Text | Kind::Repeated if no => Ok(Given::Values(Vec::new())),
            Kind::Text | Kind::Repeated => Ok(self.shift().map_or(Given::Values(Vec::new()), one)),
            Kind::Number => {
                let word = self.shift().unwrap_or_default();
                if is_number(&word) {
                    return Ok(one(word));
                }
                Err(Refusal::NoNumber { switch: long(switch, arg), got: word })
            }
            Kind::Words => Ok(Given::Values(self.values(|_| true))),
            Kind::Pairs => {
                let pairs = self.values(|word| word.contains(':'));
                let twice = pairs.iter().enumerate().find_map(|(at, pair)| {
                    let (key, _) = pair.split_once(':')?;
                    let before = pairs[..at].iter().find(|other| other.split(':').next() == Some(key))?;
                    Some((key, before, pair))
                });
                match twice {
                    Some((key, first, second)) => {
                        let (switch, got) = (long(switch, arg), [first.clone(), second.clone()]);
                        Err(Refusal::Twice { key: key.to_owned(), switch, got })
                    }
                    None => Ok(Given::Values(pairs)),
                }
            }
        }
    }

    /// Values as long as there are any that fit.
    fn values(&mut self, fit: impl Fn(&str) -> bool) -> Vec<String> {
        let mut values = Vec::new();
        while self.is_value() && self.pile.last().is_some_and(|word| fit(word)) {
            values.extend(self.shift());
        }
        values
    }

    fn shift(&mut self) -> Option<String> {
        self.valued = false;
        self.pile.pop()
    }

    /// Whether the next word can be a value: no hyphen with something behind it.
    fn is_value(&self) -> bool {
        let is_option =
            |word: &String| word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| !c.is_whitespace()));
        self.valued || self.pile.last().is_some_and(|word| !is_option(word))
    }

    /// Whether the next word is one a flag takes.
    fn literal(&self) -> Option<bool> {
        match self.pile.last()?.as_str() {
            "true" | "TRUE" | "t" | "T" => Some(true),
            "false" | "FALSE" | "f" | "F" => Some(false),
            _ => None,
        }
    }
}

fn long(switch: &str, arg: &Arg) -> String {
    if switch.starts_with("--") { switch.replace('_', "-") } else { format!("--{}", name(arg)) }
}

/// What a word looks like.
enum Shape<'w> {
    /// `--long` or `-s`.
    Plain(&'w str),
    /// `--long=value`, `-s=value`, which is a value whatever it looks like, or `-s5`.
    With(&'w str, &'w str, bool),
    /// `-abc`.
    Several(&'w str),
    Word,
}

impl<'w> Shape<'w> {
    fn of(word: &'w str) -> Self {
        if is_switch(word) {
            return Self::Plain(word);
        }
        if let Some((switch, value)) = word.split_once('=').filter(|(switch, _)| is_switch(switch)) {
            return Self::With(switch, value, true);
        }
        let short = word.strip_prefix('-').filter(|short| short.starts_with(|c: char| c.is_ascii_alphabetic()));
        match short {
            Some(letters) if letters.chars().all(|c| c.is_ascii_alphabetic()) => Self::Several(letters),
            Some(short) if is_number(&short[1..]) => Self::With(&word[..2], &word[2..], false),
            _ => Self::Word,
        }
    }
}

/// `--a`, `--a-b_c`, `-a`.
fn is_switch(word: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_short = |short: &str| short.len() == 1 && short.starts_with(|c: char| c.is_ascii_alphabetic());
    match word.strip_prefix("--") {
        Some(long) => long.split('-').all(is_part),
        None => word.strip_prefix('-').is_some_and(is_short),
    }
}

/// `5`, `-5`, `0.5`, `.5`.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    let is_digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    let (whole, part) = digits.split_once('.').unwrap_or(("", digits));
    is_digits(whole) && is_digits(part) && !part.is_empty()
}
