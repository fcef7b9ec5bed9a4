//! Whatever an import takes, its draft loads without a warning.

use kamal_core::config::import::{Draft, Input, Origin, import};
use kamal_core::config::{NoTemplateWorld, Source, load};

fn drafted(origin: Origin, text: &str) -> Draft {
    let source = Source::new("theirs", text);
    let input = Input { source: &source, stages: &[], project: "My App", folder: "", read: &|_| None };
    let draft = import(origin, &input).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
    let loaded = load(&Source::new("config/deploy.yml", &draft.deploy), None, &NoTemplateWorld);
    let loaded = loaded.unwrap_or_else(|errors| panic!("{text}\n---\n{}\n{errors}", draft.deploy));
    assert!(loaded.warnings.is_empty(), "{}\n{:?}", draft.deploy, loaded.warnings);
    draft
}

/// `KEY` for keys of one service, in an otherwise usual file.
fn web(keys: &str) -> Draft {
    let keys: String = keys.lines().map(|line| format!("    {line}\n")).collect();
    drafted(Origin::Compose, &format!("services:\n  web:\n    build: .\n{keys}  db:\n    image: postgres:16\n"))
}

#[test]
fn any_compose_file_comes_to_a_draft_that_loads() {
    for text in [
        "services: {}\n",
        "services:\n  db:\n    image: postgres\n",
        "services:\n  db:\n",
        "services:\n  db:\n    image: ${IMAGE}\n",
        "services:\n  db:\n    image: postgres:${TAG}\n",
        "services:\n  web:\n    image: ghcr.io/acme/shop:1\n    ports: [80:3000]\n  db:\n    image: postgres\n",
        "services:\n  a:\n    build: ./a\n  b:\n    build: ./b\n  web: {build: ./c, ports: ['8080:80']}\n",
        "services:\n  app.main:\n    build: {context: ., args: {A: 1, B: }}\n  app_jobs:\n    build: {context: .}\n    command: [work, '$$X', 'a b']\n",
        "name: Ünï\nservices:\n  web: {build: ., environment: {A: '<% x %>', B: '#{x}', C: c, D: yes, E: 0755, F: 1.10, G: null, H: ''}}\n",
        "services:\n  web: {build: ., environment: ['A=b=c', 'D', 'E='], labels: ['a=b', 'c'], extra_hosts: {h: 1.2.3.4}}\n",
        "services:\n  base: {image: x, environment: {A: 1}}\n  web: {extends: base, build: .}\n  w: {extends: {service: base, file: x.yml}, build: .}\n",
        "services:\n  web: {build: .}\n  db: {image: 'postgres@sha256:aa', container_name: my_db, volumes: ['a:/d', './x:/y', '/h:/z:ro,cached', '/anon', '~/k:/k']}\n",
        "services:\n  web: {build: .}\n  db: {image: d, ports: ['1:1', '2:2/udp', '3000-3002:3000-3002', '[::1]:9:9', '80:80', 443, {target: 5, published: '6', host_ip: 127.0.0.1}]}\n",
        "services:\n  web: {build: ., network_mode: host, hostname: x, container_name: y, privileged: true, restart: always}\n  p: {image: traefik:2}\n",
        "services:\n  web: {build: .}\n  db: {image: d, network_mode: host, restart: 'no', privileged: false, tmpfs: /t, logging: {driver: local, options: {max-size: 1m}}}\n",
        "services:\n  web: {build: ., healthcheck: {test: 'curl localhost'}}\n  w: {build: ., command: x, healthcheck: {test: [CMD, a, 'b c'], interval: 1m}}\n  x: {image: d, healthcheck: {disable: true}}\n",
        "services:\n  web: {build: ., secrets: [a, {source: b, target: c}], configs: [d]}\n  db: {image: i, secrets: [a, b], configs: [{source: d, target: /etc/d}]}\nsecrets: {a: {file: ./a}, b: {environment: B}}\nconfigs: {d: {file: d.conf}}\n",
        "services:\n  web: {build: ., labels: {'traefik.http.routers.a.rule': 'Host(`a.example`) || Host(`b.example`)', 'traefik.http.routers.a.tls': 'true', service: x}}\n",
        "services:\n  web: {build: ., environment: {VIRTUAL_HOST: 'a.example,b.example', VIRTUAL_PORT: 4000, LETSENCRYPT_HOST: a.example}}\n",
        "services:\n  web: {build: ., platform: linux/arm64, deploy: {mode: replicated, resources: {limits: {cpus: 0.5, memory: 1G}}}}\n",
        "version: '2'\nservices:\n  web:\n    build: .\n    command: bundle exec puma -p 3000\n    links: ['db:database']\n    cpus: 1\n  db: {image: mysql, environment: {MYSQL_ROOT_PASSWORD: x}}\n",
        "services:\n  web: {build: ., environment: {DATABASE_URL: 'mysql://u:p$$w\"@db/x'}}\n  db: {image: mysql, environment: {MYSQL_PASSWORD: 'other'}}\n",
        "services:\n  web: {build: ., entrypoint: /entry.sh, command: ''}\n  w: {build: ., entrypoint: [sh, -c, 'a && b']}\n",
        "services:\n  web: {build: ., ulimits: {nofile: 10, core: {soft: 1, hard: 2}}, sysctls: ['a=1'], unknown: 1, devices: ['/dev/x:/dev/x']}\n",
        "services:\n  jobs: {build: ., command: work}\n",
    ] {
        drafted(Origin::Compose, text);
    }
}

#[test]
fn what_services_say_is_kept() {
    let has = |draft: &Draft, line: &str| assert!(draft.deploy.contains(line), "no {line:?} in\n{}", draft.deploy);
    has(&web("ports: ['80:3000']"), "\n  app_port: 3000\n");
    has(&web("expose: [4000]"), "\n  app_port: 4000\n");
    has(&web("command: gunicorn x --bind 0.0.0.0:8000"), "\n  app_port: 8000\n");
    has(&web("healthcheck: {test: [CMD, curl, -f, 'http://localhost:3000/healthz']}"), "\n    path: /healthz\n");
    let declared = "services:\n  web: {build: ., volumes: ['data:/data']}\nvolumes: {data: }\n";
    has(&drafted(Origin::Compose, declared), "\nvolumes:\n  - myapp_data:/data\n");
    has(&web("environment: {HOST: '${H:-x}'}"), "\n    HOST: \"<%= ENV['H'].presence || 'x' %>\"\n");
    has(&web("command: sh -c 'a && b'"), "\n    cmd: sh -c \"a && b\"\n");
    let secret = web("environment: {API_TOKEN: tok_1, PLAIN: a}");
    assert!(!secret.deploy.contains("tok_1") && secret.deploy.contains("- API_TOKEN"), "{}", secret.deploy);
    assert_eq!(secret.secrets, [("API_TOKEN".to_owned(), "API_TOKEN=$API_TOKEN".to_owned())]);
    let note = secret.notes.iter().find(|note| note.what.ends_with("API_TOKEN")).unwrap();
    assert_eq!((note.file.as_str(), note.line), ("theirs", 4));
}

#[test]
fn paths_start_from_the_folder_of_the_file() {
    let text = "services:\n  web: {build: .., env_file: ./web.env, volumes: ['./x:/x']}\n  db: {image: d, volumes: ['./init.sql:/i.sql', '../../out:/o']}\n";
    let source = Source::new("docker/compose.yml", text);
    let read = |path: &str| (path == "docker/web.env").then(|| "API_KEY=k\nPORT=4000\n".to_owned());
    let input = Input { source: &source, stages: &[], project: "docker", folder: "docker", read: &read };
    let draft = import(Origin::Compose, &input).unwrap();
    assert_eq!(draft.secrets[0].1, "API_KEY=$(sed -n 's/^API_KEY=//p' docker/web.env)");
    assert!(
        draft.deploy.contains("- docker/init.sql:/i.sql") && draft.deploy.contains("app_port: 4000"),
        "{}",
        draft.deploy
    );
    assert!(!draft.deploy.contains("context:") && !draft.deploy.contains("/o\n"), "{}", draft.deploy);
}

#[test]
fn any_recipe_comes_to_a_draft_that_loads() {
    for text in [
        "",
        "set :application, 'a b'\n",
        "server '1.2.3.4', roles: [:web]\nset :deploy_to, -> { \"/srv/#{fetch(:application)}\" }\nset :linked_dirs, %w{storage}\n",
        "role :app, %w{a@h1 b@h2:23}\nrole :worker, 'h3'\nset :sidekiq_config, 'config/s.yml'\n",
        "server ENV['HOST'] || 'h', user: ENV.fetch('U', 'me')\nset :keep_releases, ENV['K']\n",
        "set :linked_files, fetch(:linked_files, []).push('config/master.key', '.env')\nappend :linked_dirs, 'x', 'log'\n",
        "]]] not ruby\nset :application, 'x'\nend\n",
        "if ENV['A']\n  set :application, 'y'\nend\nset :default_env, { 'A' => 1, b: 'c' }\n",
        "set :nginx_server_name, 'a.example b.example'\nset :nginx_use_ssl, true\nserver 'h', roles: %w{app}\nserver 'i', roles: %w{app}\n",
    ] {
        drafted(Origin::Capistrano, text);
    }
}

#[test]
fn no_server_of_a_recipe_is_lost_or_added_in_silence() {
    for (recipe, line, told) in [
        ("if ENV['X'] == '1'\n  server 'a'\nend\nserver 'c'\n", 2, "server: it stands under a condition"),
        ("server 'c'\nserver 'a' unless true\n", 2, "server: it stands under a condition"),
        ("server 'c'\nrole :web, %w{w}, x: 1 if true\n", 2, "role: it stands under a condition"),
        ("server 'c'\nload 'config/hosts.rb'\n", 2, "load: the files it names were not read"),
        ("server 'c'\nserver hosts[0]\n", 2, "server: its hosts are not written out here"),
        ("server 'c'\nrole :app, hosts\n", 2, "role app: its hosts are not written out here"),
        (
            "server 'c', roles: %w{app}\n%w{p q}.each do |s|\n  server s\nend\n",
            2,
            "each: the servers of its block were passed over",
        ),
        ("role :app, %w{c}\nrole :web, %w{front c}\n", 2, "role web of front: nothing runs there"),
        ("", 1, "servers: none was found: 192.0.2.10"),
        ("set :application, 'x'\n", 1, "servers: none was found"),
    ] {
        let draft = drafted(Origin::Capistrano, recipe);
        let notes: Vec<String> = draft.notes.iter().map(ToString::to_string).collect();
        assert!(notes.iter().any(|note| note.starts_with(&format!("theirs:{line}: {told}"))), "{recipe}: {notes:?}");
        let hosts = if recipe.contains("'c'") || recipe.contains("{c}") { "- c\n" } else { "- 192.0.2.10\n" };
        assert!(draft.deploy.contains(hosts) && draft.deploy.matches("\n    - ").count() <= 1, "{}", draft.deploy);
    }
}

#[test]
fn no_secret_of_a_recipe_is_copied() {
    let recipe =
        "server 'h'\nset :default_env, { 'API_TOKEN' => 's3kr1t', 'DB' => 'postgres://u:pw99@db/x', 'PLAIN' => 'a' }\n";
    let draft = drafted(Origin::Capistrano, recipe);
    let all: String = draft.secrets.iter().map(|(_, line)| line.as_str()).chain([draft.deploy.as_str()]).collect();
    assert!(!all.contains("s3kr1t") && !all.contains("pw99"), "{all}");
    assert!(draft.deploy.contains("PLAIN: a") && draft.deploy.contains("- API_TOKEN"), "{}", draft.deploy);
    assert_eq!(draft.notes.iter().filter(|note| note.what.starts_with("default_env ") && note.line == 2).count(), 2);
}

#[test]
fn any_kamal_1_file_comes_to_a_draft_that_loads() {
    let base = "service: a\nimage: b/c\nservers: [h]\nregistry: {username: u, password: [P]}\n";
    for more in [
        "",
        "traefik: {args: {a: b}}\nhealthcheck: {path: /x, port: 80}\n",
        "builder: {multiarch: false}\n",
        "builder: {local: {arch: arm64}, remote: {arch: amd64, host: 'ssh://x'}, args: {A: v<%= 1 + 2 %>}}\n",
        "env: {A: 1, B: <%= ENV.fetch('X', 'x') %>}\n",
        "labels: {'traefik.http.routers.a.rule': 'Host(`x.example`)', team: t}\n",
        "accessories: {db: {image: i, host: h, port: 1, cord: x}}\nstop_wait_time: 5\nnope: 1\n",
        "<% if true %>\nretain_containers: <%= 3 %>\n<% end %>\n",
    ] {
        drafted(Origin::Kamal1, &format!("{base}{more}"));
    }
    let draft = drafted(Origin::Kamal1, base);
    assert!(draft.deploy.contains("\n  app_port: 3000\n"), "Kamal 1 expects this port: {}", draft.deploy);
}
