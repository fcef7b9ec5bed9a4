//! `kamal docs`: what deploy.yml can say (spec 9.11), and the book.

pub(crate) mod book;
mod commands;

use clap::CommandFactory;
use kamal_core::config::docs;
use serde_json::json;

use super::schemas;
use crate::{
    args::{Cli, DocsArgs, Global},
    failure::Failure,
    output,
};

/// Prints a schema, writes man pages, or prints the annotated YAML of a section or a chapter of the book. A section that
/// does not exist is no failure, as in Kamal.
pub(super) fn run(global: &Global, args: &DocsArgs) -> Result<(), Failure> {
    if args.schema {
        return schemas::print(args.section.as_deref());
    }
    if let Some(folder) = &args.man {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        return written.map_err(|error| Failure::User(format!("cannot write to {}: {error}", folder.display())));
    }
    let section = args.section.as_deref();
    match docs::docs(section).or_else(|| book::chapter(section?)) {
        Some(text) if global.json => {
            output::line(&json!({"schema": "kamal/docs/1", "section": section, "text": text}).to_string());
        }
        Some(text) => output::show(&text),
        None => {
            output::line(&format!("No documentation found for {}", section.unwrap_or_default()));
            output::complain(&format!("help: there is {}", docs::sections().join(", ")));
            output::complain(&format!(
                "help: chapters of the book are {}",
                book::names().collect::<Vec<_>>().join(", ")
            ));
        }
    }
    Ok(())
}
