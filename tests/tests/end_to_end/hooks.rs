//! Hooks run in Kamal's order and are told what is going on; one that fails stops the command.

use std::{fs, os::unix::fs::PermissionsExt};

use kamal_tests::app::App;

/// Makes hooks that each write down their name and what they are told.
fn install(app: &App, names: &[&str]) {
    for name in names {
        let note = "$KAMAL_COMMAND $KAMAL_SERVICE $KAMAL_VERSION $KAMAL_SERVICE_VERSION $KAMAL_HOSTS $KAMAL_PERFORMER lock=$KAMAL_LOCK \
            runtime=$KAMAL_RUNTIME at=$KAMAL_RECORDED_AT secret=$API_KEY";
        write(app, name, &format!("#!/bin/sh\necho \"{name} {note}\" >> ../hooks.log\n"));
    }
}

fn write(app: &App, name: &str, script: &str) {
    let path = format!(".kamal/hooks/{name}");
    app.project.write(&path, script).unwrap();
    fs::set_permissions(app.project.folder().join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// What the hooks noted since the last look, a line each.
fn notes(app: &App) -> Vec<String> {
    let file = app.project.folder().with_file_name("hooks.log");
    let text = fs::read_to_string(&file).unwrap_or_default();
    // Absent when no hook ran.
    drop(fs::remove_file(file));
    text.lines().map(str::to_owned).collect()
}

fn names(notes: &[String]) -> Vec<&str> {
    notes.iter().filter_map(|line| line.split(' ').next()).collect()
}

const OF_A_DEPLOY: [&str; 6] =
    ["pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"];

#[test]
fn they_run_in_order_and_are_told_what_happens() {
    let app = App::on_one("e2e-hooks");
    let first = app.set_up();
    install(&app, &OF_A_DEPLOY);
    let version = app.release();
    app.ok(&["deploy"]);
    let noted = notes(&app);
    assert_eq!(names(&noted), OF_A_DEPLOY);
    let address = app.host().address;
    let short = &version[..7];
    for line in &noted {
        let told = format!(" deploy e2e-hooks {version} e2e-hooks@{short} {address} a@b.c lock=");
        assert!(line.contains(&told), "{line}\nlacks{told}");
        assert!(line.contains(" at=20") && line.contains("Z secret="), "{line}");
        let name = line.split(' ').next().unwrap();
        let locked = matches!(name, "pre-deploy" | "pre-app-boot" | "post-app-boot");
        assert!(line.contains(&format!("lock={locked}")), "{line}");
        let trusted = matches!(name, "pre-connect" | "pre-deploy" | "post-deploy");
        assert_eq!(line.ends_with("secret=s3cret"), trusted, "{line}");
        assert_eq!(line.contains("runtime= "), name != "post-deploy", "{line}");
    }

    app.ok(&["rollback", &first]);
    let noted = notes(&app);
    assert_eq!(names(&noted), ["pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"]);
    assert!(noted.iter().all(|line| line.contains(" rollback e2e-hooks ")), "{noted:?}");

    app.ok(&["deploy", "-H"]);
    assert_eq!(notes(&app), Vec::<String>::new(), "they were to be skipped");
    assert_eq!(app.serving(), [version]);
}

#[test]
fn one_that_fails_stops_the_deploy() {
    let app = App::on_one("e2e-hookfail");
    let first = app.set_up();
    install(&app, &OF_A_DEPLOY);
    for (failing, before) in [("pre-connect", 0), ("pre-build", 1), ("pre-deploy", 2), ("pre-app-boot", 3)] {
        install(&app, &OF_A_DEPLOY);
        write(&app, failing, "#!/bin/sh\necho not on a Friday\necho really >&2\nexit 9\n");
        let version = app.release();
        let ended = app.fails(&["deploy"]);
        ended.says(&[failing, "exit status 9", "not on a Friday", "really"]);
        assert_eq!(names(&notes(&app)), OF_A_DEPLOY[..before], "{}", ended.text);
        assert_eq!(app.serving(), [first.as_str()], "{failing}");
        assert_eq!(app.states(&version), [""], "{failing}");
        assert!(!app.locked(), "{failing} left the lock behind");
    }
    install(&app, &OF_A_DEPLOY);
    write(&app, "post-deploy", "#!/bin/sh\nexit 9\n");
    let version = app.release();
    app.fails(&["deploy"]).says(&["post-deploy", "exit status 9"]);
    assert_eq!(app.serving(), [version], "it was done by then");
    assert!(!app.locked());
}
