//! deploy.yml: read, checked and turned into a [`Config`] (spec chapter 2).
//!
//! ```text
//! text ─erb─▶ text ─yaml─▶ Node tree ─overlay─▶ one tree ─build (checks, merges, defaults)─▶ Config
//! ```
//!
//! All of it is pure: what ERB may ask of the world comes through [`TemplateWorld`]. Everything wrong is told at once, each
//! finding with its place in the file the user wrote.

mod build;
mod destination;
mod diagnostic;
pub mod docs;
#[cfg(test)]
mod effect;
pub mod effective;
mod erb;
pub mod import;
mod load;
pub mod model;
mod no_template_world;
mod queries;
mod ruby;
pub mod schema;
mod shape;
mod source;
mod yaml;

pub(crate) use build::version::compare as compare_versions;
pub use diagnostic::{ConfigErrors, Diagnostic, Severity};
/// A time in a zone, which [`TemplateWorld`] tells.
pub use jiff::Zoned;

pub use erb::{Answer, CommandError, Complaints, Fact, FileError, Found, RubyError, TemplateWorld, render_template};
pub use load::{Loaded, Raw, load, load_aliases};
pub use model::Config;
pub use no_template_world::NoTemplateWorld;
pub use shape::suggest::did_you_mean;
pub use source::Source;
