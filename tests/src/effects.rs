//! What a deploy left on a host, with all that differs between two equal runs taken out: the form in which real runs of
//! Kamal were recorded (tests/conformance).

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Map, Value, json};
use xtask::sandbox::Host;

/// Settings of a container that are compared, when they are set at all.
const HOST_CONFIG: [&str; 19] = [
    "Binds",
    "Memory",
    "NanoCpus",
    "CpuShares",
    "NetworkMode",
    "RestartPolicy",
    "LogConfig",
    "PortBindings",
    "CapAdd",
    "CapDrop",
    "Privileged",
    "Init",
    "ExtraHosts",
    "ShmSize",
    "Ulimits",
    "Tmpfs",
    "SecurityOpt",
    "UsernsMode",
    "Dns",
];

/// What a host holds.
#[must_use]
pub fn of(host: &Host) -> Value {
    let ids = docker(host, &["ps", "-aq"]);
    let ids: Vec<&str> = ids.split_whitespace().collect();
    let inspected: Vec<Value> =
        if ids.is_empty() { Vec::new() } else { parse(&docker(host, &[&["inspect"], &ids[..]].concat())) };
    let mut containers = Map::new();
    for found in &inspected {
        let name = found["Name"].as_str().unwrap_or_default().trim_start_matches('/').to_owned();
        containers.insert(name, container(host, found));
    }
    let lines = |arguments: &[&str]| {
        let printed = docker(host, arguments);
        let mut lines: Vec<String> = printed.split_whitespace().map(str::to_owned).collect();
        lines.sort();
        lines.dedup();
        lines
    };
    let volumes: Vec<String> = lines(&["volume", "ls", "-q"]).into_iter().filter(|name| !is_hex(name, 64)).collect();
    let mut all = json!({
        "images": lines(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]),
        "networks": lines(&["network", "ls", "--format", "{{.Name}}"]),
        "volumes": volumes,
        "files": files(&host.home.join(".kamal")),
    });
    if containers.get("kamal-proxy").is_some_and(|proxy| proxy["state"] == "running") {
        let listed = docker(host, &["exec", "kamal-proxy", "kamal-proxy", "list"]);
        let rows: Vec<String> = uncoloured(&listed).split('\n').map(squeezed).collect();
        all["proxy"] = json!(rows);
    }
    all["containers"] = Value::Object(containers);
    tidy(&all)
}

/// A recorded file in the same form.
///
/// # Panics
///
/// When it is no JSON.
#[must_use]
pub fn recorded(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    pairs(&text)
}

/// JSON whose objects may hold a key twice (two containers whose versions were taken out): then both are kept, the
/// second under the key with a mark.
fn pairs(text: &str) -> Value {
    // Names are indented by two blanks in the recorded form; a repeated one gets a mark before the text is parsed.
    let mut seen = BTreeMap::new();
    let marked: Vec<String> = text
        .lines()
        .map(|line| {
            let is_name = line.starts_with("  \"") && line.ends_with("\": {");
            let count = seen.entry(line.to_owned()).and_modify(|count| *count += 1).or_insert(1);
            if is_name && *count > 1 { line.replace("\": {", &format!(" #{count}\": {{")) } else { line.to_owned() }
        })
        .collect();
    serde_json::from_str(&marked.join("\n")).expect("recorded effects are JSON")
}

fn container(host: &Host, found: &Value) -> Value {
    let (config, settings) = (&found["Config"], &found["HostConfig"]);
    let image: Vec<Value> = parse(&docker(host, &["image", "inspect", found["Image"].as_str().unwrap_or_default()]));
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let built_in = image.first().map(|image| texts(&image["Config"]["Env"])).unwrap_or_default();
    let mut env: Vec<String> = texts(&config["Env"]).into_iter().filter(|pair| !built_in.contains(pair)).collect();
    env.sort();
    let mut exposed: Vec<&String> = config["ExposedPorts"].as_object().into_iter().flat_map(Map::keys).collect();
    exposed.sort();
    let kept: Map<String, Value> = HOST_CONFIG
        .iter()
        .filter(|key| !is_blank(&settings[**key]))
        .map(|key| ((*key).to_owned(), sorted_binds(key, &settings[*key])))
        .collect();
    let mut mounts: Vec<String> = found["Mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|mount| {
            let text = |key: &str| mount[key].as_str().unwrap_or_default();
            let from = if text("Name").is_empty() { text("Source") } else { text("Name") };
            let writable = if mount["RW"] == true { "True" } else { "False" };
            format!("{} {from} -> {} rw={writable}", text("Type"), text("Destination"))
        })
        .collect();
    mounts.sort();
    let networks: Map<String, Value> = found["NetworkSettings"]["Networks"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, network)| {
            let mut aliases: Vec<String> =
                texts(&network["Aliases"]).into_iter().filter(|alias| !is_hex(alias, 12)).collect();
            aliases.sort();
            (name.clone(), json!(aliases))
        })
        .collect();
    json!({
        "state": found["State"]["Status"], "image": config["Image"], "cmd": config["Cmd"],
        "entrypoint": config["Entrypoint"], "user": config["User"], "env": env, "labels": config["Labels"],
        "hostname": config["Hostname"], "exposed": exposed, "stop_timeout": config["StopTimeout"],
        "healthcheck": config["Healthcheck"], "host": kept, "mounts": mounts, "networks": networks,
    })
}

/// The order of binds means nothing, and differs between engines.
fn sorted_binds(key: &str, value: &Value) -> Value {
    let mut value = value.clone();
    if let (true, Some(binds)) = (key == "Binds", value.as_array_mut()) {
        binds.sort_by_key(ToString::to_string);
    }
    value
}

/// Puts containers whose names became equal in one order, whichever of them came first: the one that runs first.
pub fn order_twins(effects: &mut Value) {
    let Some(containers) = effects["containers"].as_object_mut() else { return };
    let names: Vec<String> = containers.keys().filter(|key| !key.contains(" #")).cloned().collect();
    for name in names {
        let twins: Vec<String> =
            containers.keys().filter(|key| **key == name || key.starts_with(&format!("{name} #"))).cloned().collect();
        let mut values: Vec<Value> = twins.iter().filter_map(|key| containers.get(key).cloned()).collect();
        values.sort_by_key(|value| (value["state"] != "running", value.to_string()));
        for (key, value) in twins.into_iter().zip(values) {
            containers.insert(key, value);
        }
    }
}

/// Sorts the binds of a recorded container too.
pub fn sort_binds(recorded: &mut Value) {
    for container in recorded["containers"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(binds) = container["host"].get_mut("Binds").and_then(Value::as_array_mut) {
            binds.sort_by_key(ToString::to_string);
        }
    }
}

fn files(root: &Path) -> Value {
    let mut found = Map::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let (Ok(content), Ok(about)) = (fs::read(&path), fs::metadata(&path)) else { continue };
            let mut text = String::from_utf8_lossy(&content).into_owned();
            if path.to_string_lossy().ends_with("audit.log") {
                let line =
                    |line: &str| line.split_once(']').map_or(line.to_owned(), |(_, rest)| format!("[TIME]{rest}"));
                text = text.lines().map(|text| line(text) + "\n").collect();
            }
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            found.insert(name, json!([format!("0o{:o}", about.permissions().mode() & 0o777), text]));
        }
    }
    found.sort_keys();
    Value::Object(found)
}

/// Takes out what differs between equal runs: versions, ids, random digits, keys.
fn tidy(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(tidy_text(text)),
        Value::Array(items) => items.iter().map(tidy).collect(),
        Value::Object(map) => {
            let mut tidied = Map::new();
            for (key, value) in map {
                let key = tidy_text(key);
                let count = tidied
                    .keys()
                    .filter(|seen: &&String| **seen == key || seen.starts_with(&format!("{key} #")))
                    .count();
                let key = if count > 0 { format!("{key} #{}", count + 1) } else { key };
                tidied.insert(key, tidy(value));
            }
            Value::Object(tidied)
        }
        other => other.clone(),
    }
}

fn tidy_text(text: &str) -> String {
    if let Some(kind) = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split_once("-----")).map(|(kind, _)| kind)
    {
        return format!("PEM {kind}");
    }
    let (mut out, mut run) = (String::new(), String::new());
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            run.push(c);
            continue;
        }
        let alone = !out.ends_with(|before: char| before.is_ascii_alphanumeric() && !run.is_empty())
            && !c.is_ascii_alphanumeric();
        let word = match run.len() {
            40 => Some("VERSION"),
            64 if alone => Some("ID64"),
            16 if out.ends_with("_replaced_") => Some("X"),
            12 if alone && out.ends_with('-') => Some("RAND"),
            12 if alone => Some("ID12"),
            _ => None,
        };
        out.push_str(word.unwrap_or(&run));
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}

fn docker(host: &Host, arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .env("DOCKER_HOST", format!("unix://{}", host.docker_socket.display()))
        .output()
        .expect("docker is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn parse(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn uncoloured(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\x1b') {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
