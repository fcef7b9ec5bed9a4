//! What a deploy.yml means, after validation: no `Option` where a default exists, every rule of precedence already
//! applied (spec chapter 2). Pure data; how it is read stands in [`super::load`].

mod cluster;
mod guard;
mod policies;

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub(crate) use self::cluster::MOST_REPLICAS;
pub use self::{
    cluster::{Cluster, PrivateAddress, Services},
    guard::Guard,
    policies::Policies,
};
use crate::name::{Destination, HostName, RoleName, ServiceName};

/// A whole, valid configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Config {
    /// `service`.
    pub service: ServiceName,
    /// The destination it was loaded for.
    pub destination: Option<Destination>,
    /// `image`, without the registry's server.
    pub image: String,
    /// `labels` of the root, as text (`true`, `12` … spelled as in the file).
    pub labels: IndexMap<String, String>,
    /// `volumes`: shell text for `--volume`.
    pub volumes: Vec<String>,
    /// `registry`.
    pub registry: Registry,
    /// Roles in Kamal's base order: by name. Root and role settings are already merged.
    pub roles: Vec<Role>,
    /// `primary_role`.
    pub primary_role: RoleName,
    /// `env` of the root; roles hold their own part, see [`Role::env`] and [`Config::env_for`].
    pub env: Env,
    /// `env.tags`.
    pub env_tags: IndexMap<String, Env>,
    /// `hooks_path`, relative to the project.
    pub hooks_path: String,
    /// `hooks_output`.
    pub hooks_output: HooksOutput,
    /// `secrets_path`, relative to the project.
    pub secrets_path: String,
    /// `error_pages_path`, relative to the project.
    pub error_pages_path: Option<String>,
    /// `require_destination`.
    pub require_destination: bool,
    /// `allow_empty_roles`.
    pub allow_empty_roles: bool,
    /// `retain_containers`: stopped containers kept per service.
    pub retain_containers: u32,
    /// `minimum_version`, if set.
    pub minimum_version: Option<String>,
    /// `readiness_delay`: how long a container without a health check must have run.
    pub readiness_delay: Duration,
    /// `deploy_timeout`: how long a new container may take to become healthy.
    pub deploy_timeout: Duration,
    /// `drain_timeout`: how long requests to an old container may take to finish.
    pub drain_timeout: Duration,
    /// `ssh`.
    pub ssh: Ssh,
    /// `sshkit`.
    pub sshkit: SshKit,
    /// `builder`.
    pub builder: Builder,
    /// `accessories` in the order of the file.
    pub accessories: Vec<Accessory>,
    /// `boot`.
    pub boot: Boot,
    /// `x-release`.
    pub release: Option<Release>,
    /// `x-guard`.
    pub guard: Option<Guard>,
    /// `x-cluster`.
    pub cluster: Option<Cluster>,
    /// `x-deliver`: by which of their addresses hosts get layers from the first of them, where they do.
    pub between_hosts: Option<PrivateAddress>,
    /// `x-loadbalancer`: the host whose proxy leads requests to the containers of all web hosts.
    pub loadbalancer: Option<HostName>,
    /// `logging` of the root (accessories use this; roles hold theirs merged).
    pub logging: Logging,
    /// `output`.
    pub output: Output,
    /// `aliases`: name to command line.
    pub aliases: IndexMap<String, String>,
}

/// One role, root settings merged in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// Its hosts in the order of the file, each once, with their tags.
    pub hosts: Vec<TaggedHost>,
    /// `cmd`: shell text appended after the image.
    pub cmd: Option<String>,
    /// `stop_timeout` of the role, else of the root, in seconds.
    pub stop_timeout: Option<u64>,
    /// `options` for `docker run` in order, without `restart`.
    pub options: DockerOptions,
    /// The restart policy (`options.restart`, default `unless-stopped`).
    pub restart: String,
    /// Root `logging` with the role's deep-merged over it.
    pub logging: Logging,
    /// Where kamal-proxy routes to this role; `None` when the role is not proxied.
    pub proxy: Option<Proxy>,
    /// `labels` of the role.
    pub labels: IndexMap<String, String>,
    /// `env` of the role alone.
    pub env: Env,
    /// `asset_path` of the role, else of the root.
    pub asset_path: Option<String>,
}

/// A host and its tags.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaggedHost {
    /// The host.
    pub name: HostName,
    /// Names of entries in `env.tags`.
    pub tags: Vec<String>,
}

/// Options for `docker run`: `--key value`, in the order of the file.
pub type DockerOptions = Vec<(String, OptionValue)>;

/// A docker option's value (spec 4.2, optionize).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OptionValue {
    /// `true`: the bare flag.
    Flag,
    /// One value.
    One(String),
    /// The flag repeated.
    Many(Vec<String>),
}

/// Clear and secret environment of one place (spec 2.8).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Env {
    /// Clear variables in order. Values are text as Ruby prints them (`true`, `12`, `1.5`).
    pub clear: IndexMap<String, String>,
    /// Secret variables in order: name in the container, and the key it is looked up by (`NAME` or `NAME:KEY`).
    pub secret: Vec<SecretName>,
}

/// A secret's name in the container and its key in the secrets files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretName {
    /// The variable's name.
    pub name: String,
    /// The key in `.kamal/secrets`.
    pub key: String,
}

/// A value given in the file, or the key of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretOr {
    /// Written out in the file.
    Literal(String),
    /// Looked up in the secrets files.
    Secret(String),
}

/// `registry` of the root or of an accessory (spec 2.6).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registry {
    /// `server`; `None` is Docker Hub.
    pub server: Option<String>,
    /// `username`; absent only for a local registry.
    pub username: Option<SecretOr>,
    /// `password`; absent only for a local registry.
    pub password: Option<SecretOr>,
}

/// `logging` (spec 2.12).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Logging {
    /// `driver`.
    pub driver: Option<String>,
    /// `options` in order.
    pub options: IndexMap<String, String>,
}

/// `proxy` of a role or an accessory, the root's merged under it for roles (spec 2.9).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proxy {
    /// `host` (split at commas) or `hosts`.
    pub hosts: Vec<String>,
    /// `app_port`, default 80.
    pub app_port: u16,
    /// `ssl`.
    pub ssl: Ssl,
    /// `ssl_redirect`.
    pub ssl_redirect: Option<bool>,
    /// `forward_headers`.
    pub forward_headers: Option<bool>,
    /// `response_timeout` in seconds.
    pub response_timeout: Option<u64>,
    /// `path_prefixes`, or `path_prefix` split at commas.
    pub path_prefixes: Vec<String>,
    /// `strip_path_prefix`.
    pub strip_path_prefix: Option<bool>,
    /// `healthcheck`.
    pub healthcheck: HealthCheck,
    /// `buffering`.
    pub buffering: Buffering,
    /// `logging.request_headers`; `None` when not given (Kamal's default list applies).
    pub log_request_headers: Option<Vec<String>>,
    /// `logging.response_headers`.
    pub log_response_headers: Vec<String>,
    /// `client_ip_header`.
    pub client_ip_header: Option<String>,
    /// `exclude_metrics_paths`.
    pub exclude_metrics_paths: Vec<String>,
    /// `canonical_host`.
    pub canonical_host: Option<String>,
    /// `tls_on_demand_url`.
    pub tls_on_demand_url: Option<String>,
    /// `run`: how the proxy's own container is started.
    pub run: Option<ProxyRun>,
    /// `x-proxy`.
    pub policies: Policies,
}

/// `proxy.ssl`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ssl {
    /// Off.
    #[default]
    Off,
    /// Certificates by ACME.
    Automatic,
    /// A certificate of one's own, both values being keys of secrets.
    Custom {
        /// Key of the secret that holds the certificate chain (PEM).
        certificate_pem: String,
        /// Key of the secret that holds the private key (PEM).
        private_key_pem: String,
    },
}

/// `proxy.healthcheck`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `interval` in seconds.
    pub interval: Option<u64>,
    /// `path`.
    pub path: Option<String>,
    /// `timeout` in seconds.
    pub timeout: Option<u64>,
}

/// `proxy.buffering`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Buffering {
    /// `requests`, Kamal's default is on.
    pub requests: Option<bool>,
    /// `responses`, Kamal's default is on.
    pub responses: Option<bool>,
    /// `max_request_body` in bytes.
    pub max_request_body: Option<u64>,
    /// `max_response_body` in bytes.
    pub max_response_body: Option<u64>,
    /// `memory` in bytes.
    pub memory: Option<u64>,
}

/// `proxy.run` (spec 2.10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyRun {
    /// `http_port`, default 80.
    pub http_port: u16,
    /// `https_port`, default 443.
    pub https_port: u16,
    /// `bind_ips`.
    pub bind_ips: Vec<String>,
    /// `publish`, default true.
    pub publish: bool,
    /// `metrics_port`.
    pub metrics_port: Option<u16>,
    /// `debug`.
    pub debug: bool,
    /// `http3`.
    pub http3: bool,
    /// `log_max_size`, default `10m`; `None` when blank.
    pub log_max_size: Option<String>,
    /// `registry`: prefix of the image.
    pub registry: Option<String>,
    /// `repository`, default `basecamp/kamal-proxy`.
    pub repository: String,
    /// `version`, default Kamal's minimum.
    pub version: String,
    /// True when the file names `registry`, `repository` or `version`: the image is the user's choice.
    pub image_chosen: bool,
    /// `options` for `docker run`.
    pub options: DockerOptions,
}

/// `builder` (spec 2.7).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Builder {
    /// `arch`.
    pub arches: Vec<String>,
    /// `remote`: a docker URL.
    pub remote: Option<String>,
    /// `local`, default true.
    pub local: bool,
    /// `pack`.
    pub pack: Option<Pack>,
    /// `cache`.
    pub cache: Option<Cache>,
    /// `context`; `None` builds from a git clone.
    pub context: Option<String>,
    /// `dockerfile`, default `Dockerfile`.
    pub dockerfile: String,
    /// `target`.
    pub target: Option<String>,
    /// `args`; one without a value is taken from the environment of the build.
    pub args: IndexMap<String, Option<String>>,
    /// `secrets`.
    pub secrets: Vec<String>,
    /// `ssh`.
    pub ssh: Option<String>,
    /// `driver`, default `docker-container`.
    pub driver: String,
    /// `provenance` as text.
    pub provenance: Option<String>,
    /// `sbom`.
    pub sbom: Option<bool>,
}

/// `builder.pack`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Pack {
    /// `builder`.
    pub builder: String,
    /// `buildpacks`.
    pub buildpacks: Vec<String>,
}

/// `builder.cache`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cache {
    /// `type`: `gha` or `registry`.
    pub kind: String,
    /// `options`.
    pub options: Option<String>,
    /// `image`.
    pub image: Option<String>,
}

/// One accessory (spec 2.11).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Accessory {
    /// Its key in the file.
    pub name: String,
    /// `service`, default `SERVICE-NAME`: the container's name.
    pub service: String,
    /// `[registry server/]image`.
    pub image: String,
    /// `registry` of its own.
    pub registry: Option<Registry>,
    /// Its hosts, resolved from host, hosts, role, roles, tag or tags; each once.
    pub hosts: Vec<HostName>,
    /// `cmd`: shell text.
    pub cmd: Option<String>,
    /// `port` as `--publish` takes it.
    pub port: Option<String>,
    /// `labels`.
    pub labels: IndexMap<String, String>,
    /// `options`, without `restart`.
    pub options: DockerOptions,
    /// The restart policy.
    pub restart: String,
    /// `env`.
    pub env: Env,
    /// `files`.
    pub files: Vec<AccessoryPath>,
    /// `directories`.
    pub directories: Vec<AccessoryPath>,
    /// `volumes`: shell text.
    pub volumes: Vec<String>,
    /// `network`, default `kamal`.
    pub network: String,
    /// `proxy`.
    pub proxy: Option<Proxy>,
}

/// One entry of an accessory's `files` or `directories`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AccessoryPath {
    /// Path in the project (files) or below the accessory's folder on the host (directories).
    pub local: String,
    /// Path in the container.
    pub remote: String,
    /// `mode`; a file without one keeps the one it has in the project.
    pub mode: Option<String>,
    /// `owner`.
    pub owner: Option<String>,
    /// Mount options, `ro` and the like.
    pub options: Option<String>,
}

/// `ssh` (spec 2.12, 5.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Ssh {
    /// `user`, default `root`.
    pub user: String,
    /// `port`, default 22.
    pub port: u16,
    /// `proxy`: `[user@]host` to jump over; user defaults to `root`.
    pub proxy: Option<String>,
    /// `proxy_command`.
    pub proxy_command: Option<String>,
    /// `log_level`, default `fatal`.
    pub log_level: String,
    /// `keys_only`.
    pub keys_only: Option<bool>,
    /// `keys`: paths, `~` not yet expanded.
    pub keys: Vec<String>,
    /// `key_data`: names of secrets, or keys in full.
    pub key_data: Vec<String>,
    /// `config`.
    pub config: SshConfigFiles,
    /// `forward_agent`.
    pub forward_agent: Option<bool>,
    /// `x-ssh.known_hosts`, or what stands in its old place.
    pub known_hosts: KnownHosts,
}

/// `x-ssh.known_hosts`: by which keys hosts are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownHosts {
    /// By the user's known_hosts files; about others somebody is asked.
    #[default]
    Ask,
    /// By the user's known_hosts files; others are accepted and written down (`accept-new`).
    AcceptNew,
    /// By these alone.
    Pinned(Vec<PinnedKeys>),
}

/// An item of `x-ssh.known_hosts`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinnedKeys {
    /// A line of a known_hosts file.
    Line(String),
    /// The path of such a file, from the project's folder.
    File(String),
}

/// `ssh.config`: which OpenSSH client files are read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SshConfigFiles {
    /// The user's and the system's.
    #[default]
    Default,
    /// None (`false`).
    None,
    /// These.
    Files(Vec<String>),
}

/// `sshkit` (spec 2.12).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SshKit {
    /// `max_concurrent_starts`, default 30.
    pub max_concurrent_starts: u32,
    /// `pool_idle_timeout` in seconds, default 900.
    pub pool_idle_timeout: u64,
    /// `dns_retries`, default 3.
    pub dns_retries: u32,
}

/// `x-release`: what runs once before a version serves.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Release {
    /// The command, shell text as a role's `cmd`.
    pub cmd: String,
    /// The role it runs as.
    pub role: RoleName,
    /// How long it may take.
    pub timeout: Duration,
}

/// `boot` (spec 2.12).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Boot {
    /// `limit`.
    pub limit: Option<BootLimit>,
    /// `wait` between groups, in seconds.
    pub wait: Option<u64>,
    /// `parallel_roles`.
    pub parallel_roles: bool,
    /// `x-boot/switch: together`: the hosts of a group switch once all of them are healthy.
    pub together: bool,
}

/// `boot.limit`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BootLimit {
    /// So many hosts at a time.
    Count(u32),
    /// So many per cent of all hosts, accessories' included, rounded down, at least one.
    Percent(u32),
}

/// `hooks_output`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct HooksOutput {
    /// The level for all hooks.
    pub all: Option<HookLevel>,
    /// Levels for single hooks.
    pub each: IndexMap<String, HookLevel>,
}

/// How much of a hook's output is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HookLevel {
    /// Nothing.
    Quiet,
    /// Everything.
    Verbose,
}

/// `output` (spec chapter 10).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Output {
    /// `otel.endpoint`.
    pub otel_endpoint: Option<String>,
    /// `file.path`.
    pub file_path: Option<String>,
}
