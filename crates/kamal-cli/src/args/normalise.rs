//! What Kamal's command line allows and clap's does not (spec kamal.md 1.1, 1.9, 12.1): underscores for hyphens,
//! known switches behind an `exec` command's first word, `--flag true`, aliases.

use clap::{ArgAction, CommandFactory};

use super::Cli;

/// Rewrites arguments (without the program's name) into clap's form.
pub(crate) fn normalise(args: Vec<String>) -> Vec<String> {
    let args = args.into_iter().map(hyphenated).collect::<Vec<_>>();
    match exec_position(&args) {
        Some((group, at)) => hoist(&args, group, at),
        None => args,
    }
}

/// `--skip_push` and `--skip_push=x` with hyphens; subcommands likewise.
fn hyphenated(arg: String) -> String {
    let Some(name) = arg.strip_prefix("--") else { return arg };
    match name.split_once('=') {
        Some((name, value)) => format!("--{}={value}", name.replace('_', "-")),
        None => format!("--{}", name.replace('_', "-")),
    }
}

/// The group of an `exec`, whose command takes every word clap does not know, and the index behind it.
fn exec_position(args: &[String]) -> Option<(&'static str, usize)> {
    let words: Vec<(usize, &String)> = args.iter().enumerate().filter(|(_, arg)| !arg.starts_with('-')).collect();
    let ((_, group), (at, verb)) = (words.first()?, words.get(1)?);
    let group = ["app", "server"].into_iter().find(|name| name.starts_with(group.as_str()))?;
    (verb.as_str() == "exec").then_some((group, at + 1))
}

/// Moves switches Kamal knows in front of the command they stand behind: `kamal app exec ls -p` selects the primary
/// host and runs `ls`.
fn hoist(args: &[String], group: &str, at: usize) -> Vec<String> {
    let root = Cli::command();
    let exec = root.find_subcommand(group).and_then(|app| app.find_subcommand("exec"));
    let known: Vec<clap::Arg> =
        root.get_arguments().chain(exec.into_iter().flat_map(clap::Command::get_arguments)).cloned().collect();
    let find = |arg: &str| {
        known.iter().find(|known| {
            let name = arg.split('=').next().unwrap_or(arg);
            let long = known.get_long().is_some_and(|long| name == format!("--{long}"));
            long || known.get_short().is_some_and(|short| name == format!("-{short}"))
        })
    };
    let (mut front, mut command) = (args[..at].to_vec(), Vec::new());
    let mut rest = args[at..].iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            command.extend(rest.by_ref().cloned());
        } else if let Some(known) = find(arg).filter(|_| arg.starts_with('-')) {
            front.push(arg.clone());
            let takes_value = matches!(known.get_action(), ArgAction::Set | ArgAction::Append) && !arg.contains('=');
            front.extend(takes_value.then(|| rest.next().cloned()).flatten());
        } else {
            command.push(arg.clone());
        }
    }
    if !command.is_empty() {
        front.push("--".to_owned());
        front.extend(command);
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn switches_behind_an_exec_command_are_kamals() {
        let args = normalise(words("app exec --reuse ls -la -p -r console"));
        assert_eq!(args, words("app exec --reuse -p -r console -- ls -la"));
        assert_eq!(normalise(words("app exec -e A:b -- ls -p")), words("app exec -e A:b -- ls -p"));
        assert_eq!(normalise(words("server exec ls -la -p")), words("server exec -p -- ls -la"));
    }

    #[test]
    fn underscores_are_hyphens_in_options_but_not_in_values() {
        assert_eq!(
            normalise(words("deploy --skip_push --config_file=a_b")),
            words("deploy --skip-push --config-file=a_b")
        );
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
