//! The commands between deploys: looking at the app, running things in it, stopping and starting it.

use kamal_tests::app::App;

#[test]
fn looking_at_the_app() {
    let app = App::on_one("e2e-look");
    let version = app.set_up();
    let address = app.host().address.to_string();
    let shows = |arguments: &[&str], wanted: &[&str]| {
        let printed = app.ok(arguments);
        for text in wanted {
            assert!(printed.contains(text), "kamal {} does not show {text}:\n{printed}", arguments.join(" "));
        }
    };
    let container = app.container(&version);
    shows(&["app", "version"], &[&address, &version]);
    shows(&["app", "details"], &[&address, &container, "Up "]);
    shows(&["app", "containers"], &[&container]);
    shows(&["app", "images"], &["e2e-look", &version]);
    shows(&["app", "logs"], &[&address, &format!("hello {version} listens on")]);
    shows(&["app", "logs", "-n", "50", "-g", "listens"], &["listens on"]);
    shows(&["proxy", "details"], &[&address, "kamal-proxy"]);
    shows(&["proxy", "list"], &["e2e-look-web", "e2e-look.test", "running"]);
    shows(&["proxy", "logs", "-n", "1000"], &[&address]);
    shows(&["details"], &["kamal-proxy", &container]);
    shows(&["audit"], &["a@b.c", &format!("Booted app version {version}")]);
    shows(&["config"], &[":service_with_version: e2e-look-", &version]);
    shows(&["registry", "login"], &[]);
    shows(&["build", "pull"], &[]);
    assert_eq!(app.serving(), [version.as_str()]);

    // A host on which nobody answers hides nothing of the other one.
    app.edit(&format!("[{address}]"), &format!("[{address}, 10.77.0.1]"));
    for (arguments, wanted) in [
        (&["details"][..], container.as_str()),
        (&["app", "version"], &version),
        (&["app", "logs"], "listens on"),
        (&["app", "exec", "--reuse", "/no-such-program"], "/no-such-program"),
        (&["audit"], "Booted app version"),
        (&["server", "exec", "echo here: $0"], "here: "),
    ] {
        app.fails(arguments).says(&[wanted, "10.77.0.1: connection refused"]);
    }
}

#[test]
fn running_commands_in_the_app() {
    let app = App::on_one("e2e-exec");
    let version = app.set_up();
    // A new container: the server says what it was told to say, and fails as it was told to.
    let ended = app.kamal(&["app", "exec", "-e", "HEALTH:crash", "/server"]);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.text);
    ended.says(&["crashing at start, because HEALTH=crash"]);
    // The running one: its port is taken, which only the container that serves can say.
    let ended = app.kamal(&["app", "exec", "--reuse", "/server"]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.text);
    ended.says(&["cannot serve", "in use"]);
    let ended = app.kamal(&["app", "exec", "--reuse", "/no-such-program"]);
    assert!(!ended.status.success());
    ended.says(&["/no-such-program"]);
    let noted = app.ok(&["audit"]);
    for line in [
        "] Executed cmd '/server' on app version latest",
        &format!("[web] Executed cmd '/server' on app version {version}"),
    ] {
        assert!(noted.contains(line), "{noted}");
    }
    app.fails(&["app", "exec", "--detach", "--reuse", "/server"]).says(&["Detach is not compatible with reuse"]);
    assert_eq!(app.serving(), [version.as_str()]);
    assert_eq!(app.states(&version), ["running"]);
}

#[test]
fn stopping_starting_and_pruning() {
    let app = App::on_one("e2e-stop");
    let first = app.set_up();
    app.ok(&["app", "stop"]);
    assert_eq!(app.states(&first), ["exited"]);
    assert_ne!(app.serving(), [first.as_str()]);
    app.ok(&["app", "start"]);
    assert_eq!(app.serving(), [first.as_str()]);

    app.release();
    app.ok(&["deploy"]);
    let third = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.states(&first), ["exited"]);
    app.ok(&["prune", "containers", "--retain", "1"]);
    assert_eq!(app.states(&first), [""], "only the newest stopped one is kept");
    app.ok(&["prune", "all"]);
    assert_eq!(app.serving(), [third.as_str()]);

    app.fails(&["rollback", "0123456789"]).says(&["0123456789", "not available"]);
    assert_eq!(app.serving(), [third]);
}
