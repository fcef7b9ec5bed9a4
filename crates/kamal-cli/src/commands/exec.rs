//! `kamal app exec` (spec 9.7).

use kamal_core::{
    fleet::Captured,
    name::{HostName, RoleName, Version},
    naming,
    ops::{hooks, small},
    plan::HostWork,
    query::{Attach, Query},
    shell::Script,
    step::Step,
};

use crate::{adapters::terminal, args::app::AppExecArgs, context::Context, failure::Failure};

/// Runs a command in new or running containers.
pub(super) async fn run(context: &Context, args: &AppExecArgs) -> Result<(), Failure> {
    if args.detach {
        clash("Detach", &[(args.interactive, "interactive"), (args.reuse, "reuse")])?;
    }
    if args.raw {
        clash("Raw", &[(args.interactive, "interactive"), (args.detach, "detach")])?;
    }
    let unknown = context.version_or_unknown();
    let cx = context.cx(&unknown);
    let found = hooks::present(&cx).await;
    hooks::run(&cx, &found, "pre-connect", hooks::Told::default()).await?;
    let version = version(context, args).await?;
    let attach = match (args.interactive, args.detach) {
        (true, _) if terminal::is_one() => Attach::Terminal,
        (true, _) => Attach::Input,
        (_, true) => Attach::Detached,
        _ => Attach::Output,
    };
    let mut questions = questions(context, args, &version, attach)?;
    if args.interactive {
        questions.truncate(1);
        let Some((host, query)) = questions.pop() else {
            return Err(Failure::User("no role runs on the hosts selected".into()));
        };
        let script = Script::write("exec", context.world.docker.query(&query, context.config()));
        let exit =
            terminal::attach(&context.connector, context.cancelled(), &host, Some(&script), attach == Attach::Terminal)
                .await?;
        return ended(exit.0);
    }
    small::run(&cx, "audit", &audits(context, args, &version)).await?;
    let answers = small::ask(&cx, &questions).await?;
    ended(show(context, questions.iter().map(|(host, _)| host).zip(&answers), args.raw))
}

/// What the audit log is told, a line for each container (spec 6.4).
fn audits(context: &Context, args: &AppExecArgs, version: &Version) -> Vec<HostWork> {
    let text = format!("Executed cmd '{}' on app version {version}", command(args));
    let work = |host: &HostName| {
        let step = |role: RoleName| Step::Audit { text: text.clone(), role: args.reuse.then_some(role) };
        let roles = context.targets.roles_on(host).map(|(role, _)| role.name.clone());
        HostWork { host: host.clone(), steps: roles.map(step).collect() }
    };
    context.targets.app_hosts.iter().map(work).collect()
}

fn command(args: &AppExecArgs) -> String {
    args.command.iter().map(|word| word.trim()).collect::<Vec<_>>().join(" ")
}

/// Refuses options that do not go with another.
pub(super) fn clash(what: &str, with: &[(bool, &str)]) -> Result<(), Failure> {
    let names: Vec<&str> = with.iter().filter(|(given, _)| *given).map(|(_, name)| *name).collect();
    let text = format!("{what} is not compatible with {}", names.join(" or "));
    if names.is_empty() { Ok(()) } else { Err(Failure::User(text)) }
}

/// Shows what a command printed on hosts, and returns the last status that is no success.
pub(super) fn show<'a>(
    context: &Context,
    answers: impl IntoIterator<Item = (&'a HostName, &'a Captured)>,
    raw: bool,
) -> i32 {
    let mut status = 0;
    for (host, answer) in answers {
        if raw {
            // For another program, which needs it as it is.
            context.reporter.bytes(answer.stdout.as_bytes());
        } else {
            context.reporter.host("App", host, &answer.stdout);
        }
        if answer.status != 0 {
            let text = format!("{host}: exit status {}\n{}", answer.status, answer.stderr.trim_end());
            context.reporter.complain(&text);
            status = answer.status;
        }
    }
    status
}

/// The end of a command whose own end was this.
pub(super) fn ended(status: i32) -> Result<(), Failure> {
    if status == 0 { Ok(()) } else { Err(Failure::Status(u8::try_from(status).unwrap_or(1))) }
}

/// `--version`, else what runs on the primary host (reuse) or the tag latest (new containers).
async fn version(context: &Context, args: &AppExecArgs) -> Result<Version, Failure> {
    if let Some(version) = context.asked_version() {
        return Ok(version);
    }
    if !args.reuse {
        return Ok(Version::new(naming::latest_tag(context.config())));
    }
    let unknown = context.version_or_unknown();
    let cx = context.cx(&unknown);
    let (Some(host), Some(role)) = (&context.targets.primary_host, context.targets.roles.first()) else {
        return Ok(unknown);
    };
    let state = cx.fleet.observe(host).await?;
    Ok(state.current_version(context.config(), &role.name).unwrap_or(unknown))
}

fn questions(
    context: &Context,
    args: &AppExecArgs,
    version: &Version,
    attach: Attach,
) -> Result<Vec<(HostName, Query)>, Failure> {
    let config = context.config();
    let extra_env: Vec<_> = args.env.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    let command = command(args);
    let mut questions = Vec::new();
    for role in &context.targets.roles {
        for tagged in role.hosts.iter().filter(|tagged| context.targets.app_hosts.contains(&tagged.name)) {
            let query = if args.reuse {
                Query::ExecReuse {
                    container: naming::container(config, &role.name, version),
                    command: command.clone(),
                    extra_env: extra_env.clone(),
                    attach,
                }
            } else {
                Query::ExecNew {
                    role: role.name.clone(),
                    env: config.env_for(role, tagged).clear.into_iter().collect(),
                    version: version.clone(),
                    command: command.clone(),
                    extra_env: extra_env.clone(),
                    token: context.world.entropy.hex(6),
                    attach,
                }
            };
            questions.push((tagged.name.clone(), query));
        }
    }
    Ok(questions)
}
