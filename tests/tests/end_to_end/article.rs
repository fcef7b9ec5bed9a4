//! What a common article on Kamal has its readers type, one by one, from `init` to `remove`: a web role and a worker, a
//! real PostgreSQL as an accessory, and migrations by a hook.

use std::{fs, os::unix::fs::PermissionsExt};

use kamal_tests::{app::App, postgres, rig::rig};

/// The app's image can ask its database, as a Rails app's can.
fn dockerfile() -> String {
    format!(
        "FROM {}\nCOPY server release /\nCOPY --chmod=755 migrate /\nENTRYPOINT []\nCMD [\"/server\"]\n",
        postgres::IMAGE
    )
}

fn deploy_yml(app: &App) -> String {
    let (address, key) = (app.host().address, rig().sandbox.key());
    format!(
        "service: myapp
image: yourdockerhub/myapp
servers:
  web:
    hosts: [{address}]
    options: {{memory: 512m}}
  worker:
    hosts: [{address}]
    cmd: /server bundle exec sidekiq
proxy:
  host: myapp.test
  app_port: 80
  healthcheck: {{interval: 3, timeout: 30}}
registry:
  server: 10.77.0.1:5000
  username: yourdockerhub
  password:
    - KAMAL_REGISTRY_PASSWORD
env:
  clear:
    RAILS_LOG_TO_STDOUT: \"1\"
  secret:
    - RAILS_MASTER_KEY
    - DATABASE_URL
builder:
  arch: amd64
  driver: docker
accessories:
  db:
    image: {image}
    host: {address}
    port: \"127.0.0.1:5432:5432\"
    env:
      clear: {{POSTGRES_USER: myapp}}
      secret:
        - POSTGRES_PASSWORD
    directories:
      - data:/var/lib/postgresql/data
ssh: {{keys: [{key}], keys_only: true}}
",
        image = postgres::IMAGE,
        key = key.display()
    )
}

const SECRETS: &str = "\
KAMAL_REGISTRY_PASSWORD=your_docker_hub_token
RAILS_MASTER_KEY=contents_of_config_master.key
DATABASE_URL=postgresql://myapp:secretpassword@myapp-db:5432/postgres
POSTGRES_PASSWORD=secretpassword
";

/// What the article calls `bin/rails db:migrate`.
const MIGRATE: &str = "#!/bin/sh
exec psql -v ON_ERROR_STOP=1 \"$DATABASE_URL\" -c \"insert into migrations (release) values ('$(cat /release)')\"
";

/// Asks the database on its host, as `psql` there would.
fn query(app: &App, sql: &str) -> String {
    let script = format!("docker exec myapp-db psql --username myapp --dbname postgres -Atc \"{sql}\"");
    rig().docker_shell(app.host().number, &script).trim().to_owned()
}

#[test]
fn command_by_command() {
    rig().postgres();
    let app = App::on_one("myapp");
    let clean = "docker rm -f myapp-db; rm -rf myapp-db; true";
    rig().docker_shell(app.host().number, clean);
    drop(fs::remove_dir_all(app.host().home.join("myapp-db")));

    // The files it begins with.
    fs::remove_file(app.project.folder().join("config/deploy.yml")).unwrap();
    fs::remove_dir_all(app.project.folder().join(".kamal")).unwrap();
    let init = app.ok(&["init"]);
    assert!(init.contains("config/deploy.yml") && init.contains(".kamal/secrets"), "{init}");
    app.project.write("config/deploy.yml", &deploy_yml(&app)).unwrap();
    app.project.write(".kamal/secrets", SECRETS).unwrap();
    app.project.write("Dockerfile", &dockerfile()).unwrap();
    app.project.write("migrate", MIGRATE).unwrap();
    app.project.write("release", "one").unwrap();
    let first = app.release();
    assert!(app.ok(&["config"]).contains(":service_with_version: myapp-"), "the configuration is fine");

    app.ok(&["server", "bootstrap"]);
    app.ok(&["accessory", "boot", "db"]);
    let ready = "for i in $(seq 100); do docker exec myapp-db psql -U myapp -d postgres -c 'select 1' && break; sleep 0.2; done";
    rig().docker_shell(app.host().number, ready);
    assert!(query(&app, "select version()").starts_with("PostgreSQL "), "{}", app.ok(&["accessory", "logs", "db"]));
    query(&app, "create table migrations (id serial, release text)");
    app.ok(&["setup"]);
    assert_eq!(app.serving(), [first.as_str()]);
    let details = app.ok(&["accessory", "details", "db"]);
    assert!(details.contains("myapp-db") && details.contains("127.0.0.1:5432->5432/tcp"), "{details}");
    assert!(app.ok(&["accessory", "logs", "db"]).contains("ready to accept connections"));

    // From here on each deploy migrates.
    let program = app.project.kamal();
    let hook = format!("#!/bin/sh\nexec '{}' app exec --primary /migrate\n", program.get_program().display());
    app.project.write(".kamal/hooks/pre-deploy", &hook).unwrap();
    let path = app.project.folder().join(".kamal/hooks/pre-deploy");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    app.project.write("release", "two").unwrap();
    let second = app.release();
    app.ok(&["deploy"]);
    assert_eq!(app.serving(), [second.as_str()]);
    assert_eq!(query(&app, "select release from migrations order by id"), "two", "once, by the new image");

    let reused = app.ok(&["app", "exec", "--reuse", "--primary", "sh -c 'psql $DATABASE_URL -Atc \"select 6 * 7\"'"]);
    assert!(reused.contains("42"), "{reused}");
    let asked = app.ok(&["accessory", "exec", "db", "--reuse", "psql --username myapp postgres -Atc 'select 40 + 3'"]);
    assert!(asked.contains("43"), "{asked}");
    app.ok(&["app", "logs"]);
    for command in [&["app", "details"][..], &["app", "containers"], &["app", "version"], &["details"]] {
        let printed = app.ok(command);
        assert!(printed.contains(&second[..7]), "{command:?}: {printed}");
    }
    app.ok(&["redeploy"]);
    app.ok(&["rollback", &first]);
    assert_eq!(app.serving(), [first.as_str()]);
    app.ok(&["deploy", "--skip-push", "--version", &second]);
    assert_eq!(app.serving(), [second.as_str()]);

    // Data outlives the container.
    app.ok(&["accessory", "reboot", "db"]);
    rig().docker_shell(app.host().number, ready);
    assert!(query(&app, "select count(*) from migrations").parse::<u32>().unwrap() >= 2);
    app.ok(&["proxy", "reboot", "-y"]);
    app.ok(&["app", "stop"]);
    app.ok(&["app", "start"]);
    app.ok(&["prune", "all"]);
    app.ok(&["lock", "status"]);
    assert_eq!(app.serving(), [second.as_str()]);
    app.ok(&["remove", "-y"]);
    let left = rig().docker_shell(app.host().number, "docker ps -a --filter name=myapp --format '{{.Names}}'");
    assert_eq!(left, "");
    assert!(!app.host().home.join("myapp-db").exists(), "the accessory's data is removed with it");
}
