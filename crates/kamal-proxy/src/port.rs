//! The proxy port: kamal-proxy controlled through `docker exec` on a host (spec kamal.md 2.9, kamal-proxy.md 1.9).

use kamal_core::{
    config::{
        Config,
        model::{Guard, Policies, Proxy as Settings, Ssl},
    },
    keyring::Keyring,
    naming,
    ports::{Proxy, Render, RenderError},
    render::write_file_for,
    shell::{
        Text,
        escape::{value, word},
    },
    step::{CRASH_LOOP, Route, Step},
};

use crate::deploy_flags::{self as flag, Flag, Kind};

/// Where the secrets of [`files`] are asked for.
const KEY: &str = "x-proxy";

/// The exit status of what watches a container for having ended the switch.
const GAVE_UP: u8 = 9;

/// The headers Kamal logs where none are named.
const LOGGED_REQUEST_HEADERS: [&str; 3] = ["Cache-Control", "Last-Modified", "User-Agent"];

/// kamal-proxy in its container.
#[derive(Clone, Copy, Debug, Default)]
pub struct KamalProxyCli;

impl Proxy for KamalProxyCli {
    fn render(&self, step: &Step, cx: &Render<'_>) -> Result<Option<Text>, RenderError> {
        Ok(match step {
            Step::SwitchTraffic(route) => Some(with_files(route, cx.config, cx.secrets)?),
            Step::AwaitHealthy(route) => Some(probe(route).into()),
            Step::CheckWatch => Some(check_watch().into()),
            Step::Watch { service, guard, .. } => Some(command(&watch(service, guard)).into()),
            Step::StartRollout(route) => Some(beside(route).into()),
            Step::SplitRollout { service, percent } => {
                Some(command(&format!("rollout set {} --percent={percent}", word(service))).into())
            }
            Step::StopRollout { service } => Some(forgotten(&format!("rollout stop {}", word(service))).into()),
            Step::RemoveRoute { service } => Some(forgotten(&format!("remove {}", word(service))).into()),
            Step::StopRoute { service, drain_timeout, message } => {
                let message = message.iter().map(|text| format!(" --message={}", value(text))).collect::<String>();
                Some(command(&format!("stop {} --drain-timeout=\"{drain_timeout}s\"{message}", word(service))).into())
            }
            Step::ResumeRoute { service } => Some(command(&format!("resume {}", word(service))).into()),
            _ => None,
        })
    }
}

/// Secrets that the proxy reads from files: the key of each, and the flag that names its file.
fn files(route: &Route) -> Vec<(&String, Flag)> {
    let policies = &route.proxy.policies;
    let all = [
        (policies.basic_auth.as_ref(), flag::BASIC_AUTH_FILE),
        (policies.acme_eab_key.as_ref(), flag::TLS_ACME_EAB_KEY_FILE),
        (route.sharing.as_ref().map(|sharing| &sharing.secret), flag::PEER_SECRET_FILE),
    ];
    all.into_iter().filter_map(|(key, flag)| Some((key?, flag))).collect()
}

/// Writes the files a route has, then switches.
fn with_files(route: &Route, config: &Config, secrets: &Keyring) -> Result<Text, RenderError> {
    let folder = naming::policies(&route.service);
    let mut text = Text::new();
    let mut named = Vec::new();
    for (key, Flag { name, .. }) in files(route) {
        let missing = |source| RenderError::Secret { source, needed_by: KEY.to_owned() };
        let secret = secrets.get(key).map_err(missing)?;
        let path = format!("{}/{folder}/{name}", naming::apps_config(config));
        let written = write_file_for(&path, secret.expose().as_bytes(), naming::PROXY_USER, 0o644);
        text.append(&written).push("\n[ $? -eq 0 ] || exit 1\n");
        named.push(format!("--{name}={}", word(&format!("{}/{folder}/{name}", naming::apps_config_inside(config)))));
    }
    let switch = switch(route, &named);
    if text.is_empty() {
        return Ok(switch.into());
    }
    let mut all = Text::from("(");
    all.append(&text).push(&switch).push(")");
    Ok(all)
}

/// A kamal-proxy command as it is run on a host.
#[must_use]
pub fn command(arguments: &str) -> String {
    format!("docker exec kamal-proxy kamal-proxy {arguments}")
}

/// Has the proxy forget something of a service. One it does not know is forgotten, and so is everything where no proxy runs.
fn forgotten(arguments: &str) -> String {
    format!(
        "(said=$({} 2>&1) || case $said in *'service not found'*|*'No such container'*|*'is not running'*) ;; \
         *) printf '%s\\n' \"$said\" >&2; exit 1;; esac)",
        command(arguments)
    )
}

/// Moves traffic to a container once it is healthy. The step that starts a container leaves its id in `kamal_cid`; a
/// container started by another script is looked up. While the proxy waits, the container is watched: one that has
/// stopped for good, or that docker restarts again and again, fails the step at once rather than at the deploy
/// timeout. The client is killed outright: told to terminate, docker's exits with 0, as if the switch had been made. Where
/// somebody else killed it, its status tells so, as nothing is known of the switch then. Whoever gives up is not to be ended
/// before it says so, as the one who waits ends it.
fn switch(route: &Route, files: &[String]) -> String {
    let flags = [flags(route), files.to_vec()].concat().join(" ");
    let deploy = format!("deploy {} {flags}", word(&route.service));
    if route.tasks { deploy_to_tasks(&command(&deploy)) } else { when_healthy(route, &deploy) }
}

/// What keeps a container beside the one a service is led to; it has the options of that one. How requests are told apart
/// stays as it is.
fn beside(route: &Route) -> String {
    let flags = [
        (flag::TARGET, target(route)),
        (flag::DEPLOY_TIMEOUT, format!("\"{}s\"", route.deploy_timeout)),
        (flag::DRAIN_TIMEOUT, format!("\"{}s\"", route.drain_timeout)),
    ];
    let flags = flags.map(|(Flag { name, .. }, value)| format!("--{name}={value}")).join(" ");
    when_healthy(route, &format!("rollout deploy {} {flags}", word(&route.service)))
}

/// Where the proxy finds a container. Docker knows it by its id, and by that and a network it is on; the containers of a
/// service by their tasks' name.
fn target(route: &Route) -> String {
    if route.tasks {
        return word(&format!("{}:{}", naming::tasks_of(&route.container), route.proxy.app_port));
    }
    let network = route.network.iter().map(|network| format!(".{network}")).collect::<String>();
    format!("\"$cid{network}:{}\"", route.proxy.app_port)
}

/// Runs a command of the proxy's that ends when a container is healthy.
fn when_healthy(route: &Route, arguments: &str) -> String {
    let name = word(&route.container);
    let deploy = command(arguments);
    format!(
        "([ \"$kamal_started\" = {name} ] && cid=$kamal_cid || \
         cid=$(docker container ls --no-trunc --quiet --filter {filter}) && [ -n \"$cid\" ] || \
         {{ echo {name}\" is not running, did the container boot?\" >&2; exit 1; }}\n\
         cid=$(printf %.12s \"$cid\")\n\
         {deploy} & deploy=$!\n\
         look() {{ docker inspect --format '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {name} 2>/dev/null || echo gone 0; }}\n\
         give_up() {{ trap '' TERM; kill -9 $deploy; exit {GAVE_UP}; }}\n\
         (while sleep 1; do s=$(look)\n\
         case $s in exited*|dead*|gone*) give_up;; esac\n\
         [ ${{s#* }} -lt {CRASH_LOOP} ] || give_up; done) >/dev/null 2>&1 & watch=$!\n\
         {{ wait $deploy; }} 2>/dev/null; s=$?; kill $watch 2>/dev/null; {{ wait $watch; }} 2>/dev/null; w=$?\n\
         if [ $s -ne 0 ] && [ $w -eq {GAVE_UP} ]; then s=1; r=$(look); r=${{r#* }}; if [ $r -lt {CRASH_LOOP} ]; \
         then echo {name}\" stopped while its health was checked\" >&2; \
         else echo {name}\" was restarted $r times while its health was checked\" >&2; fi; fi\n\
         exit $s)",
        filter = word(&format!("name=^{}$", route.container)),
    )
}

/// Leads the proxy to the containers of a service, wherever they are. Go's proxy would take the first of them for all.
fn deploy_to_tasks(deploy: &str) -> String {
    format!(
        "({} 2>&1 | grep -q -e --{} || {{ echo \"services take this project's kamal-proxy, and another one runs here: \
         run kamal proxy reboot with its image, or take run: services out of deploy.yml\" >&2; exit 1; }}; {deploy})",
        command("deploy --help"),
        flag::TARGET_EACH_ADDRESS.name,
    )
}

/// Has the proxy check a container as it would before it leads anybody there: as a service of its own for a host nobody
/// asks for, which every kamal-proxy can do, and which is taken out again whatever comes of it.
fn probe(route: &Route) -> String {
    let service = naming::probe(&route.service);
    let proxy = Settings {
        hosts: vec![format!("{service}.invalid")],
        ssl: Ssl::Off,
        policies: Policies { target_h2c: route.proxy.policies.target_h2c, ..Policies::default() },
        ..route.proxy.clone()
    };
    let alone = Route { peers: Vec::new(), sharing: None, ..route.clone() };
    let probe = Route { service, proxy, certificate: None, error_pages: None, ..alone };
    let remove = command(&format!("remove {}", word(&probe.service)));
    format!("({}; s=$?; {remove} >/dev/null 2>&1; exit $s)", switch(&probe, &[]))
}

/// Whether the proxy knows how to watch. Go's shows its help for commands it does not know.
fn check_watch() -> String {
    format!(
        "({} 2>&1 | grep -q -e --max-errors || {{ echo \"x-guard needs this project's kamal-proxy, and another one runs here: \
         run kamal proxy reboot with its image, or take x-guard out of deploy.yml\" >&2; exit 1; }})",
        command("watch --help")
    )
}

/// The command that watches a service.
fn watch(service: &str, guard: &Guard) -> String {
    let latency = guard.latency.map(|latency| format!(" --max-latency={}ms", latency.as_millis())).unwrap_or_default();
    format!(
        "watch {} --for={}ms --max-errors={} --min-requests={}{latency}",
        word(service),
        guard.window.as_millis(),
        guard.percent(),
        guard.requests
    )
}

/// The flags of `kamal-proxy deploy` in Kamal's order.
#[must_use]
pub fn flags(route: &Route) -> Vec<String> {
    let Settings { hosts, ssl, buffering, healthcheck, .. } = &route.proxy;
    let settings = &route.proxy;
    let mut flags = vec![format!("--{}={}", flag::TARGET.name, target(route))];
    flags.extend(route.tasks.then(|| format!("--{}", flag::TARGET_EACH_ADDRESS.name)));
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
    all.extend(beyond_kamal(settings));
    all.extend(route.peers.iter().map(|peer| (flag::PEER, Some(peer.clone()))));
    all.push((flag::PEER_NAME, route.sharing.as_ref().map(|sharing| sharing.name.clone())));
    flags.extend(all.into_iter().filter_map(|(Flag { name, kind, .. }, text)| match (kind, text?.as_str()) {
        (Kind::Bool(_), "true") => Some(format!("--{name}")),
        (_, text) => Some(format!("--{name}={}", value(text))),
    }));
    flags
}

/// The flags Kamal has no keys for. A service that asks for nothing has none of them, so that any proxy takes it.
fn beyond_kamal(settings: &Settings) -> Vec<(Flag, Option<String>)> {
    let policies = &settings.policies;
    let truth = |on: Option<bool>| on.filter(|on| *on).map(|on| on.to_string());
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let mut all = vec![
        (flag::CANONICAL_HOST, settings.canonical_host.clone()),
        (flag::CLIENT_IP_HEADER, settings.client_ip_header.clone()),
        (flag::TLS_ON_DEMAND_URL, settings.tls_on_demand_url.clone()),
        (flag::COMPRESS, truth(policies.compress)),
        (flag::COMPRESS_MIN_SIZE, number(policies.compress_min_size)),
        (flag::RATE_LIMIT, policies.rate_limit.clone()),
        (flag::RATE_LIMIT_BURST, number(policies.rate_limit_burst)),
        (flag::STICKY, truth(policies.sticky)),
        (flag::EJECT_AFTER, number(policies.eject_after)),
        (flag::TARGET_H2C, truth(policies.target_h2c)),
        (flag::TLS_ACME_DIRECTORY, policies.acme_directory.clone()),
        (flag::TLS_ACME_EMAIL, policies.acme_email.clone()),
        (flag::TLS_ACME_EAB_KID, policies.acme_eab_kid.clone()),
        (flag::TLS_ACME_DNS_HOOK, policies.acme_dns_hook.clone()),
    ];
    let lists = [
        (flag::EXCLUDE_METRICS_PATH, &settings.exclude_metrics_paths),
        (flag::COMPRESS_TYPE, &policies.compress_types),
        (flag::ALLOW_ADDRESS, &policies.allow_addresses),
        (flag::DENY_ADDRESS, &policies.deny_addresses),
        (flag::TRUSTED_PROXY, &policies.trusted_proxies),
    ];
    all.extend(lists.into_iter().flat_map(|(name, list)| list.iter().map(move |item| (name, Some(item.clone())))));
    all.extend(policies.redirects.iter().map(|(from, to)| (flag::REDIRECT, Some(format!("{from}={to}")))));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use kamal_core::{
        config::{
            Source, load,
            model::{Buffering, HealthCheck, Policies},
        },
        secret::Secret,
        testing::NoTemplateWorld,
    };

    fn route(proxy: Settings) -> Route {
        Route {
            service: "app-web".into(),
            container: "app-web-999".parse().unwrap(),
            tasks: false,
            network: None,
            peers: Vec::new(),
            sharing: None,
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
        let text = format!("{docker}\n{}", switch(&route(Settings::default()), &[]));
        let output = std::process::Command::new("sh").args(["-c", &text]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_container_that_will_not_come_up_is_not_waited_for() {
        let (status, said) = switched("restarting 5");
        assert_eq!(status, Some(1));
        assert_eq!(said, "app-web-999 was restarted 5 times while its health was checked\n");
        let (status, said) = switched("exited 0");
        assert_eq!(status, Some(1));
        assert_eq!(said, "app-web-999 stopped while its health was checked\n");
    }

    #[test]
    fn a_service_is_led_to_by_the_name_of_all_its_containers() {
        let tasks = Route {
            container: "app_web".parse().unwrap(),
            tasks: true,
            ..route(Settings { app_port: 3000, ..Settings::default() })
        };
        let text = switch(&tasks, &[]);
        assert!(text.contains("deploy app-web --target=tasks.app_web:3000 --target-each-address "), "{text}");
        assert!(!text.contains("cid"), "{text}");
        let (status, said) = told("case $* in *--help) echo --target-h2c;; esac", &text);
        assert!(status == Some(1) && said.contains("services take this project's kamal-proxy"), "{said}");
        let (status, said) = told("case $* in *--help) echo --target-each-address;; esac", &text);
        assert!(status == Some(0) && said.contains("kamal-proxy deploy app-web"), "{said}");
    }

    /// Runs a text with a docker that notes what it is told and does something.
    fn told(docker: &str, text: &str) -> (Option<i32>, String) {
        let docker = format!("docker() {{ echo \"$*\" >&2; {docker}; }}");
        let output = std::process::Command::new("sh").args(["-c", &format!("{docker}\n{text}")]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    #[test]
    fn a_client_that_somebody_killed_says_nothing_of_the_switch() {
        let docker = "case $1 in container) echo 0123456789abcdef;; exec) kill -9 $(exec sh -c 'echo $PPID');; \
            inspect) echo 'running 0';; esac";
        let (status, said) = told(docker, &switch(&route(Settings::default()), &[]));
        assert_eq!(status, Some(137), "{said}");
        assert!(!said.contains("while its health was checked"), "{said}");
    }

    #[test]
    fn a_container_is_probed_as_a_service_nobody_asks_for_and_taken_out_again() {
        let settings =
            Settings { app_port: 80, hosts: vec!["a.com".into()], ssl: Ssl::Automatic, ..Settings::default() };
        for (works, status) in [("true", Some(0)), ("false", Some(1))] {
            let docker =
                format!("case $1 in container) echo 0123456789abcdef;; exec) case $4 in deploy) {works};; esac;; esac");
            let (ended, said) = told(&docker, &probe(&route(settings.clone())));
            assert_eq!(ended, status, "{said}");
            assert!(
                said.contains("kamal-proxy deploy app-web-next --target=0123456789ab:80 --host=app-web-next.invalid"),
                "{said}"
            );
            assert!(!said.contains("--tls") && !said.contains("a.com"), "{said}");
        }
        let text = probe(&route(settings));
        assert!(text.ends_with("kamal-proxy remove app-web-next >/dev/null 2>&1; exit $s)"), "{text}");
    }

    #[test]
    fn a_container_is_kept_beside_the_one_that_is_live_by_kamal_proxys_own_rollout() {
        let docker = "case $1 in container) echo 0123456789abcdef;; inspect) echo 'running 0';; esac";
        let settings =
            Settings { app_port: 80, hosts: vec!["a.com".into()], ssl: Ssl::Automatic, ..Settings::default() };
        let (ended, said) = told(docker, &beside(&route(settings)));
        assert_eq!(ended, Some(0), "{said}");
        let wanted =
            "kamal-proxy rollout deploy app-web --target=0123456789ab:80 --deploy-timeout=30s --drain-timeout=30s\n";
        assert!(said.contains(wanted), "{said}");
        // What is not there any more needs no end.
        let stop = forgotten("rollout stop app-web");
        for (why, status) in [("Error: service not found", Some(0)), ("Error: no space left", Some(1))] {
            let (ended, said) = told(&format!("echo {why}; false"), &stop);
            assert_eq!(ended, status, "{why}: {said}");
        }
    }

    #[test]
    fn only_a_proxy_that_watches_is_asked_to() {
        assert_eq!(told("echo '  --max-errors string'", &check_watch()).0, Some(0));
        let (status, said) = told("echo 'Available Commands: deploy'", &check_watch());
        assert_eq!(status, Some(1));
        assert!(said.contains("x-guard needs this project's kamal-proxy"), "{said}");
    }

    #[test]
    fn what_a_service_must_keep_to_goes_along() {
        let file = "service: app\nimage: hub/app\nservers: [h]\nregistry: {username: u, password: [P]}\n\
            builder: {arch: amd64}\nx-guard: {for: 1m, errors: 0.5%, latency: 500ms}\n";
        let config = load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap().config;
        assert_eq!(
            watch("app-web", &config.guard.unwrap()),
            "watch app-web --for=60000ms --max-errors=0.5 --min-requests=20 --max-latency=500ms"
        );
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
    fn what_goes_beyond_kamal_is_asked_for_by_its_flags() {
        let settings = Settings {
            canonical_host: Some("a.com".into()),
            client_ip_header: Some("X-Real-IP".into()),
            tls_on_demand_url: Some("/ok?a=$b".into()),
            exclude_metrics_paths: vec!["/up".into()],
            policies: Policies {
                compress: Some(true),
                compress_min_size: Some(1),
                compress_types: vec!["a/b".into()],
                allow_addresses: vec!["10.0.0.0/8".into(), "::1".into()],
                deny_addresses: vec!["1.1.1.1".into()],
                trusted_proxies: vec!["2.2.2.2".into()],
                rate_limit: Some("10/s".into()),
                rate_limit_burst: Some(20),
                redirects: vec![("/a/*".into(), "/b/*".into())],
                sticky: Some(true),
                eject_after: Some(3),
                target_h2c: Some(false),
                acme_directory: Some("https://c".into()),
                acme_email: Some("a@b".into()),
                acme_eab_kid: Some("k".into()),
                acme_dns_hook: Some("/h".into()),
                ..Policies::default()
            },
            ..Settings::default()
        };
        let secret = ["--basic-auth-file", "--tls-acme-eab-key-file"].map(str::to_owned);
        for flag in flags(&route(settings.clone())).iter().chain(&secret) {
            let name = flag.trim_start_matches('-').split('=').next().unwrap();
            assert!(flag::ALL.iter().any(|known| known.name == name), "the proxy has no flag --{name}");
        }
        let all = flags(&route(settings)).join(" ");
        let (_, beyond) = all.split_once("--canonical-host").unwrap();
        assert_eq!(
            beyond,
            "=\"a.com\" --client-ip-header=\"X-Real-IP\" --tls-on-demand-url=\"/ok?a=\\$b\" --compress \
             --compress-min-size=\"1\" --rate-limit=\"10/s\" --rate-limit-burst=\"20\" --sticky --eject-after=\"3\" \
             --tls-acme-directory=\"https://c\" --tls-acme-email=\"a@b\" --tls-acme-eab-kid=\"k\" \
             --tls-acme-dns-hook=\"/h\" --exclude-metrics-path=\"/up\" --compress-type=\"a/b\" \
             --allow-address=\"10.0.0.0/8\" --allow-address=\"::1\" --deny-address=\"1.1.1.1\" \
             --trusted-proxy=\"2.2.2.2\" --redirect=\"/a/*=/b/*\""
        );
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's folder may be anywhere")]
    fn users_are_written_where_the_proxy_finds_them() {
        let file = "service: app\nimage: hub/app\nservers: [h]\nregistry: {username: u, password: [P]}\n\
            builder: {arch: amd64}\nx-proxy: {basic_auth: USERS}\n";
        let here = [("USERS", Secret::new("ann:$2y$05$hash\n"))].into_iter().collect();
        let config = load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap().config;
        let asked = |key: &str| {
            let policies = Policies { basic_auth: Some(key.into()), ..Policies::default() };
            with_files(&route(Settings { app_port: 80, policies, ..Settings::default() }), &config, &here)
        };
        assert!(asked("NOBODY").unwrap_err().to_string().ends_with("(needed by x-proxy)"));
        let text = asked("USERS").unwrap();
        assert!(!text.to_string().contains("$2y"), "{text}");
        let folder = std::env::temp_dir().join(format!("kamal-users-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let docker = "docker() { case $1 in container) echo 0123456789abcdef;; exec) echo \"$@\";; esac; }";
        let script = format!("{docker}\n{}\necho after $?", *text.expose());
        let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let path = "apps-config/app/policies/app-web/basic-auth-file";
        assert!(said.contains(&format!("--basic-auth-file=/home/kamal-proxy/.{path}")), "{said}");
        assert!(said.ends_with("after 0\n"), "{said}");
        let written = std::fs::read_to_string(folder.join(".kamal/proxy").join(path)).unwrap();
        assert_eq!(written, "ann:$2y$05$hash\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn other_hosts_proxies_are_peers() {
        let peers = vec!["kamal-proxy-h2".to_owned()];
        let network = Some("kamal".to_owned());
        let all = flags(&Route { network, peers, ..route(Settings { app_port: 80, ..Settings::default() }) }).join(" ");
        assert!(all.starts_with("--target=\"$cid.kamal:80\" "), "{all}");
        assert!(all.ends_with(" --peer=\"kamal-proxy-h2\""), "{all}");
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
            ..Settings::default()
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
