//! Replacing the proxy itself: `proxy reboot` (spec 9.5).

use kamal_tests::{app::App, rig::rig};

fn proxy(app: &App, format: &str) -> String {
    rig()
        .docker_shell(app.host().number, &format!("docker inspect --format '{{{{{format}}}}}' kamal-proxy"))
        .trim()
        .to_owned()
}

// Published ports belong to the container: between two of them there is a moment without, and nothing else is lost.
#[test]
fn a_reboot_brings_a_new_container_that_serves_the_same() {
    let app = App::on_one("e2e-reboot");
    let version = app.set_up();
    let before = proxy(&app, ".Id");
    let load = app.load();
    app.ok(&["proxy", "reboot", "-y"]);
    let after = proxy(&app, ".Id");
    assert_ne!(before, after);
    assert_eq!(app.serving(), [version.as_str()]);
    let tally = load.stop();
    let answered_wrongly: Vec<_> = tally.failed.iter().filter(|failure| failure.contains("HTTP")).collect();
    assert!(answered_wrongly.is_empty(), "{answered_wrongly:?}");
    assert!(tally.failed.len() as u64 * 2 < tally.sent, "most are answered: {tally:?}");
    assert_eq!(proxy(&app, ".Config.User"), "1001:1001");

    // What cannot be made takes nothing away.
    app.edit(
        "app_port: 80,",
        "app_port: 80, run: {version: v9.9.9, registry: \"10.77.0.1:5000\", repository: none/none},",
    );
    app.fails(&["proxy", "reboot", "-y"]).says(&["none/none"]);
    assert_eq!(proxy(&app, ".Id"), after);
    assert_eq!(app.serving(), [version.as_str()]);
    assert!(!app.locked());
}

// Where the network is a third container's, the new proxy takes over from the old one and nobody notices.
#[test]
fn a_reboot_in_a_shared_network_loses_no_request() {
    let app = App::on_one("e2e-handover");
    let version = app.set_up();
    let image = proxy(&app, ".Config.Image");
    let own_network = format!(
        "docker rm --force kamal-proxy kamal-proxy-net; \
         docker run --detach --name kamal-proxy-net --network kamal --publish 80:80 --env HOME=/tmp {image} \
         kamal-proxy run --http-port 8001 --https-port 8002; \
         docker run --detach --name kamal-proxy --network container:kamal-proxy-net --restart unless-stopped \
         --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy {image} kamal-proxy run"
    );
    rig().docker_shell(app.host().number, &own_network);
    while app.serving() != [version.as_str()] {}
    let before = proxy(&app, ".Id");
    let load = app.load();
    for _ in 0..2 {
        app.ok(&["proxy", "reboot", "-y"]);
    }
    let tally = load.stop();
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert!(tally.sent > 100, "{tally:?}");
    assert_ne!(proxy(&app, ".Id"), before);
    assert!(proxy(&app, ".HostConfig.NetworkMode").starts_with("container:"));
    assert_eq!(app.serving(), [version.as_str()]);
    rig().docker_shell(app.host().number, "docker rm --force kamal-proxy kamal-proxy-net");
    app.ok(&["proxy", "boot"]);
    assert_eq!(app.serving(), [version.as_str()]);
}
