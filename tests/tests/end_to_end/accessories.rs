//! Accessories: where they are placed, and everything that can be done with them (spec 9.8).

use kamal_tests::{app::App, rig::rig};

/// An app on two hosts with an accessory for every way of placing one.
fn app(service: &str) -> App {
    let app = App::on_two(service);
    let [first, second] = [0, 1].map(|at| app.hosts()[at].address.to_string());
    app.edit(&format!("hosts: [{first}, {second}]"), &format!("hosts: [{first}: front, {second}: back]"));
    let image = "image: \"10.77.0.1:5000/redis:7\"";
    let placed = [
        ("one", format!("host: {first}")),
        ("both", format!("hosts: [{first}, {second}]")),
        ("role", "role: web".to_owned()),
        ("roles", "roles: [web]".to_owned()),
        ("tag", "tag: front".to_owned()),
        ("tags", "tags: [back]".to_owned()),
    ];
    let mut text = "accessories:\n".to_owned();
    for (name, place) in placed {
        text.push_str(&format!(
            "  {name}:\n    {image}\n    {place}\n    env: {{clear: {{ECHO: PLACE, PLACE: {name}}}}}\n"
        ));
    }
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{text}"));
    for host in app.hosts() {
        let script = format!("docker ps -aq --filter name=^/{service}- | xargs -r docker rm -f");
        rig().docker_shell(host.number, &script);
    }
    app
}

/// The accessories that run on each host.
fn running(app: &App) -> Vec<String> {
    let script = format!("docker ps --filter name=^/{}- --format '{{{{.Names}}}}' | sort", app.service);
    let names = |printed: String| {
        let names = printed.lines().filter_map(|name| name.strip_prefix(&format!("{}-", app.service)));
        names.filter(|name| !name.starts_with("web-")).collect::<Vec<_>>().join(" ")
    };
    app.hosts().iter().map(|host| names(rig().docker_shell(host.number, &script))).collect()
}

fn id(app: &App, host: usize, name: &str) -> String {
    let script = format!("docker ps -aq --no-trunc --filter name=^/{}-{name}$", app.service);
    rig().docker_shell(app.hosts()[host].number, &script).trim().to_owned()
}

#[test]
fn of_every_placement_through_all_that_can_happen_to_them() {
    let app = app("e2e-acc");
    app.ok(&["server", "bootstrap"]);
    let plan = app.ok(&["accessory", "boot", "all", "--dry-run"]);
    assert!(plan.contains("start e2e-acc-one") && plan.contains("digest"), "{plan}");
    assert_eq!(running(&app), ["", ""], "a dry run changes nothing");
    app.ok(&["accessory", "boot", "all"]);
    assert_eq!(running(&app), ["both one role roles tag", "both role roles tags"]);
    let again = app.ok(&["accessory", "boot", "all"]);
    assert!(again.contains("Skipping booting `tag` on"), "{again}");
    assert!(app.ok(&["accessory", "boot", "all", "--dry-run"]).contains("nothing to do"));

    let details = app.ok(&["accessory", "details", "both"]);
    assert_eq!(details.matches("Accessory both Host:").count(), 2, "{details}");
    let logs = app.ok(&["accessory", "logs", "both", "--grep", "PLACE"]);
    assert_eq!(logs.matches("PLACE=both").count(), 2, "{logs}");
    assert!(app.ok(&["accessory", "logs", "one", "--grep", "no such line"]).contains("Nothing found"));

    let ended = app.kamal(&["accessory", "exec", "one", "--reuse", "/server"]);
    assert_eq!(ended.status.code(), Some(1), "{}", ended.text);
    ended.says(&["cannot serve", "in use", "Launching command from existing container..."]);
    app.edit("PLACE: one", "PLACE: one, HEALTH: crash");
    let ended = app.kamal(&["accessory", "exec", "one", "/server"]);
    assert_eq!(ended.status.code(), Some(3), "{}", ended.text);
    ended.says(&["PLACE=one", "crashing at start"]);
    app.edit("PLACE: one, HEALTH: crash", "PLACE: one");

    app.ok(&["accessory", "stop", "tag"]);
    assert_eq!(running(&app), ["both one role roles", "both role roles tags"]);
    app.ok(&["accessory", "start", "tag"]);
    app.ok(&["accessory", "restart", "tag"]);
    assert_eq!(running(&app), ["both one role roles tag", "both role roles tags"]);
    let before = [id(&app, 0, "both"), id(&app, 1, "both")];
    app.ok(&["accessory", "reboot", "both"]);
    let after = [id(&app, 0, "both"), id(&app, 1, "both")];
    assert!(before[0] != after[0] && before[1] != after[1] && !after[1].is_empty(), "{before:?} {after:?}");

    let unasked = app.kamal(&["accessory", "remove", "one"]);
    assert!(unasked.status.success() && unasked.text.contains("Aborted"), "{}", unasked.text);
    assert!(!id(&app, 0, "one").is_empty());
    app.ok(&["accessory", "remove", "one", "-y"]);
    // What is gone is gone: once more is no failure.
    app.ok(&["accessory", "remove", "one", "-y"]);
    assert_eq!(running(&app), ["both role roles tag", "both role roles tags"]);
    let unknown = app.fails(&["accessory", "boot", "oen"]);
    unknown.says(&["No accessory by the name of 'oen'", "tags"]);
    app.ok(&["accessory", "remove", "all", "-y"]);
    assert_eq!(running(&app), ["", ""]);
    assert!(!app.locked());
}

#[test]
fn files_and_folders_arrive_as_they_are() {
    let app = App::on_one("e2e-files");
    let host = app.host();
    rig().docker_shell(host.number, "docker rm -f e2e-files-db");
    app.project.write("config/db/my.cnf", "[mysqld]\n").unwrap();
    app.project.write("config/tree/a", "a\n").unwrap();
    app.project.write("config/tree/b/c d", "c\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(app.project.folder().join("config/tree/b/c d"), executable).unwrap();
    app.project.write("config/init.sql.erb", "user <%= ENV[\"DB\"] %>;\n").unwrap();
    let accessory = "accessories:\n  db:\n    image: \"10.77.0.1:5000/redis:7\"\n    role: web\n    \
        env: {clear: {DB: shop}}\n    files:\n      - config/db/my.cnf:/etc/my.cnf:ro\n      - config/tree:/etc/tree\n      \
        - {local: config/init.sql.erb, remote: /init.sql, mode: \"0640\", owner: \"1000:1000\"}\n    \
        directories: [\"data:/data\"]\n";
    app.edit("deploy_timeout: 20\n", &format!("deploy_timeout: 20\n{accessory}"));
    app.ok(&["accessory", "boot", "db"]);
    let shell = format!("cd {} && find e2e-files-db -mindepth 1 -printf '%P %m %U %y\\n' | sort", host.home.display());
    let found = rig().docker_shell(host.number, &shell);
    for line in
        ["etc/my.cnf 644 0 f", "etc/tree/a 644 0 f", "etc/tree/b/c d 755 0 f", "init.sql 640 1000 f", "data 755 0 d"]
    {
        assert!(found.lines().any(|known| known == line), "{line} is not among\n{found}");
    }
    let text = std::fs::read_to_string(host.home.join("e2e-files-db/init.sql")).unwrap();
    assert_eq!(text, "user shop;\n");
    app.project.write("config/db/my.cnf", "[mysqld]\nport=1\n").unwrap();
    app.ok(&["accessory", "upload", "db"]);
    assert!(std::fs::read_to_string(host.home.join("e2e-files-db/etc/my.cnf")).unwrap().contains("port=1"));
    app.ok(&["accessory", "remove", "db", "-y"]);
    assert!(!host.home.join("e2e-files-db").exists());
}
