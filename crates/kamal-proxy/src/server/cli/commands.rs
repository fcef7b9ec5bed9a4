//! The commands and their flags (spec 1.2 to 1.7).

use super::flags::{Flag, Kind};
use crate::server::go_duration::GoDuration;

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Run,
    Deploy,
    Leave,
    Reload,
    Remove,
    List,
    Pause,
    Stop,
    Resume,
    RolloutDeploy,
    RolloutSet,
    RolloutStop,
    /// Only shows which commands it has.
    Group,
}

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) alias: Option<&'static str>,
    /// What is shown behind the name.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) action: Action,
    pub(crate) flags: &'static [Flag],
}

const SERVICE: &str = " <service>";

const fn command(name: &'static str, usage: &'static str, about: &'static str, action: Action) -> Command {
    Command { name, alias: None, usage, about, action, flags: &[] }
}

/// The commands of the program, by name.
pub(crate) const ROOT: &[Command] = &[
    Command { flags: DEPLOY, ..command("deploy", SERVICE, "Deploy a target host", Action::Deploy) },
    Command { flags: LEAVE, ..command("leave", "", "Send clients to another server, before a stop", Action::Leave) },
    Command { alias: Some("ls"), ..command("list", "", "List the services currently running", Action::List) },
    Command { flags: PAUSE, ..command("pause", SERVICE, "Pause a service", Action::Pause) },
    command("reload", "", "Read certificates, error pages and users again", Action::Reload),
    Command { alias: Some("rm"), ..command("remove", SERVICE, "Remove the service", Action::Remove) },
    command("resume", SERVICE, "Resume a service", Action::Resume),
    command("rollout", "", "Control rollout to new targets", Action::Group),
    Command { flags: RUN, ..command("run", "", "Run the server", Action::Run) },
    Command { flags: STOP, ..command("stop", SERVICE, "Stop a service", Action::Stop) },
];

/// The commands of `rollout`.
pub(crate) const ROLLOUT: &[Command] = &[
    Command { flags: ROLLOUT_DEPLOY, ..command("deploy", SERVICE, "Deploy the rollout target", Action::RolloutDeploy) },
    Command { flags: ROLLOUT_SET, ..command("set", SERVICE, "Set traffic split for rollout", Action::RolloutSet) },
    command("stop", SERVICE, "Stops rollout of a service", Action::RolloutStop),
];

const fn flag(name: &'static str, kind: Kind, help: &'static str) -> Flag {
    Flag { name, kind, help }
}

const SECONDS_30: Kind = Kind::Duration(GoDuration::from_secs(30));
const DRAIN: &str = "How long to allow in-flight requests to complete";

const TARGET: Flag = flag("target", Kind::List, "Target host(s) to deploy");
const READ_TARGET: Flag = flag("read-target", Kind::List, "Read-only target host(s) to deploy");
const DEPLOY_TIMEOUT: Flag =
    flag("deploy-timeout", SECONDS_30, "Maximum time to wait for the new target to become healthy");
const DRAIN_TIMEOUT: Flag =
    flag("drain-timeout", SECONDS_30, "Maximum time to allow existing connections to drain before removing old target");

const RUN: &[Flag] = &[
    flag("debug", Kind::Bool(false), "Include debugging logs"),
    flag("http-port", Kind::Int(80), "Port to serve HTTP traffic on"),
    flag("http3", Kind::Bool(false), "Enable HTTP/3"),
    flag("https-port", Kind::Int(443), "Port to serve HTTPS traffic on"),
    flag("max-connections", Kind::Int(0), "Close client connections beyond this number (default zero for any number)"),
    flag("metrics-port", Kind::Int(0), "Publish metrics on the specified port (default zero to disable)"),
    flag("takeover", Kind::Bool(false), "Take over from the server that is running, if there is one, without downtime"),
    flag(
        "takeover-timeout",
        SECONDS_30,
        "With --takeover, how long the other server may take to finish requests and connections",
    ),
];

const LEAVE: &[Flag] = &[flag(
    "drain-timeout",
    SECONDS_30,
    "How long to wait for clients to finish requests and to connect anew, which leads them elsewhere",
)];

const PAUSE: &[Flag] = &[
    flag("drain-timeout", SECONDS_30, DRAIN),
    flag("max-pause", SECONDS_30, "How long to enqueue requests before shedding load"),
];

const STOP: &[Flag] = &[
    flag("drain-timeout", SECONDS_30, DRAIN),
    flag("message", Kind::Str(""), "Message to display to clients while stopped"),
];

const ROLLOUT_DEPLOY: &[Flag] = &[DEPLOY_TIMEOUT, DRAIN_TIMEOUT, READ_TARGET, TARGET];

const ROLLOUT_SET: &[Flag] = &[
    flag("list", Kind::List, "Rollout to specific values"),
    flag("percent", Kind::Int(0), "Percentage of traffic to send to the new target"),
];

const DEPLOY: &[Flag] = &[
    flag("allow-address", Kind::List, "Let in only clients of these addresses or networks (403 for others)"),
    flag(
        "basic-auth-env",
        Kind::Str(""),
        "Ask for a password; users are lines of this environment variable of the server",
    ),
    flag(
        "basic-auth-file",
        Kind::Str(""),
        "Ask for a password; users are lines of this file, as htpasswd -B writes it",
    ),
    flag("buffer-memory", Kind::Int(1024 * 1024), "Max size of memory buffer"),
    flag("buffer-requests", Kind::Bool(false), "Buffer requests before forwarding to target"),
    flag("buffer-responses", Kind::Bool(false), "Buffer responses before forwarding to client"),
    flag("canonical-host", Kind::Str(""), "Redirect all requests to this host (e.g., force root or www)"),
    flag(
        "client-ip-header",
        Kind::Str(""),
        "Request header containing the original client IP; used to populate X-Forwarded-For when present",
    ),
    flag("compress", Kind::Bool(false), "Compress responses for clients that accept zstd, br or gzip"),
    flag("compress-min-size", Kind::Int(1024), "With --compress, leave shorter responses as they are"),
    flag(
        "compress-type",
        Kind::List,
        "With --compress, media type(s) to compress besides text, JSON, XML and the like",
    ),
    flag("deny-address", Kind::List, "Turn away clients of these addresses or networks (403)"),
    DEPLOY_TIMEOUT,
    DRAIN_TIMEOUT,
    flag(
        "eject-after",
        Kind::Int(0),
        "Leave a target alone after this many failed requests in a row, until it is healthy",
    ),
    flag("error-pages", Kind::Str(""), "Path to custom error pages"),
    flag(
        "exclude-metrics-path",
        Kind::List,
        "Request path(s) to exclude from Prometheus metrics (may be specified multiple times)",
    ),
    flag("force", Kind::Bool(false), "Skip health checks and force deployment"),
    flag(
        "forward-headers",
        Kind::Bool(false),
        "Forward X-Forwarded headers to target (default false if TLS enabled; otherwise true)",
    ),
    flag("health-check-host", Kind::Str(""), "Host header to send with health check requests"),
    flag("health-check-interval", Kind::Duration(GoDuration::from_secs(1)), "Interval between health checks"),
    flag("health-check-path", Kind::Str("/up"), "Path to check for health"),
    flag("health-check-port", Kind::Int(0), "Port to check for health (default matches target port)"),
    flag("health-check-timeout", Kind::Duration(GoDuration::from_secs(5)), "Time each health check must complete in"),
    flag("host", Kind::List, "Host(s) to serve this target on (empty for wildcard)"),
    flag("log-request-header", Kind::List, "Additional request header to log (may be specified multiple times)"),
    flag("log-response-header", Kind::List, "Additional response header to log (may be specified multiple times)"),
    flag("max-request-body", Kind::Int(0), "Max size of request body when buffering (default of 0 means unlimited)"),
    flag("max-response-body", Kind::Int(0), "Max size of response body when buffering (default of 0 means unlimited)"),
    flag("path-prefix", Kind::List, "Deploy the service below the specified path(s)"),
    flag("rate-limit", Kind::Str(""), "Requests per client, such as 10/s, 100/m or 1000/h (429 for more)"),
    flag("rate-limit-burst", Kind::Int(0), "With --rate-limit, requests at once (default those of one second)"),
    READ_TARGET,
    flag("read-target-websockets", Kind::Bool(false), "Route WebSocket traffic to read targets, when available"),
    flag(
        "redirect",
        Kind::List,
        "Redirect, such as /old=/new, /blog/*=https://blog.example.com/* or www.example.com=https://example.com",
    ),
    flag("scope-cookie-paths", Kind::Bool(false), "Scope cookie paths to match path prefix"),
    flag("sticky", Kind::Bool(false), "Let clients keep to the target that answered them first"),
    flag("strip-path-prefix", Kind::Bool(true), "With --path-prefix, strip prefix from request before forwarding"),
    TARGET,
    flag("target-h2c", Kind::Bool(false), "Speak HTTP/2 without TLS with the target, as gRPC servers do"),
    flag("target-timeout", SECONDS_30, "Maximum time to wait for the target server to respond when serving requests"),
    flag("tls", Kind::Bool(false), "Configure TLS for this target (requires a non-empty host)"),
    flag("tls-acme-cache-path", Kind::Str(""), "Location to store ACME assets"),
    flag("tls-acme-directory", Kind::Str(""), "Directory URL of an ACME authority other than Let's Encrypt"),
    flag(
        "tls-acme-dns-hook",
        Kind::Str(""),
        "Prove hosts in the DNS, which allows wildcards, with this program: PROGRAM present|cleanup RECORD VALUE",
    ),
    flag("tls-acme-eab-key-file", Kind::Str(""), "File with the key of --tls-acme-eab-kid, in base64url"),
    flag("tls-acme-eab-kid", Kind::Str(""), "External account the ACME authority asks for"),
    flag("tls-acme-email", Kind::Str(""), "Address the ACME authority may write to"),
    flag("tls-certificate-path", Kind::Str(""), "Configure custom TLS certificate path (PEM format)"),
    flag(
        "tls-on-demand-url",
        Kind::Str(""),
        "Will make an HTTP request to the given URL, asking whether a host is allowed to have a certificate issued",
    ),
    flag("tls-private-key-path", Kind::Str(""), "Configure custom TLS private key path (PEM format)"),
    flag("tls-redirect", Kind::Bool(true), "Redirect HTTP traffic to HTTPS"),
    flag("tls-staging", Kind::Bool(false), "Use Let's Encrypt staging environment for certificate provisioning"),
    flag(
        "trusted-proxy",
        Kind::List,
        "Believe X-Forwarded-For of these addresses or networks, for the flags about addresses and rates",
    ),
    flag(
        "writer-affinity-timeout",
        Kind::Duration(GoDuration::from_secs(1)),
        "Time after a write before read requests will be routed to readers",
    ),
];

/// The command some arguments name, how it is called in full, and the arguments without its name.
pub(crate) fn find(arguments: &[String]) -> Option<(&'static Command, &'static str, Vec<String>)> {
    let word = first_word(arguments)?;
    let command = named(ROOT, &arguments[word])?;
    let mut rest = arguments.to_vec();
    rest.remove(word);
    if command.action != Action::Group {
        return Some((command, command.name, rest));
    }
    match first_word(&rest).and_then(|at| Some((at, named(ROLLOUT, &rest[at])?))) {
        Some((at, sub)) => {
            rest.remove(at);
            let path = match sub.action {
                Action::RolloutDeploy => "rollout deploy",
                Action::RolloutSet => "rollout set",
                _ => "rollout stop",
            };
            Some((sub, path, rest))
        }
        None => Some((command, command.name, rest)),
    }
}

fn first_word(arguments: &[String]) -> Option<usize> {
    arguments.iter().position(|argument| !argument.starts_with('-'))
}

fn named(commands: &'static [Command], word: &str) -> Option<&'static Command> {
    commands.iter().find(|command| command.name == word || command.alias == Some(word))
}

/// Commands somebody who typed this may have meant.
pub(crate) fn suggestions(word: &str) -> Vec<&'static str> {
    let lower = word.to_lowercase();
    let near = |name: &&str| distance(&lower, name) <= 2 || name.starts_with(&lower);
    ROOT.iter().map(|command| command.name).filter(near).collect()
}

/// The number of single-letter edits between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, d) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(c != *d)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
