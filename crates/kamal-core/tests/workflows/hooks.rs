//! Hooks: when they run, what they are told, and what their failure means.

use kamal_core::error::Error;

use crate::harness::{App, THREE, Verb};

const ALL: [&str; 7] =
    ["docker-setup", "pre-connect", "pre-build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"];

fn app(yaml: &str) -> App {
    let app = App::new(yaml);
    for hook in ALL {
        app.fleet.hook(hook, 0);
    }
    app
}

fn order(app: &App) -> Vec<String> {
    let name = |command: &str| command.strip_prefix("./.kamal/hooks/").unwrap_or("build").to_owned();
    app.fleet.ran().iter().map(|ran| name(&ran.command)).collect()
}

#[test]
fn hooks_run_in_kamals_order() {
    let app = app("servers: [h1]\n");
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(
        order(&app),
        [
            "pre-connect",
            "docker-setup",
            "pre-build",
            "build",
            "pre-deploy",
            "pre-app-boot",
            "post-app-boot",
            "post-deploy"
        ]
    );
    app.deploy("v2").unwrap();
    assert_eq!(
        order(&app),
        ["pre-connect", "pre-build", "build", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"]
    );
    app.operate(Verb::Rollback, "v1", None).unwrap();
    assert_eq!(order(&app), ["pre-connect", "pre-deploy", "pre-app-boot", "post-app-boot", "post-deploy"]);
}

#[test]
fn boot_hooks_run_once_for_each_group_and_are_told_its_hosts() {
    let app = app("servers: [h1, h2, h3]\nboot: {limit: 2}\n");
    app.deploy("v1").unwrap();
    let told: Vec<(String, String)> = app
        .fleet
        .ran()
        .iter()
        .filter(|ran| ran.command.contains("app-boot"))
        .map(|ran| (ran.command.replace("./.kamal/hooks/", ""), ran.env["KAMAL_HOSTS"].clone()))
        .collect();
    let told: Vec<(&str, &str)> = told.iter().map(|(name, hosts)| (name.as_str(), hosts.as_str())).collect();
    assert_eq!(
        told,
        [("pre-app-boot", "h1,h2"), ("post-app-boot", "h1,h2"), ("pre-app-boot", "h3"), ("post-app-boot", "h3")]
    );
}

#[test]
fn hooks_are_told_what_kamal_tells_them() {
    let mut app = app(THREE);
    app.run.roles = Some("web".into());
    app.deploy("0123456789abcdef").unwrap();
    let ran = app.fleet.ran();
    let env = |name: &str| ran.iter().find(|ran| ran.command.ends_with(name)).map(|ran| &ran.env).unwrap();
    let early = env("pre-connect");
    for (name, value) in [
        ("KAMAL_RECORDED_AT", "2026-01-01T00:00:00Z"),
        ("KAMAL_PERFORMER", "ann"),
        ("KAMAL_VERSION", "0123456789abcdef"),
        ("KAMAL_SERVICE", "app"),
        ("KAMAL_SERVICE_VERSION", "app@0123456"),
        ("KAMAL_HOSTS", "h1,h2,h3"),
        ("KAMAL_COMMAND", "deploy"),
        ("KAMAL_ROLES", "web"),
        ("KAMAL_LOCK", "false"),
        ("DATABASE_URL", "postgres://x"),
    ] {
        assert_eq!(early.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!early.contains_key("KAMAL_RUNTIME") && !early.contains_key("KAMAL_DESTINATION"));
    // As Kamal tells it, which builds first; what the hook calls of ours knows.
    assert_eq!(env("pre-build")["KAMAL_LOCK"], "false");
    assert_eq!(env("pre-build")["DEPLOY_LOCK_HELD"], "true");
    assert!(!early.contains_key("DEPLOY_LOCK_HELD"));
    assert_eq!(env("pre-deploy")["KAMAL_LOCK"], "true");
    assert_eq!(env("post-deploy")["KAMAL_LOCK"], "false");
    assert!(env("post-deploy")["KAMAL_RUNTIME"].parse::<u64>().is_ok());
    // Secrets are for these three alone.
    assert!(env("post-deploy").contains_key("DATABASE_URL") && env("pre-deploy").contains_key("DATABASE_URL"));
    assert!(!env("pre-build").contains_key("DATABASE_URL") && !env("pre-app-boot").contains_key("DATABASE_URL"));
}

#[test]
fn a_failing_hook_ends_the_deploy_with_its_output() {
    for hook in ALL.into_iter().filter(|hook| *hook != "docker-setup") {
        let app = App::deployed(THREE, "v1");
        app.fleet.hook(hook, 7);
        let error = app.deploy("v2").unwrap_err();
        let Error::Hook { name, status, output, shown } = &error else { panic!("{hook}: {error}") };
        assert_eq!((name.as_str(), *status), (hook, 7));
        assert_eq!(output, &format!("hook {hook} says so"));
        assert!(*shown && !error.to_string().contains("says so"), "{error}");
        assert!(app.locks().is_empty(), "{hook}");
        let expected = if hook.starts_with("post-") { "v2" } else { "v1" };
        assert_eq!(app.versions(), [expected], "{hook}");
        let running = |host: &str| app.fleet.host(host).running("web").count();
        assert_eq!(["h1", "h2", "h3"].map(running), [1, 1, 1], "{hook}");
        app.fleet.hook(hook, 0);
        app.deploy("v2").unwrap();
        app.assert_converged("v2", hook);
    }
}

#[test]
fn skip_hooks_skips_them() {
    let mut app = app("servers: [h1]\n");
    app.run.skip_hooks = true;
    app.deploy("v1").unwrap();
    assert_eq!(order(&app), ["build"]);
}

// spec 9.5
#[test]
fn a_reboot_of_the_proxy_asks_its_hooks_once_for_each_group() {
    let app = App::deployed(THREE, "v1");
    for hook in ["pre-proxy-reboot", "post-proxy-reboot"] {
        app.fleet.hook(hook, 0);
    }
    let told = |rolling| {
        app.reboot_proxy(rolling, None).unwrap();
        let ran = app.fleet.ran();
        ran.iter()
            .map(|ran| (ran.command.replace("./.kamal/hooks/", ""), ran.env["KAMAL_HOSTS"].clone()))
            .collect::<Vec<_>>()
    };
    let pair = |hosts: &str| ["pre-proxy-reboot", "post-proxy-reboot"].map(|name| (name.to_owned(), hosts.to_owned()));
    assert_eq!(told(false), pair("h1,h2,h3"));
    assert_eq!(told(true), ["h1", "h2", "h3"].map(pair).concat());
    app.fleet.hook("pre-proxy-reboot", 1);
    assert!(app.reboot_proxy(false, None).is_err());
}
