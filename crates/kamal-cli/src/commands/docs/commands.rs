//! Every command and its options, as a chapter of the book: made of the definition the command line is read by.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory as _};

use crate::args::Cli;

/// The chapter, in Markdown.
pub(super) fn chapter() -> String {
    let root = Cli::command();
    let mut out = "# Every command\n\n".to_owned();
    out.push_str(
        "`--help` behind a command prints what stands here. A command may be shortened as long as no other begins like it, and \
         `--no-NAME` turns an option off.\n\n## Options for every command\n\n",
    );
    options(root.get_arguments().filter(|arg| arg.is_global_set()), &mut out);
    out.push_str("\n## Options for every command that changes something\n\n");
    let previewing = root.find_subcommand("deploy");
    let is_preview = |arg: &&Arg| PREVIEW.contains(&arg.get_id().as_str());
    options(previewing.into_iter().flat_map(Command::get_arguments).filter(is_preview), &mut out);
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(command, command.get_name(), 2, &mut out);
    }
    out
}

/// Options that stand at the head of the chapter alone.
const PREVIEW: [&str; 2] = ["dry_run", "plan"];

fn describe(command: &Command, path: &str, depth: usize, out: &mut String) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(out, "\n{} kamal {path}\n\n{}.\n", "#".repeat(depth), escaped(&about));
    if !command.has_subcommands() {
        let words = command.get_positionals().filter_map(usage).map(|word| format!(" {word}")).collect::<String>();
        let is_own =
            |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && !PREVIEW.contains(&arg.get_id().as_str());
        let previewed = command.get_arguments().any(|arg| PREVIEW.contains(&arg.get_id().as_str()));
        let _ = write!(out, "\n```text\nkamal {path} [OPTIONS]{words}\n```\n");
        let own: Vec<&Arg> = command.get_arguments().filter(is_own).collect();
        if !own.is_empty() {
            out.push('\n');
            options(own.into_iter(), out);
        }
        if previewed {
            out.push_str("\nIt changes something: `--dry-run` and `--plan` go with it.\n");
        }
    }
    for inner in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(inner, &format!("{path} {}", inner.get_name()), depth + 1, out);
    }
}

fn usage(arg: &Arg) -> Option<String> {
    let name = arg.get_value_names()?.first()?.to_string();
    let many = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
    Some(if arg.is_required_set() { format!("{name}{many}") } else { format!("[{name}{many}]") })
}

fn options<'a>(args: impl Iterator<Item = &'a Arg>, out: &mut String) {
    out.push_str("| Option | What it does |\n| --- | --- |\n");
    for arg in args {
        let takes = arg.get_action().takes_values();
        let value = arg.get_value_names().and_then(|names| names.first()).filter(|_| takes);
        let value = value.map(|name| format!(" {name}")).unwrap_or_default();
        let spelled = match (arg.get_short(), arg.get_long()) {
            (Some(short), Some(long)) => format!("`-{short}`, `--{long}{value}`"),
            (None, Some(long)) => format!("`--{long}{value}`"),
            _ => format!("`{}`", value.trim()),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (help, said) =
            help.split_once(" [default: ").map_or((help.as_str(), None), |(help, said)| (help, said.strip_suffix(']')));
        let given =
            arg.get_default_values().first().filter(|_| takes).map(|value| format!("`{}`", value.to_string_lossy()));
        let default =
            given.or_else(|| said.map(escaped)).map(|default| format!(". Default: {default}")).unwrap_or_default();
        let _ = writeln!(out, "| {} | {}{default}. |", spelled.replace('|', "\\|"), escaped(help));
    }
}

/// Text that Markdown takes for text.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}
