//! From words to what they ask for: commands, prefixes, aliases, help (spec kamal.md 1.1, 1.9). Kamal's rules are applied
//! here; what is left is put into clap's form, which makes values of it.

use clap::{Arg, ArgAction, Command, CommandFactory as _, Parser as _, builder::StyledStr};
use indexmap::IndexMap;
use kamal::CONFIG_FILE;

use super::{
    Cli,
    refusal::{Hint, Refusal},
    switches::Switches,
    usage::{arity, suggestion},
};

/// Commands that Kamal has not. They make none of its prefixes ambiguous and stand back behind an alias.
const OURS: [(&str, &str); 12] = [
    ("app", "scale"),
    ("kamal", "completion"),
    ("kamal", "doctor"),
    ("kamal", "import"),
    ("kamal", "plan"),
    ("kamal", "rollout"),
    ("kamal", "status"),
    ("proxy", "list"),
    ("registry", "gc"),
    ("registry", "ls"),
    ("server", "join"),
    ("server", "leave"),
];

/// Whether Kamal has no such command.
fn is_ours(parent: &Command, name: &str) -> bool {
    OURS.contains(&(parent.get_name(), name))
}

/// What Kamal takes for a wish for help, as the first word. Everywhere else `-h` is `--hosts`.
const HELP: [&str; 4] = ["-h", "-?", "--help", "-D"];

/// Longer than any chain of aliases that stand for one another.
const MAX_ALIASES: usize = 20;

/// Finds the aliases of a configuration, by its file and destination, or says why there are none.
pub(crate) type Aliases<'a> = &'a dyn Fn(&str, Option<&str>) -> Result<IndexMap<String, String>, String>;

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Line {
    /// A command.
    Run(Box<Cli>),
    /// This text.
    Help(StyledStr),
}

/// A command line that leaves no choice.
#[derive(Debug, PartialEq, Eq)]
enum Plain {
    /// In clap's form.
    Words(Vec<String>),
    /// A command that is only to be planned, in clap's form.
    Planned(Vec<String>),
    /// The help of this command.
    Help(Vec<String>),
}

/// Reads a command line, without the program's name.
pub(crate) fn read(words: &[String], aliases: Aliases<'_>) -> Result<Line, Refusal> {
    match plain(words, aliases)? {
        Plain::Words(words) => Ok(Line::Run(Box::new(cli(words)?))),
        Plain::Planned(words) => Ok(Line::Run(Box::new(Cli { planned: true, ..cli(words)? }))),
        Plain::Help(path) => Ok(Line::Help(help_text(&path))),
    }
}

fn cli(words: Vec<String>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["kamal".to_owned()].into_iter().chain(words))
}

/// The configuration's file and the destination that options lead to, as far as they can be read.
pub(super) fn configuration(words: &[String]) -> (String, Option<String>) {
    let root = Cli::command();
    let found = options_of_all(&root).read(&[], split_protected(words).0).ok();
    let value = |id: &str| found.as_ref().and_then(|found| found.value(id)).map(str::to_owned);
    (value("config_file").unwrap_or_else(|| CONFIG_FILE.to_owned()), value("destination"))
}

/// The options of every command; ours among them up to the first word, behind which it depends on the command.
fn options_of_all(root: &Command) -> Switches<'_> {
    Switches::new(root.get_arguments(), Some(1))
}

fn plain(words: &[String], aliases: Aliases<'_>) -> Result<Plain, Refusal> {
    let root = Cli::command();
    Reading { root: &root, aliases }.line(words, MAX_ALIASES)
}

/// What a word stands for among a group's commands.
enum Verb<'r> {
    Help,
    Command(&'r Command),
}

#[derive(Clone, Copy)]
struct Reading<'r> {
    root: &'r Command,
    aliases: Aliases<'r>,
}

impl<'r> Reading<'r> {
    fn line(self, words: &[String], aliases_left: usize) -> Result<Plain, Refusal> {
        let Some((first, rest)) = words.split_first() else { return help(&[]) };
        if first == "--version" && rest.is_empty() {
            return self.line(&["version".to_owned()], aliases_left);
        }
        if HELP.contains(&first.as_str()) {
            return self.help_on(None, rest);
        }
        // An option before the command makes it a wish for help, whatever the command is.
        if first.starts_with('-') {
            return self.help_on(None, words);
        }
        let verb = match exact(self.root, first) {
            Some(verb) => verb,
            None => {
                let (file, destination) = configuration(rest);
                let aliases = (self.aliases)(&file, destination.as_deref());
                if let Some(line) = aliases.as_ref().ok().and_then(|aliases| aliases.get(first)) {
                    let words = expanded(first, line, rest, aliases_left)?;
                    return self.line(&words, aliases_left - 1);
                }
                let not_looked = aliases.err().map(|why| format!("Aliases were not looked for: {why}"));
                find(self.root, first).map_err(|refusal| refusal.hinted(not_looked))?
            }
        };
        match verb {
            Verb::Help => self.help_on(None, rest),
            Verb::Command(group) if group.has_subcommands() => self.group(group, rest),
            Verb::Command(command) if command.get_name() == "plan" => self.planned(rest, aliases_left),
            Verb::Command(command) => {
                let (rest, protected) = split_protected(rest);
                if rest.iter().any(|word| word == "--help") {
                    return help(&[command.get_name()]);
                }
                let (words, rest) = split_leading(rest);
                self.command(&[command], Vec::new(), words, rest, protected)
            }
        }
    }

    /// A command that is only to be planned.
    fn planned(self, rest: &[String], aliases_left: usize) -> Result<Plain, Refusal> {
        if rest.first().is_none_or(|word| word.starts_with('-')) {
            return help(&["plan"]);
        }
        Ok(match self.line(rest, aliases_left)? {
            Plain::Words(words) | Plain::Planned(words) => Plain::Planned(words),
            Plain::Help(path) => Plain::Help(path),
        })
    }

    /// What is behind a group's name. Options of every command are read first, wherever they stand; then those of the
    /// group's command among what is left.
    fn group(self, group: &'r Command, rest: &[String]) -> Result<Plain, Refusal> {
        let (rest, mut protected) = split_protected(rest);
        let found = options_of_all(self.root).read(&[], rest)?;
        let (mut words, rest) = split_leading(&found.words);
        let wants_help = rest.iter().any(|word| word == "--help");
        let from = if words.is_empty() { &mut protected } else { &mut words };
        let Some((name, further)) = from.split_first() else {
            if !group.is_subcommand_required_set() && !wants_help {
                return self.command(&[group], found.canonical().collect(), &[], rest, protected);
            }
            return match rest.first().filter(|_| !wants_help) {
                Some(option) => Err(Refusal::unknown(option)),
                None => help(&[group.get_name()]),
            };
        };
        *from = further;
        match find(group, name)? {
            Verb::Help => self.help_on(Some(group), words),
            Verb::Command(command) if wants_help => help(&[group.get_name(), command.get_name()]),
            Verb::Command(command) => {
                self.command(&[group, command], found.canonical().collect(), words, rest, protected)
            }
        }
    }

    /// A command and what is behind it: words, then a mixture of options and words, then words that stood behind `--`.
    fn command(
        self,
        path: &[&Command],
        options: Vec<String>,
        words: &[String],
        rest: &[String],
        protected: &[String],
    ) -> Result<Plain, Refusal> {
        let Some(command) = path.last() else { return help(&[]) };
        let positionals: Vec<&Arg> = command.get_positionals().collect();
        let is_list = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        let list = positionals.iter().position(is_list);
        let least = positionals.iter().filter(|arg| arg.is_required_set() && !is_list(arg)).count();
        let most = list.map_or(positionals.len(), |_| usize::MAX);

        let kamals = list.filter(|at| is_kamals(positionals[*at]));
        // A command of ours alone takes all options anywhere.
        let ours = path.first().is_some_and(|first| is_ours(self.root, first.get_name()));
        let foreign_from = kamals.filter(|_| !ours).map(|at| at + 1);
        let switches = Switches::new(self.root.get_arguments().chain(command.get_arguments()), foreign_from);
        let mut found = switches.read(words, rest)?;
        found.keep(most);
        let words: Vec<String> = found.words.iter().chain(protected).cloned().collect();
        if words.len() < least || words.len() > most {
            return Err(arity(path, words));
        }
        if let Some(list) = list.filter(|at| words.len() <= *at).map(|at| positionals[at])
            && list.is_required_set()
        {
            return Err(if list.get_id() == "command" { Refusal::NoCommand } else { arity(path, words) });
        }
        let names = path.iter().map(|command| command.get_name().to_owned());
        let end = (!words.is_empty()).then(|| "--".to_owned());
        Ok(Plain::Words(names.chain(options).chain(found.canonical()).chain(end).chain(words).collect()))
    }

    /// `help`, in a group or not, and what is behind it.
    fn help_on(self, group: Option<&Command>, rest: &[String]) -> Result<Plain, Refusal> {
        let rest: Vec<String> =
            rest.iter().filter(|word| !["--help", "--"].contains(&word.as_str())).cloned().collect();
        let (words, rest) = split_leading(&rest);
        let words = options_of_all(self.root).read(words, rest)?.words;
        let (command, sub) = match words.as_slice() {
            [] => (None, None),
            [command] => (Some(command), None),
            [command, sub] => (Some(command), Some(sub)),
            _ => {
                let command = group.map_or("help".to_owned(), |group| format!("{} help", group.get_name()));
                let usage = format!("{command} [COMMAND]");
                return Err(Refusal::Arity { command, words, usage, hint: Hint::default() });
            }
        };
        let mut path: Vec<&str> = group.map(Command::get_name).into_iter().collect();
        if let Some(Verb::Command(command)) = command.map(|word| find(group.unwrap_or(self.root), word)).transpose()? {
            path.push(command.get_name());
            // Kamal has no ear for the second word; we have, as far as it makes sense.
            if let Some(Ok(Verb::Command(sub))) = sub.map(|word| find(command, word)) {
                path.push(sub.get_name());
            }
        }
        help(&path)
    }
}

/// Words before the first `--`, and those behind it, which are never options.
fn split_protected(words: &[String]) -> (&[String], &[String]) {
    let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
    (&words[..at], words.get(at + 1..).unwrap_or_default())
}

/// Words before the first option, and the rest.
fn split_leading(words: &[String]) -> (&[String], &[String]) {
    words.split_at(words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len()))
}

/// What an alias stands for, and what was written behind it.
fn expanded(name: &str, line: &str, rest: &[String], aliases_left: usize) -> Result<Vec<String>, Refusal> {
    let refused = |why: String| Refusal::Alias { name: name.to_owned(), why };
    if aliases_left == 0 {
        return Err(refused("it stands for itself, by way of others or alone".to_owned()));
    }
    let words = kamal_core::shell::split(line).ok_or_else(|| refused(format!("a quote is not closed in: {line}")))?;
    Ok(words.into_iter().chain(rest.iter().cloned()).collect())
}

/// A command by its whole name, unless it is one of ours alone.
fn exact<'r>(parent: &'r Command, word: &str) -> Option<Verb<'r>> {
    let name = word.replace('-', "_");
    let is_kamals = |command: &&Command| command.get_name() == name && !is_ours(parent, &name);
    let command = parent.get_subcommands().find(is_kamals).map(Verb::Command);
    command.or_else(|| (name == "help").then_some(Verb::Help))
}

/// A command by its name or a prefix of it. Ours alone come after all of Kamal's.
fn find<'r>(parent: &'r Command, word: &str) -> Result<Verb<'r>, Refusal> {
    if let Some(verb) = exact(parent, word) {
        return Ok(verb);
    }
    let prefix = word.replace('-', "_");
    let named = |ours: bool| {
        let names = parent.get_subcommands().map(|command| (command.get_name(), Verb::Command(command)));
        let help = (!ours).then_some(("help", Verb::Help));
        let fits = |(name, _): &(&str, Verb<'r>)| name.starts_with(&prefix) && is_ours(parent, name) == ours;
        names.chain(help).filter(fits).collect::<Vec<_>>()
    };
    let mut found = named(false);
    if found.is_empty() {
        found = named(true);
    }
    if found.len() > 1 {
        let mut commands: Vec<String> = found.iter().map(|(name, _)| (*name).to_owned()).collect();
        commands.sort_unstable();
        return Err(Refusal::Ambiguous { word: word.to_owned(), commands });
    }
    let group = (parent.get_name() != "kamal").then(|| parent.get_name());
    let meant = || suggestion(group.into_iter().chain([word]));
    found.pop().map(|(_, verb)| verb).ok_or_else(|| Refusal::unknown(word).hinted(meant()))
}

fn help(path: &[&str]) -> Result<Plain, Refusal> {
    Ok(Plain::Help(path.iter().map(|name| (*name).to_owned()).collect()))
}

/// The help of a command.
fn help_text(path: &[String]) -> StyledStr {
    let mut command = Cli::command();
    command.build();
    for name in path {
        command = command.find_subcommand(name).cloned().unwrap_or(command);
    }
    command.render_help()
}

/// Whether an argument is one of Kamal's lists, among which options Kamal does not have are words.
fn is_kamals(list: &Arg) -> bool {
    list.get_value_names().is_some_and(|names| names.iter().any(|name| ["CMD", "SECRETS"].contains(&name.as_str())))
}

#[cfg(test)]
mod book;
#[cfg(test)]
mod checklist;
#[cfg(test)]
mod tests;
