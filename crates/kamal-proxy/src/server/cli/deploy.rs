//! From the flags of `deploy` to what the server is asked (spec 1.4).

use super::Failed;
use super::flags::Parsed;
use crate::server::control::protocol::Deploy;
use crate::server::control::socket;
use crate::server::options::{DeploymentOptions, HealthCheckOptions, Policies, ServiceOptions, TargetOptions};

const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Checks what can be checked here and gathers the rest.
pub(crate) fn request(service: String, flags: &Parsed) -> Result<Deploy, Failed> {
    for (limit, buffering, what) in
        [("max-request-body", "buffer-requests", "request"), ("max-response-body", "buffer-responses", "response")]
    {
        if flags.is_set(limit) && !flags.is_set(buffering) {
            return Err(Failed(format!("{limit} can only be set when {what} buffering is enabled")));
        }
    }
    let service_options = service_options(flags).normalised();
    service_options.validate()?;
    Ok(Deploy {
        service,
        targets: flags.list("target"),
        readers: flags.list("read-target"),
        deployment: deployment(flags),
        service_options,
        target_options: target_options(flags),
    })
}

/// How to deploy; `rollout deploy` has these too.
pub(crate) fn deployment(flags: &Parsed) -> DeploymentOptions {
    DeploymentOptions {
        deploy_timeout: flags.duration("deploy-timeout"),
        drain_timeout: flags.duration("drain-timeout"),
        force: flags.bool("force"),
    }
}

fn service_options(flags: &Parsed) -> ServiceOptions {
    let cache = flags.str("tls-acme-cache-path");
    let given = flags.is_set("tls-acme-cache-path");
    ServiceOptions {
        hosts: flags.list("host"),
        path_prefixes: flags.list("path-prefix"),
        tls_enabled: flags.bool("tls"),
        tls_certificate_path: flags.str("tls-certificate-path"),
        tls_private_key_path: flags.str("tls-private-key-path"),
        tls_on_demand_url: flags.str("tls-on-demand-url"),
        tls_redirect: flags.bool("tls-redirect"),
        canonical_host: flags.str("canonical-host"),
        acme_directory: if flags.bool("tls-staging") { STAGING.into() } else { flags.str("tls-acme-directory") },
        acme_cache_path: if given { cache } else { socket::data_dir().join("certs").display().to_string() },
        error_page_path: flags.str("error-pages"),
        strip_prefix: flags.bool("strip-path-prefix"),
        writer_affinity_timeout: flags.duration("writer-affinity-timeout"),
        read_targets_accept_websockets: flags.bool("read-target-websockets"),
        exclude_metrics_paths: flags.list("exclude-metrics-path"),
        client_ip_header: flags.str("client-ip-header"),
        policies: policies(flags),
    }
}

fn policies(flags: &Parsed) -> Policies {
    let compress = flags.bool("compress");
    Policies {
        compress,
        compress_min_size: if compress { flags.int("compress-min-size") } else { 0 },
        compress_types: flags.list("compress-type"),
        basic_auth_file: flags.str("basic-auth-file"),
        basic_auth_env: flags.str("basic-auth-env"),
        allow: flags.list("allow-address"),
        deny: flags.list("deny-address"),
        trusted_proxies: flags.list("trusted-proxy"),
        rate_limit: flags.str("rate-limit"),
        rate_limit_burst: flags.int("rate-limit-burst"),
        redirects: flags.list("redirect"),
        sticky: flags.bool("sticky"),
        eject_after: flags.int("eject-after"),
        acme_email: flags.str("tls-acme-email"),
        acme_eab_kid: flags.str("tls-acme-eab-kid"),
        acme_eab_key_file: flags.str("tls-acme-eab-key-file"),
        acme_dns_hook: flags.str("tls-acme-dns-hook"),
    }
}

fn target_options(flags: &Parsed) -> TargetOptions {
    let forward = if flags.is_set("forward-headers") { flags.bool("forward-headers") } else { !flags.bool("tls") };
    TargetOptions {
        health_check_config: HealthCheckOptions {
            path: flags.str("health-check-path"),
            port: flags.int("health-check-port"),
            interval: flags.duration("health-check-interval"),
            timeout: flags.duration("health-check-timeout"),
            host: flags.str("health-check-host"),
        },
        response_timeout: flags.duration("target-timeout"),
        buffer_requests: flags.bool("buffer-requests"),
        buffer_responses: flags.bool("buffer-responses"),
        max_memory_buffer_size: flags.int("buffer-memory"),
        max_request_body_size: flags.int("max-request-body"),
        max_response_body_size: flags.int("max-response-body"),
        log_request_headers: flags.list("log-request-header"),
        log_response_headers: flags.list("log-response-header"),
        forward_headers: forward,
        scope_cookie_paths: flags.bool("scope-cookie-paths"),
        h2c: flags.bool("target-h2c"),
    }
}
