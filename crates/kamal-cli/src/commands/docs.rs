//! `kamal docs`: what deploy.yml can say (spec 9.11), and the book.

pub(crate) mod book;
mod commands;

use kamal_core::config::{docs, schema};

use clap::CommandFactory;

use crate::{
    args::{Cli, DocsArgs},
    failure::Failure,
    output,
};

/// Prints the schema, writes man pages, or prints the annotated YAML of a section or a chapter of the book. A section that
/// does not exist is no failure, as in Kamal.
pub(super) fn run(args: &DocsArgs) -> Result<(), Failure> {
    if args.schema {
        output::show(&schema::text());
        return Ok(());
    }
    if let Some(folder) = &args.man {
        let written = std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(Cli::command(), folder));
        return written.map_err(|error| Failure::User(format!("cannot write to {}: {error}", folder.display())));
    }
    let section = args.section.as_deref();
    match docs::docs(section).or_else(|| book::chapter(section?)) {
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
