//! Cases about roles, services and hosts that deploy.yml had once.

use std::fs;

use kamal_tests::{app::App, rig::rig};

use super::{Cases, on_host, outputs, running};

/// What jobs do in place of what they did in the report, which takes no signal as the first process of a container.
const JOBS: &str = "sh -c 'trap exit TERM; sleep 100000 & wait'";

/// Has jobs end when they are told to, and returns the version.
fn ends_when_told(app: &App) -> String {
    app.edit("sleep 100000", JOBS);
    app.release()
}

/// Names of a host's running containers.
fn names(number: u8) -> String {
    rig().docker_shell(number, "docker ps --format '{{.Names}}'")
}

#[test]
fn taken_out() {
    let app = App::of_case("32-env-file-of-a-removed-role", 2);
    let mut cases = Cases::default();
    let [first, second] = app.hosts()[..] else { panic!("two hosts") };
    cases.case("reports/32-env-file-of-a-removed-role", || {
        let version = ends_when_told(&app);
        app.ok(&["setup"]);
        let env = app.host().home.join(".kamal/apps/app/env/roles");
        let files = || {
            let entries = fs::read_dir(&env).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = entries.collect();
            names.sort();
            names
        };
        assert_eq!(files(), ["jobs.env", "web.env"]);
        app.ok(&["app", "remove", "-r", "jobs"]);
        assert_eq!(files(), ["web.env"]);
        assert_eq!(running(&app, "web"), app.container(&version));
        assert!(on_host(&app, "docker image ls --format '{{.Tag}}'").contains(&version));
    });
    cases.case("reports/33-role-taken-out", || {
        app.takes_case("33-role-taken-out");
        let version = ends_when_told(&app);
        let gone = format!("app-jobs-{version}");
        app.ok(&["setup"]);
        assert_eq!(running(&app, "jobs"), gone);
        let file = fs::read_to_string(app.project.folder().join("config/deploy.yml")).unwrap();
        let jobs = file.lines().find(|line| line.contains("jobs:")).unwrap();
        app.edit(&format!("{jobs}\n"), "");
        let told = |said: &str| {
            let line = said.lines().find(|line| line.contains(&gone)).unwrap_or_else(|| panic!("{said}"));
            let stop = format!("kamal app stop -r jobs -h {}", first.address);
            assert!(line.contains("deploy.yml") && line.contains(&stop), "{line}");
        };
        told(&app.ok(&["deploy", "--dry-run"]));
        told(&app.ok(&["deploy"]));
        for command in [&["app", "details"][..], &["app", "details", "-r", "jobs"], &["app", "logs", "-r", "jobs"]] {
            let (printed, _) = outputs(&app, command);
            assert!(printed.contains(&gone) || command[1] == "logs", "{command:?}:\n{printed}");
        }
        app.ok(&["app", "stop", "-r", "jobs"]);
        assert_eq!(running(&app, "jobs"), "");
        assert!(!app.ok(&["app", "details"]).contains(&gone));
        app.ok(&["app", "remove", "-r", "jobs"]);
        assert!(!on_host(&app, "docker ps -a --format '{{.Names}}'").contains("app-jobs-"));
        assert!(!running(&app, "web").is_empty());
        // What nobody ever had is a mistake, as is booting what is gone.
        app.fails(&["app", "stop", "-r", "wbe"]).says(&["No --roles match for wbe", "web"]);
        app.fails(&["app", "boot", "-r", "jobs"]).says(&["No --roles match for jobs"]);

        // A host taken out of a role, which has another one.
        app.edit(
            &format!("web: [{}]", first.address),
            &format!(
                "web: [{}, {}]\n  jobs: {{hosts: [{}], cmd: \"{JOBS}\"}}",
                first.address, second.address, second.address
            ),
        );
        let version = app.release();
        app.ok(&["deploy"]);
        app.edit(&format!("web: [{}, {}]", first.address, second.address), &format!("web: [{}]", first.address));
        let said = app.ok(&["deploy"]);
        let gone = format!("app-web-{version}");
        let line = said.lines().find(|line| line.contains(&gone) && line.contains("deploy.yml"));
        let line = line.unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(&format!("kamal app stop -r web -h {}", second.address)), "{line}");
        app.ok(&["app", "stop", "-r", "web", "-h", &second.address.to_string()]);
        assert!(!names(second.number).contains("app-web-"), "{}", names(second.number));
        assert!(names(second.number).contains("app-jobs-") && names(first.number).contains("app-web-"));
        let listed = rig().docker_shell(second.number, "docker exec kamal-proxy kamal-proxy list");
        assert!(!listed.contains("app-web"), "{listed}");
    });
    cases.end();
}

#[test]
fn renamed() {
    let app = App::of_case("34-renamed-role-or-service", 1);
    let mut cases = Cases::default();
    cases.case("reports/34-renamed-role-or-service", || {
        let version = app.release();
        app.ok(&["setup"]);
        let address = app.host().address;
        let renamed = format!("primary_role: app\nservers: {{app: {{hosts: [{address}], proxy: true}}}}");
        app.edit(&format!("servers: {{web: [{address}]}}"), &renamed);
        for command in [&["deploy", "--dry-run"][..], &["deploy"]] {
            app.fails(command).says(&["h.test", "app-web", "earlier role", "kamal app stop -r web"]);
        }
        assert_eq!(running(&app, "web"), app.container(&version), "nothing has changed");
        assert_eq!(running(&app, "app"), "");
        assert!(!app.locked());
        // What it says helps.
        app.ok(&["app", "stop", "-r", "web"]);
        app.ok(&["deploy"]);
        assert!(running(&app, "app").starts_with("app-app-"));

        app.edit("service: app", "service: app2");
        app.fails(&["deploy"]).says(&["h.test", "app-app", "service=app", "kamal-proxy remove app-app"]);
        on_host(&app, "docker exec kamal-proxy kamal-proxy remove app-app");
        app.ok(&["deploy"]);
        on_host(&app, "docker ps -aq --filter label=service=app2 | xargs -r docker rm -f");
    });
    cases.end();
}
