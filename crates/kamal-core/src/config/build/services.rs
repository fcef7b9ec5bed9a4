//! `x-cluster: {run: services}`: roles as services of the swarm, and what these cannot be.

use indexmap::IndexMap;

use super::super::diagnostic::Report;
use super::super::model::{Config, MOST_REPLICAS, OptionValue, Role, Services};
use super::super::shape::check::at;
use super::super::shape::suggest::did_you_mean;
use super::super::source::Span;
use super::super::yaml::Node;
use super::options::text;
use crate::shell::split;
use crate::step::{SERVICE_OPTIONS, ServiceMount};

/// What a role can be.
const KINDS: [&str; 2] = ["containers", "services"];

/// Reads and checks what is said of services.
pub(super) fn services(node: &Node, top: Span, config: &Config, report: &mut Report<'_>) -> Option<Services> {
    let run = text(node, "run").unwrap_or_else(|| KINDS[0].to_owned());
    let span = node.get("run").map_or(top, |node| node.span);
    if !KINDS.contains(&run.as_str()) {
        let help = did_you_mean(&run, KINDS);
        report.error_with(span, at("x-cluster/run", &format!("should be containers or services, not {run}")), help);
        return None;
    }
    if run == KINDS[0] {
        if let Some(node) = node.get("replicas") {
            report.error(node.span, at("x-cluster/replicas", "takes `run: services`; containers are one to a host"));
        }
        return None;
    }
    refused(span, config, report);
    volumes(span, config, report);
    for role in &config.roles {
        of_role(role, span, report);
    }
    Some(Services { replicas: replicas(node, config, report) })
}

fn replicas(node: &Node, config: &Config, report: &mut Report<'_>) -> IndexMap<crate::name::RoleName, u32> {
    let mut found = IndexMap::new();
    for (name, entry) in node.get("replicas").and_then(Node::map).into_iter().flatten() {
        let path = format!("x-cluster/replicas/{name}");
        let Some(role) = config.role(name) else {
            let help = did_you_mean(name, config.roles.iter().map(|role| role.name.as_str()));
            report.error_with(entry.key, at(&path, "there is no such role"), help);
            continue;
        };
        match entry
            .value
            .int()
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=MOST_REPLICAS).contains(count))
        {
            Some(count) => drop(found.insert(role.name.clone(), count)),
            None => report.error(entry.value.span, at(&path, &format!("should be a number from 1 to {MOST_REPLICAS}"))),
        }
    }
    found
}

/// What goes by hosts, which services do not.
fn refused(span: Span, config: &Config, report: &mut Report<'_>) {
    let mut refuse = |what: &str, why: &str| report.error(span, format!("x-cluster/run: services and {what}: {why}"));
    if config.registry.local_port().is_some() {
        refuse(
            "a registry on the deploying machine",
            "hosts fetch the image when a container moves to them; name a registry all of them reach",
        );
    }
    if config.boot.parallel_roles {
        refuse("boot/parallel_roles", "services come up one after another");
    }
    if config.boot.together {
        refuse("x-boot", "the swarm replaces containers one by one; remove x-boot");
    }
    if config.guard.is_some() {
        refuse("x-guard", "there is no moment at which all of the new version serves; remove x-guard");
    }
    if config.roles.iter().any(|role| role.hosts.iter().any(|host| !host.tags.is_empty())) {
        refuse("env of single hosts (tags)", "a container may be on any host of its role; remove the tags");
    }
}

/// What services cannot have of a role.
fn of_role(role: &Role, span: Span, report: &mut Report<'_>) {
    let mut refuse = |why: &str| report.error(span, format!("x-cluster/run: services: the role {}: {why}", role.name));
    if role.asset_path.is_some() && role.proxy.is_some() {
        refuse("asset_path joins the folders of containers of one host; remove it");
    }
    for (name, value) in &role.options {
        if !SERVICE_OPTIONS.contains(&name.as_str()) {
            refuse(&format!("options/{name} is nothing a service can have; it knows {}", SERVICE_OPTIONS.join(", ")));
        }
        let wants_value = !matches!(name.as_str(), "init" | "read-only");
        if wants_value && *value == OptionValue::Flag {
            refuse(&format!("options/{name} needs a value"));
        }
    }
    let of_shell = |cmd: &String| cmd.contains(['$', '`']) || split(cmd).is_none();
    if role.cmd.as_ref().is_some_and(of_shell) {
        refuse(
            "cmd is given to the container as it is, without a shell of the host; `sh -c '…'` is one of the container",
        );
    }
}

/// What services cannot have of volumes.
fn volumes(span: Span, config: &Config, report: &mut Report<'_>) {
    for volume in config.volumes.iter().filter(|volume| ServiceMount::parse(volume).is_none()) {
        let rule = "should be NAME:PATH or /PATH:/PATH, with :ro where it is not written to";
        report.error(span, format!("x-cluster/run: services: the volume {volume}: {rule}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Loaded, Source, load};
    use crate::testing::NoTemplateWorld;

    const SERVICES: &str = "x-cluster: {network: overlay, run: services}\n";

    fn of(text: &str) -> Result<Loaded, String> {
        let file = format!(
            "service: app\nimage: acme/app\nregistry: {{username: u, password: [P]}}\nbuilder: {{arch: amd64}}\n{text}"
        );
        load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).map_err(|errors| errors.to_string())
    }

    #[test]
    fn what_is_said_of_services() {
        let services = |text: &str| of(&format!("servers: [h1, h2]\n{text}")).unwrap().config.cluster.unwrap().services;
        assert_eq!(services("x-cluster: {network: overlay}\n"), None);
        assert_eq!(services("x-cluster: {network: overlay, run: containers}\n"), None);
        assert!(services(SERVICES).unwrap().replicas.is_empty());
        let five = services("x-cluster: {network: overlay, run: services, replicas: {web: 5}}\n").unwrap();
        assert_eq!(five.replicas["web"], 5);
    }

    #[test]
    fn what_services_cannot_be_is_refused() {
        let cluster = |more: &str| format!("servers: [h1]\nx-cluster: {{network: overlay, run: services{more}}}\n");
        let role = |more: &str| format!("servers: {{web: {{hosts: [h1], {more}}}}}\n{SERVICES}");
        for (text, wanted) in [
            ("servers: [h1]\nx-cluster: {network: overlay, run: service}\n".to_owned(), "did you mean `services`"),
            ("servers: [h1]\nx-cluster: {network: overlay, replicas: {web: 2}}\n".to_owned(), "takes `run: services`"),
            (cluster(", replicas: {wbe: 2}"), "there is no such role"),
            (cluster(", replicas: {web: 0}"), "should be a number from 1 to 1000"),
            (cluster(", replicas: {web: many}"), "should be a number from 1 to 1000"),
            (format!("{}boot: {{parallel_roles: true}}\n", cluster("")), "one after another"),
            (format!("{}x-boot: {{switch: together}}\n", cluster("")), "remove x-boot"),
            (format!("{}x-guard: {{for: 10, max_errors: 1%}}\n", cluster("")), "remove x-guard"),
            (format!("{}x-balance: true\n", cluster("")), "leads to all containers by itself"),
            (format!("{}volumes: [\"./data:/data\"]\n", cluster("")), "the volume ./data:/data"),
            (role("options: {gpus: all}"), "options/gpus is nothing a service can have"),
            (role("options: {memory: true}"), "options/memory needs a value"),
            (role("asset_path: /assets"), "asset_path joins"),
            (role("cmd: bin/web -p $PORT"), "without a shell of the host"),
            (
                format!("servers: [{{h1: blue}}]\nenv: {{tags: {{blue: {{A: 1}}}}}}\n{SERVICES}"),
                "env of single hosts (tags)",
            ),
        ] {
            let refused = of(&text).unwrap_err();
            assert!(refused.to_lowercase().contains(&wanted.to_lowercase()), "{text}: {refused}");
        }
        let local = "service: app\nservers: [h1]\nbuilder: {arch: amd64}\n".to_owned() + SERVICES;
        let refused = load(&Source::new("config/deploy.yml", local), None, &NoTemplateWorld).unwrap_err().to_string();
        assert!(refused.contains("name a registry all of them reach"), "{refused}");
    }
}
