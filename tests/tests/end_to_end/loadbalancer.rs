//! One web host's proxy in front of all: no joined network, one certificate, no request lost.

use std::{process::Command, time::Duration};

use kamal_tests::{
    app::App,
    rig::{self, rig},
};
use xtask::sandbox::Host;

/// How long it may take until what was killed is missed by nobody.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many requests may be lost with a container that is killed: those it was answering.
const UNDER_WAY: usize = 2;

/// The status a host answers with over HTTP or HTTPS; `000` where it does not.
fn status(app: &App, host: &Host, scheme: &str, port: u16) -> String {
    let name = format!("{}.test", app.service);
    let mut curl = Command::new("curl");
    curl.args(["-sk", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}"]);
    curl.args(["--resolve", &format!("{name}:{port}:{}", host.address), &format!("{scheme}://{name}/")]);
    rig::text(&curl.output().unwrap())
}

/// A certificate of the user's own, in the project's secrets.
fn certify(app: &App) {
    let script = format!(
        "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN={0}.test \
         -addext subjectAltName=DNS:{0}.test -out certificate.pem -keyout key.pem",
        app.service
    );
    let made = Command::new("sh").args(["-c", &script]).current_dir(app.project.folder()).output().unwrap();
    assert!(made.status.success(), "{}", rig::text(&made));
    let secrets = "REGISTRY_PASSWORD=demo\nAPI_KEY=s3cret\nCERTIFICATE=$(cat certificate.pem)\nKEY=$(cat key.pem)\n";
    app.project.write(".kamal/secrets", secrets).unwrap();
    let own = "proxy: {ssl: {certificate_pem: CERTIFICATE, private_key_pem: KEY}, ssl_redirect: false, ";
    app.edit("proxy: {", own);
}

#[test]
fn one_in_front_leads_to_all_and_misses_none() {
    let app = App::on_two("e2e-front");
    let [one, two] = [0, 1].map(|at| app.hosts()[at]);
    let tagged = format!("hosts: [{}: one, {}: two]", one.address, two.address);
    app.edit(&format!("hosts: [{}, {}]", one.address, two.address), &tagged);
    // Each tells which it is by what it takes for its version.
    let tags = ["one", "two"].map(|name| format!("{name}: {{clear: {{KAMAL_VERSION: {name}}}}}")).join(", ");
    app.edit("env: {clear: {HEALTH: ok}, ", &format!("env: {{tags: {{{tags}}}, clear: {{HEALTH: ok}}, "));
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\nx-loadbalancer: {}\n", one.address));
    certify(&app);
    app.ok(&["setup"]);
    app.await_answers(one, &["one", "two"], PATIENCE);
    // It alone has the certificate.
    assert_eq!([status(&app, one, "https", 443), status(&app, two, "https", 443)], ["200", "000"]);
    assert_eq!(status(&app, two, "http", 80), "200");

    let load = app.load_on(one, 60);
    app.release();
    app.ok(&["deploy"]);
    app.ok(&["rollback"]);
    let tally = load.stop();
    assert!(tally.failed.is_empty(), "of {}: {:?}", tally.sent, tally.failed);
    assert!(tally.sent > 100 && tally.versions.len() == 2, "{}: {:?}", tally.sent, tally.versions);

    // Whichever dies, the other answers.
    for (host, left) in [(two, "one"), (one, "two")] {
        let load = app.load_on(one, 60);
        let kill = "docker kill $(docker ps -q --filter label=service=e2e-front)";
        rig().docker_shell(host.number, kill);
        app.await_answers(one, &[left], PATIENCE);
        app.release();
        app.ok(&["deploy"]);
        app.await_answers(one, &["one", "two"], PATIENCE);
        let tally = load.stop();
        assert!(tally.failed.len() <= UNDER_WAY, "of {}: {:?}", tally.sent, tally.failed);
    }
}
