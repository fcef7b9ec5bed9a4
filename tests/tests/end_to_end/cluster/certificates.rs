//! `ssl: true` on several hosts: one of them orders, all have what it got, and have it renewed.

use std::{
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use kamal_tests::{
    app::App,
    pebble::{self, Pebble},
    rig::{self, rig},
};
use xtask::sandbox::Host;

use super::PATIENCE;

/// How long a certificate is good for, in seconds.
const LIFETIME: u32 = 25;

/// Has hosts' proxies trust an authority that is not there yet.
pub(super) fn prepare(app: &App, hosts: &[&Host]) {
    Pebble::introduce(&folder(app), hosts);
    app.edit(
        "healthcheck: {path: /up, interval: 1}",
        &format!("healthcheck: {{path: /up, interval: 1}}, {}", pebble::RUN),
    );
}

/// The authority looks for its proof at the last of them; the first by name orders.
pub(super) fn are_shared(app: &App, hosts: &[&Host]) {
    let last = hosts[hosts.len() - 1];
    let pebble = Pebble::start(&folder(app), last.address.into(), LIFETIME);
    let secret =
        "REGISTRY_PASSWORD=demo\nAPI_KEY=s3cret\nCLUSTER_SECRET=a secret that is long enough for all of them\n";
    app.project.write(".kamal/secrets", secret).unwrap();
    app.edit("proxy: {", "proxy: {ssl: true, ssl_redirect: false, ");
    app.edit(
        "x-cluster: {",
        &format!("x-proxy: {{acme_directory: \"{}\"}}\nx-cluster: {{secret: CLUSTER_SECRET, ", pebble.directory),
    );
    // They may be those of a test before, which trust nobody in particular.
    app.ok(&["proxy", "reboot", "-y"]);
    app.ok(&["deploy"]);
    let first = shown_by_all(app, hosts, "");
    assert_eq!(orders(hosts), 1, "{first}");
    let second = shown_by_all(app, hosts, &first);
    assert_eq!(orders(hosts), 2, "{first}, then {second}");
    // Nor is a test after this one to have what trusts this authority.
    hosts.iter().for_each(|host| drop(rig().docker_shell(host.number, "docker rm -f kamal-proxy")));
}

fn folder(app: &App) -> PathBuf {
    app.project.folder().with_file_name("pebble")
}

/// What all of them show, once that is the same, and another one than before.
fn shown_by_all(app: &App, hosts: &[&Host], before: &str) -> String {
    let began = Instant::now();
    loop {
        let all: Vec<String> = hosts.iter().map(|host| shown(app, host)).collect();
        if all.iter().all(|one| *one == all[0] && !one.is_empty() && one != before) {
            return all[0].clone();
        }
        assert!(began.elapsed() < PATIENCE, "hosts show {all:?}, before {before}");
        thread::sleep(Duration::from_millis(300));
    }
}

/// What tells the certificate that a host shows for the app's name from others; nothing where it shows none.
fn shown(app: &App, host: &Host) -> String {
    let script = format!(
        "openssl s_client -connect {}:443 -servername {}.test </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null",
        host.address, app.service
    );
    rig::text(&Command::new("sh").args(["-c", &script]).output().unwrap()).trim().to_owned()
}

/// How many certificates their proxies have ordered.
fn orders(hosts: &[&Host]) -> usize {
    let count = |host: &&Host| rig().docker_shell(host.number, "docker logs kamal-proxy 2>&1");
    hosts.iter().map(count).map(|log| log.matches("ACME: certificate obtained").count()).sum()
}
