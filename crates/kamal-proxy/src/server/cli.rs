//! The command line of kamal-proxy, to the letter what cobra and pflag make of it (spec 1).
//!
//! clap is not used: what an argument means, which text an error has, and which stream help goes to all differ.

#![expect(clippy::disallowed_methods, reason = "a program prints")]

mod client;
mod commands;
mod deploy;
mod flags;
mod help;
mod layers;
mod list;
mod paths;
mod run;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use self::commands::{Action, Command};
use self::flags::{Parsed, parse};

/// What stops a command; the text is shown after `Error: `.
#[derive(Debug)]
struct Failed(String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// The program `kamal-proxy`: runs the command the arguments name (the first is the program itself) and returns the
/// process's exit code: 0, or 1 after an error was printed to standard error.
///
/// This is for a process of its own: it reads the environment, raises the limit of open files, and `run` waits for
/// signals. To have a proxy inside another program, see [`Proxy`](super::Proxy).
///
/// ```no_run
/// fn main() -> std::process::ExitCode {
///     kamal_proxy::server::main(std::env::args_os())
/// }
/// ```
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<String> =
        arguments.into_iter().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match dispatch(&arguments) {
        Ok(text) => {
            // Somebody who closed standard output does not want to read it.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Failed(text)) => {
            let _ = writeln!(io::stderr(), "Error: {text}");
            ExitCode::FAILURE
        }
    }
}

/// What the server is asked by flags of `deploy`, separated by spaces.
#[cfg(test)]
pub(super) fn deploy_request(service: &str, flags: &str) -> super::control::protocol::Deploy {
    let flags: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    let parsed = parse(crate::deploy_flags::ALL, &flags).unwrap();
    deploy::request(service.to_owned(), &parsed).unwrap()
}

/// Does what the arguments say; the text is for standard output.
fn dispatch(arguments: &[String]) -> Result<String, Failed> {
    // Words before the first flag that name commands; `help` in front shows the help of the rest.
    let (wants_help, arguments) = match arguments.split_first() {
        Some((first, rest)) if first == "help" => (true, rest),
        _ => (false, arguments),
    };
    let Some((command, path, arguments)) = commands::find(arguments) else {
        let first = arguments.iter().find(|argument| !argument.starts_with('-'));
        return match first {
            Some(word) if !wants_help => Err(unknown_command(word)),
            _ => root(arguments),
        };
    };
    let parsed = parse(command.flags, &arguments).map_err(Failed)?;
    if wants_help || parsed.help || matches!(command.action, Action::Group) {
        return Ok(help::of(command, path));
    }
    check_arguments(command, path, &parsed)?;
    check_required(command, &parsed)?;
    client::perform(command, &parsed)
}

fn root(arguments: &[String]) -> Result<String, Failed> {
    parse(&[], arguments).map_err(Failed)?;
    Ok(help::root())
}

fn unknown_command(word: &str) -> Failed {
    let near = commands::suggestions(word);
    let block = if near.is_empty() {
        String::new()
    } else {
        let lines: String = near.iter().map(|name| format!("\t{name}\n")).collect();
        format!("\nDid you mean this?\n{lines}\n")
    };
    let gap = if block.is_empty() { "\n".to_owned() } else { format!("\n{block}") };
    Failed(format!("unknown command {word:?} for \"kamal-proxy\"{gap}Run 'kamal-proxy --help' for usage."))
}

fn check_arguments(command: &Command, path: &str, parsed: &Parsed) -> Result<(), Failed> {
    match command.action {
        Action::Run | Action::Group => Ok(()),
        Action::Layers | Action::Leave | Action::List | Action::Reload => parsed
            .arguments
            .first()
            .map_or(Ok(()), |word| Err(Failed(format!("unknown command {word:?} for \"kamal-proxy {path}\"")))),
        _ if parsed.arguments.len() == 1 => Ok(()),
        _ => Err(Failed(format!("accepts 1 arg(s), received {}", parsed.arguments.len()))),
    }
}

fn check_required(command: &Command, parsed: &Parsed) -> Result<(), Failed> {
    if command.flags.iter().any(|flag| flag.name == "target") && !parsed.is_set("target") {
        return Err(Failed("required flag(s) \"target\" not set".into()));
    }
    let (certificate, key) = ("tls-certificate-path", "tls-private-key-path");
    if parsed.is_set(certificate) != parsed.is_set(key) {
        let missing = if parsed.is_set(certificate) { key } else { certificate };
        return Err(Failed(format!(
            "if any flags in the group [{certificate} {key}] are set they must all be set; missing [{missing}]"
        )));
    }
    if matches!(command.action, Action::RolloutSet) && !parsed.is_set("percent") && !parsed.is_set("list") {
        return Err(Failed("at least one of the flags in the group [percent list] is required".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> String {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        dispatch(&arguments).expect_err(line).0
    }

    // spec 11.O.221
    #[test]
    fn errors_in_the_words_of_cobra() {
        for (line, text) in [
            ("deploy", "accepts 1 arg(s), received 0"),
            ("list x", "unknown command \"x\" for \"kamal-proxy list\""),
            ("deploy app", "required flag(s) \"target\" not set"),
            (
                "deploy app --target=web:80 --tls-certificate-path=x",
                "if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set; \
                 missing [tls-private-key-path]",
            ),
            ("rollout set app", "at least one of the flags in the group [percent list] is required"),
            (
                "rollout set app --percent abc",
                "invalid argument \"abc\" for \"--percent\" flag: strconv.ParseInt: parsing \"abc\": invalid syntax",
            ),
            (
                "deploy app --target x --deploy-timeout 5",
                "invalid argument \"5\" for \"--deploy-timeout\" flag: time: missing unit in duration \"5\"",
            ),
            ("deploy app --nope", "unknown flag: --nope"),
            ("--version", "unknown flag: --version"),
            ("deploy app --target", "flag needs an argument: --target"),
            (
                "deploy app --target web:80 --max-request-body 5",
                "max-request-body can only be set when request buffering is enabled",
            ),
            ("deploy app --target web:80 --tls", "service options invalid: host must be set when using TLS"),
            ("bogus", "unknown command \"bogus\" for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage."),
            (
                "deplo",
                "unknown command \"deplo\" for \"kamal-proxy\"\n\nDid you mean this?\n\tdeploy\n\nRun 'kamal-proxy --help' for usage.",
            ),
        ] {
            assert_eq!(error(line), text, "{line}");
        }
    }

    #[test]
    fn help_is_no_error() {
        for line in
            ["", "--help", "help", "deploy --help", "deploy x --help", "help deploy", "rollout", "rollout bogus"]
        {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let text = dispatch(&arguments).unwrap_or_else(|Failed(error)| panic!("{line}: {error}"));
            assert!(text.contains("Usage:"), "{line}: {text}");
        }
    }
}
