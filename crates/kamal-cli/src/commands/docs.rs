//! `kamal docs`: what deploy.yml can say (spec 9.11).

use kamal_core::config::{docs, schema};

use crate::args::DocsArgs;

/// Prints the schema, or the annotated YAML of a section. A section that does not exist is no failure, as in Kamal.
pub(super) fn run(args: &DocsArgs) {
    if args.schema {
        anstream::print!("{}", schema::text());
        return;
    }
    let section = args.section.as_deref();
    match docs::docs(section) {
        Some(text) => anstream::print!("{text}"),
        None => {
            anstream::println!("No documentation found for {}", section.unwrap_or_default());
            anstream::eprintln!("help: there is {}", docs::sections().join(", "));
        }
    }
}
