//! What takes things off hosts really does, and takes nothing of anybody else.

use kamal_tests::{app::App, rig::rig};

/// Things of others on a host: a container, its image, a volume, a file.
fn furnish(app: &App) {
    for host in app.hosts() {
        let image = "10.77.0.1:5000/redis:7";
        rig().docker_shell(
            host.number,
            &format!("docker rm -f other; docker pull -q {image}; docker run -d --name other --label service=other {image}; docker volume create others"),
        );
        std::fs::create_dir_all(host.home.join(".kamal/apps/other")).unwrap();
        std::fs::write(host.home.join(".kamal/apps/other/keep"), "kept").unwrap();
    }
}

fn strip(app: &App) {
    for host in app.hosts() {
        rig().docker_shell(host.number, "docker rm -f other; docker volume rm others; true");
        drop(std::fs::remove_dir_all(host.home.join(".kamal/apps/other")));
    }
}

/// What is left on a host that has the service's name in it.
fn left(app: &App, host: usize) -> String {
    let (host, name) = (app.hosts()[host], &app.service);
    let script = format!(
        "docker ps -a --format '{{{{.Names}}}}' | grep {name}; docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep {name}; \
         cd {} && find . -not -path './.kamal/{name}-audit.log' | grep {name}",
        host.home.display()
    );
    rig().docker_shell(host.number, &script)
}

fn others_are_there(app: &App) {
    for host in app.hosts() {
        let state =
            rig().docker_shell(host.number, "docker inspect -f '{{.State.Running}}' other; docker volume ls -q");
        assert!(state.starts_with("true") && state.contains("others"), "{state}");
        assert_eq!(std::fs::read_to_string(host.home.join(".kamal/apps/other/keep")).unwrap(), "kept");
    }
}

const DB: &str = "accessories: {db: {image: \"10.77.0.1:5000/redis:7\", role: web, directories: [\"data:/data\"], env: {secret: [API_KEY]}}}\n";

#[test]
fn the_app_and_then_everything() {
    let app = App::on_two("e2e-remove");
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{DB}"));
    for host in app.hosts() {
        rig().docker_shell(host.number, "docker rm -f e2e-remove-db");
    }
    let first = app.set_up();
    furnish(&app);
    // Everything that is destructive can be looked at first.
    for arguments in [&["app", "remove"][..], &["remove"], &["proxy", "remove", "--force"], &["app", "stop"]] {
        let before = app.effects();
        let plan = app.ok(&[arguments, &["--dry-run"]].concat());
        assert!(plan.contains("digest") && plan.contains("take the deploy lock"), "{plan}");
        assert_eq!(app.effects(), before, "{arguments:?}");
    }
    app.ok(&["app", "remove"]);
    for host in [0, 1] {
        let left = left(&app, host);
        assert!(!left.contains("web") && left.contains("e2e-remove-db"), "{left}");
    }
    others_are_there(&app);
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [first.clone(), first]);
    let asked = app.kamal(&["remove"]);
    assert!(asked.text.contains("Are you sure?") && asked.text.contains("Aborted"), "{}", asked.text);
    let kept = app.ok(&["remove", "-y"]);
    assert!(kept.contains("Not removing the proxy, as other apps are installed"), "{kept}");
    for host in [0, 1] {
        assert_eq!(left(&app, host), "", "host {host}");
    }
    others_are_there(&app);
    // A second time nothing is there to be removed, and that is no failure.
    app.ok(&["remove", "-y"]);
    let refused = app.ok(&["proxy", "remove"]);
    assert!(refused.contains("Not removing the proxy"), "{refused}");
    app.ok(&["proxy", "remove", "--force"]);
    app.ok(&["proxy", "remove", "--force"]);
    for host in app.hosts() {
        let proxies = rig().docker_shell(host.number, "docker ps -aq --filter name=^/kamal-proxy$");
        assert_eq!(proxies, "");
        assert!(!host.home.join(".kamal/proxy").exists());
    }
    others_are_there(&app);
    strip(&app);
    assert!(!app.locked());
}

#[test]
fn traefik_makes_way_for_the_proxy() {
    let app = App::on_one("e2e-upgrade");
    let host = app.host();
    let first = app.set_up();
    // As Kamal 1 leaves a host: Traefik has the port, there is no kamal-proxy.
    app.ok(&["proxy", "remove", "--force"]);
    let traefik = "docker rm -f traefik; docker run -d --name traefik --label org.opencontainers.image.title=Traefik -p 80:80 10.77.0.1:5000/redis:7";
    rig().docker_shell(host.number, traefik);
    let ended = app.kamal(&["upgrade"]);
    ended.says(&["This will replace Traefik with kamal-proxy and restart all accessories", "Aborted"]);
    let said = app.ok(&["upgrade", "-y"]);
    assert!(said.contains("Upgrading all hosts") && said.contains("Upgrading proxy on"), "{said}");
    assert_eq!(app.serving(), ["latest"]);
    let names = rig().docker_shell(host.number, "docker ps -a --format '{{.Names}} {{.State}}'");
    assert!(!names.contains("traefik") && names.contains("kamal-proxy running"), "{names}");
    assert!(names.contains(&format!("{} exited", app.container(&first))), "{names}");
    assert!(!app.locked());
}
