//! How a command is called, as Kamal writes it, and what may have been meant by something else.

use clap::{
    Arg, ArgAction, Command, Parser as _,
    error::{ContextKind, ContextValue},
};

use super::{
    Cli,
    refusal::{Hint, Refusal},
};

/// The refusal of too few words, or too many.
pub(super) fn arity(path: &[&Command], words: Vec<String>) -> Refusal {
    let name = path.iter().map(|command| command.get_name()).collect::<Vec<_>>().join(" ");
    let usage = path.last().into_iter().flat_map(|command| command.get_arguments().filter_map(usage));
    let usage = [name.clone()].into_iter().chain(usage).collect::<Vec<_>>().join(" ");
    let option = words.iter().find(|word| word.starts_with('-')).map(String::as_str);
    let meant = option.and_then(|option| suggestion(path.iter().map(|command| command.get_name()).chain([option])));
    Refusal::Arity { command: name, words, usage, hint: Hint::default() }.hinted(meant)
}

/// How Kamal writes a word that belongs to a command, or an option that has to be there.
fn usage(arg: &Arg) -> Option<String> {
    let name = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
    let possible: Vec<String> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    match (arg.get_long(), arg.get_action()) {
        (Some(long), _) => {
            let short = arg.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
            arg.is_required_set().then(|| format!("{short}--{long}={name}"))
        }
        (None, ArgAction::Append) => Some(format!("[{name}...]")),
        (None, _) if possible.is_empty() => Some(format!("[{name}]")),
        (None, _) if arg.is_required_set() => Some(format!("<{}>", possible.join("|"))),
        (None, _) => Some(format!("[{}]", possible.join("|"))),
    }
}

/// What clap thinks was meant.
pub(super) fn suggestion<'w>(words: impl Iterator<Item = &'w str>) -> Option<String> {
    let error = Cli::try_parse_from(["kamal"].into_iter().chain(words)).err()?;
    let meant =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg].into_iter().find_map(|kind| error.get(kind))?;
    let meant = match meant {
        ContextValue::String(one) => one,
        ContextValue::Strings(several) => several.last()?,
        _ => return None,
    };
    Some(format!("Did you mean?  {meant:?}"))
}
