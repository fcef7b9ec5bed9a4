//! Runs an operation and shows what comes back.

use kamal::Operation;
use kamal_core::{
    cancel::Cancel,
    error::{Error, HostError},
    fleet::Captured,
    op::Op,
    output::Lines,
    plan::Question,
    ports::{Chunk, Exit},
    query::{Attach, Query},
    run::{self, Answer, Report},
};
use serde_json::{Value, json};

use super::{
    operation::operation,
    review::{self, Reviewed},
};
use crate::{adapters::terminal, args::Command, confirm::confirm, context::Context, failure::Failure};

/// Runs the operation of a command, or shows its plan.
pub(super) async fn perform(context: &Context, command: Command, planned: bool) -> Result<(), Failure> {
    let preview = command.preview().cloned().unwrap_or_default();
    let (confirmed, raw) = (command.is_confirmed(), command.is_raw());
    let Some(op) = operation(command, context.config())? else { return Ok(()) };
    let operation = context.operation(op);
    if planned || preview.dry_run {
        return look_ahead(context, &operation, planned).await;
    }
    let op = operation.op().clone();
    let reviewed = preview.plan.map(|named| review::read(context, &named, operation.asked())).transpose()?;
    if let Some(question) = op.question().filter(|_| !confirmed)
        && !confirm(&question, context.reporter.is_json())
    {
        return Ok(());
    }
    let run = match reviewed {
        Some(Reviewed::Plan(plan)) => operation.apply(*plan),
        Some(Reviewed::Digest(digest)) => operation.expect(digest).run(),
        None => operation.run(),
    };
    let streamed = context.reporter.is_json() && op.row().changes;
    let failed = |error| {
        let failure = Failure::from(error);
        if streamed { Failure::Reported(Box::new(failure)) } else { failure }
    };
    let Report { answers, attach, .. } = run.await.map_err(failed)?;
    show(context, &op, answers, raw)?;
    match attach {
        Some(question) => attached(context, &question).await,
        None => Ok(()),
    }
}

/// Shows what would be done. With `plan` the exit status tells whether that is anything.
async fn look_ahead(context: &Context, operation: &Operation, planned: bool) -> Result<(), Failure> {
    let outlook = operation.outlook().await?;
    if context.reporter.is_json() {
        context.reporter.json(review::document(&outlook));
    } else {
        context.reporter.data(&outlook.to_string());
    }
    if planned && !outlook.is_empty() { Err(Failure::Status(2)) } else { Ok(()) }
}

/// Shows answers in Kamal's way; what some hosts said is shown even where others failed.
fn show(context: &Context, op: &Op, answers: Vec<Answer>, raw: bool) -> Result<(), Failure> {
    let row = op.row();
    let json = context.reporter.is_json();
    if json && !row.changes {
        context.reporter.json(document(&row.name(), &answers));
    }
    let is_log = row.subcommand == Some("logs");
    let (answered, failed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.outcome.is_ok());
    let mut status = 0;
    for answer in &answered {
        let Answer { host, heading, outcome: Ok(captured), .. } = answer else { continue };
        let nothing = is_log && captured.status == 0 && captured.stdout.trim().is_empty();
        let text = if nothing { "Nothing found" } else { &captured.stdout };
        match host {
            // It is in the document, or was an event.
            _ if json => {}
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
        let failure = Failure::from(error);
        return Err(if json { Failure::Reported(Box::new(failure)) } else { failure });
    }
    match status {
        0 => Ok(()),
        // The command's own.
        status if row.changes => Err(Failure::Status(u8::try_from(status).unwrap_or(1))),
        _ => Err(Failure::Status(1)),
    }
}

/// Answers as one document.
fn document(operation: &str, answers: &[Answer]) -> Value {
    let answer = |Answer { host, heading, outcome, .. }: &Answer| match outcome {
        Ok(Captured { stdout, stderr, status, .. }) => {
            json!({"host": host, "heading": heading, "stdout": stdout, "stderr": stderr, "status": status})
        }
        Err(error) => json!({"host": host, "heading": heading, "error": error.to_string(), "kind": error.kind()}),
    };
    let answers: Vec<Value> = answers.iter().map(answer).collect();
    json!({"schema": "kamal/answers/1", "operation": operation, "answers": answers})
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
    let (json, mut lines) = (context.reporter.is_json(), Lines::default());
    let as_json = |line: &str| {
        context.reporter.json(json!({"schema": "kamal/log/1", "host": question.host, "line": line}));
    };
    let mut pass = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        if json {
            lines.feed(bytes, &mut |line| as_json(line));
        } else if !show(Some(bytes)) {
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
