//! What kamal leaves on hosts equals what Kamal 2.12 was recorded to leave (tests/conformance).

use std::{fs, path::Path, process::Command};

use kamal_tests::{
    effects,
    rig::{rig, text},
};

/// A case: its name, and which of its commands fail, as they do in Kamal.
struct Case {
    name: &'static str,
    failing: &'static [usize],
    /// Whether what is noted in the audit log comes in any order: roles boot side by side.
    any_order: bool,
}

/// Runs a case on hosts 1 and 2 and compares what they hold with what was recorded.
fn check(case: &Case) {
    let rig = rig();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance").join(case.name);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let _hosts = rig.hold(&[1, 2]);
    rig.clean(1);
    rig.clean(2);
    let project = rig.project(case.name, &read("deploy.yml"), &read("secrets"));
    let key = rig.sandbox.key().display().to_string();
    for (from, to) in [("public", "public"), ("config", "config"), ("hooks", ".kamal/hooks")] {
        for file in fs::read_dir(folder.join(from)).into_iter().flatten().flatten() {
            let path = format!("{to}/{}", file.file_name().to_string_lossy());
            project.write(&path, &fs::read_to_string(file.path()).unwrap()).unwrap();
            let mode = file.metadata().unwrap().permissions();
            fs::set_permissions(project.folder().join(path), mode).unwrap();
        }
    }
    let second = read("deploy-two.yml").replace("SSHKEY", &key);
    if !second.is_empty() {
        project.write("config/deploy-two.yml", &second).unwrap();
    }
    project.commit().unwrap();
    let hook_log = project.folder().with_file_name("hooks.log");
    drop(fs::remove_file(&hook_log));
    for (i, line) in read("run").lines().enumerate() {
        if i > 0 {
            project.write(&format!("assets/app-{}.js", i + 1), &format!("v{}\n", i + 1)).unwrap();
            project.commit().unwrap();
        }
        // Revisions of the repository are filled in by a shell.
        let script = format!("exec \"$0\" {line}");
        let kamal = project.kamal();
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).arg(kamal.get_program()).current_dir(project.folder()).env("HOOKLOG", &hook_log);
        for (name, value) in kamal.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let output = shell.output().unwrap();
        assert_eq!(output.status.success(), !case.failing.contains(&i), "kamal {line}:\n{}", text(&output));
    }
    if folder.join("expected.hooks").exists() {
        compare_hooks(&read("expected.hooks"), &fs::read_to_string(&hook_log).unwrap());
    }
    for number in [1, 2] {
        let mut expected = effects::recorded(&folder.join(format!("expected.host{number}.json")));
        effects::sort_binds(&mut expected);
        let mut found = effects::of(rig.host(number));
        effects::order_twins(&mut expected);
        effects::order_twins(&mut found);
        for value in [&mut expected, &mut found] {
            // The image that stands in for Kamal's runs as another user.
            value["containers"]["kamal-proxy"].as_object_mut().map(|proxy| proxy.remove("user"));
            if case.any_order {
                // The last of those that booted side by side is the stopped one that pruning spares: any of them.
                let Some(containers) = value["containers"].as_object_mut() else { continue };
                let before = containers.len();
                containers.retain(|_, container| container["state"] != "exited");
                let stopped = before - containers.len();
                containers.insert("stopped".to_owned(), stopped.into());
            }
            let Some(files) = value["files"].as_object_mut() else { continue };
            // Files of two versions have one name there.
            files.retain(|name, _| !name.contains(" #"));
            for (_, file) in files.iter_mut().filter(|(name, _)| name.ends_with("-audit.log")) {
                if let Some(log) = file[1].as_str().filter(|log| !log.starts_with("sha256:")) {
                    file[1] = booted(log).into();
                }
            }
            for (_, file) in files.iter_mut().filter(|(name, _)| case.any_order && name.ends_with("-audit.log")) {
                let mut lines: Vec<&str> = file[1].as_str().unwrap_or_default().lines().collect();
                lines.sort_unstable();
                // One of the deploys left no trace when it was recorded.
                lines.dedup();
                file[1] = lines.join("\n").into();
            }
        }
        // Of a long log the recording holds a digest, times and all.
        let files = expected["files"].as_object().into_iter().flatten();
        for (name, file) in files.filter(|(name, file)| name.ends_with("-audit.log") && file[1] == "sha256:ID64") {
            found["files"][name] = file.clone();
        }
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

/// An audit log without images nobody booted: Kamal looks for the lock once they are on hosts, and what finds it held fetches
/// none here.
fn booted(log: &str) -> String {
    let lines: Vec<&str> = log.split_inclusive('\n').collect();
    let fetched = |line: &str| line.contains("] Pulled image with version ");
    let comes_to_nothing = |at: usize| {
        let next = lines[at + 1..].iter().find(|line| fetched(line) || line.contains("] Booted app version "));
        fetched(lines[at]) && next.is_none_or(|next| fetched(next))
    };
    (0..lines.len()).filter(|at| !comes_to_nothing(*at)).map(|at| lines[at]).collect()
}

/// What every hook was told, in order, without what differs from run to run, and what differs on purpose: the second word
/// of the command, which Kamal means to tell, hosts in another order, and a build that comes to nothing, as Kamal looks for
/// the lock after it.
fn compare_hooks(expected: &str, found: &str) {
    let normal = |text: &str| {
        let ours = |line: &&str| line.starts_with("KAMAL_SUBCOMMAND=") || line.starts_with("KAMAL_SANDBOX_");
        let lines = text.lines().filter(|line| !ours(line)).map(|line| {
            let Some((name, value)) = line.split_once('=') else { return line.to_owned() };
            match name {
                "KAMAL_VERSION" if value != "latest" => format!("{name}=VERSION"),
                "KAMAL_SERVICE_VERSION" => {
                    let (service, version) = value.split_once('@').unwrap_or((value, ""));
                    format!("{name}={service}@{}", if version == "latest" { version } else { "VERSION" })
                }
                "KAMAL_PERFORMER" => format!("{name}=SOMEBODY"),
                "KAMAL_RUNTIME" => format!("{name}=N"),
                "KAMAL_HOSTS" => {
                    let mut hosts: Vec<&str> = value.split(',').collect();
                    hosts.sort_unstable();
                    format!("{name}={}", hosts.join(","))
                }
                _ => line.to_owned(),
            }
        });
        let text = lines.map(|line| line + "\n").collect::<String>();
        let told: Vec<&str> = text.split_inclusive("== ").collect();
        let comes_to_nothing = |at: usize| {
            let deploys =
                told[at].lines().any(|line| matches!(line, "KAMAL_COMMAND=deploy" | "KAMAL_COMMAND=redeploy"));
            let next = told.get(at + 1).and_then(|next| next.lines().next());
            told[at].starts_with("pre-build\n") && deploys && next != Some("pre-deploy")
        };
        (0..told.len()).filter(|at| !comes_to_nothing(*at)).map(|at| told[at]).collect::<String>()
    };
    let (expected, found) = (normal(expected), normal(found));
    let diff = similar::TextDiff::from_lines(&expected, &found).unified_diff().context_radius(12).to_string();
    assert!(diff.is_empty(), "hooks were told otherwise than by Kamal (-):\n{diff}");
}

#[test]
fn roles() {
    // A commit never built cannot be pulled (see the cases' own note).
    check(&Case { name: "roles", failing: &[2], any_order: false });
}

#[test]
fn blog() {
    check(&Case { name: "blog", failing: &[], any_order: false });
}

#[test]
fn tls() {
    check(&Case { name: "tls", failing: &[], any_order: false });
}

#[test]
fn acc() {
    check(&Case { name: "acc", failing: &[], any_order: false });
}

#[test]
fn assets() {
    check(&Case { name: "assets", failing: &[3], any_order: false });
}

#[test]
fn boot() {
    // A version that is not there: Kamal says so and exits 0.
    check(&Case { name: "boot", failing: &[4], any_order: true });
}

#[test]
fn two() {
    check(&Case { name: "two", failing: &[], any_order: false });
}

#[test]
fn hooks() {
    // The lock is held by hand.
    check(&Case { name: "hooks", failing: &[11], any_order: false });
}
