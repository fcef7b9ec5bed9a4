//! Apps that are broken in the ways apps are: each deploy that fails names the cause, what helps, and the log.

use std::{fs, os::unix::fs::PermissionsExt};

use kamal_tests::app::App;

/// An app, how it is broken, and what is said of that.
struct Broken {
    /// `HEALTH`, which tells the app how to be.
    health: &'static str,
    /// What else is changed in deploy.yml.
    edits: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
}

const fn broken(health: &'static str, says: &'static [&'static str]) -> Broken {
    Broken { health, edits: &[], says }
}

const ROLE: &str = "  web:\n";

fn each(app: &App, all: &[Broken]) {
    let first = app.set_up();
    app.edit("deploy_timeout: 20", "deploy_timeout: 5");
    let good = fs::read_to_string(app.project.folder().join("config/deploy.yml")).unwrap();
    for Broken { health, edits, says } in all {
        app.edit("HEALTH: ok", &format!("HEALTH: '{health}'"));
        edits.iter().for_each(|(from, to)| app.edit(from, to));
        let ended = app.fails(&["deploy"]);
        ended.says(says);
        ended.says(&["cause: ", "help: ", &app.host().address.to_string()]);
        app.project.write("config/deploy.yml", &good).unwrap();
    }
    assert_eq!(app.serving(), [first]);
    assert!(!app.locked(), "the lock was left behind");
}

#[test]
fn that_do_not_start() {
    let app = App::on_one("e2e-unstarted");
    let alien = app.project.folder().join("assets/alien");
    fs::write(&alien, "neither a script nor a program\n").unwrap();
    fs::set_permissions(&alien, fs::Permissions::from_mode(0o755)).unwrap();
    each(
        &app,
        &[
            Broken {
                health: "ok",
                edits: &[(ROLE, "  web:\n    cmd: /bin/nothing\n")],
                says: &["(missing_program)", "/bin/nothing", "help: correct the role's `cmd`"],
            },
            Broken {
                health: "ok",
                edits: &[(ROLE, "  web:\n    cmd: /assets/app-1.js\n")],
                says: &["(not_executable)", "permission denied", "chmod +x"],
            },
            Broken {
                health: "ok",
                edits: &[(ROLE, "  web:\n    cmd: /assets/alien\n")],
                says: &["(wrong_architecture)", "exec format error", "builder/arch"],
            },
            Broken {
                health: "ok",
                edits: &[(ROLE, "  web:\n    options: {publish: \"80:80\"}\n")],
                says: &["(not_started)", "80"],
            },
            broken("crash", &["(exited)", "exit code 3", "crashing at start"]),
            broken("abort", &["(signal)", "aborting"]),
            Broken {
                health: "hungry",
                edits: &[(ROLE, "  web:\n    options: {memory: 32m}\n")],
                says: &["(out_of_memory)", "the kernel killed it", "options/memory"],
            },
            Broken {
                health: "full",
                edits: &[(ROLE, "  web:\n    options: {tmpfs: \"/full:size=64k\"}\n")],
                says: &["(disk_full)", "No space left on device", "prune all"],
            },
            broken("nameless", &["(name_unknown)", "cannot start: ", "accessory"]),
        ],
    );
}

#[test]
fn that_start_and_are_not_healthy() {
    let app = App::on_one("e2e-unanswered");
    each(
        &app,
        &[
            Broken {
                health: "ok",
                edits: &[("app_port: 80", "app_port: 3000")],
                says: &[
                    "(other_port)",
                    "nothing listens on port 3000; it listens on 80",
                    "help: set `proxy/app_port: 80`",
                ],
            },
            broken("idle", &["(nothing_listens)", "nothing to serve", "deploy_timeout: "]),
            broken("loopback", &["(loopback_only)", "80 (127.0.0.1 only)", "0.0.0.0"]),
            broken("late", &["(too_slow)", "within 5 s", "it answers now, after", "deploy_timeout: "]),
            broken("slow", &["(slow_answer)", "/up", "healthcheck/timeout"]),
            broken("https", &["(redirects_to_https)", "location: https://hello.test/up", "healthcheck/path"]),
            broken("blocked", &["(host_refused)", "status 403", "Blocked hosts: ", "host_authorization"]),
            broken("401", &["(login_wanted)", "status 401", "who are you?"]),
            broken("403", &["(login_wanted)", "status 403", "not for you"]),
            broken("404", &["(not_found)", "status 404", "healthcheck/path"]),
            broken("503", &["(server_error)", "status 503", "not now"]),
            Broken {
                health: "ok",
                edits: &[("path: /up,", "path: /nowhere,")],
                says: &["(not_found)", "GET /nowhere on port 80: status 404", "content-type: "],
            },
        ],
    );
}
