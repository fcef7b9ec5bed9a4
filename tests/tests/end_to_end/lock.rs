//! The deploy lock, and commands that are interrupted: nobody deploys over somebody else, and nothing is left locked.

use kamal_tests::app::App;

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
    // As in Kamal, the image is built and pulled before the lock is asked for; nothing is started.
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
    app.fails(&["deploy"]).says(&["kamal lock release", "Ann"]);
    app.ok(&["lock", "release"]);
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third.as_str()]);
    assert_eq!(app.states(&third), ["running"]);
    assert_ne!(app.states(&first), ["running"]);
    assert_ne!(app.states(&second), ["running"], "an old container was left running");
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [third], "the same version once more");
}
