//! `kamal app logs` and `kamal proxy logs`.

use kamal_core::{
    name::HostName,
    ops::small,
    ports::Chunk,
    query::{LogLines, Query},
    shell::Script,
};

use super::inspect;
use crate::{
    args::{LogsArgs, app::AppLogsArgs},
    context::Context,
    failure::Failure,
};

/// `app logs`.
pub(super) async fn app(context: &Context, args: &AppLogsArgs) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let cx = context.cx(&version);
    let lines = || app_lines(args);
    if args.logs.follow {
        let host = primary(context)?;
        let role = context.targets.roles_on(host).next().map(|(role, _)| role.name.clone());
        let role = role.ok_or_else(|| Failure::User(format!("no role runs on {host}")))?;
        return follow(context, host, Query::Logs { role, lines: lines() }).await;
    }
    let placed = small::placements(&cx);
    let questions: Vec<_> = placed
        .into_iter()
        .map(|(host, role)| (host, Query::Logs { role: role.name.clone(), lines: lines() }))
        .collect();
    let answers = small::ask(&cx, &questions).await?;
    for ((host, _), answer) in questions.iter().zip(&answers) {
        let found = answer.status == 0 && !answer.stdout.is_empty();
        context.reporter.host("App", host, if found { &answer.stdout } else { "Nothing found" });
    }
    Ok(())
}

/// `proxy logs`.
pub(super) async fn proxy(context: &Context, args: &LogsArgs) -> Result<(), Failure> {
    if args.follow {
        return follow(context, primary(context)?, Query::ProxyLogs(lines(args))).await;
    }
    let questions: Vec<_> =
        context.targets.proxy_hosts.iter().map(|host| (host.clone(), Query::ProxyLogs(lines(args)))).collect();
    inspect::show(context, "Proxy", &questions).await
}

fn primary(context: &Context) -> Result<&HostName, Failure> {
    context.targets.primary_host.as_ref().ok_or_else(|| Failure::User("there is no primary host".to_owned()))
}

fn app_lines(args: &AppLogsArgs) -> LogLines {
    LogLines { grep_options: args.grep_options.clone(), container: args.container_id.clone(), ..lines(&args.logs) }
}

fn lines(args: &LogsArgs) -> LogLines {
    let narrowed = args.since.is_some() || args.grep.is_some();
    let default = if args.follow { Some(10) } else { Some(100).filter(|_| !narrowed) };
    LogLines {
        since: args.since.clone(),
        lines: args.lines.or(default),
        grep: args.grep.clone(),
        grep_options: None,
        follow: args.follow,
        timestamps: !args.skip_timestamps,
        container: None,
    }
}

/// Follows until the user stops it, which is the way it is meant to end.
async fn follow(context: &Context, host: &HostName, query: Query) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let cx = context.cx(&version);
    let script = Script::read("follow", context.world.docker.query(&query, context.config()));
    let mut show = context.reporter.follow();
    let mut pass = |chunk: Chunk<'_>| {
        let (Chunk::Stdout(bytes) | Chunk::Stderr(bytes)) = chunk;
        show(Some(bytes));
    };
    let ended = cx.fleet.exec(host, &script, &mut pass).await;
    show(None);
    match ended {
        Ok(exit) if exit.success() => Ok(()),
        Ok(exit) => Err(Failure::User(format!("{host}: the log ended with exit status {}", exit.0))),
        Err(kamal_core::error::HostError::Cancelled { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
