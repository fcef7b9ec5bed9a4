//! The proxy port: kamal-proxy controlled through `docker exec` on a host (spec kamal.md 2.9, kamal-proxy.md 1.9).

use kamal_core::{
    config::model::{Proxy as Settings, Ssl},
    ports::{Proxy, Render, RenderError},
    shell::{
        Text,
        escape::{value, word},
    },
    step::{CRASH_LOOP, Route, Step},
};

use crate::deploy_flags::{self as flag, Flag, Kind};

/// The headers Kamal logs where none are named.
const LOGGED_REQUEST_HEADERS: [&str; 3] = ["Cache-Control", "Last-Modified", "User-Agent"];

/// kamal-proxy in its container.
#[derive(Clone, Copy, Debug, Default)]
pub struct KamalProxyCli;

impl Proxy for KamalProxyCli {
    fn render(&self, step: &Step, _cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
        Ok(match step {
            Step::SwitchTraffic(route) => Some(switch(route).into()),
            Step::RemoveRoute { service } => Some(command(&format!("remove {}", word(service))).into()),
            Step::StopRoute { service, drain_timeout, message } => {
                let message = message.iter().map(|text| format!(" --message={}", value(text))).collect::<String>();
                Some(command(&format!("stop {} --drain-timeout=\"{drain_timeout}s\"{message}", word(service))).into())
            }
            Step::ResumeRoute { service } => Some(command(&format!("resume {}", word(service))).into()),
            _ => None,
        })
    }
}

/// A kamal-proxy command as it is run on a host.
#[must_use]
pub fn command(arguments: &str) -> String {
    format!("docker exec kamal-proxy kamal-proxy {arguments}")
}

/// Moves traffic to a container once it is healthy. The step that starts a container leaves its id in `kamal_cid`; a
/// container started by another script is looked up. While the proxy waits, the container is watched: one that has
/// stopped for good, or that docker restarts again and again, fails the step at once rather than at the deploy timeout. The client is killed outright: told to
/// terminate, docker's exits with 0, as if the switch had been made.
fn switch(route: &Route) -> String {
    let name = word(&route.container);
    let deploy = command(&format!("deploy {} {}", word(&route.service), flags(route).join(" ")));
    format!(
        "([ \"$kamal_started\" = {name} ] && cid=$kamal_cid || \
         cid=$(docker container ls --no-trunc --quiet --filter 'name=^{plain}$') && [ -n \"$cid\" ] || \
         {{ echo \"{plain} is not running, did the container boot?\" >&2; exit 1; }}\n\
         cid=$(printf %.12s \"$cid\")\n\
         {deploy} & deploy=$!\n\
         look() {{ docker inspect --format '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {name} 2>/dev/null || echo gone 0; }}\n\
         (while sleep 1; do s=$(look)\n\
         case $s in exited*|dead*|gone*) kill -9 $deploy; exit;; esac\n\
         [ ${{s#* }} -lt {CRASH_LOOP} ] || {{ kill -9 $deploy; exit; }}; done) >/dev/null 2>&1 & watch=$!\n\
         wait $deploy; s=$?; kill $watch 2>/dev/null\n\
         if [ $s -eq 137 ]; then r=$(look); r=${{r#* }}; if [ $r -lt {CRASH_LOOP} ]; \
         then echo \"{plain} stopped while its health was checked\" >&2; \
         else echo \"{plain} was restarted $r times while its health was checked\" >&2; fi; fi\n\
         exit $s)",
        plain = route.container,
    )
}

/// The flags of `kamal-proxy deploy` in Kamal's order.
#[must_use]
pub fn flags(route: &Route) -> Vec<String> {
    let Settings { hosts, app_port, ssl, buffering, healthcheck, .. } = &route.proxy;
    let settings = &route.proxy;
    let mut flags = vec![format!("--{}=\"$cid:{app_port}\"", flag::TARGET.name)];
    let seconds = |seconds: u64| format!("{seconds}s");
    let mut all: Vec<(Flag, Option<String>)> = Vec::new();
    all.extend(hosts.iter().map(|host| (flag::HOST, Some(host.clone()))));
    if *ssl != Ssl::Off {
        all.push((flag::TLS, Some("true".into())));
    }
    if let Some((certificate, key)) = &route.certificate {
        all.push((flag::TLS_CERTIFICATE_PATH, Some(certificate.clone())));
        all.push((flag::TLS_PRIVATE_KEY_PATH, Some(key.clone())));
    }
    let truth = |on: bool| Some(on.to_string());
    all.push((flag::DEPLOY_TIMEOUT, Some(seconds(route.deploy_timeout))));
    all.push((flag::DRAIN_TIMEOUT, Some(seconds(route.drain_timeout))));
    all.push((flag::HEALTH_CHECK_INTERVAL, healthcheck.interval.map(seconds)));
    all.push((flag::HEALTH_CHECK_TIMEOUT, healthcheck.timeout.map(seconds)));
    all.push((flag::HEALTH_CHECK_PATH, healthcheck.path.clone()));
    all.push((flag::TARGET_TIMEOUT, settings.response_timeout.map(seconds)));
    all.push((flag::BUFFER_REQUESTS, truth(buffering.requests.unwrap_or(true))));
    all.push((flag::BUFFER_RESPONSES, truth(buffering.responses.unwrap_or(true))));
    all.push((flag::BUFFER_MEMORY, buffering.memory.map(|bytes| bytes.to_string())));
    all.push((flag::MAX_REQUEST_BODY, buffering.max_request_body.map(|bytes| bytes.to_string())));
    all.push((flag::MAX_RESPONSE_BODY, buffering.max_response_body.map(|bytes| bytes.to_string())));
    all.extend(settings.path_prefixes.iter().map(|prefix| (flag::PATH_PREFIX, Some(prefix.clone()))));
    all.push((flag::STRIP_PATH_PREFIX, settings.strip_path_prefix.and_then(truth)));
    all.push((flag::FORWARD_HEADERS, settings.forward_headers.and_then(truth)));
    all.push((flag::TLS_REDIRECT, settings.ssl_redirect.and_then(truth)));
    let logged = settings.log_request_headers.clone();
    let logged = logged.unwrap_or_else(|| LOGGED_REQUEST_HEADERS.map(str::to_owned).to_vec());
    all.extend(logged.into_iter().map(|header| (flag::LOG_REQUEST_HEADER, Some(header))));
    all.extend(settings.log_response_headers.iter().map(|header| (flag::LOG_RESPONSE_HEADER, Some(header.clone()))));
    all.push((flag::ERROR_PAGES, route.error_pages.clone()));
    flags.extend(all.into_iter().filter_map(|(Flag { name, kind, .. }, text)| match (kind, text?.as_str()) {
        (Kind::Bool(_), "true") => Some(format!("--{name}")),
        (_, text) => Some(format!("--{name}={}", value(text))),
    }));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamal_core::{
        config::model::{Buffering, HealthCheck},
        name::ContainerName,
    };

    fn route(proxy: Settings) -> Route {
        Route {
            service: "app-web".into(),
            container: ContainerName::new("app-web-999"),
            proxy,
            certificate: None,
            error_pages: None,
            deploy_timeout: 30,
            drain_timeout: 30,
        }
    }

    /// A docker whose proxy never answers, for a container in this state.
    fn switched(state: &str) -> (Option<i32>, String) {
        let docker = format!(
            "docker() {{ case $1 in container) echo 0123456789abcdef;; exec) exec sleep 30;; inspect) echo '{state}';; esac; }}"
        );
        let text = format!("{docker}\n{}", switch(&route(Settings::default())));
        let output = std::process::Command::new("sh").args(["-c", &text]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_container_that_will_not_come_up_is_not_waited_for() {
        let (status, said) = switched("restarting 5");
        assert_eq!(status, Some(137));
        assert!(said.ends_with("app-web-999 was restarted 5 times while its health was checked\n"), "{said}");
        let (status, said) = switched("exited 0");
        assert_eq!(status, Some(137));
        assert!(said.ends_with("app-web-999 stopped while its health was checked\n"), "{said}");
    }

    #[test]
    fn the_least_route_has_kamals_defaults() {
        let settings = Settings { app_port: 80, ..Settings::default() };
        assert_eq!(
            flags(&route(settings)).join(" "),
            "--target=\"$cid:80\" --deploy-timeout=\"30s\" --drain-timeout=\"30s\" --buffer-requests --buffer-responses \
             --log-request-header=\"Cache-Control\" --log-request-header=\"Last-Modified\" --log-request-header=\"User-Agent\""
        );
    }

    #[test]
    fn the_fullest_route_keeps_kamals_order() {
        let settings = Settings {
            hosts: vec!["a.com".into(), "b.com".into()],
            app_port: 3000,
            ssl: Ssl::Automatic,
            ssl_redirect: Some(false),
            forward_headers: Some(true),
            response_timeout: Some(12),
            path_prefixes: vec!["/api".into(), "/x".into()],
            strip_path_prefix: Some(false),
            healthcheck: HealthCheck { interval: Some(3), path: Some("/health".into()), timeout: Some(4) },
            buffering: Buffering {
                requests: Some(false),
                responses: Some(true),
                max_request_body: Some(4),
                max_response_body: Some(0),
                memory: Some(2),
            },
            log_request_headers: Some(vec!["A".into()]),
            log_response_headers: vec!["B".into(), "C".into()],
            run: None,
        };
        let route = Route {
            certificate: Some(("/c/cert.pem".into(), "/c/key.pem".into())),
            error_pages: Some("/e/v1".into()),
            deploy_timeout: 45,
            drain_timeout: 9,
            ..route(settings)
        };
        assert_eq!(
            flags(&route).join(" "),
            "--target=\"$cid:3000\" --host=\"a.com\" --host=\"b.com\" --tls --tls-certificate-path=\"/c/cert.pem\" \
             --tls-private-key-path=\"/c/key.pem\" --deploy-timeout=\"45s\" --drain-timeout=\"9s\" --health-check-interval=\"3s\" \
             --health-check-timeout=\"4s\" --health-check-path=\"/health\" --target-timeout=\"12s\" --buffer-requests=\"false\" \
             --buffer-responses --buffer-memory=\"2\" --max-request-body=\"4\" --max-response-body=\"0\" --path-prefix=\"/api\" \
             --path-prefix=\"/x\" --strip-path-prefix=\"false\" --forward-headers --tls-redirect=\"false\" \
             --log-request-header=\"A\" --log-response-header=\"B\" --log-response-header=\"C\" --error-pages=\"/e/v1\""
        );
    }
}
