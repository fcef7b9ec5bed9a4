//! `kamal lock …` (spec chapter 8).

use kamal_core::{naming, ops::lock, step::Step};

use crate::{args::LockCommand as Lock, context::Context, failure::Failure};

/// Runs a lock command.
pub(super) async fn run(context: &Context, command: Lock) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let cx = context.cx(&version);
    let Some(host) = &context.targets.primary_host else {
        return Err(Failure::User("there is no host to hold a lock".to_owned()));
    };
    let held = lock::status(&cx.fleet, host).await?;
    match (command, held) {
        (Lock::Status, Some(details)) => context.reporter.data(&format!("{}\n", details.trim_end())),
        (Lock::Status | Lock::Release(_), None) => context.reporter.data("There is no deploy lock\n"),
        (Lock::Release(_), Some(_)) => {
            lock::release(&cx.fleet, host).await?;
            context.reporter.data("Released the deploy lock\n");
        }
        (Lock::Acquire(args), _) => {
            let details = lock::details(&cx.fleet, &context.run.user_name, &context.version()?, &args.message);
            let step = Step::AcquireLock { directory: naming::lock_directory(context.config()), details };
            lock::acquire(&cx, host, &step).await?;
            context.reporter.data("Acquired the deploy lock\n");
        }
    }
    Ok(())
}
