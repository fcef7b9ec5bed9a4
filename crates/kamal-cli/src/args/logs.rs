//! What every kind of log can be asked for.

use clap::{ArgAction, Args};

use super::values;

/// Options of logs.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// Lines since then: 5m, 2h, a time
    #[arg(short, long)]
    pub(crate) since: Option<String>,
    /// So many lines at the end [default: 100, following: 10]
    #[arg(short = 'n', long, value_name = "N", value_parser = values::whole::<u64>)]
    pub(crate) lines: Option<u64>,
    /// Only lines that match
    #[arg(short, long)]
    pub(crate) grep: Option<String>,
    /// Keep following the log on the primary host
    // A flag that may have a word of its own, as it is text for Kamal.
    #[arg(
        short,
        long,
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "BOOL"
    )]
    pub(crate) follow: bool,
    /// Leave the times out
    #[arg(short = 'T', long)]
    pub(crate) skip_timestamps: bool,
}
