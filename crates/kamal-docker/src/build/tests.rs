//! Builds on a machine where git is real and every other program is a note of what was run.

mod bench;
mod clones;
mod commands;
