//! The kamal command: reads arguments, files and the environment, puts the adapters together, and hands over to the
//! engine.

mod adapters;
mod args;
mod commands;
mod confirm;
mod context;
mod failure;
mod output;
mod report;
mod signals;

fn main() -> std::process::ExitCode {
    commands::main()
}
