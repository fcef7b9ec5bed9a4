//! Chores of the workspace: demo, sandbox, ci, bench, tidy.
fn main() {}
