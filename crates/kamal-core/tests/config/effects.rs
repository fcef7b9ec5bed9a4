//! The projects whose effects on real hosts were recorded: they load, and mean what the hosts showed.

use std::time::Duration;

use indexmap::IndexMap;
use kamal_core::config::model::{BootLimit, OptionValue, SecretName, SecretOr, Ssl};

use crate::template_world::load_text;

fn texts(map: &IndexMap<String, String>) -> Vec<(&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn the_article_loads_and_its_doubled_key_is_told() {
    let loaded = load_text(include_str!("../conformance/blog.yml")).unwrap();
    let config = &loaded.config;
    let web = config.role("web").unwrap();
    assert_eq!(
        web.options,
        [
            ("memory".to_owned(), OptionValue::One("512m".to_owned())),
            ("log-opt".to_owned(), OptionValue::One("max-file=3".to_owned())),
        ]
    );
    let warning = &loaded.warnings[0];
    assert_eq!(warning.message, "key `log-opt` is given twice, on lines 12 and 13; the last one counts");
    assert_eq!((warning.line, warning.column), (13, 7));
    assert_eq!(loaded.warnings.len(), 1);
    let worker = config.role("worker").unwrap();
    assert_eq!(worker.cmd.as_deref(), Some("/server bundle exec sidekiq"));
    assert!(worker.proxy.is_none());
    let proxy = web.proxy.as_ref().unwrap();
    assert_eq!(proxy.hosts, ["myapp.com"]);
    assert_eq!((proxy.healthcheck.interval, proxy.healthcheck.timeout), (Some(3), Some(30)));
    let run = proxy.run.as_ref().unwrap();
    assert_eq!(
        (run.registry.as_deref(), run.version.as_str(), run.image_chosen),
        (Some("10.77.0.1:5000"), "v0.9.2", true)
    );
    assert_eq!(config.registry.password, Some(SecretOr::Secret("KAMAL_REGISTRY_PASSWORD".to_owned())));
    assert_eq!(config.repository(), "10.77.0.1:5000/yourdockerhub/myapp");
    let db = config.accessory("db").unwrap();
    assert_eq!((db.service.as_str(), db.port.as_deref()), ("myapp-db", Some("127.0.0.1:5432:5432")));
    assert_eq!(
        (db.directories[0].local.as_str(), db.directories[0].remote.as_str()),
        ("data", "/var/lib/postgresql/data")
    );
    assert_eq!(
        db.env.secret,
        [SecretName { name: "POSTGRES_PASSWORD".to_owned(), key: "POSTGRES_PASSWORD".to_owned() }]
    );
}

#[test]
fn roles_tags_and_merge_keys_come_together() {
    let loaded = load_text(include_str!("../conformance/roles.yml")).unwrap();
    let config = &loaded.config;
    let web = config.role("web").unwrap();
    let jobs = config.role("jobs").unwrap();
    assert_eq!(config.roles.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["jobs", "web"]);
    assert_eq!(config.hosts(), ["10.77.2.2", "10.77.1.2"]);
    let env = config.env_for(web, &web.hosts[0]);
    assert_eq!(
        texts(&env.clear),
        [
            ("LOG_LEVEL", "info"),
            ("MULTI", "line one\nline two"),
            ("NUM", "12"),
            ("FLAG", "true"),
            ("QUOTED", "say \"hi\" $HOME `x`"),
            ("ROLE_VAR", "web one"),
            ("SPEED", "9"),
            ("REGION", "eu"),
        ]
    );
    let keys: Vec<(&str, &str)> = env.secret.iter().map(|secret| (secret.name.as_str(), secret.key.as_str())).collect();
    assert_eq!(keys, [("API_KEY", "API_KEY"), ("DB_PASS", "SHOP_DB_PASS"), ("EU_KEY", "EU_KEY")]);
    assert!(!config.env_for(web, &web.hosts[1]).clear.contains_key("SPEED"));
    assert_eq!((web.stop_timeout, jobs.stop_timeout), (Some(12), Some(3)));
    assert_eq!(jobs.logging.driver.as_deref(), Some("local"));
    assert_eq!(texts(&jobs.logging.options), [("max-size", "5m"), ("max-file", "2")]);
    assert_eq!(
        web.options[2],
        ("add-host".to_owned(), OptionValue::Many(vec!["a:1.2.3.4".to_owned(), "b:5.6.7.8".to_owned()]))
    );
    assert_eq!(web.options[0], ("cpus".to_owned(), OptionValue::One("0.5".to_owned())));
    assert_eq!(
        texts(&config.labels_for(web)),
        [
            ("service", "shop"),
            ("role", "web"),
            ("destination", ""),
            ("team", "core"),
            ("weird.label", "a b'c\"d"),
            ("tier", "front")
        ]
    );
    let proxy = web.proxy.as_ref().unwrap();
    assert_eq!(proxy.hosts, ["shop.example.com", "www.shop.example.com"]);
    assert_eq!(proxy.path_prefixes, ["/shop"]);
    assert_eq!((proxy.buffering.max_request_body, proxy.buffering.memory), (Some(40_000_000), Some(2_000_000)));
    assert_eq!((proxy.strip_path_prefix, proxy.forward_headers), (Some(false), Some(true)));
    assert_eq!(
        proxy.run.as_ref().unwrap().options[0],
        ("label".to_owned(), OptionValue::Many(vec!["a.b=c".to_owned()]))
    );
    assert_eq!((config.boot.limit, config.boot.wait), (Some(BootLimit::Count(1)), Some(1)));
    assert_eq!((config.deploy_timeout, config.readiness_delay), (Duration::from_secs(20), Duration::from_secs(1)));
    assert_eq!(config.builder.args["A"].as_deref(), Some("1 2"));
}

#[test]
fn certificates_of_ones_own_are_names_of_secrets() {
    let loaded = load_text(include_str!("../conformance/tls.yml")).unwrap();
    let web = loaded.config.primary().unwrap();
    let proxy = web.proxy.as_ref().unwrap();
    let expected = Ssl::Custom { certificate_pem: "CERT".to_owned(), private_key_pem: "KEY".to_owned() };
    assert_eq!(proxy.ssl, expected);
    assert_eq!(proxy.ssl_redirect, Some(false));
    assert_eq!(proxy.run.as_ref().unwrap().metrics_port, Some(9095));
    assert_eq!(web.asset_path.as_deref(), Some("/assets"));
    assert_eq!(loaded.config.error_pages_path.as_deref(), Some("public"));
}
