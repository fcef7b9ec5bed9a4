//! What a service is to be like, said in Rust: the options of `kamal-proxy deploy`, with its defaults (spec 1.4).

mod health_check;
mod policies;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

pub use self::health_check::HealthCheck;
pub use self::policies::{Compression, RateLimit};
pub use self::tls::{Acme, Tls};
use super::control::protocol::{Deploy, RolloutDeploy};
use super::go_duration::GoDuration;
use super::options::{DeploymentOptions, ServiceOptions, TargetOptions};
use super::target::address::Address;
use crate::deploy_flags::{self as flag, Flag, Kind};

/// What a service is to be like, and how it gets there.
///
/// ```
/// use std::time::Duration;
///
/// use kamal_proxy::server::{DeployOptions, HealthCheck, RateLimit, Tls};
///
/// let options = DeployOptions::to("10.0.0.7:3000".parse()?)
///     .target("10.0.0.8:3000".parse()?)
///     .host("app.example.com")
///     .tls(Tls::files("/etc/tls/chain.pem", "/etc/tls/key.pem"))
///     .health_check(HealthCheck::default().path("/health"))
///     .rate_limit(RateLimit::per_second(50))
///     .deploy_timeout(Duration::from_secs(60));
/// # Ok::<(), kamal_proxy::server::AddressError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing happens before it is deployed"]
pub struct DeployOptions {
    targets: Vec<Address>,
    readers: Vec<Address>,
    deployment: DeploymentOptions,
    service: ServiceOptions,
    target: TargetOptions,
    /// `None` where that depends on whether clients come over TLS.
    forward_headers: Option<bool>,
}

/// The targets of a rollout, and how it gets there; see [`Handle::rollout`](super::Handle::rollout). All else is as the
/// service has it.
///
/// ```
/// use kamal_proxy::server::RolloutOptions;
///
/// let options = RolloutOptions::to("10.0.0.9:3000".parse()?);
/// # Ok::<(), kamal_proxy::server::AddressError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing happens before it is rolled out"]
pub struct RolloutOptions {
    targets: Vec<Address>,
    readers: Vec<Address>,
    deployment: DeploymentOptions,
}

/// The default of a flag that takes a time; zero for others, as it is to the command line.
fn seconds(flag: Flag) -> GoDuration {
    let Kind::Seconds(seconds) = flag.kind else { return GoDuration(0) };
    GoDuration::from_secs(seconds.into())
}

/// The default of a flag that takes a number.
const fn number(flag: Flag) -> i64 {
    if let Kind::Int(number) = flag.kind { number } else { 0 }
}

/// The default of a flag that takes a text.
const fn word(flag: Flag) -> &'static str {
    if let Kind::Str(text) = flag.kind { text } else { "" }
}

fn deployment() -> DeploymentOptions {
    let (deploy_timeout, drain_timeout) = (seconds(flag::DEPLOY_TIMEOUT), seconds(flag::DRAIN_TIMEOUT));
    DeploymentOptions { deploy_timeout, drain_timeout, force: false }
}

/// Go's proxy, which reads the same state, knows sizes up to here.
fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> impl Iterator<Item = String> {
    texts.into_iter().map(Into::into)
}

/// Where requests go, and how they get there: said alike of a service and of a rollout.
macro_rules! targets_and_times {
    ($options:ident) => {
        impl $options {
            /// Adds a target. Requests go to all of them in turn.
            pub fn target(mut self, address: Address) -> Self {
                self.targets.push(address);
                self
            }

            /// Adds a target for reads, GET and HEAD, which then go to such targets alone.
            pub fn reader(mut self, address: Address) -> Self {
                self.readers.push(address);
                self
            }

            /// How long new targets may take to become healthy; 30 seconds where nobody says.
            pub fn deploy_timeout(mut self, limit: Duration) -> Self {
                self.deployment.deploy_timeout = limit.into();
                self
            }

            /// How long requests to targets that are replaced may take; 30 seconds where nobody says. What takes longer
            /// is cut.
            pub fn drain_timeout(mut self, limit: Duration) -> Self {
                self.deployment.drain_timeout = limit.into();
                self
            }
        }
    };
}

targets_and_times!(DeployOptions);
targets_and_times!(RolloutOptions);

impl DeployOptions {
    /// A service with one target, for all hosts and paths that no other service has.
    pub fn to(target: Address) -> Self {
        Self {
            targets: vec![target],
            readers: Vec::new(),
            deployment: deployment(),
            service: ServiceOptions {
                tls_redirect: true,
                strip_prefix: true,
                writer_affinity_timeout: seconds(flag::WRITER_AFFINITY_TIMEOUT),
                ..ServiceOptions::default()
            },
            target: TargetOptions {
                health_check_config: HealthCheck::default().0,
                response_timeout: seconds(flag::TARGET_TIMEOUT),
                max_memory_buffer_size: number(flag::BUFFER_MEMORY),
                ..TargetOptions::default()
            },
            forward_headers: None,
        }
    }

    /// Serves this host, besides others that are named. `*.example.com` is all one level below.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.service.hosts.push(host.into());
        self
    }

    /// Serves this path and all below it, besides others that are named.
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.service.path_prefixes.push(prefix.into());
        self
    }

    /// Whether targets are asked for a path without its prefix. They are, where nobody says.
    pub const fn strip_prefix(mut self, strip: bool) -> Self {
        self.service.strip_prefix = strip;
        self
    }

    /// Serves over TLS.
    pub fn tls(mut self, tls: Tls) -> Self {
        tls.put_into(&mut self.service);
        self
    }

    /// Whether clients that come over HTTP to a service with TLS are sent to HTTPS. They are, where nobody says.
    pub const fn redirect_to_https(mut self, redirect: bool) -> Self {
        self.service.tls_redirect = redirect;
        self
    }

    /// Redirects all requests to this host, one of those that are served.
    pub fn canonical_host(mut self, host: impl Into<String>) -> Self {
        self.service.canonical_host = host.into();
        self
    }

    /// Has pages of its own for errors, in a folder: `404.html` and its like.
    pub fn error_pages(mut self, folder: impl Into<PathBuf>) -> Self {
        self.service.error_page_path = text(folder);
        self
    }

    /// How long a client that wrote reads from where it wrote to; a second where nobody says.
    pub fn writer_affinity(mut self, during: Duration) -> Self {
        self.service.writer_affinity_timeout = during.into();
        self
    }

    /// Whether readers take WebSockets. They do not, where nobody says.
    pub const fn readers_take_websockets(mut self, take: bool) -> Self {
        self.service.read_targets_accept_websockets = take;
        self
    }

    /// Leaves requests for these paths out of the metrics.
    pub fn exclude_from_metrics(mut self, paths: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.service.exclude_metrics_paths.extend(texts(paths));
        self
    }

    /// Takes the address of a client from this header, where a request has it.
    pub fn client_ip_header(mut self, name: impl Into<String>) -> Self {
        self.service.client_ip_header = name.into();
        self
    }

    /// How targets are asked whether they are up.
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.target.health_check_config = check.0;
        self
    }

    /// How long a target may take to begin its answer; 30 seconds where nobody says.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.target.response_timeout = limit.into();
        self
    }

    /// Reads requests to their end before a target hears of them. One of more bytes than `most` is refused.
    pub fn buffer_requests(mut self, most: Option<u64>) -> Self {
        self.target.buffer_requests = true;
        self.target.max_request_body_size = size(most.unwrap_or(0));
        self
    }

    /// Reads responses to their end before the client hears of them. One of more bytes than `most` is an error.
    pub fn buffer_responses(mut self, most: Option<u64>) -> Self {
        self.target.buffer_responses = true;
        self.target.max_response_body_size = size(most.unwrap_or(0));
        self
    }

    /// How many bytes of a body that is buffered are kept in memory, the rest being kept in a file; a MiB where nobody
    /// says.
    pub fn buffer_memory(mut self, bytes: u64) -> Self {
        self.target.max_memory_buffer_size = size(bytes);
        self
    }

    /// Writes these headers of requests to the log.
    pub fn log_request_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.target.log_request_headers.extend(texts(names));
        self
    }

    /// Writes these headers of responses to the log.
    pub fn log_response_headers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.target.log_response_headers.extend(texts(names));
        self
    }

    /// Whether `X-Forwarded-For` and its like are believed and passed on. They are, where nobody says, unless the service
    /// has TLS: then clients reach the proxy itself.
    pub const fn forward_headers(mut self, forward: bool) -> Self {
        self.forward_headers = Some(forward);
        self
    }

    /// Whether the paths of cookies are put below the prefix that was stripped. They are not, where nobody says.
    pub const fn scope_cookie_paths(mut self, scope: bool) -> Self {
        self.target.scope_cookie_paths = scope;
        self
    }

    /// Whether targets are spoken to in HTTP/2, as gRPC servers want it. They are not, where nobody says.
    pub const fn h2c(mut self, speak: bool) -> Self {
        self.target.h2c = speak;
        self
    }

    /// Whether to switch at once, healthy or not.
    pub const fn force(mut self, force: bool) -> Self {
        self.deployment.force = force;
        self
    }

    pub(super) fn into_request(self, service: &str) -> Deploy {
        let forward_headers = self.forward_headers.unwrap_or(!self.service.tls_enabled);
        Deploy {
            service: service.to_owned(),
            targets: addresses(&self.targets),
            readers: addresses(&self.readers),
            deployment: self.deployment,
            service_options: self.service,
            target_options: TargetOptions { forward_headers, ..self.target },
        }
    }
}

impl RolloutOptions {
    /// One target.
    pub fn to(target: Address) -> Self {
        Self { targets: vec![target], readers: Vec::new(), deployment: deployment() }
    }

    pub(super) fn into_request(self, service: &str) -> RolloutDeploy {
        RolloutDeploy {
            service: service.to_owned(),
            targets: addresses(&self.targets),
            readers: addresses(&self.readers),
            deployment: self.deployment,
        }
    }
}

fn addresses(addresses: &[Address]) -> Vec<String> {
    addresses.iter().map(|address| address.as_str().to_owned()).collect()
}

/// A path as the state file has it.
fn text(path: impl Into<PathBuf>) -> String {
    path.into().display().to_string()
}

#[cfg(test)]
#[cfg(feature = "program")]
mod tests {
    use super::*;
    use crate::server::cli;

    /// What the command line makes of flags, but for where certificates are kept.
    fn of_flags(line: &str) -> String {
        let mut deploy = cli::deploy_request("app", line);
        deploy.service_options.acme_cache_path = String::new();
        serde_json::to_string(&deploy).unwrap()
    }

    fn of(options: DeployOptions) -> String {
        let mut deploy = options.into_request("app");
        deploy.service_options = deploy.service_options.normalised();
        serde_json::to_string(&deploy).unwrap()
    }

    fn to(address: &str) -> DeployOptions {
        DeployOptions::to(address.parse().unwrap())
    }

    #[test]
    fn defaults_are_those_of_the_command_line() {
        assert_eq!(of(to("web:80")), of_flags("--target web:80"));
    }

    #[test]
    fn every_option_is_a_flag() {
        let seconds = Duration::from_secs;
        let check = HealthCheck::default().path("/h").port(81).interval(seconds(2)).timeout(seconds(3)).host("c.test");
        let options = to("web:80")
            .target("web-2".parse().unwrap())
            .reader("reader:80".parse().unwrap())
            .host("a.test")
            .host("b.test")
            .path_prefix("/api")
            .path_prefix("/")
            .strip_prefix(false)
            .tls(Tls::files("/c.pem", "/k.pem"))
            .redirect_to_https(false)
            .canonical_host("b.test")
            .error_pages("/e")
            .writer_affinity(seconds(4))
            .readers_take_websockets(true)
            .exclude_from_metrics(["/quiet"])
            .client_ip_header("X-Client")
            .health_check(check)
            .response_timeout(seconds(5))
            .buffer_requests(Some(6))
            .buffer_responses(Some(7))
            .buffer_memory(8)
            .log_request_headers(["A"])
            .log_response_headers(["B"])
            .forward_headers(true)
            .scope_cookie_paths(true)
            .h2c(true)
            .deploy_timeout(seconds(9))
            .drain_timeout(seconds(10))
            .force(true)
            .compress(Compression::default().min_size(11).types(["text/x"]))
            .basic_auth_file("/u")
            .basic_auth_variable("U")
            .allow(["10.0.0.0/8"])
            .deny(["10.0.0.1"])
            .trust_proxies(["10.0.0.2"])
            .rate_limit(RateLimit::per_minute(12).burst(13))
            .redirect("/old", "/new")
            .sticky(true)
            .each_address(true)
            .peer(&"proxy-2".parse().unwrap())
            .share_certificates("proxy-1", "/s")
            .eject_after(14);
        let flags = "--target web:80 --target web-2 --read-target reader:80 --host a.test --host b.test \
            --path-prefix /api --path-prefix / --strip-path-prefix=false --tls --tls-certificate-path /c.pem \
            --tls-private-key-path /k.pem --tls-redirect=false --canonical-host b.test --error-pages /e \
            --writer-affinity-timeout 4s --read-target-websockets --exclude-metrics-path /quiet \
            --client-ip-header X-Client --health-check-path /h --health-check-port 81 --health-check-interval 2s \
            --health-check-timeout 3s --health-check-host c.test --target-timeout 5s --buffer-requests \
            --max-request-body 6 --buffer-responses --max-response-body 7 --buffer-memory 8 --log-request-header A \
            --log-response-header B --forward-headers --scope-cookie-paths --target-h2c --deploy-timeout 9s \
            --drain-timeout 10s --force --compress --compress-min-size 11 --compress-type text/x --basic-auth-file /u \
            --basic-auth-env U --allow-address 10.0.0.0/8 --deny-address 10.0.0.1 --trusted-proxy 10.0.0.2 \
            --rate-limit 12/m --rate-limit-burst 13 --redirect /old=/new --sticky --target-each-address --peer proxy-2 --peer-name proxy-1 \
            --peer-secret-file /s --eject-after 14";
        assert_eq!(of(options), of_flags(flags));
    }

    #[test]
    fn certificates_from_authorities() {
        let acme = Acme::default().email("a@b.test").external_account("id", "/key").dns_hook("/hook");
        assert_eq!(
            of(to("web:80").host("a.test").tls(Tls::acme(acme.staging()))),
            of_flags(
                "--target web:80 --host a.test --tls --tls-staging --tls-acme-email a@b.test --tls-acme-eab-kid id \
                 --tls-acme-eab-key-file /key --tls-acme-dns-hook /hook"
            )
        );
        let acme = Acme::default().directory("https://ca.test/").on_demand("/may");
        assert_eq!(
            of(to("web:80").tls(Tls::acme(acme))),
            of_flags("--target web:80 --tls --tls-acme-directory https://ca.test/ --tls-on-demand-url /may")
        );
        let kept = to("web:80").host("a.test").tls(Tls::acme(Acme::default().folder("/certificates")));
        assert_eq!(kept.into_request("app").service_options.acme_cache_path, "/certificates");
    }
}
