//! buildx's builders and the docker contexts of those elsewhere: made, looked at, put right, removed (spec 9.4).

use kamal_core::{
    config::Config,
    event::{EventKind, Outcome, Tone},
    ports::{BuildError, BuildOrder, Command},
};

use super::{
    argv::{platforms, words},
    backend::{Backend, Elsewhere},
    program::{Show, look, run},
};

/// How a builder or a context was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// As it has to be.
    Right,
    /// Of that name, but another.
    Wrong,
    /// Not at all.
    Absent,
}

/// Makes what the builder lacks. What is right stays, with its cache.
pub(super) async fn ensure(order: &BuildOrder<'_>, backend: &Backend) -> Result<(), BuildError> {
    let Some(name) = backend.name() else { return Ok(()) };
    let builder = builder(order, backend, name).await?;
    let context = match backend.elsewhere() {
        Some(elsewhere) => context(order, elsewhere).await?,
        None => Found::Right,
    };
    if (builder, context) == (Found::Right, Found::Right) {
        return Ok(());
    }
    order.events.emit(EventKind::tell(Tone::Warning, "Missing compatible builder, so creating a new one first"));
    make(order, backend, builder, context).await
}

/// Makes the builder, and its context: `build create`.
pub(super) async fn create(order: &BuildOrder<'_>, backend: &Backend) -> Result<String, BuildError> {
    match backend {
        Backend::Docker => return Ok("The driver docker needs no builder".to_owned()),
        Backend::Pack => return Ok("Buildpacks need no builder of docker's".to_owned()),
        _ => {}
    }
    let context = match backend.elsewhere() {
        Some(elsewhere) => context(order, elsewhere).await?,
        None => Found::Right,
    };
    make(order, backend, Found::Absent, context).await.map(|()| String::new())
}

/// Removes the builder, then its context, without which what it has on the other machine could not be removed.
pub(super) async fn remove(order: &BuildOrder<'_>, backend: &Backend) -> Result<String, BuildError> {
    let Some(name) = backend.name() else { return Ok("There is no builder to remove".to_owned()) };
    let mut told = String::new();
    if !discard(order, "remove the builder", &remove_builder(name)).await? {
        told = format!("There is no builder {name}");
    }
    if let Some(elsewhere) = backend.elsewhere() {
        discard(order, "remove the context", &remove_context(elsewhere)).await?;
    }
    Ok(told)
}

async fn make(order: &BuildOrder<'_>, backend: &Backend, builder: Found, context: Found) -> Result<(), BuildError> {
    let Some(name) = backend.name() else { return Ok(()) };
    // What a builder keeps of one machine is of no use on another.
    let builder = if context == Found::Wrong && builder == Found::Right { Found::Wrong } else { builder };
    if builder == Found::Wrong {
        discard(order, "remove the builder", &remove_builder(name)).await?;
    }
    if let Some(elsewhere) = backend.elsewhere() {
        if context == Found::Wrong {
            discard(order, "remove the context", &remove_context(elsewhere)).await?;
        }
        if let Some(command) = introduce(&elsewhere.url) {
            run(order, "connect to the builder's host", &command, Show::Nothing).await?;
        }
    }
    let with_builder = builder != Found::Right;
    for (what, command) in commands(order.config, backend, with_builder, context != Found::Right) {
        run(order, what, &command, Show::Nothing).await?;
    }
    Ok(())
}

/// What makes the builder and the context, each if it is wanted.
fn commands(config: &Config, backend: &Backend, builder: bool, context: bool) -> Vec<(&'static str, Command)> {
    let driver = &config.builder.driver;
    let options = if config.registry.local_port().is_some() { words("--driver-opt network=host") } else { Vec::new() };
    let buildx = |args: Vec<String>, last: Option<String>| {
        let all = words("buildx create").into_iter().chain(args).chain(options.clone()).chain(last);
        ("create the builder", Command::new("docker", all))
    };
    let named = |name: &str| vec!["--name".to_owned(), name.to_owned()];
    let mut made = Vec::new();
    match backend {
        Backend::Docker | Backend::Pack => return Vec::new(),
        Backend::Cloud(_) => {
            let organisation = driver.strip_prefix("cloud").unwrap_or(driver).trim();
            let args = ["buildx", "create", "--driver", "cloud", organisation];
            return vec![("create the builder", Command::new("docker", args))];
        }
        Backend::Local(name) => made.push(buildx([named(name), vec![format!("--driver={driver}")]].concat(), None)),
        Backend::Hybrid { elsewhere, here, .. } if builder => {
            let args = [platforms(here), named(&elsewhere.name), vec![format!("--driver={driver}")]].concat();
            made.push(buildx(args, None));
        }
        Backend::Remote(_) | Backend::Hybrid { .. } => {}
    }
    let Some(elsewhere) = backend.elsewhere() else { return made };
    if context {
        let description = format!("{} host", elsewhere.name);
        let host = format!("host={}", elsewhere.url);
        let args = ["context", "create", &elsewhere.context(), "--description", &description, "--docker", &host];
        made.push(("create the context", Command::new("docker", args)));
    }
    if builder {
        let args = match backend {
            Backend::Hybrid { there, .. } => {
                [platforms(there), vec!["--append".to_owned()], named(&elsewhere.name)].concat()
            }
            _ => named(&elsewhere.name),
        };
        made.push(buildx(args, Some(elsewhere.context())));
    }
    made
}

fn remove_builder(name: &str) -> Command {
    Command::new("docker", ["buildx", "rm", name])
}

fn remove_context(elsewhere: &Elsewhere) -> Command {
    Command::new("docker", ["context", "rm", &elsewhere.context()])
}

/// Logs in once as docker will, so that the host's key is known by then. docker's own connection cannot ask about it.
fn introduce(url: &str) -> Option<Command> {
    let place = url.strip_prefix("ssh://")?.split(['/', '?', '#']).next()?;
    let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (host, None),
    };
    let mut args = words("-o StrictHostKeyChecking=accept-new -o ConnectTimeout=30");
    for (flag, value) in [("-l", user), ("-p", port)] {
        args.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value.to_owned()]));
    }
    args.extend(["--".to_owned(), host.trim_matches(['[', ']']).to_owned(), "true".to_owned()]);
    Some(Command::new("ssh", args))
}

/// Removes something; says whether it was there. That it was not is no failure.
async fn discard(order: &BuildOrder<'_>, what: &str, command: &Command) -> Result<bool, BuildError> {
    let began = order.clock.elapsed();
    order.events.emit(EventKind::StepStarted { host: None, step: what.to_owned(), command: command.to_string() });
    let printed = look(order, command).await?;
    let absent = !printed.exit.success() && is_absent(&printed.text());
    let outcome = match printed.exit {
        _ if absent => Outcome::Ignored,
        exit if exit.success() => Outcome::Ok,
        exit => Outcome::Failed(format!("exit status {exit}")),
    };
    let took = order.clock.elapsed().saturating_sub(began);
    order.events.emit(EventKind::StepFinished { host: None, step: what.to_owned(), outcome, took });
    if absent || printed.exit.success() { Ok(!absent) } else { Err(printed.failure(command)) }
}

/// Looks at the builder.
async fn builder(order: &BuildOrder<'_>, backend: &Backend, name: &str) -> Result<Found, BuildError> {
    let command = Command::new("docker", ["buildx", "inspect", name]);
    let printed = look(order, &command).await?;
    if printed.exit.success() {
        let reaches = |elsewhere: &Elsewhere| {
            let context = elsewhere.context();
            let mut endpoints = printed.out.lines().filter_map(|line| line.trim().strip_prefix("Endpoint:"));
            endpoints.any(|endpoint| endpoint.trim() == context)
        };
        return Ok(if backend.elsewhere().is_none_or(reaches) { Found::Right } else { Found::Wrong });
    }
    let text = printed.text();
    match backend.elsewhere() {
        // It is there and the context it goes through is not.
        Some(elsewhere) if text.contains(&elsewhere.context()) => Ok(Found::Right),
        _ if is_absent(&text) => Ok(Found::Absent),
        _ => Err(printed.failure(&command)),
    }
}

/// Looks at the context.
async fn context(order: &BuildOrder<'_>, elsewhere: &Elsewhere) -> Result<Found, BuildError> {
    let args = ["context", "inspect", &elsewhere.context(), "--format", "{{.Endpoints.docker.Host}}"];
    let command = Command::new("docker", args);
    let printed = look(order, &command).await?;
    Ok(match printed.exit.success() {
        true if printed.out.trim() == elsewhere.url => Found::Right,
        true => Found::Wrong,
        false if is_absent(&printed.text()) => Found::Absent,
        false => return Err(printed.failure(&command)),
    })
}

/// What docker says of a builder or a context that is not there.
fn is_absent(text: &str) -> bool {
    ["context not found", "no builder", "does not exist", "\": not found"].iter().any(|said| text.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_reached_as_the_url_says() {
        let line = |url: &str| introduce(url).map(|command| command.to_string());
        let options = "ssh -o StrictHostKeyChecking=accept-new -o ConnectTimeout=30";
        assert_eq!(line("ssh://app@1.1.1.5:2122"), Some(format!("{options} -l app -p 2122 -- 1.1.1.5 true")));
        assert_eq!(line("ssh://host/run/docker.sock"), Some(format!("{options} -- host true")));
        assert_eq!(line("ssh://a@[::1]:22"), Some(format!("{options} -l a -p 22 -- ::1 true")));
        assert_eq!(line("tcp://host:2375"), None);
    }
}
