//! The deploy lock, and commands that are interrupted: nobody deploys over somebody else, and nothing is left locked.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use kamal_tests::app::{App, Running};

#[test]
fn a_lock_taken_by_hand_keeps_others_out() {
    let app = App::on_one("e2e-lock");
    let first = app.set_up();
    assert!(app.ok(&["lock", "status"]).contains("There is no deploy lock"));
    app.ok(&["lock", "acquire", "-m", "moving the database"]);
    let status = app.ok(&["lock", "status"]);
    for wanted in ["Locked by: Ann", "Message: moving the database", &first] {
        assert!(status.contains(wanted), "{status}");
    }
    let second = app.release();
    app.fails(&["deploy"]).says(&["moving the database", "Ann", "kamal lock release"]);
    app.fails(&["lock", "acquire", "-m", "me too"]).says(&["moving the database"]);
    // Nothing is built for nothing.
    assert_eq!((app.serving(), app.states(&second)), (vec![first], vec![String::new()]));
    assert!(app.locked(), "it is not the deploy's to release");
    app.ok(&["lock", "release"]);
    assert!(!app.locked());
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [second]);
}

#[test]
fn ctrl_c_puts_things_right() {
    let app = App::on_one("e2e-int");
    let first = app.set_up();
    app.edit("HEALTH: ok", "HEALTH: fail");
    let second = app.release();
    let load = app.load();
    let deploy = app.start(&["deploy"]);
    app.await_running(&second);
    assert!(app.locked());
    deploy.signal("INT");
    let ended = deploy.wait();
    let tally = load.stop();
    assert_eq!(ended.status.code(), Some(130), "{}", ended.text);
    ended.says(&["lock", "stopped on request"]);
    assert!(!app.locked(), "the lock was left behind:\n{}", ended.text);
    assert_eq!(tally.failed, Vec::<String>::new(), "{tally:?}");
    assert_eq!(app.serving(), [first]);
    assert_ne!(app.states(&second), ["running"], "{}", ended.text);

    app.edit("HEALTH: fail", "HEALTH: ok");
    let third = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third]);
}

#[test]
fn what_a_killed_deploy_leaves_is_put_right_by_the_next() {
    let app = App::on_one("e2e-sigkill");
    let first = app.set_up();
    app.edit("HEALTH: ok", "HEALTH: fail");
    let second = app.release();
    let deploy = app.start(&["deploy"]);
    app.await_running(&second);
    deploy.signal("KILL");
    assert_eq!(deploy.wait().status.code(), None);
    assert_eq!(app.serving(), [first.as_str()]);
    assert!(app.locked(), "nobody was left to release it");

    app.edit("HEALTH: fail", "HEALTH: ok");
    let third = app.release();
    let status = app.ok(&["lock", "status"]);
    for wanted in ["Locked by: Ann", "From: ", ", process ", "Doing: deploy"] {
        assert!(status.contains(wanted), "{status}");
    }
    app.kamal(&["deploy"]).says(&["Took over the deploy lock of", "its process has ended", "`deploy"]);
    assert!(!app.locked());
    assert_eq!(app.serving(), [third.as_str()]);
    assert_eq!(app.states(&third), ["running"]);
    assert_ne!(app.states(&first), ["running"]);
    assert_ne!(app.states(&second), ["running"], "an old container was left running");
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third], "the same version once more");
}

/// A deploy whose new containers run and are not healthy.
fn waiting(app: &App) -> Running {
    app.edit("HEALTH: ok", "HEALTH: fail");
    let version = app.release();
    let deploy = app.start(&["deploy"]);
    app.await_running(&version);
    assert!(app.locked());
    deploy
}

#[test]
fn a_terminal_that_is_closed_leaves_no_lock() {
    let app = App::on_one("e2e-sighup");
    let first = app.set_up();
    let deploy = waiting(&app);
    deploy.signal("HUP");
    let ended = deploy.wait();
    assert!(!app.locked(), "the lock was left behind:\n{}", ended.text);
    assert_eq!(app.serving(), [first]);
}

#[test]
fn who_asks_twice_has_the_lock_back_within_a_second() {
    let app = App::on_one("e2e-twice");
    let first = app.set_up();
    let deploy = waiting(&app);
    deploy.signal("INT");
    // Two of a kind that come at once are one.
    thread::sleep(Duration::from_millis(200));
    deploy.signal("INT");
    let began = Instant::now();
    let ended = deploy.wait();
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}\n{}", began.elapsed(), ended.text);
    assert_eq!(ended.status.code(), Some(130), "{}", ended.text);
    assert!(!app.locked(), "the lock was left behind:\n{}", ended.text);
    assert_eq!(app.serving(), [first]);
    app.edit("HEALTH: fail", "HEALTH: ok");
    let next = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [next]);
}

/// Output that goes nowhere, as on a full disk or to a reader that is gone, is no reason to heed no signal.
#[test]
fn signals_are_heeded_whatever_becomes_of_the_output() {
    let app = App::on_one("e2e-mute");
    let first = app.set_up();
    app.edit("HEALTH: ok", "HEALTH: fail");
    for signal in ["INT", "TERM", "HUP"] {
        let version = app.release();
        let full = || fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = app.project.kamal();
        let mut deploy = command.arg("deploy").stdin(Stdio::null()).stdout(full()).stderr(full()).spawn().unwrap();
        app.await_running(&version);
        drop(Command::new("kill").args([&format!("-{signal}"), &deploy.id().to_string()]).output());
        let status = deploy.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{signal}");
        assert!(!app.locked(), "{signal}: the lock was left behind");
        assert_eq!(app.serving(), [first.as_str()], "{signal}");
    }
    let line = format!("{} config | head -c 1; exit ${{PIPESTATUS[0]}}", app.project.kamal().get_program().display());
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]).current_dir(app.project.folder());
    let piped = shell.output().unwrap();
    assert_ne!(piped.status.code(), Some(101), "{piped:?}");
    assert!(!String::from_utf8_lossy(&piped.stderr).contains("panicked"), "{piped:?}");
}

/// How long a lease lasts whose holder is silent.
const LEASE: Duration = kamal_core::lock::EXPIRY;

/// What every holder does: it finds out whether somebody else is in, and stays for a while.
const HOOK: &str = "#!/bin/sh
read -r pid < FOLDER/in 2>/dev/null && [ -d /proc/$pid ] && ! grep -q ') Z' /proc/$pid/stat && echo \"$$ met $pid\" >> FOLDER/met
echo $$ > FOLDER/in; sleep 0.3
[ \"$(cat FOLDER/in)\" = $$ ] || echo \"$$ was met\" >> FOLDER/met
rm -f FOLDER/in; echo $$ >> FOLDER/held; exit 1
";

/// Twenty commands want the lock all the time, and are killed at any moment. `KAMAL_CONTENTION` says for how many seconds.
#[test]
fn of_many_who_contend_and_are_killed_one_holds_it() {
    let app = App::on_one("e2e-contend");
    let folder = app.project.folder().with_file_name("contention");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    app.project.write(".kamal/hooks/pre-build", &HOOK.replace("FOLDER", &folder.display().to_string())).unwrap();
    let hook = app.project.folder().join(".kamal/hooks/pre-build");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    app.release();
    let time = Duration::from_secs(env::var("KAMAL_CONTENTION").map_or(20, |seconds| seconds.parse().unwrap()));
    let mut chance: u64 = env::var("KAMAL_SEED").map_or(u64::from(std::process::id()), |seed| seed.parse().unwrap());
    let seed = chance;
    let mut next = |below: u64| {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (chance >> 33) % below
    };
    let lines = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default().lines().count();
    let start = || {
        let mut command = app.project.kamal();
        command.args(["setup", "--lock-wait", "--lock-wait-timeout", "60", "--lock-wait-interval", "1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0).spawn().unwrap()
    };
    let (began, mut last, mut longest) = (Instant::now(), (0, Instant::now()), Duration::ZERO);
    let (mut killed, mut all) = (0, (0..20).map(|_| start()).collect::<Vec<_>>());
    // On a machine that is busy with other tests nobody may get that far for a while.
    while began.elapsed() < time || (lines("held") == 0 && began.elapsed() < 4 * time) {
        thread::sleep(Duration::from_millis(50 + next(400)));
        let one = usize::try_from(next(20)).unwrap();
        kill(&all[one]);
        killed += 1;
        for process in &mut all {
            if process.try_wait().unwrap().is_some() {
                *process = start();
            }
        }
        if last.0 != lines("held") {
            longest = longest.max(last.1.elapsed());
            last = (lines("held"), Instant::now());
        }
    }
    for process in &mut all {
        kill(process);
        process.wait().unwrap();
    }
    println!("seed {seed}: {} held it, {killed} were killed, longest without any: {longest:?}", lines("held"));
    assert!(lines("held") > 0, "seed {seed}");
    assert!(longest < LEASE + Duration::from_secs(15), "seed {seed}: nobody held it for {longest:?}");
    assert_eq!(fs::read_to_string(folder.join("met")).unwrap_or_default(), "", "seed {seed}");
    // Nobody is stuck.
    let held = lines("held");
    drop(app.fails(&["setup"]));
    assert_eq!((lines("held"), app.locked()), (held + 1, false), "seed {seed}");
    // What somebody took by hand is nobody else's to remove.
    app.ok(&["lock", "acquire", "-m", "mine"]);
    let mut all: Vec<Child> = (0..5).map(|_| start()).collect();
    thread::sleep(Duration::from_millis(500));
    kill(&all[0]);
    let stopped = all.iter_mut().map(|process| process.wait().unwrap().success());
    assert_eq!(stopped.collect::<Vec<_>>(), [false; 5], "seed {seed}");
    assert!(app.ok(&["lock", "status"]).contains("Message: mine"), "seed {seed}");
    app.ok(&["lock", "release"]);
}

/// Kills a command and all it has started.
fn kill(process: &Child) {
    drop(Command::new("kill").args(["-KILL", "--", &format!("-{}", process.id())]).output());
}
