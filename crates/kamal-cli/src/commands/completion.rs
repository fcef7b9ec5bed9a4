//! Shell completions.

use clap::CommandFactory;

use crate::args::Cli;

/// Prints the completion script of a shell.
pub(super) fn print(shell: clap_complete::Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "kamal", &mut std::io::stdout());
}
