//! "Run it again" is all there is to say, whatever went wrong: commands that were stopped, hosts that were meddled with, and
//! locks nobody can read. What is promised here was once broken; each of these tests asks nothing but the command line, so
//! that it can be tried with another command too (`KAMAL_PROGRAMS`).

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use kamal_tests::{
    app::App,
    rig::{self, rig},
};

/// How long anything may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a script on the app's first host, as root.
fn on_host(app: &App, script: &str) -> String {
    rig::text(&rig().sandbox.ssh(app.host()).arg(script).output().unwrap())
}

/// Runs a script whose `docker` is that of the app's first host.
fn docker(app: &App, script: &str) -> String {
    rig().docker_shell(app.host().number, script).trim().to_owned()
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The folder of the deploy lock.
fn lock(app: &App) -> PathBuf {
    app.host().home.join(format!(".kamal/lock-{}", app.service))
}

/// The app's containers that have processes, frozen ones among them.
fn alive(app: &App) -> Vec<String> {
    let script = format!(
        "docker ps --format '{{{{.Names}}}}' --filter label=service={} --filter status=running --filter status=paused",
        app.service
    );
    let mut names: Vec<String> = docker(app, &script).lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The proxy's containers, and what is there beside them for the time of a reboot.
fn proxies(app: &App) -> String {
    docker(
        app,
        "docker ps --all --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' --filter name=^/kamal-proxy | sort",
    )
}

#[test]
fn a_reboot_of_the_proxy_that_is_stopped_is_over_once_it_says_so() {
    let app = App::on_one("e2e-reboot-stopped");
    let version = app.set_up();
    let before = proxies(&app);
    let reboot = app.start(&["proxy", "reboot", "-y"]);
    until("a reboot begins", || proxies(&app) != before);
    reboot.signal("INT");
    let ended = reboot.wait();
    // Whoever comes next may begin: nobody else is at work on the host.
    assert!(!app.locked(), "{}", ended.text);
    let after = proxies(&app);
    thread::sleep(Duration::from_secs(8));
    assert_eq!(proxies(&app), after, "the host went on without a lock:\n{}", ended.text);
    app.ok(&["proxy", "reboot", "-y"]);
    assert_eq!(app.serving(), [version]);
}

#[test]
fn of_a_deploy_stopped_while_old_containers_stop_one_version_is_left() {
    let app = App::on_one("e2e-stop-stopped");
    let address = app.host().address.to_string();
    app.edit(
        &format!("  web:\n    hosts: [{address}]\n"),
        &format!(
            "  web:\n    hosts: [{address}]\n    options: {{stop-timeout: 5}}\n  workers:\n    hosts: [{address}]\n    proxy: false\n"
        ),
    );
    app.edit("deploy_timeout: 20", "deploy_timeout: 20\ndrain_timeout: 5\nreadiness_delay: 4");
    let first = app.set_up();
    let second = app.release();
    let deploy = app.start(&["deploy"]);
    until("a worker runs", || alive(&app).contains(&format!("{}-workers-{second}", app.service)));
    // They heed no request to end, so that ending them takes a while.
    let old = ["web", "workers"].map(|role| format!("{}-{role}-{first}", app.service));
    docker(&app, &old.each_ref().map(|name| format!("docker kill --signal STOP {name}")).join("; "));
    let stops = format!("pgrep -f 'docker [s]top .*{}'", old[0]);
    until("the old one is stopped", || !on_host(&app, &stops).is_empty());
    deploy.signal("INT");
    let ended = deploy.wait();
    assert!(!ended.status.success(), "it was not stopped in time:\n{}", ended.text);
    assert_eq!(app.serving(), [second.as_str()]);
    let of_second = ["web", "workers"].map(|role| format!("{}-{role}-{second}", app.service));
    assert_eq!(alive(&app), of_second, "{}", ended.text);
}

#[test]
fn a_rollback_that_is_killed_and_run_again_goes_no_other_way() {
    let app = App::on_one("e2e-rollback-killed");
    let first = app.set_up();
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let second = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [second]);
    let rollback = app.start(&["rollback"]);
    until("it went back", || app.serving() == [first.as_str()]);
    rollback.signal("KILL");
    drop(rollback.wait());
    // Not what is asked here: who has the lock.
    drop(app.kamal(&["lock", "release"]));
    let again = app.kamal(&["rollback"]);
    assert_eq!(app.serving(), [first], "it went forward:\n{}", again.text);
}

#[test]
fn hosts_that_go_back_go_back_to_one_version_whatever_is_tagged_as_the_latest() {
    let app = App::on_two("e2e-one-version");
    let first = app.set_up();
    app.project.write("assets/app-2.js", "v2\n").unwrap();
    let second = app.release();
    app.ok(&["deploy"]);
    // What is left on a host whose connection breaks right after its switch.
    let image = format!("10.77.0.1:5000/{}", app.service);
    docker(&app, &format!("docker start {}; docker tag {image}:{first} {image}:latest", app.container(&first)));
    let sick = app.hosts()[1].address;
    app.edit(&format!("{sick}]"), &format!("{{{sick}: [sick]}}]"));
    app.edit("secret: [API_KEY]", "secret: [API_KEY], tags: {sick: {HEALTH: fail}}");
    app.edit("deploy_timeout: 20", "deploy_timeout: 3");
    app.release();
    let ended = app.fails(&["deploy"]);
    assert_eq!(app.serving(), [second.clone(), second.clone()], "{}", ended.text);
    let told = app.ok(&["app", "version"]);
    assert!(told.contains(&second) && !told.contains(&first), "{told}");
}

#[test]
fn a_full_disk_leaves_no_lock() {
    let app = App::on_one("e2e-full");
    on_host(&app, "mkdir -p .kamal && mount -t tmpfs -o size=64k none .kamal && head -c 64k /dev/zero > .kamal/full");
    let ended = app.kamal(&["lock", "acquire", "-m", "mine"]);
    let left = on_host(&app, &format!("ls -d .kamal/lock-{0}; umount .kamal", app.service));
    assert!(!ended.status.success(), "{}", ended.text);
    assert!(!left.contains(".kamal/lock-") || left.contains("No such file"), "{left}\n{}", ended.text);
}

#[test]
fn a_lock_nobody_can_read_is_seen_and_given_back() {
    let app = App::on_one("e2e-blank-lock");
    let first = app.set_up();
    fs::create_dir(lock(&app)).unwrap();
    let status = app.ok(&["lock", "status"]);
    assert!(!status.contains("There is no deploy lock"), "{status}");
    app.release();
    drop(app.fails(&["deploy"]));
    assert_eq!(app.serving(), [first]);
    app.ok(&["lock", "release"]);
    assert!(!app.locked());
}

#[test]
fn a_lock_that_became_somebody_else_s_is_not_removed() {
    let app = App::on_one("e2e-taken-lock");
    let first = app.set_up();
    app.edit("HEALTH: ok", "HEALTH: fail");
    let second = app.release();
    let deploy = app.start(&["deploy"]);
    app.await_running(&second);
    fs::remove_dir_all(lock(&app)).unwrap();
    app.ok(&["lock", "acquire", "-m", "mine now"]);
    deploy.signal("INT");
    let ended = deploy.wait();
    assert!(app.ok(&["lock", "status"]).contains("mine now"), "{}", ended.text);
    assert_eq!(app.serving(), [first]);
    app.ok(&["lock", "release"]);
}

#[test]
fn a_frozen_container_and_a_proxy_without_its_network_are_put_right() {
    let app = App::on_one("e2e-meddled");
    let first = app.set_up();
    app.release();
    app.ok(&["deploy"]);
    let old = app.container(&first);
    docker(&app, &format!("docker start {old} && docker pause {old}"));
    let second = app.release();
    let frozen = app.kamal(&["deploy"]);
    assert_eq!(alive(&app), [app.container(&second)], "{}", frozen.text);
    docker(&app, "docker network disconnect kamal kamal-proxy");
    let third = app.release();
    let cut_off = app.kamal(&["deploy"]);
    let serving = app.serving();
    docker(&app, "docker network connect kamal kamal-proxy");
    assert_eq!(serving, [third], "{}", cut_off.text);
}

#[test]
fn a_deploy_whose_proxy_dies_right_after_the_switch_fails() {
    let app = App::on_one("e2e-dead-proxy");
    app.set_up();
    let socket = app.host().docker_socket.display().to_string();
    let hook = app.project.folder().join(".kamal/hooks/post-app-boot");
    let dies = format!("#!/bin/sh\nDOCKER_HOST=unix://{socket} docker kill kamal-proxy\n");
    app.project.write(".kamal/hooks/post-app-boot", &dies).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    app.release();
    let ended = app.kamal(&["deploy"]);
    docker(&app, "docker start kamal-proxy");
    assert!(!ended.status.success(), "nobody answered, and it went well:\n{}", ended.text);
    fs::remove_file(hook).unwrap();
    let version = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [version]);
}
