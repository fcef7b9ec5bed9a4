//! What kamal leaves on hosts equals what Kamal 2.12 was recorded to leave (tests/conformance).

use std::{fs, path::Path};

use kamal_tests::{
    effects,
    rig::{kamal, rig, text},
};

/// Runs a case on hosts 1 and 2 and compares what they hold with what was recorded.
fn check(case: &str) {
    let rig = rig();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(case);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let _hosts = rig.hold(&[1, 2]);
    rig.clean(1);
    rig.clean(2);
    let project = rig.project(case, &read("deploy.yml"), &read("secrets"));
    for page in fs::read_dir(folder.join("public")).into_iter().flatten().flatten() {
        let content = fs::read_to_string(page.path()).unwrap();
        project.write(&format!("public/{}", page.file_name().to_string_lossy()), &content).unwrap();
    }
    project.commit().unwrap();
    for (i, line) in read("run").lines().enumerate() {
        if i > 0 {
            project.write(&format!("assets/app-{}.js", i + 1), &format!("v{}\n", i + 1)).unwrap();
            project.commit().unwrap();
        }
        let words = shlex::split(line).unwrap();
        let arguments: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = kamal(&project, &arguments);
        // A commit never built cannot be pulled (see the cases' own note).
        assert_eq!(output.status.success(), line != "redeploy -P", "kamal {line}:\n{}", text(&output));
    }
    for number in [1, 2] {
        let mut expected = effects::recorded(&folder.join(format!("expected.host{number}.json")));
        effects::sort_binds(&mut expected);
        let mut found = effects::of(rig.host(number));
        effects::order_twins(&mut expected);
        effects::order_twins(&mut found);
        let (expected, found) = (format!("{:#}", sorted(&expected)), format!("{:#}", sorted(&found)));
        let diff = similar::TextDiff::from_lines(&expected, &found).unified_diff().context_radius(4).to_string();
        assert!(diff.is_empty(), "host {number} differs from what Kamal leaves (-) in what we leave (+):\n{diff}");
    }
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    let mut value = value.clone();
    value.sort_all_objects();
    value
}

#[test]
fn roles() {
    check("roles");
}

#[test]
fn blog() {
    check("blog");
}

#[test]
fn tls() {
    check("tls");
}
