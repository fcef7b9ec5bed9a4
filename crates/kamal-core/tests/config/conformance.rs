//! Every recorded configuration: what Kamal took is taken and comes down to the same values; what it refused is
//! refused first for the same reason.

use indexmap::IndexMap;
use kamal_core::{config::effective::effective, name::Version};
use serde::Deserialize;

use crate::template_world::load_text;

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "deploy.yml")]
    text: String,
    output: String,
}

/// Where we differ on purpose: the case, our first message, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    (
        "empty",
        "the configuration is empty: it needs at least service, servers and builder",
        "Kamal crashes with a Ruby error",
    ),
    ("not-a-map", "the configuration should be a hash", "Kamal crashes with a Ruby error"),
    (
        "accessory-no-image",
        "accessories/db: image is required",
        "Kamal runs docker without an image's name, which cannot work",
    ),
    ("accessory-files-bad", "accessories/db/files/0: should name both ends, `local:remote`", "Kamal crashes at boot"),
    ("ssh-port-string", "ssh/port: should be a port number, not abc", "no connection could be made"),
    (
        "boot-limit-bad",
        "boot/limit: should be a number of hosts or a percentage such as 25%, not many",
        "Kamal crashes at boot",
    ),
    (
        "proxy-run-bind",
        "proxy/run/bind_ips/0: should be an IP address, not 999.1.1.1",
        "docker refuses it, on every host, halfway through",
    ),
    ("builder-remote-bad", "builder/remote: should be a URL, `ssh://user@host`", "docker makes no context of it"),
    ("yaml-broken", "invalid YAML: while parsing a flow sequence, expected ',' or ']'", "another parser's words"),
    ("erb-broken", "undefined local variable or method `nope_method`", "no Ruby class names"),
    ("erb-syntax", "this Ruby expression ends too early", "no Ruby class names"),
];

/// What Kamal refuses and we take, and why.
const TAKEN: &[(&str, &str)] = &[("no-registry", "the registry on this machine is the one where none is named")];

#[test]
fn every_recorded_case_agrees() {
    let cases: IndexMap<String, Case> = serde_json::from_str(include_str!("../conformance/config.json")).unwrap();
    assert_eq!(cases.len(), 110);
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let different = DIFFERENT.iter().find(|(known, _, _)| known == name);
        let expected = case.output.trim_end();
        let refused =
            expected.strip_prefix("ERROR (").and_then(|rest| rest.split_once("): ")).map(|(_, message)| message);
        let refused = different.map(|(_, message, _)| *message).or(refused);
        match (load_text(&case.text), refused) {
            (Err(errors), Some(message)) if errors.0[0].message == message => {}
            (Err(errors), _) => wrong.push(format!("{name}: refused:\n{errors}\nexpected {refused:?}")),
            (Ok(_), Some(_)) if TAKEN.iter().any(|(known, _)| known == name) => {}
            (Ok(_), Some(message)) => wrong.push(format!("{name}: taken, but Kamal says {message}")),
            (Ok(loaded), None) => {
                let printed = effective(&loaded, &Version::parse("v1").unwrap()).to_yaml();
                if printed.trim_end() != expected {
                    wrong.push(format!("{name}: printed\n{printed}\nexpected\n{expected}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}
