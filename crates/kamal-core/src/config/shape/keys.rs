//! The tables: every key deploy.yml knows, with what it means (spec 2.3 to 2.12).

use super::Shape::{
    AnyMap, Apart as A, Bool, BoolOrMap, Hosts, Int, Paths, Section, SshConfig, Text, TextList, TextMap, TextOrList,
    Values,
};
use super::{Apart, Key, key};

/// The keys of the file itself. Keys beginning with `x-` are allowed beside them.
pub(crate) const ROOT: &[Key] = &[
    key("service", Text, "The name of the service. Containers, networks and files on the hosts begin with it."),
    key(
        "image",
        Text,
        "The image's name without the registry's server, `team/app`; the service's where the registry is on this machine.",
    ),
    key("labels", TextMap, "Labels for every app container."),
    key("volumes", TextList, "Volumes for every app container, as `docker run --volume` takes them."),
    key(
        "registry",
        A(Apart::Registry),
        "The registry the image is pushed to and pulled from; without it one on this machine.",
    ),
    key("servers", A(Apart::Servers), "The hosts: a list for the role `web` alone, or roles by name."),
    key("env", A(Apart::Env), "Environment variables for every role."),
    key("asset_path", Text, "Folder of assets in the image that old and new versions share, `PATH[:OPTIONS]`."),
    key("hooks_path", Text, "Folder of the hooks, default `.kamal/hooks`."),
    key(
        "hooks_output",
        A(Apart::HooksOutput),
        "How much of the hooks' output is shown: `quiet` or `verbose`, or that per hook.",
    ),
    key("secrets_path", Text, "The secrets file, default `.kamal/secrets`."),
    key("error_pages_path", Text, "Folder of error pages (`502.html`) the proxy shows."),
    key("require_destination", Bool, "Refuse to run without a destination."),
    key("primary_role", Text, "The role whose first host is the primary host, default `web`."),
    key("allow_empty_roles", Bool, "Allow roles without hosts."),
    key("retain_containers", Int, "How many old containers are kept on a host, default 5."),
    key("minimum_version", Text, "The oldest version of Kamal this file works with."),
    key("readiness_delay", Int, "Seconds a container without a health check must keep running, default 7."),
    key("deploy_timeout", Int, "Seconds a new container may take to become healthy, default 30."),
    key("drain_timeout", Int, "Seconds requests to the old container may take to finish, default 30."),
    key("stop_timeout", Int, "Seconds a container may take to stop."),
    key("run_directory", Text, "Accepted and ignored: files on the hosts are always below `.kamal`."),
    key("ssh", A(Apart::Ssh), "How the hosts are reached."),
    key("sshkit", A(Apart::SshKit), "Limits for connections."),
    key("builder", A(Apart::Builder), "How the image is built."),
    key("accessories", A(Apart::Accessories), "Services beside the app, such as databases, by name."),
    key("proxy", A(Apart::Proxy), "How kamal-proxy routes requests to the app."),
    key("boot", A(Apart::Boot), "How many hosts boot a new version at a time."),
    key("logging", A(Apart::Logging), "Docker's logging for all app containers."),
    key("output", A(Apart::Output), "Where a copy of the output goes."),
    key("aliases", A(Apart::Aliases), "Commands of one's own: name to command line."),
    key(
        "x-proxy",
        A(Apart::XProxy),
        "What this program's kamal-proxy can do beyond Kamal's, which passes over this key.",
    ),
    key(
        "x-release",
        A(Apart::XRelease),
        "A command that runs once in the new image before it serves; Kamal passes over it.",
    ),
    key("x-boot", A(Apart::XBoot), "How a version comes up beyond what `boot` says; Kamal passes over it."),
    key("x-guard", A(Apart::XGuard), "What a new version must keep to before the old one goes; Kamal passes over it."),
    key(
        "x-cluster",
        A(Apart::XCluster),
        "Hosts joined by Docker's swarm, whose containers reach each other by name; Kamal passes over it.",
    ),
    key("x-ssh", A(Apart::XSsh), "By which keys hosts are known; Kamal passes over it."),
    key(
        "x-deliver",
        A(Apart::XDeliver),
        "How images of the registry on this machine get to several hosts; Kamal passes over it.",
    ),
    key(
        "x-balance",
        Bool,
        "Whether the proxy of each web host leads requests to the containers of all, which takes `x-cluster`; Kamal passes \
         over it.",
    ),
    key(
        "x-loadbalancer",
        Text,
        "The web host whose proxy leads requests to the containers of all web hosts: the one that names lead to; Kamal \
         passes over it.",
    ),
];

/// The keys of a role.
pub(crate) const ROLE: &[Key] = &[
    key("hosts", Hosts, "The role's hosts; `host: tag` or `host: [tags]` gives a host tags."),
    key("cmd", Text, "The command to run instead of the image's own."),
    key("stop_timeout", Int, "Seconds a container of this role may take to stop."),
    key("options", AnyMap, "Options for `docker run`; `restart` is the restart policy."),
    key("logging", A(Apart::Logging), "Docker's logging for this role, over the root's."),
    key("proxy", A(Apart::RoleProxy), "Whether and how kamal-proxy routes to this role, over the root's."),
    key("labels", TextMap, "Labels for containers of this role."),
    key("env", A(Apart::Env), "Environment variables of this role, over the root's."),
    key("asset_path", Text, "The role's own `asset_path`."),
];

/// The keys of a registry.
pub(crate) const REGISTRY: &[Key] = &[
    key("server", Text, "The registry's server; without it Docker Hub. `localhost:PORT` is one on this machine."),
    key("username", A(Apart::Credential), "The user, or a list with the name of one secret."),
    key("password", A(Apart::Credential), "The password, or a list with the name of one secret."),
];

/// The keys of `env`.
pub(crate) const ENV: &[Key] = &[
    key("clear", TextMap, "Variables in the clear."),
    key("secret", TextList, "Names of secrets, `NAME` or `NAME:KEY`."),
    key("tags", AnyMap, "Variables for hosts with a tag, by tag. Only in the root."),
];

/// The keys of `proxy`.
pub(crate) const PROXY: &[Key] = &[
    key("host", Text, "The host name requests are routed by; several with commas between."),
    key("hosts", Hosts, "The host names requests are routed by."),
    key("app_port", Int, "The port the app listens on in its container, default 80."),
    key("ssl", BoolOrMap, "HTTPS: true for automatic certificates, or the names of two secrets."),
    key("ssl_redirect", Bool, "Whether HTTP is redirected to HTTPS."),
    key("forward_headers", Bool, "Whether `X-Forwarded-*` headers of the request are passed on."),
    key("response_timeout", Int, "Seconds the app may take to answer, default 30."),
    key("path_prefix", Text, "Path below which requests are routed here; several with commas between."),
    key("path_prefixes", TextList, "Paths below which requests are routed here."),
    key("strip_path_prefix", Bool, "Whether the prefix is taken off before the app sees the path, default true."),
    key("healthcheck", Section(HEALTHCHECK), "How the proxy finds out that a container is healthy."),
    key("buffering", Section(BUFFERING), "What the proxy buffers."),
    key("logging", Section(PROXY_LOGGING), "Headers the proxy writes to its log."),
    key(
        "client_ip_header",
        Text,
        "The request header that holds the client's address, for the log and `X-Forwarded-For`.",
    ),
    key("exclude_metrics_paths", TextList, "Paths that are left out of the metrics."),
    key("canonical_host", Text, "The one of the hosts that requests for the others are redirected to."),
    key(
        "tls_on_demand_url",
        Text,
        "With `ssl` and without hosts: a path of the app, or a URL, that is asked whether a host may have a certificate.",
    ),
    key("run", Section(RUN), "How the proxy's own container is started."),
];

/// The keys of `x-release`.
pub(crate) const X_RELEASE: &[Key] = &[
    key("cmd", Text, "The command, as a role's `cmd`: `bin/rails db:migrate`."),
    key("role", Text, "The role whose environment, volumes and options it gets, default the primary role."),
    key("timeout", Int, "Seconds it may take, default 600."),
];

/// The keys of `x-boot`.
pub(crate) const X_BOOT: &[Key] = &[key(
    "switch",
    Text,
    "`together`: the hosts of a group switch once all of them are healthy; default `each`, a host once it is itself.",
)];

/// The keys of `x-guard`.
pub(crate) const X_GUARD: &[Key] = &[
    key("for", Text, "How long the old container is kept: `30s`, `2m`; default `30s`."),
    key("errors", Text, "Requests that may be answered with a 5xx: `2%`, `0.5%`; default `1%`."),
    key("latency", Text, "Time in which 95 % of requests must be answered: `500ms`, `2s`; default any."),
    key("requests", Int, "Requests to a host below which nothing is concluded, default 20."),
];

/// The keys of `x-deliver`.
pub(crate) const X_DELIVER: &[Key] = &[
    key(
        "between_hosts",
        Bool,
        "Whether the first host hands layers on to the others, so that each leaves this machine once, default false.",
    ),
    key(
        "address",
        Text,
        "The network the hosts' private addresses are in, by which they reach each other: `10.0.0.0/16`, default that of \
         `x-cluster`.",
    ),
    key("interface", Text, "The interface whose address is a host's private one: `eth1`, default that of `x-cluster`."),
];

/// The keys of `x-cluster`.
pub(crate) const X_CLUSTER: &[Key] = &[
    key("network", Text, "What joins the containers: `overlay`, a network of Docker's swarm over all hosts."),
    key("name", Text, "The name of that network, default `kamal-SERVICE`."),
    key(
        "address",
        Text,
        "The network the hosts' private addresses are in, by which they reach each other: `10.0.0.0/16`.",
    ),
    key("interface", Text, "The interface whose address is a host's private one: `eth1`."),
    key(
        "run",
        Text,
        "What a role is: `containers`, one on each of its hosts, or `services` of the swarm, which runs them elsewhere when a \
         host dies, default `containers`.",
    ),
    key(
        "replicas",
        AnyMap,
        "With `run: services`, how many containers each role has, by name, default the number of its hosts.",
    ),
    key("managers", Int, "How many hosts manage the swarm, the primary host first, default 1."),
    key("encrypted", Bool, "Whether the hosts encrypt what goes between containers, default true."),
    key(
        "secret",
        Text,
        "The name of a secret of at least 32 characters that all proxies have: `ssl: true` on several hosts shares \
         certificates by it, which takes `x-balance`.",
    ),
];

/// The keys of `x-proxy`, for all roles that are proxied.
pub(crate) const X_PROXY: &[Key] = &{
    let mut keys = [key("", Bool, ""); POLICIES.len() + 2];
    let mut at = 0;
    while at < POLICIES.len() {
        keys[at] = POLICIES[at];
        at += 1;
    }
    keys[at] = key("roles", A(Apart::PoliciesByName), "The same keys for single roles, over those for all, by name.");
    keys[at + 1] = key("accessories", A(Apart::PoliciesByName), "The same keys for accessories, by name.");
    keys
};

/// What the proxy does for a role or an accessory.
pub(crate) const POLICIES: &[Key] = &[
    key("compress", Bool, "Whether answers are compressed for clients that accept zstd, brotli or gzip."),
    key("compress_min_size", Int, "Bytes below which they are not, default 1024."),
    key("compress_types", TextList, "Media types to compress besides those of texts."),
    key(
        "basic_auth",
        Text,
        "The name of a secret with users, a line `NAME:HASH` each, as `htpasswd -nB NAME` prints it.",
    ),
    key("allow_addresses", TextList, "Addresses or networks of clients that alone are let in."),
    key("deny_addresses", TextList, "Addresses or networks of clients that are turned away."),
    key("trusted_proxies", TextList, "Addresses or networks whose `X-Forwarded-For` is believed."),
    key("rate_limit", Text, "Requests a client may make: `10/s`, `100/m` or `1000/h`."),
    key("rate_limit_burst", Int, "Requests a client may make at once, default those of a second."),
    key(
        "redirects",
        TextMap,
        "Hosts or paths to redirect, and where to: `/old/*: /new/*`, `old.example.com: https://example.com`.",
    ),
    key("sticky", Bool, "Whether clients keep to the target that answered them first."),
    key("eject_after", Int, "Failed requests in a row after which a target is left alone until it is healthy again."),
    key("target_h2c", Bool, "Whether the app is spoken to in HTTP/2 without TLS, as gRPC servers are."),
    key("acme_directory", Text, "The address of an ACME authority other than Let's Encrypt."),
    key("acme_email", Text, "An address the authority may write to."),
    key("acme_eab_kid", Text, "The external account the authority asks for."),
    key("acme_eab_key", Text, "The name of a secret with that account's key in base64url."),
    key("acme_dns_hook", Text, "A program in the proxy's container that proves hosts by DNS, wildcards too."),
];

const HEALTHCHECK: &[Key] = &[
    key("interval", Int, "Seconds between checks."),
    key("path", Text, "The path asked for, default `/up`."),
    key("timeout", Int, "Seconds a check may take."),
];

const BUFFERING: &[Key] = &[
    key("requests", Bool, "Buffer requests, default true."),
    key("responses", Bool, "Buffer responses, default true."),
    key("max_request_body", Int, "Largest request body in bytes."),
    key("max_response_body", Int, "Largest response body in bytes, 0 for any."),
    key("memory", Int, "Bytes buffered in memory, the rest on disk."),
];

const PROXY_LOGGING: &[Key] = &[
    key("request_headers", TextList, "Request headers to log."),
    key("response_headers", TextList, "Response headers to log."),
];

const RUN: &[Key] = &[
    key("http_port", Int, "Port for HTTP, default 80."),
    key("https_port", Int, "Port for HTTPS, default 443."),
    key("bind_ips", TextList, "Addresses to publish the ports on."),
    key("publish", Bool, "Whether ports are published, default true."),
    key("metrics_port", Int, "Port for metrics."),
    key("debug", Bool, "Whether the proxy logs in detail."),
    key("http3", Bool, "Whether HTTP/3 is served, on the port for HTTPS."),
    key("log_max_size", Text, "Size at which docker rotates its log, default `10m`."),
    key("registry", Text, "Registry of the proxy's image."),
    key("repository", Text, "The proxy's image, default `basecamp/kamal-proxy`."),
    key("version", Text, "The proxy's version."),
    key("options", AnyMap, "Options for `docker run`."),
];

/// The keys of `builder`.
pub(crate) const BUILDER: &[Key] = &[
    key("arch", TextOrList, "Architecture or architectures to build for: `amd64`, `arm64`."),
    key("remote", Text, "A builder elsewhere, `ssh://user@host`."),
    key("local", Bool, "Whether to build here as well, default true."),
    key("pack", Section(PACK), "Build with buildpacks."),
    key("cache", Section(CACHE), "Where the build cache is kept."),
    key("context", Text, "The build context; without it a fresh git clone."),
    key("dockerfile", Text, "The Dockerfile, default `Dockerfile`."),
    key("target", Text, "The stage to build."),
    key("args", Values, "Build arguments."),
    key("secrets", TextList, "Names of secrets the build may use."),
    key("ssh", Text, "SSH agent or key the build may use, `default=$SSH_AUTH_SOCK`."),
    key("driver", Text, "The buildx driver, default `docker-container`."),
    key("provenance", Text, "Provenance attestation, `mode=max` or `false`."),
    key("sbom", Bool, "Whether to attest a bill of materials."),
];

const PACK: &[Key] = &[key("builder", Text, "The builder image."), key("buildpacks", TextList, "The buildpacks.")];

const CACHE: &[Key] = &[
    key("type", Text, "`gha` or `registry`."),
    key("options", Text, "Options of the cache, `mode=max`."),
    key("image", Text, "The cache's image, default the app's with `-build-cache`."),
];

/// The keys of an accessory.
pub(crate) const ACCESSORY: &[Key] = &[
    key("service", Text, "The container's name, default `SERVICE-NAME`."),
    key("image", Text, "The image."),
    key("registry", A(Apart::Registry), "The image's registry."),
    key("host", Text, "The host it runs on."),
    key("hosts", Hosts, "The hosts it runs on."),
    key("role", Text, "The role on whose hosts it runs."),
    key("roles", TextList, "The roles on whose hosts it runs."),
    key("tag", Text, "The tag of the hosts it runs on."),
    key("tags", TextList, "The tags of the hosts it runs on."),
    key("cmd", Text, "The command to run instead of the image's own."),
    key("port", Text, "Port to publish, `[ADDRESS:]HOST:CONTAINER` or one number."),
    key("labels", TextMap, "Labels for the container."),
    key("options", AnyMap, "Options for `docker run`; `restart` is the restart policy."),
    key("env", A(Apart::Env), "Environment variables."),
    key("files", Paths(PATH), "Files of the project mounted into the container, `LOCAL:REMOTE[:OPTIONS]`."),
    key("directories", Paths(PATH), "Folders on the host mounted into the container, `LOCAL:REMOTE[:OPTIONS]`."),
    key("volumes", TextList, "Volumes as `docker run --volume` takes them."),
    key("network", Text, "The docker network, default `kamal`."),
    key("proxy", A(Apart::Proxy), "How kamal-proxy routes to it."),
];

/// The keys of one of an accessory's files or directories.
pub(crate) const PATH: &[Key] = &[
    key("local", Text, "The path here."),
    key("remote", Text, "The path in the container."),
    key("mode", Text, "The mode, in quotes: \"0640\". Without it a file keeps the one it has here."),
    key("owner", Text, "The file's owner, `user:group`."),
    key("options", Text, "Mount options, `ro`."),
];

/// The keys of `boot`.
pub(crate) const BOOT: &[Key] = &[
    key("limit", Text, "How many hosts boot at a time: a number, or a percentage such as `25%`."),
    key("wait", Int, "Seconds between groups."),
    key("parallel_roles", Bool, "Whether the roles of a host boot side by side."),
];

/// The keys of `logging`.
pub(crate) const LOGGING: &[Key] =
    &[key("driver", Text, "Docker's logging driver."), key("options", Values, "The driver's options.")];

/// The keys of `output`.
pub(crate) const OUTPUT: &[Key] = &[
    key(
        "otel",
        Section(&[key("endpoint", Text, "Where OpenTelemetry logs are sent.")]),
        "Send the output by OpenTelemetry.",
    ),
    key("file", Section(&[key("path", Text, "The folder of log files.")]), "Write the output to a file."),
];

/// The keys of `ssh`.
pub(crate) const SSH: &[Key] = &[
    key("user", Text, "The user, default `root`."),
    key("port", Text, "The port, default 22."),
    key("proxy", Text, "A host to jump over, `[user@]host`."),
    key("proxy_command", Text, "A command whose input and output is the connection."),
    key("log_level", Text, "How much is told of SSH: with `info` and `debug` each connection, default `fatal`."),
    key("keys_only", Bool, "Use only the keys named here."),
    key("keys", TextList, "Paths of private keys."),
    key("key_data", TextList, "Names of secrets that hold private keys."),
    key("config", SshConfig, "OpenSSH client files to read: true, false, a path or paths."),
    key("forward_agent", Bool, "Whether hosts may use the agent, default false."),
    key("known_hosts", TextOrList, "The place `x-ssh` had before, which Kamal refuses."),
];

/// The keys of `x-ssh`.
pub(crate) const X_SSH: &[Key] = &[key(
    "known_hosts",
    TextOrList,
    "Keys of hosts that alone count: lines of known_hosts, paths of such files in the project; or `accept-new`.",
)];

/// The keys of `sshkit`.
pub(crate) const SSHKIT: &[Key] = &[
    key("max_concurrent_starts", Int, "Connections started at the same time, default 30."),
    key("pool_idle_timeout", Int, "Seconds an idle connection is kept, default 900."),
    key("dns_retries", Int, "How often a failed name lookup is repeated, default 3."),
];
