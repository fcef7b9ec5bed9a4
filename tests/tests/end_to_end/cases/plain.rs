//! Cases about an app as simple as can be, on one host.

use std::{fs, thread, time::Duration};

use kamal_tests::{app::App, rig::rig};
use xtask::sandbox::Host;

use super::{Cases, on_host, outputs, running};

#[test]
fn one_after_another() {
    let app = App::of_case("53-rollback-order", 1);
    let mut cases = Cases::default();
    let first = app.set_up();
    cases.case("reports/53-rollback-order", || rollback_order(&app, &first));
    cases.case("reports/19-arguments-of-exec", || arguments_of_exec(&app));
    cases.case("reports/20-follow-with-narrowing", || follow_with_narrowing(&app));
    cases.case("reports/21-grep-without-match", || {
        app.takes_case("21-grep-without-match");
        for command in ["proxy", "app"] {
            let shown = app.ok(&[command, "logs", "--grep", "nomatch"]);
            assert!(!shown.contains("ERROR"), "{shown}");
        }
    });
    cases.case("reports/60-warnings-on-standard-output", || warnings(&app));
    cases.case("reports/23-logs-with-nothing-running", || nothing_running(&app));
    cases.end();
}

fn rollback_order(app: &App, first: &str) {
    let second = app.release();
    app.ok(&["deploy"]);
    let third = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third.as_str()]);
    app.ok(&["rollback"]);
    assert_eq!(app.serving(), [second.as_str()]);
    app.ok(&["rollback"]);
    assert_eq!(app.serving(), [first]);
    app.fails(&["rollback"]).says(&["no earlier version"]);
    app.ok(&["rollback", &third]);
    app.ok(&["rollback", first]);
    app.fails(&["rollback"]).says(&["no earlier version"]);
    assert_eq!(app.serving(), [first]);
}

fn arguments_of_exec(app: &App) {
    app.takes_case("19-arguments-of-exec");
    let words = ["printf", "<%s>", "two words", "a*", "$HOME", "\"q\"", "it's", "", "x"];
    let exec = |before: &[&str], words: &[&str], wanted: &str| {
        let printed = app.ok(&[before, words].concat());
        assert!(printed.contains(wanted), "{before:?}:\n{printed}");
    };
    for switches in [&["--reuse"][..], &[], &["-i", "--reuse"], &["-i"]] {
        exec(&[&["app", "exec"], switches].concat(), &words, "<two words><a*><$HOME><\"q\"><it's><><x>");
    }
    exec(&["server", "exec"], &["printf", "<%s>", "two words", "$HOME"], "<two words><$HOME>");
    exec(&["app", "exec", "--reuse"], &["printf '<%s>' 'two words' x"], "<two words><x>");
}

fn follow_with_narrowing(app: &App) {
    app.takes_case("20-follow-with-narrowing");
    let count = "i=1; while [ $i -le 300 ]; do echo n$i tok; i=$((i + 1)); done >/proc/1/fd/1";
    on_host(app, &format!("docker exec {} sh -c '{count}'", running(app, "web")));
    let follow = |more: &[&str]| app.start(&[&["app", "logs", "-f"], more].concat());
    let logs = [(follow(&["--grep", "n29"]), 11), (follow(&["--since", "10m"]), 300)];
    thread::sleep(Duration::from_secs(3));
    for (log, wanted) in logs {
        log.signal("INT");
        let shown = log.wait().text;
        assert_eq!(shown.lines().filter(|line| line.ends_with(" tok")).count(), wanted, "{shown}");
    }
}

fn warnings(app: &App) {
    app.takes_case("60-warnings-on-standard-output");
    for command in [&["secrets", "print"][..], &["app", "version"], &["lock", "status"], &["config"]] {
        let (printed, said) = outputs(app, command);
        // A commit's name may have these digits, too.
        let warning = said.lines().find(|line| line.contains("012")).unwrap_or_else(|| panic!("{command:?}:\n{said}"));
        assert!(!printed.contains(warning.trim()) && !printed.contains("warning"), "{command:?}:\n{printed}");
    }
}

fn nothing_running(app: &App) {
    app.takes_case("23-logs-with-nothing-running");
    let last = running(app, "web");
    app.ok(&["app", "stop"]);
    let address = app.host().address.to_string();
    let wanted = [&*address, "web", &last, "Exited (", " ago", "--container-id"];
    app.kamal(&["app", "logs"]).says(&wanted);
    app.fails(&["app", "logs", "-f"]).says(&wanted);
    assert!(app.ok(&["app", "logs", "--container-id", &last]).contains("n300 tok"));
}

const CONNECTING: [&str; 26] = [
    "app logs",
    "app logs -f",
    "app details",
    "app version",
    "app containers",
    "app images",
    "app stale_containers",
    "app maintenance",
    "app live",
    "app stop",
    "app start",
    "proxy logs",
    "proxy logs -f",
    "proxy details",
    "proxy list",
    "proxy boot",
    "proxy restart",
    "lock status",
    "lock acquire -m x",
    "lock release",
    "details",
    "audit",
    "prune all",
    "registry login",
    "build pull",
    "server bootstrap",
];

#[test]
fn pre_connect() {
    let app = App::of_case("27-pre-connect-in-every-command", 1);
    let mut cases = Cases::default();
    app.set_up();
    let noted = app.project.folder().with_file_name("pre-connect");
    let take = || {
        let text = fs::read_to_string(&noted).unwrap_or_default();
        // Absent when no hook ran.
        drop(fs::remove_file(&noted));
        text
    };
    take();
    cases.case("reports/27-pre-connect-in-every-command", || {
        for line in CONNECTING {
            let words: Vec<&str> = line.split(' ').collect();
            if words.contains(&"-f") {
                let log = app.start(&words);
                thread::sleep(Duration::from_millis(1500));
                log.signal("INT");
                let _ = log.wait();
            } else {
                app.ok(&words);
            }
            let mut told = words.iter().filter(|word| !["-f", "-m", "x"].contains(word));
            let (command, subcommand) = (told.next().unwrap(), told.next().unwrap_or(&""));
            assert_eq!(take(), format!("{command} {subcommand}\n"), "kamal {line}");
        }
        app.ok(&["app", "version", "-H"]);
        assert_eq!(take(), "");
        app.project.write(".kamal/hooks/pre-connect", "#!/bin/sh\necho no >&2; exit 1\n").unwrap();
        // Nobody has that address, which nobody comes to learn.
        let address = app.host().address.to_string();
        app.edit(&address, "10.77.200.2");
        for line in ["app version", "proxy list", "lock status", "audit"] {
            let ended = app.fails(&line.split(' ').collect::<Vec<_>>());
            ended.says(&["pre-connect"]);
            assert!(!ended.text.contains("10.77.200.2"), "{}", ended.text);
        }
    });
    cases.end();
}

/// A second engine on a host, whose containers log elsewhere, in place of the first.
struct OtherEngine(&'static Host);

impl OtherEngine {
    fn start(host: &'static Host) -> Self {
        let other = Self(host);
        other.shell(
            "iptables -I FORWARD -j ACCEPT; setsid dockerd --log-driver syslog --log-opt syslog-address=udp://127.0.0.1:5140 --iptables=false --ip6tables=false --bridge none --insecure-registry 10.77.0.1:5000 \
             -H unix:///run/other.sock --data-root /root/other --exec-root /run/other --pidfile /run/other.pid \
             >/tmp/other.log 2>&1 </dev/null &\n\
             for i in $(seq 100); do docker -H unix:///run/other.sock version >/dev/null 2>&1 && break; sleep 0.1; done\n\
             docker context create other --docker host=unix:///run/other.sock && docker context use other",
        );
        other
    }

    fn shell(&self, script: &str) -> String {
        let output = rig().sandbox.ssh(self.0).arg(script).output().unwrap();
        kamal_tests::rig::text(&output)
    }
}

impl Drop for OtherEngine {
    fn drop(&mut self) {
        self.shell(
            "iptables -D FORWARD -j ACCEPT; docker ps -aq | xargs -r docker rm -f; kill $(cat /run/other.pid); docker context use default; \
             docker context rm other; for i in $(seq 50); do [ -e /run/other.pid ] || break; sleep 0.1; done; rm -rf /root/other",
        );
    }
}

#[test]
fn another_log_driver() {
    let app = App::of_case("35-other-log-driver", 1);
    let mut cases = Cases::default();
    let other = OtherEngine::start(app.host());
    let options =
        |name: &str| other.shell(&format!("docker inspect --format '{{{{json .HostConfig.LogConfig}}}}' {name}"));
    cases.case("reports/35-other-log-driver", || {
        app.ok(&["setup"]);
        let containers = other.shell("docker ps --format '{{.Names}}'");
        let names: Vec<&str> = containers.lines().collect();
        assert_eq!(names.len(), 2, "{containers}");
        for name in names {
            let options = options(name);
            assert!(options.contains("\"Type\":\"syslog\"") && !options.contains("max-size"), "{name}: {options}");
        }
        // What deploy.yml says stands as it is.
        app.edit("servers:", "logging: {driver: local, options: {max-size: 5m}}\nservers:");
        let version = app.release();
        app.ok(&["deploy"]);
        assert_eq!(options(&app.container(&version)), "{\"Type\":\"local\",\"Config\":{\"max-size\":\"5m\"}}\n");
    });
    drop(other);
    cases.end();
}
