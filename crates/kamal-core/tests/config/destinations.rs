//! A destination's file over the base's: what takes the place of what, and what is said about it.

use kamal_core::config::{Config, ConfigErrors, Loaded, Source, effective::effective, load};

use crate::template_world::{Table, with};

fn laid(base: &str, over: &str) -> Result<Loaded, ConfigErrors> {
    let base = Source::new("config/deploy.yml", with(base));
    let over = Source::new("config/deploy.staging.yml", over);
    load(&base, Some((&"staging".parse().unwrap(), &over)), &Table::default())
}

fn config(base: &str, over: &str) -> Config {
    laid(base, over).unwrap_or_else(|errors| panic!("{over}:\n{errors}")).config
}

fn warnings(base: &str, over: &str) -> Vec<String> {
    let loaded = laid(base, over).unwrap();
    loaded.warnings.iter().map(|warning| format!("{}:{}: {}", warning.file, warning.line, warning.message)).collect()
}

#[test]
fn one_key_for_hosts_takes_the_place_of_another() {
    let proxies: [(&str, &str); 4] = [
        ("proxy: {host: a.example}", "proxy: {hosts: [b.example, c.example]}"),
        ("proxy: {hosts: [a.example, x.example]}", "proxy: {host: \"b.example, c.example\"}"),
        (
            "servers: {web: {hosts: [a], proxy: {host: a.example}}}",
            "servers: {web: {proxy: {hosts: [b.example, c.example]}}}",
        ),
        ("proxy: {host: a.example, path_prefixes: [/x]}", "proxy: {hosts: [b.example, c.example], path_prefix: /y}"),
    ];
    for (base, over) in proxies {
        let proxy = config(base, over).roles[0].proxy.clone().unwrap();
        assert_eq!(proxy.hosts, ["b.example", "c.example"], "{over}");
        assert!(!proxy.path_prefixes.contains(&"/x".to_owned()), "{over}");
    }
    let accessory = "servers: {web: [{w: t}]}\naccessories: {db: {image: i, host: h, proxy: {host: d.example}}}";
    let cases = [
        ("{hosts: [x, y]}", vec!["x", "y"]),
        ("{role: web}", vec!["w"]),
        ("{roles: [web]}", vec!["w"]),
        ("{tag: t}", vec!["w"]),
        ("{tags: [t]}", vec!["w"]),
        ("{cmd: run, proxy: {hosts: [e.example]}}", vec!["h"]),
    ];
    for (over, hosts) in cases {
        assert_eq!(config(accessory, &format!("accessories: {{db: {over}}}\n")).accessories[0].hosts, hosts, "{over}");
    }
    let ssh = config("ssh: {proxy: jump}", "ssh: {proxy_command: nc}").ssh;
    assert_eq!((ssh.proxy, ssh.proxy_command.as_deref()), (None, Some("nc")));
    let printed = effective(&laid(accessory, "accessories: {db: {role: web}}").unwrap(), &"v1".parse().unwrap());
    assert!(!printed.to_yaml().contains("host: h\n"), "{}", printed.to_yaml());
}

#[test]
fn two_of_them_in_one_file_are_told_with_both_lines() {
    let errors = laid("proxy: {host: a.example}", "proxy:\n  hosts: [b.example]\n  host: c.example\n").unwrap_err();
    assert_eq!(errors.0[0].message, "proxy: Specify one of 'host' or 'hosts', not both");
    let text = errors.to_string();
    assert!(text.contains("config/deploy.staging.yml:2") && text.contains("config/deploy.staging.yml:3"), "{text}");
    let errors = laid("", "accessories:\n  db:\n    image: i\n    host: h\n    role: web\n").unwrap_err().to_string();
    assert!(
        errors.contains("`host` at config/deploy.staging.yml:4, `role` at config/deploy.staging.yml:5"),
        "{errors}"
    );
}

#[test]
fn secrets_a_list_drops_are_told_once_with_both_lines() {
    let dropped = "config/deploy.staging.yml:1: env/secret: this list takes the place of the one in config/deploy.yml, \
                   line 6, and so drops DB and KEY";
    assert_eq!(warnings("env: {secret: [DB, KEY]}", "env: {secret: [DSN]}"), [dropped]);
    assert_eq!(warnings("env: {secret: [DB, KEY]}", "env: {secret: [DSN, KEY, DB]}"), Vec::<String>::new());
    assert_eq!(warnings("env: {secret: [\"DB:X\"]}", "env: {secret: [\"DB:Y\"]}"), Vec::<String>::new());
    assert_eq!(config("env: {secret: [DB, KEY]}", "env: {secret: [DSN]}").env.secret.len(), 1);
    let places = [
        ("servers: {web: {hosts: [a], env: {secret: [A]}}}", "servers: {web: {env: {secret: [B]}}}"),
        ("accessories: {d: {image: i, host: h, env: {secret: [A]}}}", "accessories: {d: {env: {secret: []}}}"),
        ("env: {tags: {t: {secret: [A]}}}", "env: {tags: {t: {secret: [B]}}}"),
        ("builder: {arch: amd64, secrets: [A]}", "builder: {secrets: [B]}"),
    ];
    for (base, over) in places {
        let told = warnings(base, over);
        assert!(told.len() == 1 && told[0].ends_with("and so drops A"), "{over}: {told:?}");
    }
}

#[test]
fn ports_take_the_place_of_none_and_the_other_way_round() {
    let run = |base: &str, over: &str| config(base, over).roles[0].proxy.clone().unwrap().run.unwrap();
    let hidden =
        run("proxy: {run: {http_port: 8080, bind_ips: [10.0.0.1], debug: true}}", "proxy: {run: {publish: false}}");
    assert!(!hidden.publish && hidden.debug && hidden.bind_ips.is_empty() && hidden.http_port == 80);
    let shown = run("proxy: {run: {publish: false, debug: true}}", "proxy: {run: {https_port: 8443}}");
    assert!(shown.publish && shown.debug && shown.https_port == 8443);
    let both = laid("", "proxy: {run: {publish: false, http_port: 8080}}").unwrap_err();
    assert!(both.0[0].message.contains("when publish is false"), "{both}");
}

#[test]
fn a_role_of_the_destination_takes_the_place_of_what_the_base_says_for_all() {
    let base = "servers: {web: [a]}\nproxy: {hosts: [a.example, b.example], path_prefix: /x, app_port: 3000}";
    let over = "servers: {web: {hosts: [b], proxy: {host: c.example, path_prefixes: [/y]}}}";
    let proxy = config(base, over).roles[0].proxy.clone().unwrap();
    assert_eq!((proxy.hosts, proxy.path_prefixes, proxy.app_port), (vec!["c.example".into()], vec!["/y".into()], 3000));
    // In one file it is two for one, as in Kamal.
    let same = "servers: {web: {hosts: [a], proxy: {host: c.example}}}\nproxy: {hosts: [a.example]}";
    let errors = laid(same, "retain_containers: 2").unwrap_err();
    assert_eq!(errors.0[0].message, "proxy: Specify one of 'host' or 'hosts', not both");
}

#[test]
fn hosts_on_demand_take_the_place_of_hosts_with_the_one_that_counts() {
    let base = "proxy: {hosts: [a.example, b.example], canonical_host: a.example, ssl: true}";
    let proxy = config(base, "proxy: {tls_on_demand_url: /allowed}").roles[0].proxy.clone().unwrap();
    assert_eq!((proxy.hosts, proxy.canonical_host), (Vec::<String>::new(), None));
    assert_eq!(proxy.tls_on_demand_url.as_deref(), Some("/allowed"));
}

#[test]
fn both_forms_of_env_go_together() {
    for (base, over) in [
        ("env: {A: 1, B: 1}", "env: {clear: {B: 2}, secret: [S]}"),
        ("env: {clear: {A: 1, B: 1}, secret: [S]}", "env: {B: 2}"),
    ] {
        let env = config(base, over).env;
        assert_eq!(
            env.clear.into_iter().collect::<Vec<_>>(),
            [("A", "1"), ("B", "2")].map(|(k, v)| (k.into(), v.into()))
        );
        assert_eq!(env.secret.len(), 1, "{over}");
    }
    let role = config("servers: {web: {hosts: [a], env: {A: 1}}}", "servers: {web: {env: {secret: [S]}}}");
    assert_eq!((role.roles[0].env.clear.len(), role.roles[0].env.secret.len()), (1, 1));
    // In one file they do not.
    assert_eq!(laid("env: {A: 1, clear: {}}", "").unwrap_err().0[0].message, "env: unknown key: A");
}

#[test]
fn a_secret_that_what_is_in_clear_hides_is_told() {
    let told = "config/deploy.staging.yml:1: env/secret: DB is also given in clear, which counts";
    assert_eq!(warnings("env: {clear: {DB: x}}", "env: {secret: [\"DB:PROD_DB\"]}"), [told]);
    assert_eq!(warnings("env: {clear: {DB: x}}", "env: {secret: [DSN]}"), Vec::<String>::new());
    let tags = "servers: {web: [{h: t}]}\nenv: {secret: [DB], tags: {t: {DB: y}}}";
    assert_eq!(warnings(tags, "").len(), 1);
    assert_eq!(warnings("accessories: {d: {image: i, host: h, env: {clear: {P: x}, secret: [P]}}}", "").len(), 1);
}
