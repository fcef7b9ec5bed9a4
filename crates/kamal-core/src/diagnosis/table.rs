//! The table of causes: each with its signs, what is said, and what helps. The first whose signs are there is the one, so
//! what is certain comes before what is likely. Names in braces stand for what was seen ([`Look::values`]).

use super::{
    Cause, Listener,
    evidence::{Answer, ClueKind, Evidence},
    look::{Look, Values},
};
use crate::state::ContainerState;

/// A row of the table.
pub(super) struct Row {
    pub(super) cause: Cause,
    /// Its name for programs and people.
    pub(super) name: &'static str,
    /// What is the matter.
    pub(super) says: &'static str,
    /// What would put it right: the one change to deploy.yml, where that is it.
    pub(super) advice: &'static str,
    /// Whether its signs are there, and values of its own for the texts.
    pub(super) signs: fn(&Look<'_>) -> Option<Values>,
}

/// Where less is free, a disk or the memory is as good as full.
const SCARCE: u64 = 64_000_000;
/// Exit statuses from here on are signals.
const SIGNALS: i32 = 128;
/// The signal that cannot be handled, and the status it leaves.
const KILLED: i32 = 137;
/// Who logged something in so many seconds is still at work.
const AT_WORK: u64 = 8;

/// The rows, in the order in which their signs are looked for.
pub(super) static TABLE: [Row; 26] = [
    Row {
        cause: Cause::WrongArchitecture,
        name: "wrong_architecture",
        says: "the host cannot run the program in the image: it is for another processor, or a script without a `#!` line ({line})",
        advice: "set `builder/arch` to the host's architecture; the image is built for {built_for}",
        signs: |look| look.clue(ClueKind::Format),
    },
    Row {
        cause: Cause::MissingProgram,
        name: "missing_program",
        says: "the program it is to run is not in the image ({line})",
        advice: "correct the role's `cmd`, or the CMD and ENTRYPOINT of the Dockerfile",
        signs: |look| look.clue(ClueKind::MissingProgram).or_else(|| ended_with(look, 127, "exit code 127")),
    },
    Row {
        cause: Cause::NotExecutable,
        name: "not_executable",
        says: "the program it is to run may not be executed ({line})",
        advice: "make it executable before it is copied into the image: `chmod +x`, and `git update-index --chmod=+x` where git forgot it",
        signs: |look| look.clue(ClueKind::NotExecutable).or_else(|| ended_with(look, 126, "exit code 126")),
    },
    Row {
        cause: Cause::OutOfMemory,
        name: "out_of_memory",
        says: "there was not enough memory for it ({line})",
        advice: "raise the role's `options/memory`, have the app take less (fewer workers), or use a host with more",
        signs: out_of_memory,
    },
    Row {
        cause: Cause::DiskFull,
        name: "disk_full",
        says: "there is no room left on a disk ({line}); docker has {free} free",
        advice: "make room with `kamal prune all`, or `docker system prune` on the host; look at the volumes too",
        signs: disk_full,
    },
    Row {
        cause: Cause::NotStarted,
        name: "not_started",
        says: "it could not be started: {error}",
        advice: "correct what docker names: the role's `options`, `volumes` or `cmd`",
        signs: |look| {
            let created = look.evidence.state == Some(ContainerState::Created);
            (created && !look.evidence.error.is_empty()).then(Vec::new)
        },
    },
    Row {
        cause: Cause::NameUnknown,
        name: "name_unknown",
        says: "something it needs has no address: {line}",
        advice: "correct the name in `env`; an accessory is called by its service's name, as `kamal details` shows it (SERVICE-db, not db)",
        signs: |look| look.explained_by(ClueKind::Name),
    },
    Row {
        cause: Cause::NetworkUnreachable,
        name: "network_unreachable",
        says: "something it needs does not answer: {line}",
        advice: "see that it runs (`kamal accessory details all`) and that address and port in `env` are right; in a container localhost is the container",
        signs: |look| look.explained_by(ClueKind::Network),
    },
    Row {
        cause: Cause::Signal,
        name: "signal",
        says: "it was ended by signal {signal} after {ran} s",
        advice: "see who sent the signal: a crash of the app itself, or somebody on the host",
        signs: |look| {
            let signal = look.evidence.exit_code - SIGNALS;
            (over(look.evidence) && (1..=64).contains(&signal)).then(|| vec![("signal", signal_name(signal))])
        },
    },
    Row {
        cause: Cause::Finished,
        name: "finished",
        says: "it came to its end after {ran} s, without a failure: what it runs is no server, or one that goes to the background",
        advice: "have the role's `cmd` stay in the foreground",
        signs: |look| (over(look.evidence) && look.evidence.exit_code == 0).then(Vec::new),
    },
    Row {
        cause: Cause::Exited,
        name: "exited",
        says: "it ended by itself with exit code {code}",
        advice: "its log says why; a setting it misses belongs to `env`",
        signs: |look| look.evidence.ended().then(Vec::new),
    },
    Row {
        cause: Cause::OffNetwork,
        name: "off_network",
        says: "it is not on the docker network kamal, by which kamal-proxy reaches it",
        advice: "take `network` out of the role's `options`",
        signs: |look| (look.runs() && look.probe().is_some() && look.evidence.on_network == Some(false)).then(Vec::new),
    },
    Row {
        cause: Cause::HostRefused,
        name: "host_refused",
        says: "it answers {path} with {status}, because it does not know the host it is asked for, which is the container's id in health checks ({line})",
        advice: "let the app answer {path} for any host (Rails: `config.host_authorization = {exclude: ->(request) { request.path == \"{path}\" }}`), or set `proxy/healthcheck/path` to a path that is",
        signs: |look| look.answers(|status| (400..500).contains(&status)).and_then(|_| look.clue(ClueKind::Host)),
    },
    Row {
        cause: Cause::RedirectsToHttps,
        name: "redirects_to_https",
        says: "it answers {path} with a redirect to https ({location}); health checks come by http, as all requests from kamal-proxy do",
        advice: "leave https to kamal-proxy and except {path} from the redirect (Rails: `config.ssl_options = {redirect: {exclude: ->(request) { request.path == \"{path}\" }}}`), or set `proxy/healthcheck/path` to a path that is",
        signs: |look| look.redirect().filter(|to| to.starts_with("https:")).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::Redirects,
        name: "redirects",
        says: "it answers {path} with a redirect ({status} to {location}) that leads to no success",
        advice: "set `proxy/healthcheck/path` to a path that is answered with 200",
        signs: |look| look.answers(|status| (300..400).contains(&status)).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::LoginWanted,
        name: "login_wanted",
        says: "it answers {path} with {status}: it wants a login, or forbids it",
        advice: "set `proxy/healthcheck/path` to a path that needs no login",
        signs: |look| look.answers(|status| matches!(status, 401 | 403 | 407)).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::NotFound,
        name: "not_found",
        says: "it answers {path} with {status}: there is no such path",
        advice: "set `proxy/healthcheck/path` to a path the app answers with 200",
        signs: |look| look.answers(|status| matches!(status, 404 | 410)).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::ServerError,
        name: "server_error",
        says: "it answers {path} with {status}: the app fails at it",
        advice: "its log says why; a setting it misses belongs to `env`",
        signs: |look| look.answers(|status| status >= 500).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::TooSlow,
        name: "too_slow",
        says: "it was not up within {limit} s: {progress}",
        advice: "set `deploy_timeout: {better_limit}`",
        signs: too_slow,
    },
    Row {
        cause: Cause::OtherAnswer,
        name: "other_answer",
        says: "it answers {path} with {status}, which is no success",
        advice: "set `proxy/healthcheck/path` to a path that is answered with 200",
        signs: |look| look.answers(|status| !(200..300).contains(&status)).map(|_| Vec::new()),
    },
    Row {
        cause: Cause::SlowAnswer,
        name: "slow_answer",
        says: "it takes the request for {path} and does not answer within {timeout} s",
        advice: "set `proxy/healthcheck/path` to a path that asks for less, or `proxy/healthcheck/timeout: {longer_timeout}`",
        signs: |look| (look.evidence.answer == Answer::Silent).then(Vec::new),
    },
    Row {
        cause: Cause::NotHttp,
        name: "not_http",
        says: "what listens on port {port} does not answer in HTTP: it wants TLS, or is something else",
        advice: "set `proxy/app_port` to the port that speaks HTTP without TLS",
        signs: |look| (look.evidence.answer == Answer::NotHttp).then(Vec::new),
    },
    Row {
        cause: Cause::LoopbackOnly,
        name: "loopback_only",
        says: "it listens on 127.0.0.1 only ({ports}), where nobody outside of the container gets to",
        advice: "have it listen on 0.0.0.0: a variable of `env` (`HOST: 0.0.0.0`), or an option of the role's `cmd` (`-b 0.0.0.0`)",
        signs: |look| {
            let (here, elsewhere) = look.listeners()?;
            let all = if here.is_empty() { elsewhere } else { here };
            (!all.is_empty() && all.iter().all(|one| one.loopback)).then(|| ports(&all))
        },
    },
    Row {
        cause: Cause::OtherPort,
        name: "other_port",
        says: "nothing listens on port {port}; it listens on {ports}",
        advice: "set `proxy/app_port: {first}`, or have the app listen on {port}",
        signs: |look| {
            let (here, mut elsewhere) = look.listeners()?;
            elsewhere.retain(|one| !one.loopback);
            (here.is_empty() && !elsewhere.is_empty()).then(|| ports(&elsewhere))
        },
    },
    Row {
        cause: Cause::HealthCommand,
        name: "health_command",
        says: "the image's own health check (HEALTHCHECK) fails with exit status {status_of_check}",
        advice: "correct HEALTHCHECK in the Dockerfile, or turn it off with the role's `options: {no-healthcheck: true}`",
        signs: |look| {
            let health = look.evidence.health.as_ref().filter(|health| health.exit_code != 0)?;
            Some(vec![("status_of_check", health.exit_code.to_string())])
        },
    },
    Row {
        cause: Cause::NothingListens,
        name: "nothing_listens",
        says: "nothing listens on port {port}, nor on any other, after {ran} s",
        advice: "have the role's `cmd` start the server; where it needs longer than {limit} s, set `deploy_timeout: {better_limit}`",
        signs: |look| look.nothing_listens().then(Vec::new),
    },
];

/// When nothing else is known.
pub(super) static UNKNOWN: Row = Row {
    cause: Cause::Unknown,
    name: "unknown",
    says: "why it did not become healthy is not known",
    advice: "see `kamal app logs` and `kamal proxy logs`",
    signs: |_| Some(Vec::new()),
};

fn ended_with(look: &Look<'_>, status: i32, line: &str) -> Option<Values> {
    (look.evidence.ended() && look.evidence.exit_code == status).then(|| vec![("line", line.to_owned())])
}

/// Whether the last thing known of it is its end.
fn over(evidence: &Evidence) -> bool {
    matches!(evidence.state, Some(ContainerState::Exited | ContainerState::Dead | ContainerState::Restarting))
}

fn out_of_memory(look: &Look<'_>) -> Option<Values> {
    let Evidence { out_of_memory, exit_code, memory_free, .. } = look.evidence;
    let line = |line: &str| Some(vec![("line", line.to_owned())]);
    if *out_of_memory {
        return line("the kernel killed it");
    }
    if look.evidence.ended() && *exit_code == KILLED && memory_free.is_some_and(|free| free < SCARCE) {
        return line("it was killed while the host had no memory left");
    }
    look.explained_by(ClueKind::Memory)
}

fn disk_full(look: &Look<'_>) -> Option<Values> {
    let full = look.evidence.disk_free.is_some_and(|free| free < SCARCE);
    let ended = || look.evidence.ended().then(|| vec![("line", "the host's disk is full".to_owned())]);
    look.explained_by(ClueKind::Disk).or_else(|| full.then(ended)?)
}

/// It answers by now, or is still at work: how far it got.
fn too_slow(look: &Look<'_>) -> Option<Values> {
    let ran = look.evidence.ran?;
    let progress = if look.answers(|status| (200..300).contains(&status)).is_some() && ran >= look.expected.limit {
        format!("it answers now, after {ran} s")
    } else if look.nothing_listens() && look.evidence.silent.is_some_and(|silent| silent < AT_WORK) {
        format!("after {ran} s it still starts, by its log, and listens on no port yet")
    } else if look.evidence.health.as_ref().is_some_and(|health| health.status == "starting" && health.exit_code == 0) {
        format!("after {ran} s the image's own health check has no result yet")
    } else {
        return None;
    };
    Some(vec![("progress", progress)])
}

fn ports(all: &[Listener]) -> Values {
    let mut names: Vec<String> = all.iter().map(|one| one.port.to_string()).collect();
    names.dedup();
    vec![("first", names.first().cloned().unwrap_or_default()), ("ports", names.join(" and "))]
}

/// A signal's number, and its name where that is common.
fn signal_name(signal: i32) -> String {
    const NAMES: [(i32, &str); 8] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (4, "SIGILL"),
        (6, "SIGABRT"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (15, "SIGTERM"),
    ];
    let name = NAMES.iter().find(|(number, _)| *number == signal).map(|(_, name)| format!(" ({name})"));
    format!("{signal}{}", name.unwrap_or_default())
}
