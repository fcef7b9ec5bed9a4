//! One web host's proxy leads requests to the containers of all.

use kamal_core::{config::model::Ssl, plan::Stage, step::Step};

use crate::harness::{App, Verb};

const YAML: &str = "servers: {web: [h1, h2, h3], workers: {hosts: [h4], proxy: false, cmd: bin/jobs}}\n\
    x-loadbalancer: h2\n";

fn peers(app: &App, host: &str) -> Vec<String> {
    app.fleet.host(host).peers.get("app-web").cloned().unwrap_or_default()
}

#[test]
fn it_knows_all_and_is_known_by_all() {
    let app = App::new(YAML);
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(peers(&app, "h2"), ["h1", "h3"]);
    assert_eq!([peers(&app, "h1"), peers(&app, "h3")], [["h2"], ["h2"]]);
    app.deploy("v2").unwrap();
    app.operate(Verb::Rollback, "v1", None).unwrap();
    assert_eq!(peers(&app, "h2"), ["h1", "h3"]);
    let apart = App::new(&YAML.replace("x-loadbalancer: h2", "proxy: {run: {http_port: 8080}}\nx-loadbalancer: h2"));
    apart.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(peers(&apart, "h1"), ["h2:8080"], "where its proxy listens");
}

#[test]
fn it_alone_has_certificates_and_believes_clients_what_it_is_told_to() {
    for ssl in ["true", "{certificate_pem: CERT, private_key_pem: KEY}"] {
        let proxy = format!("proxy: {{ssl: {ssl}, host: a.example.com, forward_headers: true}}\n");
        let app = App::new(&format!("{YAML}{proxy}"));
        ["CERT", "KEY"].iter().for_each(|key| app.fleet.secrets().put(key, "-----BEGIN"));
        let plan = app.dry_run(Verb::Setup, "v1").unwrap();
        let mut seen = Vec::new();
        for (host, step) in plan.stages.iter().flat_map(Stage::steps) {
            match step {
                Step::SwitchTraffic(route) => {
                    let is_it = host.as_str() == "h2";
                    assert_eq!(route.proxy.ssl != Ssl::Off, is_it, "{host}");
                    assert_eq!(route.proxy.forward_headers, Some(is_it), "{host}");
                    assert_eq!(route.certificate.is_some(), is_it && ssl != "true", "{host}");
                    assert_eq!(route.proxy.hosts, ["a.example.com"], "{host}");
                    seen.push(host.to_string());
                }
                Step::WriteSecret { path, .. } => assert!(host.as_str() == "h2", "{host}: {path}"),
                _ => {}
            }
        }
        seen.sort();
        assert_eq!(seen, ["h1", "h2", "h3"]);
    }
}
