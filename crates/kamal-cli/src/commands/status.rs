//! `kamal status`: the fleet on one screen, once or again and again.

use std::{io::IsTerminal as _, time::Duration};

use kamal_core::{ErrorKind, op::Op};

use crate::{args::StatusArgs, context::Context, failure::Failure};

/// How long between looks.
const PAUSE: Duration = Duration::from_secs(2);

/// What clears a terminal and begins at its top.
const CLEAR: &str = "\x1b[2J\x1b[3J\x1b[H";

/// Shows it; fails when a host could not be reached.
pub(crate) async fn show(context: &Context, args: &StatusArgs) -> Result<(), Failure> {
    let clear = if std::io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        let report = match context.operation(Op::Status).run().await {
            Err(kamal::Error::Engine(error)) if args.watch && error.kind() == ErrorKind::Cancelled => return Ok(()),
            report => report?,
        };
        let status = report.status.ok_or(Failure::Interrupted)?;
        match (context.reporter.is_json(), args.watch) {
            (true, _) => context.reporter.json(status.to_json()),
            (false, true) => context.reporter.data(&format!("{clear}{status}\n")),
            (false, false) => context.reporter.data(&status.to_string()),
        }
        if !args.watch {
            return if status.is_whole() { Ok(()) } else { Err(Failure::Status(1)) };
        }
        // To stop is the way it is meant to end.
        if context.cancelled().guard(tokio::time::sleep(PAUSE)).await.is_none() {
            return Ok(());
        }
    }
}
