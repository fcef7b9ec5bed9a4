//! Runs an operation and shows what comes back.

use kamal_core::{
    cancel::Cancel,
    error::{Error, HostError},
    fleet::Captured,
    op::Op,
    plan::Question,
    ports::{Chunk, Exit},
    query::{Attach, Query},
    run::{self, Answer, Report},
};
use serde_json::json;

use super::operation::operation;
use crate::{adapters::terminal, args::Command, confirm::confirm, context::Context, failure::Failure};

/// Runs the operation of a command, or shows its plan.
pub(super) async fn perform(context: &Context, command: Command) -> Result<(), Failure> {
    let preview = command.preview().cloned().unwrap_or_default();
    let (confirmed, raw) = (command.is_confirmed(), command.is_raw());
    let Some(op) = operation(command, context.config())? else { return Ok(()) };
    let mut operation = context.operation(op);
    if preview.dry_run {
        let plan = operation.plan().await?;
        if context.reporter.is_json() {
            context.reporter.json(json!({"event": "plan", "digest": plan.digest(), "plan": plan}));
        } else {
            context.reporter.data(&plan.to_string());
        }
        return Ok(());
    }
    let op = operation.op().clone();
    if let Some(question) = op.question().filter(|_| !confirmed)
        && !confirm(&question)
    {
        return Ok(());
    }
    if let Some(digest) = preview.plan {
        operation = operation.expect(digest);
    }
    let Report { answers, attach, .. } = operation.run().await?;
    show(context, &op, answers, raw)?;
    match attach {
        Some(question) => attached(context, &question).await,
        None => Ok(()),
    }
}

/// Shows answers in Kamal's way; what some hosts said is shown even where others failed.
fn show(context: &Context, op: &Op, answers: Vec<Answer>, raw: bool) -> Result<(), Failure> {
    let is_log = op.row().subcommand == Some("logs");
    let (answered, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.outcome.is_ok());
    let mut status = 0;
    for answer in &answered {
        let Answer { host, heading, outcome: Ok(captured), .. } = answer else { continue };
        let nothing = is_log && captured.status == 0 && captured.stdout.trim().is_empty();
        let text = if nothing { "Nothing found" } else { &captured.stdout };
        match host {
            _ if context.reporter.is_json() => context.reporter.json(json!({
                "event": "answer", "host": host, "kind": heading, "stdout": captured.stdout,
                "stderr": captured.stderr, "status": captured.status,
            })),
            // For another program, which needs it as it is.
            _ if raw => drop(context.reporter.bytes(answer.raw().map_or(&[], |raw| raw.expose().as_bytes()))),
            Some(host) if heading == "Host" => context.reporter.data(&format!("Host {host}: {}\n", text.trim_end())),
            Some(host) if !heading.is_empty() => context.reporter.host(heading, host, text),
            _ => context.reporter.data(&format!("{}\n", text.trim_end())),
        }
        if captured.status != 0 {
            context.reporter.complain(&complaint(host.as_deref(), captured));
            status = captured.status;
        }
    }
    if let Some(error) = Error::of_hosts(failed.into_iter().filter_map(|answer| answer.outcome.err()).collect()) {
        return Err(error.into());
    }
    let of_command = op.row().changes;
    match status {
        0 => Ok(()),
        // The command's own.
        status if of_command => Err(Failure::Status(u8::try_from(status).unwrap_or(1))),
        _ => Err(Failure::Status(1)),
    }
}

fn complaint(host: Option<&str>, captured: &Captured) -> String {
    let said = captured.stderr.trim_end();
    let said = if said.is_empty() { String::new() } else { format!("\n{said}") };
    format!("{}: exit status {}{said}", host.unwrap_or("local"), Exit(captured.status))
}

/// What needs the caller's terminal or screen.
async fn attached(context: &Context, question: &Question) -> Result<(), Failure> {
    let Question { host, query, .. } = question;
    let script = run::script(&context.project.fleet(Cancel::never()), query);
    let pty = match query {
        Query::Logs { .. } => return follow(context, question).await,
        Query::ExecNew(exec) => exec.attach == Attach::Terminal,
        Query::ExecAccessory { attach, .. } | Query::ExecReuse { attach, .. } => *attach == Attach::Terminal,
        _ => terminal::is_one(),
    };
    let script = (!matches!(query, Query::Shell { command: None })).then_some(&script);
    let connector = context.project.connector().ok_or(Failure::Interrupted)?;
    let exit = terminal::attach(connector, context.cancelled(), host, script, pty).await?;
    if exit.0 == 0 { Ok(()) } else { Err(Failure::Status(u8::try_from(exit.0).unwrap_or(1))) }
}

/// Follows a log until the user stops it, or nobody reads it any more: either is the way it is meant to end.
async fn follow(context: &Context, question: &Question) -> Result<(), Failure> {
    let fleet = context.project.fleet(context.cancelled().clone());
    let script = run::script(&fleet, &question.query);
    let (gone, nobody_reads) = tokio::sync::watch::channel(false);
    let mut show = context.reporter.follow();
    let mut pass = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        if !show(Some(bytes)) {
            gone.send_replace(true);
        }
    };
    let mut nobody_reads = nobody_reads;
    let closed = Cancel::when(async move {
        // The sender outlives the log.
        drop(nobody_reads.wait_for(|gone| *gone).await);
    });
    let ended = closed.guard(fleet.exec(&question.host, &script, &mut pass)).await;
    match ended {
        None | Some(Err(HostError::Cancelled { .. })) => Ok(()),
        Some(Ok(exit)) if exit.success() => {
            show(None);
            Ok(())
        }
        Some(Ok(exit)) => Err(Failure::User(format!("{}: the log ended with exit status {}", question.host, exit))),
        Some(Err(error)) => Err(error.into()),
    }
}
