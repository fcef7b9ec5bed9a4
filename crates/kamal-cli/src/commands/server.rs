//! `kamal server bootstrap` and `kamal server exec` (spec 9.1).

use kamal_core::{
    event::EventKind,
    name::HostName,
    ops::{bootstrap as engine, hooks, small},
    plan::HostWork,
    shell::Script,
    step::Step,
};

use super::exec::{clash, ended, show};
use crate::{adapters::terminal, args::server::ServerExecArgs, context::Context, failure::Failure};

/// Installs Docker where it is missing.
pub(super) async fn bootstrap(context: &Context) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    Ok(engine::bootstrap(&context.cx(&version)).await?)
}

/// Runs a command on the hosts, or on the primary one with the caller's terminal.
pub(super) async fn exec(context: &Context, args: &ServerExecArgs) -> Result<(), Failure> {
    if args.raw {
        clash("Raw", &[(args.interactive, "interactive")])?;
    }
    let command = args.command.iter().map(|word| word.trim()).collect::<Vec<_>>().join(" ");
    if command.is_empty() && !args.interactive {
        return Err(Failure::User("No command provided. You must specify a command to execute.".into()));
    }
    let unknown = context.version_or_unknown();
    let cx = context.cx(&unknown);
    let found = hooks::present(&cx).await;
    hooks::run(&cx, &found, "pre-connect", hooks::Told::default()).await?;
    let say = |text: String| cx.fleet.emit(EventKind::say(text));
    let script = Script::write("exec", command.as_str());
    if args.interactive {
        let Some(host) = &context.targets.primary_host else {
            return Err(Failure::User("there is no host".into()));
        };
        say(format!("Running '{command}' on {host} interactively..."));
        let script = (!command.is_empty()).then_some(&script);
        return ended(
            terminal::attach(&context.connector, context.cancelled(), host, script, terminal::is_one()).await?.0,
        );
    }
    let hosts = &context.targets.hosts;
    let names = hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
    say(format!("Running '{command}' on {names}..."));
    let audit = |host: &HostName| HostWork {
        host: host.clone(),
        steps: vec![Step::Audit { text: format!("Executed cmd '{command}' on {host}"), role: None }],
    };
    small::run(&cx, "audit", &hosts.iter().map(audit).collect::<Vec<_>>()).await?;
    let answers = cx.fleet.on(hosts, |host| Box::pin(cx.fleet.capture(host, &script))).await?;
    ended(show(context, hosts.iter().zip(&answers), args.raw))
}
