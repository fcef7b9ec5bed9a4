//! Cases about what containers are given.

use std::collections::BTreeSet;

use kamal_tests::app::App;

use super::{Cases, on_host, outputs, running};

/// The environment of the app's container, as a program in it sees it.
fn environment(app: &App) -> BTreeSet<String> {
    let printed = on_host(app, &format!("docker exec {} env", running(app, "web")));
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn one_after_another() {
    let app = App::of_case("12-empty-env-value", 1);
    let mut cases = Cases::default();
    cases.case("reports/12-empty-env-value", || {
        app.set_up();
        let found = environment(&app);
        assert!(found.contains("QUEUES="), "{found:?}");
        // Docker puts the user's home in the place of a blank one when a program starts.
        let given =
            on_host(&app, &format!("docker inspect --format '{{{{json .Config.Env}}}}' {}", running(&app, "web")));
        assert!(given.contains("\"HOME=\"") && !found.contains("HOME=/root"), "{given} {found:?}");
        let side = on_host(&app, "docker inspect --format '{{json .Config.Env}}' app-side");
        assert!(side.contains("\"EMPTY=\""), "{side}");
        assert_eq!(on_host(&app, &format!("docker exec {} cat /b", running(&app, "web"))), "<>\n");
    });
    cases.case("reports/13-secret-bytes", || {
        app.takes_case("13-secret-bytes");
        let (_, said) = outputs(&app, &["deploy"]);
        // Where the bytes are Kamal's and not the file's, that is said once.
        for (name, warned) in [("PEM", 1), ("WIN", 1), ("TAB", 1), ("HASH", 0), ("UNI", 0)] {
            let lines = said.lines().filter(|line| line.contains("bytes") && line.contains(name)).count();
            assert_eq!(lines, warned, "{name}:\n{said}");
        }
        let found = environment(&app);
        for line in ["PEM=A\\nB\\n", "WIN=C:\\\\new\\\\x", "TAB=a\\tb", "HASH=pa#$word", "UNI=héllo"] {
            assert!(found.contains(line), "{line}: {found:?}");
        }
    });
    cases.case("reports/11-secrets-dropped-by-destination", || {
        // A destination is a service of its own, and both would answer for every host.
        app.ok(&["app", "stop"]);
        app.takes_case("11-secrets-dropped-by-destination");
        let (printed, said) = outputs(&app, &["deploy", "--dry-run", "-d", "staging"]);
        assert!(!printed.contains("drops"), "{printed}");
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("drops")).collect();
        assert_eq!(warnings.len(), 1, "{said}");
        assert!(
            warnings[0].contains("DB") && warnings[0].contains("KEY") && warnings[0].contains("deploy.yml"),
            "{said}"
        );
        app.ok(&["setup", "-d", "staging"]);
        let name = on_host(
            &app,
            "docker ps --filter label=service=app --filter label=destination=staging --format '{{.Names}}'",
        );
        let found = on_host(&app, &format!("docker exec {} env", name.trim()));
        assert!(found.contains("DSN=9012") && !found.contains("DB=") && !found.contains("KEY="), "{found}");
    });
    cases.end();
}
