//! A destination's file over the base's: what takes the place of what, and what is said about it.

use kamal_core::config::{Config, ConfigErrors, Loaded, Source, effective::effective, load};

use crate::outside::{Table, with};

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
