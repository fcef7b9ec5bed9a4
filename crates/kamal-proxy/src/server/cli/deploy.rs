//! From the flags of `deploy` to what the server is asked (spec 1.4).

use super::flags::Parsed;
use super::{Failed, paths};
use crate::deploy_flags as flag;
use crate::server::control::protocol::Deploy;
use crate::server::options::{DeploymentOptions, HealthCheckOptions, Policies, ServiceOptions, TargetOptions};
use crate::server::tls::automatic::STAGING;

/// Checks what can be checked here and gathers the rest.
pub(crate) fn request(service: String, flags: &Parsed) -> Result<Deploy, Failed> {
    for (limit, buffering, what) in [
        (flag::MAX_REQUEST_BODY, flag::BUFFER_REQUESTS, "request"),
        (flag::MAX_RESPONSE_BODY, flag::BUFFER_RESPONSES, "response"),
    ] {
        if flags.is_set(limit) && !flags.is_set(buffering) {
            return Err(Failed(format!("{} can only be set when {what} buffering is enabled", limit.name)));
        }
    }
    let service_options = service_options(flags).normalised();
    service_options.validate()?;
    Ok(Deploy {
        service,
        targets: flags.list(flag::TARGET),
        readers: flags.list(flag::READ_TARGET),
        deployment: deployment(flags),
        service_options,
        target_options: target_options(flags),
    })
}

/// How to deploy; `rollout deploy` has these too.
pub(crate) fn deployment(flags: &Parsed) -> DeploymentOptions {
    DeploymentOptions {
        deploy_timeout: flags.duration(flag::DEPLOY_TIMEOUT),
        drain_timeout: flags.duration(flag::DRAIN_TIMEOUT),
        force: flags.bool(flag::FORCE),
    }
}

fn service_options(flags: &Parsed) -> ServiceOptions {
    let cache = flags.str(flag::TLS_ACME_CACHE_PATH);
    let given = flags.is_set(flag::TLS_ACME_CACHE_PATH);
    ServiceOptions {
        hosts: flags.list(flag::HOST),
        path_prefixes: flags.list(flag::PATH_PREFIX),
        tls_enabled: flags.bool(flag::TLS),
        tls_certificate_path: flags.str(flag::TLS_CERTIFICATE_PATH),
        tls_private_key_path: flags.str(flag::TLS_PRIVATE_KEY_PATH),
        tls_on_demand_url: flags.str(flag::TLS_ON_DEMAND_URL),
        tls_redirect: flags.bool(flag::TLS_REDIRECT),
        canonical_host: flags.str(flag::CANONICAL_HOST),
        acme_directory: if flags.bool(flag::TLS_STAGING) {
            STAGING.into()
        } else {
            flags.str(flag::TLS_ACME_DIRECTORY)
        },
        acme_cache_path: if given { cache } else { paths::data_dir().join("certs").display().to_string() },
        error_page_path: flags.str(flag::ERROR_PAGES),
        strip_prefix: flags.bool(flag::STRIP_PATH_PREFIX),
        writer_affinity_timeout: flags.duration(flag::WRITER_AFFINITY_TIMEOUT),
        read_targets_accept_websockets: flags.bool(flag::READ_TARGET_WEBSOCKETS),
        exclude_metrics_paths: flags.list(flag::EXCLUDE_METRICS_PATH),
        client_ip_header: flags.str(flag::CLIENT_IP_HEADER),
        policies: policies(flags),
    }
}

fn policies(flags: &Parsed) -> Policies {
    let compress = flags.bool(flag::COMPRESS);
    Policies {
        compress,
        compress_min_size: if compress { flags.int(flag::COMPRESS_MIN_SIZE) } else { 0 },
        compress_types: flags.list(flag::COMPRESS_TYPE),
        basic_auth_file: flags.str(flag::BASIC_AUTH_FILE),
        basic_auth_env: flags.str(flag::BASIC_AUTH_ENV),
        allow: flags.list(flag::ALLOW_ADDRESS),
        deny: flags.list(flag::DENY_ADDRESS),
        trusted_proxies: flags.list(flag::TRUSTED_PROXY),
        rate_limit: flags.str(flag::RATE_LIMIT),
        rate_limit_burst: flags.int(flag::RATE_LIMIT_BURST),
        redirects: flags.list(flag::REDIRECT),
        sticky: flags.bool(flag::STICKY),
        each_address: flags.bool(flag::TARGET_EACH_ADDRESS),
        peers: flags.list(flag::PEER),
        peer_name: flags.str(flag::PEER_NAME),
        peer_secret_file: flags.str(flag::PEER_SECRET_FILE),
        eject_after: flags.int(flag::EJECT_AFTER),
        acme_email: flags.str(flag::TLS_ACME_EMAIL),
        acme_eab_kid: flags.str(flag::TLS_ACME_EAB_KID),
        acme_eab_key_file: flags.str(flag::TLS_ACME_EAB_KEY_FILE),
        acme_dns_hook: flags.str(flag::TLS_ACME_DNS_HOOK),
    }
}

fn target_options(flags: &Parsed) -> TargetOptions {
    let forward =
        if flags.is_set(flag::FORWARD_HEADERS) { flags.bool(flag::FORWARD_HEADERS) } else { !flags.bool(flag::TLS) };
    TargetOptions {
        health_check_config: HealthCheckOptions {
            path: flags.str(flag::HEALTH_CHECK_PATH),
            port: flags.int(flag::HEALTH_CHECK_PORT),
            interval: flags.duration(flag::HEALTH_CHECK_INTERVAL),
            timeout: flags.duration(flag::HEALTH_CHECK_TIMEOUT),
            host: flags.str(flag::HEALTH_CHECK_HOST),
        },
        response_timeout: flags.duration(flag::TARGET_TIMEOUT),
        buffer_requests: flags.bool(flag::BUFFER_REQUESTS),
        buffer_responses: flags.bool(flag::BUFFER_RESPONSES),
        max_memory_buffer_size: flags.int(flag::BUFFER_MEMORY),
        max_request_body_size: flags.int(flag::MAX_REQUEST_BODY),
        max_response_body_size: flags.int(flag::MAX_RESPONSE_BODY),
        log_request_headers: flags.list(flag::LOG_REQUEST_HEADER),
        log_response_headers: flags.list(flag::LOG_RESPONSE_HEADER),
        forward_headers: forward,
        scope_cookie_paths: flags.bool(flag::SCOPE_COOKIE_PATHS),
        h2c: flags.bool(flag::TARGET_H2C),
    }
}

#[cfg(test)]
mod tests {
    use kamal_core::config::model::{Buffering, HealthCheck, Proxy, Ssl};
    use kamal_core::step::Route;

    use super::super::flags::parse;
    use super::*;

    // What one side writes arrives in the field it is meant for on the other.
    #[test]
    fn what_the_command_writes_is_read() {
        let proxy = Proxy {
            hosts: vec!["a.test".into(), "true".into()],
            app_port: 3000,
            ssl: Ssl::Automatic,
            ssl_redirect: Some(false),
            forward_headers: Some(true),
            response_timeout: Some(12),
            path_prefixes: vec!["/api".into(), "/".into()],
            strip_path_prefix: Some(false),
            healthcheck: HealthCheck { interval: Some(3), path: Some("/health".into()), timeout: Some(4) },
            buffering: Buffering {
                requests: Some(true),
                responses: Some(false),
                max_request_body: Some(4),
                max_response_body: Some(5),
                memory: Some(2),
            },
            log_request_headers: Some(vec!["A".into()]),
            log_response_headers: vec!["B".into()],
            ..Proxy::default()
        };
        let route = Route {
            service: "app-web".into(),
            container: "app-web-999".parse().unwrap(),
            tasks: false,
            network: None,
            peers: Vec::new(),
            sharing: None,
            proxy,
            certificate: Some(("/c/cert.pem".into(), "/c/key.pem".into())),
            error_pages: Some("/e".into()),
            deploy_timeout: 45,
            drain_timeout: 9,
        };
        // As a shell passes them on.
        let words: Vec<String> = crate::flags(&route).iter().map(|word| word.replace('"', "")).collect();
        let flags = parse(flag::ALL, &words).unwrap();
        let Ok(deploy) = request("app-web".into(), &flags) else { panic!("{words:?} is fine") };
        let seconds = crate::server::go_duration::GoDuration::from_secs;
        assert_eq!(deploy.targets, ["$cid:3000"]);
        let DeploymentOptions { deploy_timeout, drain_timeout, force } = deploy.deployment;
        assert_eq!((deploy_timeout, drain_timeout, force), (seconds(45), seconds(9), false));
        let expected = ServiceOptions {
            hosts: vec!["a.test".into(), "true".into()],
            path_prefixes: vec!["/api".into(), "/".into()],
            tls_enabled: true,
            tls_certificate_path: "/c/cert.pem".into(),
            tls_private_key_path: "/c/key.pem".into(),
            error_page_path: "/e".into(),
            writer_affinity_timeout: seconds(1),
            acme_cache_path: deploy.service_options.acme_cache_path.clone(),
            ..ServiceOptions::default()
        };
        assert_eq!(deploy.service_options, expected);
        let expected = TargetOptions {
            health_check_config: HealthCheckOptions {
                path: "/health".into(),
                interval: seconds(3),
                timeout: seconds(4),
                ..HealthCheckOptions::default()
            },
            response_timeout: seconds(12),
            buffer_requests: true,
            max_memory_buffer_size: 2,
            max_request_body_size: 4,
            max_response_body_size: 5,
            log_request_headers: vec!["A".into()],
            log_response_headers: vec!["B".into()],
            forward_headers: true,
            ..TargetOptions::default()
        };
        assert_eq!(deploy.target_options, expected);
    }

    #[test]
    fn flags_are_in_the_order_help_shows_them_in() {
        assert!(flag::ALL.is_sorted_by_key(|flag| flag.name));
    }
}
