//! `status` and `doctor` on real hosts.

use kamal_tests::app::App;
use serde_json::Value;

fn object(app: &App, arguments: &[&str]) -> Value {
    let ended = app.kamal(arguments);
    let text = ended.text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{}", ended.text));
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_fleet_as_it_is() {
    let app = App::on_one("e2e-status");
    let host = app.host().address.to_string();
    let before = object(&app, &["status", "--json"]);
    assert_eq!((&before["schema"], &before["healthy"]), (&"kamal/status/1".into(), &false.into()), "{before}");
    assert_eq!(before["hosts"][0]["roles"][0]["health"], "missing", "{before}");

    let version = app.set_up();
    let status = object(&app, &["status", "--json"]);
    let role = &status["hosts"][0]["roles"][0];
    assert_eq!((&role["health"], &role["version"]), (&"serving".into(), &version.as_str().into()), "{status}");
    assert_eq!((&role["drift"], &status["healthy"]), (&Value::Array(Vec::new()), &true.into()), "{status}");
    let routes = status["hosts"][0]["proxy"]["routes"].as_array().unwrap();
    let target = format!("{}-web-{version}", app.service);
    assert!(routes.iter().any(|route| route["target"] == target.as_str()), "{status}");
    assert!(status["hosts"][0]["disk"]["free"].as_u64() > Some(0), "{status}");

    app.edit("HEALTH: ok", "HEALTH: ok, NEW: s3cr3tly");
    let text = app.ok(&["status"]);
    for piece in ["healthy, 1 of 1 hosts", "differs from deploy.yml: NEW is new", "Last done on", "serving"] {
        assert!(text.contains(piece), "{piece}: {text}");
    }
    assert!(!text.contains("s3cr3tly"), "{text}");
    app.edit(&host, &format!("{host}, 10.77.9.9"));
    let ended = app.kamal(&["status"]);
    ended.says(&["not reached", "10.77.9.9", "1 of 2 hosts"]);
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn what_a_deploy_relies_on() {
    let app = App::on_one("e2e-doctor");
    app.set_up();
    let found = object(&app, &["doctor", "--json"]);
    assert_eq!(found["schema"], "kamal/doctor/1");
    let result = |check: &str| {
        let all = found["findings"].as_array().unwrap();
        all.iter()
            .find(|finding| finding["check"] == check)
            .map(|finding| finding["result"].as_str().unwrap().to_owned())
    };
    for check in [
        "config",
        "secrets",
        "docker",
        "git",
        "ssh",
        "docker_of_host",
        "rights",
        "clock",
        "ports",
        "architecture",
        "registry",
        "proxy",
    ] {
        assert_eq!(result(check).as_deref(), Some("ok"), "{check}: {found:#}");
    }
    // Nobody leads there.
    assert_eq!(result("dns").as_deref(), Some("warning"), "{found:#}");

    app.edit("REGISTRY_PASSWORD", "NOWHERE");
    let host = app.host().address.to_string();
    app.edit(&host, &format!("{host}, 10.77.9.9"));
    let ended = app.kamal(&["doctor"]);
    ended.says(&["FAILED", "NOWHERE", "10.77.9.9", "What would help:", "2 failed"]);
    assert_eq!(ended.status.code(), Some(1));
}
