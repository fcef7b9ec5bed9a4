//! `x-proxy`, and the keys of `proxy` that Kamal's own does not have yet.

use kamal_core::config::{Config, model::Policies};

use crate::template_world::{load_text, with};

fn config(fragment: &str) -> Config {
    load_text(&with(fragment)).unwrap_or_else(|errors| panic!("{fragment}\n{errors}")).config
}

fn of<'c>(config: &'c Config, role: &str) -> &'c Policies {
    &config.role(role).unwrap().proxy.as_ref().unwrap().policies
}

fn refused(fragment: &str) -> (String, usize) {
    let errors = load_text(&with(fragment)).map(|_| ()).expect_err(fragment);
    (errors.0[0].message.clone(), errors.0[0].line)
}

#[test]
fn what_is_said_for_all_holds_for_proxied_roles_and_is_merged_with_a_roles_own() {
    let config = config(
        "servers: {web: [a], api: {hosts: [b], proxy: true}, jobs: [c]}\n\
         accessories: {db: {image: i, host: h, proxy: {host: d.example}}, no: {image: i, host: h}}\n\
         x-proxy:\n  compress: true\n  rate_limit: 10/s\n  redirects: {/a: /b, old.example: \"https://new.example\"}\n  \
         roles: {api: {rate_limit: 20/m, sticky: true, redirects: {/c: /d}}}\n  \
         accessories: {db: {allow_addresses: [10.0.0.0/8, \"::1\"]}}",
    );
    let web = of(&config, "web");
    assert_eq!((web.compress, web.rate_limit.as_deref(), web.sticky), (Some(true), Some("10/s"), None));
    assert_eq!(web.redirects[1], ("old.example".to_owned(), "https://new.example".to_owned()));
    let api = of(&config, "api");
    assert_eq!((api.compress, api.rate_limit.as_deref(), api.sticky), (Some(true), Some("20/m"), Some(true)));
    assert_eq!(api.redirects.len(), 3);
    let db = &config.accessory("db").unwrap().proxy.as_ref().unwrap().policies;
    assert_eq!((db.compress, db.allow_addresses.len()), (None, 2));
    assert!(config.role("jobs").unwrap().proxy.is_none());
}

#[test]
fn what_the_proxy_would_not_take_is_refused_with_its_place() {
    for (inner, message) in [
        ("compres: true, sticky: true", "x-proxy: unknown key: compres"),
        ("compress: maybe", "x-proxy/compress: should be a boolean"),
        (
            "rate_limit: fast",
            "x-proxy/rate_limit: should be a number of requests such as 10/s, 100/m or 1000/h, not fast",
        ),
        (
            "rate_limit: 0/s",
            "x-proxy/rate_limit: should be a number of requests such as 10/s, 100/m or 1000/h, not 0/s",
        ),
        (
            "allow_addresses: [10.0.0.0/40]",
            "x-proxy/allow_addresses/0: should be an address or a network, not 10.0.0.0/40",
        ),
        ("trusted_proxies: [\"::1\", x]", "x-proxy/trusted_proxies/1: should be an address or a network, not x"),
        ("redirects: {\"/a*\": \"https://b*\"}", "x-proxy/redirects//a*: should have a / before the * of its target"),
        ("redirects: {/a: b}", "x-proxy/redirects//a: should lead to a path that begins with / or to a URL"),
        ("rate_limit_burst: 5", "x-proxy/rate_limit_burst does nothing without rate_limit"),
        (
            "compress: true, compress_types: [json]",
            "x-proxy/compress_types/0: should be a media type such as application/json, not json",
        ),
        ("eject_after: -1", "x-proxy/eject_after: should not be negative"),
        ("sticky: true, roles: {wep: {sticky: true}}", "x-proxy/roles: there is no wep"),
        ("roles: {web: {host: a}}", "x-proxy/roles/web: unknown key: host"),
        ("accessories: {db: true}", "x-proxy/accessories/db: should be a hash"),
    ] {
        assert_eq!(refused(&format!("x-proxy: {{{inner}}}")), (message.to_owned(), 6), "{inner}");
    }
}

#[test]
fn an_anchor_of_ones_own_is_left_alone() {
    for own in [
        "x-proxy: &p {host: a.example, ssl: true}\nproxy: *p",
        "x-proxy: [a, b]",
        "x-proxy: text",
        "x-proxy: {}",
        "x-other: {compress: 5}",
    ] {
        assert_eq!(*of(&config(own), "web"), Policies::default(), "{own}");
    }
}

#[test]
fn a_role_that_is_not_proxied_is_told() {
    let text = with("servers: {web: [a], jobs: [b]}\nx-proxy: {roles: {jobs: {sticky: true}}}");
    let warnings = load_text(&text).unwrap().warnings;
    assert_eq!(warnings[0].message, "x-proxy/roles/jobs is ignored: the role is not proxied");
}

#[test]
fn keys_kamal_does_not_have_yet_are_checked_together() {
    let proxy = |inner: &str| config(&format!("proxy: {{{inner}}}")).roles[0].proxy.clone().unwrap();
    let all = proxy(
        "hosts: [a.example, b.example], canonical_host: a.example, client_ip_header: X-Real-IP, exclude_metrics_paths: [/up], run: {http3: true}",
    );
    assert_eq!(
        (all.canonical_host.as_deref(), all.client_ip_header.as_deref()),
        (Some("a.example"), Some("X-Real-IP"))
    );
    assert_eq!((all.exclude_metrics_paths, all.run.unwrap().http3), (vec!["/up".to_owned()], true));
    let on_demand = proxy("ssl: true, tls_on_demand_url: /allowed");
    assert_eq!(on_demand.tls_on_demand_url.as_deref(), Some("/allowed"));
    for (inner, message) in [
        (
            "host: a.example, canonical_host: c.example",
            "proxy/canonical_host: should be one of the hosts (a.example), not c.example",
        ),
        ("tls_on_demand_url: /x", "proxy/tls_on_demand_url: needs ssl: true"),
        (
            "ssl: true, tls_on_demand_url: \"ftp://x\"",
            "proxy/tls_on_demand_url: should be a path or a URL, not ftp://x",
        ),
        (
            "ssl: true, host: a.example, tls_on_demand_url: /x",
            "proxy/tls_on_demand_url: excludes host: hosts are found on demand",
        ),
    ] {
        assert_eq!(refused(&format!("proxy: {{{inner}}}")), (message.to_owned(), 6), "{inner}");
    }
}

#[test]
fn words_that_stand_alone_in_a_hosts_shell_hold_nothing_of_one() {
    for (fragment, path) in [
        ("accessories: {d: {image: i, host: h, port: \"80;id\"}}", "accessories/d/port"),
        ("accessories: {d: {image: i, host: h, network: \"a b\"}}", "accessories/d/network"),
        ("asset_path: \"/a$(id)\"", "asset_path"),
        ("servers: {web: {hosts: [a], asset_path: \"/a`id`\"}}", "servers/web/asset_path"),
        ("proxy: {run: {repository: \"a|b\"}}", "proxy/run/repository"),
        ("proxy: {run: {version: \"v1 x\"}}", "proxy/run/version"),
        ("proxy: {run: {registry: \"r>x\"}}", "proxy/run/registry"),
        ("proxy: {run: {log_max_size: \"1m;id\"}}", "proxy/run/log_max_size"),
        ("ssh: {user: \"x;id\"}", "ssh/user"),
        ("ssh: {user: \"-l\"}", "ssh/user"),
    ] {
        assert!(refused(fragment).0.starts_with(&format!("{path}: should ")), "{fragment}: {}", refused(fragment).0);
    }
    config(
        "accessories: {d: {image: i, host: h, port: \"127.0.0.1:53:53/udp\"}}\nasset_path: \"/a/b:ro\"\nssh: {user: 'CORP\\me'}",
    );
}

#[test]
fn a_release_command_has_a_command_a_role_that_is_there_and_some_time() {
    let release = config("x-release: {cmd: bin/migrate}").release.unwrap();
    assert_eq!((release.cmd.as_str(), release.role.as_str(), release.timeout.as_secs()), ("bin/migrate", "web", 600));
    for (fragment, wanted) in [
        ("x-release: {role: web}", "x-release/cmd: is required"),
        ("x-release: {cmd: ' '}", "x-release/cmd: is required"),
        ("x-release: {cmd: a, role: wbe}", "x-release/role: there is no role wbe"),
        ("x-release: {cmd: a, timeout: 0}", "x-release/timeout: should be at least 1 second"),
        ("x-release: {cmd: a, timeout: -1}", "x-release/timeout: should not be negative"),
        ("x-release: {cmd: a, command: b}", "x-release: unknown key: command"),
        ("x-release: bin/migrate", "x-release: should be a hash"),
        ("x-release: {cmd: [a]}", "x-release/cmd: should be a string"),
    ] {
        let (message, _) = refused(fragment);
        assert!(message.contains(wanted), "{fragment}: {message}");
    }
}

#[test]
fn a_guard_is_a_time_a_percentage_a_latency_and_a_number_of_requests() {
    let guard = config("x-guard: {for: 1m, errors: 0.5%, latency: 500ms, requests: 100}").guard.unwrap();
    assert_eq!((guard.window.as_secs(), guard.errors, guard.requests), (60, 50, 100));
    assert_eq!(guard.latency.map(|latency| latency.as_millis()), Some(500));
    let usual = config("x-guard: {}").guard.unwrap();
    assert_eq!((usual.window.as_secs(), usual.errors, usual.latency, usual.requests), (30, 100, None, 20));
    assert!(config("retain_containers: 5").guard.is_none());
    for (fragment, wanted) in [
        ("x-guard: {for: soon}", "x-guard/for: should be a time such as 30s"),
        ("x-guard: {for: 0}", "x-guard/for: should be at least one second"),
        ("x-guard: {for: 61m}", "x-guard/for: should be at least one second and at most one hour"),
        ("x-guard: {errors: 2}", "x-guard/errors: should be a percentage such as 2%"),
        ("x-guard: {errors: 200%}", "x-guard/errors: should be a percentage"),
        ("x-guard: {latency: 0ms}", "x-guard/latency: should be more than nothing"),
        ("x-guard: {latency: fast}", "x-guard/latency: should be a time"),
        ("x-guard: {requests: -1}", "x-guard/requests: should not be negative"),
        ("x-guard: {requests: many}", "x-guard/requests: should be an integer"),
        ("x-guard: {fro: 30s}", "x-guard: unknown key: fro"),
        ("x-guard: 30s", "x-guard: should be a hash"),
    ] {
        let (message, _) = refused(fragment);
        assert!(message.contains(wanted), "{fragment}: {message}");
    }
}

#[test]
fn hosts_switch_each_for_themselves_or_together() {
    assert!(config("x-boot: {switch: together}").boot.together);
    assert!(!config("x-boot: {switch: each}").boot.together && !config("retain_containers: 5").boot.together);
    for (fragment, wanted) in [
        ("x-boot: {switch: all}", "x-boot/switch: should be together or each, not all"),
        ("x-boot: {swich: together}", "x-boot: unknown key: swich"),
        ("x-boot: together", "x-boot: should be a hash"),
    ] {
        let (message, _) = refused(fragment);
        assert!(message.contains(wanted), "{fragment}: {message}");
    }
}
