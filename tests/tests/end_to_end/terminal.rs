//! Commands with the user's terminal: on the host, and in a container.

use std::fs;

use kamal_tests::{app::App, pty::Pty};

fn start(app: &App, arguments: &[&str]) -> Pty {
    let mut kamal = app.project.kamal();
    kamal.args(arguments);
    Pty::start(&kamal, (33, 101))
}

#[test]
fn a_host_s_shell_is_as_near_as_ones_own() {
    let app = App::on_one("e2e-terminal");
    app.release();
    let mut pty = start(
        &app,
        &[
            "server",
            "exec",
            "-i",
            "trap 'stty size' WINCH; trap 'exit 42' INT; echo $TERM; stty size; while :; do sleep 0.05; done",
        ],
    );
    pty.expect("interactively...");
    pty.expect("xterm-test");
    pty.expect("33 101");
    assert!(!pty.is_cooked(), "keys go to the host as they are");
    pty.resize((40, 120));
    pty.expect("40 120");
    pty.keys("\x03");
    assert_eq!(pty.wait().code(), Some(42), "Ctrl-C is the command's, and its status ours");
    assert!(pty.is_cooked());

    // Without a command: a shell.
    let mut pty = start(&app, &["server", "exec", "-i"]);
    pty.expect("interactively...");
    pty.keys("echo $((6 * 7)) is it; exit 5\r");
    pty.expect("42 is it");
    assert_eq!(pty.wait().code(), Some(5));
    assert!(pty.is_cooked());
}

#[test]
fn however_it_ends_the_terminal_is_as_before() {
    let app = App::on_one("e2e-terminal-end");
    app.release();
    let mut pty = start(&app, &["server", "exec", "-i", "echo h'er'e; sleep 60"]);
    pty.expect("interactively...");
    pty.expect("here");
    assert!(!pty.is_cooked());
    pty.signal("TERM");
    assert_eq!(pty.wait().code(), Some(130));
    assert!(pty.is_cooked());

    // The connection goes: what serves it on the host is killed.
    let mut pty = start(&app, &["server", "exec", "-i", "kill -9 $PPID; sleep 60"]);
    pty.expect("interactively...");
    pty.expect("connection lost");
    assert_eq!(pty.wait().code(), Some(10));
    assert!(pty.is_cooked());
}

#[test]
fn a_container_s_command_has_the_terminal_too() {
    let app = App::on_one("e2e-terminal-app");
    app.set_up();
    // The port is taken, which only the container that serves can say.
    let mut pty = start(&app, &["app", "exec", "-i", "--reuse", "/server"]);
    pty.expect("in use");
    assert_eq!(pty.wait().code(), Some(1));
    let mut pty = start(&app, &["app", "exec", "-i", "-e", "HEALTH:crash", "/server"]);
    pty.expect("crashing at start");
    assert_eq!(pty.wait().code(), Some(3));
    assert!(pty.is_cooked());
}

#[test]
fn new_hosts_are_asked_about_before_anything_is_built_or_said() {
    let app = App::on_two("e2e-host-keys");
    let version = app.release();
    fs::write(app.project.home().join(".ssh/known_hosts"), "").unwrap();
    let mut pty = start(&app, &["setup"]);
    for number in ["first", "second"] {
        let before = pty.up_to("The authenticity of host");
        assert!(!before.contains("uild"), "the {number} question comes too late: {before:?}");
        let question = pty.up_to("(yes/no/[fingerprint])?");
        assert!(question.contains("fingerprint is SHA256:") && !question.contains('\u{1b}'), "{question:?}");
        pty.keys("yes\r");
    }
    assert!(pty.wait().success());
    assert_eq!(app.serving(), [version.clone(), version]);
}

#[test]
fn commands_on_all_hosts() {
    let app = App::on_two("e2e-server-exec");
    app.release();
    let printed = app.ok(&["server", "exec", "hostname; echo \"$0\""]);
    for host in app.hosts() {
        assert!(printed.contains(&format!("App Host: {}\n{}\n", host.address, host.name)), "{printed}");
    }
    assert!(app.ok(&["audit"]).contains(&format!("Executed cmd 'hostname; echo \"$0\"' on {}", app.host().address)));
    assert_eq!(app.ok(&["server", "exec", "--raw", "-p", "printf %s ok"]), "ok");
    let ended = app.kamal(&["server", "exec", "-p", "echo why >&2; exit 3"]);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.text);
    ended.says(&["why", &app.host().address.to_string()]);
    app.fails(&["server", "exec"]).says(&["No command provided"]);
    app.fails(&["server", "exec", "-i", "--raw", "ls"]).says(&["Raw is not compatible with interactive"]);
}
