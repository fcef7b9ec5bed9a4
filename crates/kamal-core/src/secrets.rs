//! `.kamal/secrets`: dotenv files with commands in them (spec chapter 3). Parsing is apart from resolving, so that a
//! secret nobody asks for costs nothing, and no command runs twice.
//!
//! Everything outside comes through [`Commands`]: this module starts no process and reads no variable.

pub mod answer;
mod command_error;
pub(crate) mod dotenv;
pub mod encrypted;
pub(crate) mod expand;
mod lint;
mod notice;
mod store;
pub mod vendors;

pub use command_error::CommandError;
pub use expand::{Commands, Ran};
pub use lint::{Lint, LintKind};
pub use notice::{Use, notice};
pub(crate) use store::line_breaks;
pub use store::{ALLOW_BLANK, Secrets, SecretsError, SecretsFile, parse};
