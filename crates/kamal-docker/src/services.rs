//! Services of Docker's swarm: what a manager is asked to have run, how that goes on, and what it tells of them.
//!
//! A service goes to the manager as a whole, as a stack file on standard input, so that nothing of it is an argument and
//! what deploy.yml has no more is gone. What becomes of it is read back: docker's commands end well also when a service
//! went back to what it was.

use kamal_core::{
    cluster::{Managed, Node, Service},
    config::model::OptionValue,
    name::{Destination, ServiceName},
    ports::{Render, RenderError},
    secret::Secret,
    shell::{
        Text,
        escape::{env_file_value, word},
    },
    step::{CRASH_LOOP, ServiceSpec},
};
use serde_json::{Map, Value, json};

/// The label that tells a service's version.
const VERSION: &str = "kamal.version";
/// The label that tells how many containers deploy.yml asked for.
const REPLICAS: &str = "kamal.replicas";
/// The label docker gives to all services of a stack.
const STACK: &str = "com.docker.stack.namespace";

/// The part of an observation a manager has an answer to.
pub(crate) fn look(service: &ServiceName, destination: Option<&Destination>) -> String {
    let stack = destination.map_or_else(|| service.to_string(), |destination| format!("{service}-{destination}"));
    let ours = word(&format!("label={STACK}={stack}"));
    format!(
        "docker node ls --quiet 2>/dev/null | xargs -r docker node inspect --format \
         'node {{{{.ID}}}}\t{{{{.Status.Addr}}}}\t{{{{with .ManagerStatus}}}}{{{{.Addr}}}}{{{{end}}}}\t{{{{.Status.State}}}}\t\
         {{{{json .Spec.Labels}}}}' 2>/dev/null\n\
         docker service ls --quiet --filter {ours} 2>/dev/null | xargs -r docker service inspect --format \
         'service {{{{.Spec.Name}}}}\t{{{{.Spec.Mode.Replicated.Replicas}}}}\t{{{{index .Spec.Labels \"{VERSION}\"}}}}\t\
         {{{{index .Spec.Labels \"{REPLICAS}\"}}}}' 2>/dev/null\n\
         docker service ls --filter {ours} --format 'running {{{{.Name}}}}\t{{{{.Replicas}}}}' 2>/dev/null\n"
    )
}

/// Reads a line of that.
pub(crate) fn read(managed: &mut Managed, what: &str, fields: &[&str]) {
    match (what, fields) {
        ("node", [id, address, manager, state, labels]) => {
            // Managers know each other by what they listen at, and may not tell where one of them is besides.
            let manager = manager.rsplit_once(':').map(|(address, _)| address.trim_matches(['[', ']']));
            let mut node = Node::new(*id, manager.filter(|address| !address.is_empty()).unwrap_or(address));
            (*state).clone_into(&mut node.state);
            node.labels = serde_json::from_str(labels).unwrap_or_default();
            managed.nodes.push(node);
        }
        ("service", [name, replicas, version, declared]) => {
            let (Ok(name), Ok(replicas)) = (name.parse(), replicas.parse()) else { return };
            let mut service = Service::new(name, replicas);
            service.version = version.parse().ok();
            service.declared = declared.parse().ok();
            managed.services.push(service);
        }
        ("running", [name, count]) => {
            let running = count.split('/').next().and_then(|count| count.parse::<u32>().ok());
            let found = managed.services.iter_mut().find(|service| service.name == **name);
            if let (Some(service), Some(running)) = (found, running) {
                // Those that are about to end are counted, too.
                service.running = running.min(service.replicas);
            }
        }
        _ => {}
    }
}

/// Changes the labels of the node at an address.
pub(crate) fn label(address: &str, add: &[String], remove: &[String]) -> String {
    let changes =
        |flag: &str, labels: &[String]| labels.iter().map(|l| format!(" {flag} {}", word(l))).collect::<String>();
    format!(
        "(n=$(docker node ls --quiet | xargs -r docker node inspect --format \
         '{{{{.ID}}}} {{{{.Status.Addr}}}} {{{{with .ManagerStatus}}}}{{{{.Addr}}}}{{{{end}}}}' | \
         awk -v a={at} '$2 == a || $3 == a \":2377\" || $3 == \"[\" a \"]:2377\" {{ print $1; exit }}')\n\
         [ -n \"$n\" ] || {{ echo \"no host of the swarm has the address \"{at} >&2; exit 1; }}\n\
         docker node update{}{} \"$n\" >/dev/null)",
        changes("--label-add", add),
        changes("--label-rm", remove),
        at = word(address),
    )
}

/// What scripts about a service have in common: its state, how many of its containers run, and why one does not, of those
/// that are not from `before`.
fn about(service: &str, image: &str) -> String {
    let (name, image) = (word(service), word(image));
    format!(
        "before=\n\
         state() {{ docker service inspect {name} --format '{{{{with .UpdateStatus}}}}{{{{.State}}}}{{{{end}}}}' 2>/dev/null; }}\n\
         up() {{ docker service ps {name} --filter desired-state=running --format '{{{{.CurrentState}}}}' 2>/dev/null | \
         grep -c '^Running'; }}\n\
         tasks() {{ docker service ps {name} --no-trunc --format \
         '{{{{.ID}}}}\t{{{{.Node}}}}\t{{{{or .Error .CurrentState}}}}\t{{{{.Error}}}}\t{{{{.Image}}}}' 2>/dev/null | \
         awk -F '\t' -v image={image} -v before=\" $before \" \
         'index($5, image) == 1 && !index(before, \" \" $1 \" \")'; }}\n\
         failed() {{ tasks | awk -F '\t' '$4 != \"\"'; }}\n\
         stuck() {{ tasks | awk -F '\t' '$3 !~ /^(Running|Complete|Shutdown)/'; }}\n\
         lost() {{ down=$(docker node ls --format '{{{{.Hostname}}}} {{{{.Status}}}}' 2>/dev/null | \
         awk '$2 == \"Down\" {{ print $1 }}'); [ -n \"$down\" ] && stuck | cut -f 2 | grep -qxF \"$down\"; }}\n\
         tell() {{ c=$({{ failed; stuck; }} | head -n 1); [ -n \"$c\" ] || return 0\n\
         on=$(printf '%s' \"$c\" | cut -f 2)\n\
         echo \"a container of \"{name}\"${{on:+ on $on}} did not come up: $(printf '%s' \"$c\" | cut -f 3 | tr -d '\"')\" >&2\n\
         [ -z \"$on\" ] || timeout 10 docker service logs --raw --tail 20 \"$(printf '%s' \"$c\" | cut -f 1)\" 2>&1 | \
         sed '/^error from daemon/,$d; s/^/  /' >&2; }}\n\
         until_done() {{ end=$(($(date +%s) + $1)); }}\n\
         late() {{ [ \"$(date +%s)\" -ge \"$end\" ]; }}\n\
         back() {{ docker service rollback --detach --quiet {name} >/dev/null || return 1; until_done \"$1\"\n\
         while sleep 1; do case $(state) in rollback_completed) return 0;; rollback_paused) return 1;; esac\n\
         ! late || return 1; done; }}\n"
    )
}

/// Has a service become what it is to be, and waits until it is. One that goes back to what it was, or is taken back as it
/// takes too long, is an error; so is a new one that does not come up, which is removed.
///
/// An update waits for ever for a container on a host that was lost and is not known to be yet. When it is known, the
/// service goes back and is updated once more, elsewhere.
pub(crate) fn deploy(spec: &ServiceSpec, cx: &Render<'_>) -> Result<Text, RenderError> {
    let ServiceSpec { service, stack, image, replicas, .. } = spec;
    let (name, limit) = (word(service), spec.limit());
    let resolve = if spec.digest.is_some() { "never" } else { "always" };
    let mut text = Text::from("(");
    text.push(&about(service, image));
    if spec.serves && !spec.options.iter().any(|(option, _)| option == "health-cmd") {
        text.push(&needs_a_check(image));
    }
    text.push(&format!(
        "detach=; case $(docker stack deploy --help 2>/dev/null) in *--detach*) detach=--detach=true;; esac\n\
         was=$(docker service inspect {name} --format '{{{{.ID}}}}' 2>/dev/null)\n\
         update() {{ before=$(docker service ps {name} --quiet --no-trunc 2>/dev/null | tr '\\n' ' ')\n\
         said=$(docker stack deploy $detach --with-registry-auth --resolve-image {resolve} --compose-file - {} 2>&1 \
         <<'KAMAL_STACK'\n",
        word(stack)
    ));
    text.push_secret(file(spec, cx)?);
    text.push(&format!(
        "\nKAMAL_STACK\n) || {{ printf '%s\\n' \"$said\" >&2; exit 1; }}\n\
         until_done {limit}; steady=0; longer={limit}; }}\n\
         update; again=\n\
         while sleep 1; do n=$(up)\n\
         case $(state) in\n\
         completed) [ \"$n\" -lt {replicas} ] || exit 0;;\n\
         updating) if [ -z \"$again\" ] && lost; then again=1; back {limit} || break; update; fi;;\n\
         rollback_started) end=$((end + longer)); longer=0;;\n\
         rollback_completed|rollback_paused|paused) tell; echo 'the service '{name}' went back to what it was' >&2; exit 1;;\n\
         '') if [ \"$n\" -ge {replicas} ]; then steady=$((steady + 1)); [ $steady -le {monitor} ] || exit 0; else steady=0; fi\n\
         [ -n \"$was\" ] || [ \"$(failed | wc -l)\" -lt {CRASH_LOOP} ] || break;;\n\
         esac\n\
         ! late || break; done\n\
         tell; echo 'the service '{name}' has not come up within {limit} seconds' >&2\n\
         if [ -z \"$was\" ]; then docker service rm {name} >/dev/null; echo 'the service '{name}' was removed' >&2\n\
         elif back {limit}; then echo 'the service '{name}' went back to what it was' >&2\n\
         else echo 'the service '{name}' could not go back to what it was; see docker service ps '{name} >&2; fi; exit 1)",
        monitor = spec.pace.monitor,
    ));
    Ok(text)
}

/// Without a check the swarm takes a container to serve as soon as it runs, and ends the one before it.
fn needs_a_check(image: &str) -> String {
    let image = word(image);
    format!(
        "docker image inspect {image} >/dev/null 2>&1 || docker pull --quiet {image} >/dev/null || exit 1\n\
         case $(docker image inspect {image} --format '{{{{if .Config.Healthcheck}}}}checks{{{{end}}}}') in checks) ;; *)\n\
         echo 'the image '{image}' has no HEALTHCHECK, by which the swarm knows when a container serves: add one to its \
         Dockerfile, or options: {{health-cmd: \"curl -f http://localhost/up\"}} to the role' >&2; exit 1;; esac\n"
    )
}

/// Has a service be what it was.
pub(crate) fn roll_back(service: &str, timeout: u64) -> String {
    format!("({}back {timeout})", about(service, ""))
}

/// Has a service have so many containers, and waits until they run.
pub(crate) fn scale(service: &str, replicas: u32, timeout: u64) -> String {
    let name = word(service);
    format!(
        "({}docker service scale --detach {} >/dev/null || exit 1; until_done {timeout}\n\
         while sleep 1; do [ \"$(up)\" -ne {replicas} ] || exit 0; ! late || break; done\n\
         tell; echo \"$(up) of {replicas} containers of the service \"{name}\" run after {timeout} seconds\" >&2; exit 1)",
        about(service, ""),
        word(&format!("{service}={replicas}")),
    )
}

/// Removes a service.
pub(crate) fn remove(service: &str) -> String {
    let name = word(service);
    format!("! docker service inspect {name} >/dev/null 2>&1 || docker service rm {name}")
}

/// A text as it is in a stack file, where `$` begins the name of a variable.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A text of the user's where the swarm would look for templates.
fn no_template(text: &str) -> String {
    literal(&text.replace("{{", "{{\"{{\"}}"))
}

/// The stack file of one service. What is JSON is YAML.
fn file(spec: &ServiceSpec, cx: &Render<'_>) -> Result<Secret, RenderError> {
    let mut env = Map::new();
    env.extend(spec.told.iter().map(|(name, value)| (name.clone(), json!(literal(value)))));
    env.extend(spec.env.iter().map(|(name, value)| (name.clone(), json!(no_template(value)))));
    for secret in &spec.secrets {
        let missing = |source| RenderError::Secret { source, needed_by: spec.service.to_string() };
        let value = cx.secrets.get(&secret.key).map_err(missing)?;
        env.insert(secret.name.clone(), json!(no_template(&env_file_value(value.expose()))));
    }
    let labels: Map<String, Value> =
        spec.labels.iter().map(|(name, value)| (name.clone(), json!(literal(value)))).collect();
    let logging = match (&spec.logging.driver, spec.logging.options.is_empty()) {
        (None, true) => json!({"driver": "json-file", "options": {"max-size": "10m"}}),
        (driver, _) => {
            let options: Map<String, Value> =
                spec.logging.options.iter().map(|(name, value)| (name.clone(), json!(literal(value)))).collect();
            json!({"driver": driver.as_deref().unwrap_or("json-file"), "options": options})
        }
    };
    let image =
        spec.digest.as_ref().map_or_else(|| spec.image.to_string(), |digest| format!("{}@{digest}", spec.image));
    let mut service = json!({
        "image": literal(&image),
        "environment": env,
        "labels": labels,
        "logging": logging,
        "networks": {"all": {}},
        "volumes": spec.mounts.iter().map(|mount| json!({
            "type": if mount.is_volume() { "volume" } else { "bind" },
            "source": mount.source,
            "target": mount.target,
            "read_only": mount.read_only,
        })).collect::<Vec<_>>(),
        "deploy": {
            "replicas": spec.replicas,
            "endpoint_mode": "dnsrr",
            "labels": {VERSION: spec.version.as_str(), REPLICAS: spec.declared.to_string()},
            "restart_policy": restart(&spec.restart),
            "placement": {"constraints": [format!("node.labels.{} == true", spec.on)]},
            "update_config": {
                "order": "start-first",
                "failure_action": "rollback",
                "parallelism": spec.pace.parallelism,
                "delay": format!("{}s", spec.pace.delay),
                "monitor": format!("{}s", spec.pace.monitor),
            },
            "rollback_config": {"order": "start-first", "parallelism": spec.pace.parallelism, "monitor": "1s"},
        },
    });
    if let Some(cmd) = &spec.cmd {
        service["command"] = json!(cmd.iter().map(|word| literal(word)).collect::<Vec<_>>());
    }
    if let Some(seconds) = spec.stop_timeout {
        service["stop_grace_period"] = json!(format!("{seconds}s"));
    }
    for (name, value) in &spec.options {
        option(&mut service, name, value);
    }
    let volumes = spec.mounts.iter().filter(|mount| mount.is_volume());
    let volumes: Map<String, Value> =
        volumes.map(|mount| (mount.source.clone(), json!({"name": mount.source}))).collect();
    let file = json!({
        "version": "3.8",
        "services": {spec.role.as_str(): service},
        "networks": {"all": {"external": true, "name": spec.network}},
        "volumes": volumes,
    });
    Ok(Secret::new(file.to_string()))
}

/// Docker's restart policies in the swarm's words.
fn restart(policy: &str) -> Value {
    let (word, most) = policy.split_once(':').map_or((policy, None), |(word, most)| (word, most.parse::<u32>().ok()));
    let condition = match word {
        "no" => "none",
        "on-failure" => "on-failure",
        _ => "any",
    };
    match most {
        Some(most) => json!({"condition": condition, "delay": "1s", "max_attempts": most}),
        None => json!({"condition": condition, "delay": "1s"}),
    }
}

/// Puts an option of `docker run` where a stack file has it.
fn option(service: &mut Value, name: &str, value: &OptionValue) {
    let all: Vec<String> = match value {
        OptionValue::Flag => Vec::new(),
        OptionValue::One(one) => vec![literal(one)],
        OptionValue::Many(many) => many.iter().map(|one| literal(one)).collect(),
    };
    let last = all.last().cloned().unwrap_or_default();
    let resources =
        |service: &mut Value, kind: &str, what: &str| service["deploy"]["resources"][kind][what] = json!(last);
    match name {
        "add-host" => service["extra_hosts"] = json!(all),
        "cap-add" => service["cap_add"] = json!(all),
        "cap-drop" => service["cap_drop"] = json!(all),
        "cpus" => resources(service, "limits", "cpus"),
        "memory" => resources(service, "limits", "memory"),
        "memory-reservation" => resources(service, "reservations", "memory"),
        "dns" => service["dns"] = json!(all),
        "entrypoint" => service["entrypoint"] = json!([last]),
        "health-cmd" => service["healthcheck"]["test"] = json!(["CMD-SHELL", last]),
        "health-interval" => service["healthcheck"]["interval"] = json!(last),
        "health-timeout" => service["healthcheck"]["timeout"] = json!(last),
        "health-start-period" => service["healthcheck"]["start_period"] = json!(last),
        "health-retries" => service["healthcheck"]["retries"] = json!(last.parse::<u32>().unwrap_or(3)),
        "hostname" => service["hostname"] = json!(last),
        "init" => service["init"] = json!(last != "false"),
        "read-only" => service["read_only"] = json!(last != "false"),
        "stop-signal" => service["stop_signal"] = json!(last),
        "tmpfs" => service["tmpfs"] = json!(all),
        "user" => service["user"] = json!(last),
        "workdir" => service["working_dir"] = json!(last),
        "sysctl" => service["sysctls"] = json!(all),
        "ulimit" => {
            for limit in &all {
                let Some((name, limits)) = limit.split_once('=') else { continue };
                let number = |text: &str| text.parse::<i64>().unwrap_or(-1);
                let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
                service["ulimits"][name] = json!({"soft": number(soft), "hard": number(hard)});
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use kamal_core::{
        config::{self, Config, Source},
        keyring::Keyring,
        step::SERVICE_OPTIONS,
        testing::{NoTemplateWorld, SimFleet},
    };

    use super::*;

    #[test]
    fn each_option_of_services_is_put_somewhere() {
        for name in SERVICE_OPTIONS {
            let mut service = json!({});
            option(&mut service, name, &OptionValue::One("nofile=3".to_owned()));
            assert_ne!(service, json!({}), "{name}");
        }
    }

    #[test]
    fn a_manager_tells_of_nodes_and_services() {
        let mut managed = Managed::default();
        for line in [
            "node\tn1\t0.0.0.0\t10.0.0.1:2377\tready\t{\"kamal.host\":\"h1\"}",
            "node\tn2\t10.0.0.2\t\tdown\t{}",
            "service\tapp_web\t3\tv1\t2",
            "running\tapp_web\t2/3",
            "service\tapp_other\t1\t\t",
        ] {
            let fields: Vec<&str> = line.split('\t').collect();
            read(&mut managed, fields[0], &fields[1..]);
        }
        let [one, two] = &managed.nodes[..] else { panic!("{managed:?}") };
        assert_eq!((one.address.as_str(), one.state.as_str(), two.address.as_str()), ("10.0.0.1", "ready", "10.0.0.2"));
        assert_eq!((one.labels["kamal.host"].as_str(), two.state.as_str()), ("h1", "down"));
        let web = managed.service("app_web").unwrap();
        assert_eq!((web.replicas, web.running, web.declared, web.version.as_deref()), (3, 2, Some(2), Some("v1")));
        assert_eq!(managed.service("app_other").unwrap().version, None);
    }

    fn loaded() -> Config {
        let file = "service: app\nimage: acme/app\nservers: {web: {hosts: [h1, h2], cmd: \"bin/web --say 'a b'\", \
            options: {memory: 1g, health-cmd: test -e /up}}}\nregistry: {username: u, password: [P]}\n\
            builder: {arch: amd64}\nenv: {clear: {A: \"$x {{y}}\"}, secret: [KEY]}\nvolumes: [\"data:/data\", \"/etc/a:/a:ro\"]\n\
            x-cluster: {network: overlay, run: services}\n";
        config::load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap().config
    }

    /// The stack file a service is deployed with, and the script around it.
    fn deployed() -> (Value, Text) {
        let (config, fleet) = (loaded(), SimFleet::new(["h1"]));
        let world = fleet.world();
        let keyring: Keyring = [("KEY", Secret::new("s3 $cret\n".to_owned()))].into_iter().collect();
        let cx = Render::new(&config, &keyring, &world, "ann");
        let spec = kamal_core::testing::service_spec(&config, "web", "v1");
        let text = deploy(&spec, &cx).unwrap();
        let script = text.expose();
        let (_, rest) = script.split_once("<<'KAMAL_STACK'\n").unwrap();
        let file = serde_json::from_str(rest.split_once("\nKAMAL_STACK\n").unwrap().0).unwrap();
        (file, text)
    }

    #[test]
    fn a_service_is_a_stack_file_without_anything_of_the_shell_or_the_swarm_in_it() {
        let (file, text) = deployed();
        let web = &file["services"]["web"];
        assert_eq!(web["environment"]["A"], "$$x {{\"{{\"}}y}}");
        assert_eq!(
            (&web["environment"]["KEY"], &web["environment"]["KAMAL_HOST"]),
            (&json!("s3 $$cret\\n"), &json!("{{.Node.Hostname}}"))
        );
        assert!(!text.to_string().contains("s3"), "{text}");
        assert_eq!(web["command"], json!(["bin/web", "--say", "a b"]));
        assert_eq!((&web["deploy"]["replicas"], &web["deploy"]["endpoint_mode"]), (&json!(2), &json!("dnsrr")));
        assert_eq!(web["deploy"]["placement"]["constraints"], json!(["node.labels.kamal.app.web == true"]));
        let update = &web["deploy"]["update_config"];
        assert_eq!((&update["order"], &update["failure_action"]), (&json!("start-first"), &json!("rollback")));
        assert_eq!((&web["labels"]["service"], &web["labels"]["role"]), (&json!("app"), &json!("web")));
        assert_eq!(web["deploy"]["resources"]["limits"]["memory"], "1g");
        assert_eq!(web["volumes"][1], json!({"type": "bind", "source": "/etc/a", "target": "/a", "read_only": true}));
        assert_eq!(file["volumes"], json!({"data": {"name": "data"}}));
        assert_eq!(file["networks"]["all"], json!({"external": true, "name": "kamal-app"}));
    }

    /// Runs the script that deploys a service with a docker whose service is in one state after another.
    fn ended(was: bool, states: &[&str], running: u8) -> (Option<i32>, String, String) {
        ended_with(was, states, running, "task: non-zero exit (3)\\ttask: non-zero exit (3)", "Ready")
    }

    fn ended_with(was: bool, states: &[&str], running: u8, task: &str, node: &str) -> (Option<i32>, String, String) {
        let folder =
            std::env::temp_dir().join(format!("kamal-service-{}-{}", std::process::id(), states.join("") + node));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("states"), states.join("\n") + "\n").unwrap();
        let known = if was { "echo id" } else { "return 1" };
        let docker = format!(
            "sleep() {{ :; }}\ndate() {{ echo >>clock; wc -l <clock; }}\ntimeout() {{ shift; \"$@\"; }}\n\
             docker() {{ case \"$*\" in 'service inspect'*ID*) {known};; 'service inspect'*) head -n 1 states; \
             [ $(wc -l <states) -lt 2 ] || sed -i 1d states;; \
             'node ls'*) echo 'host2 {node}';; 'service ps'*--quiet*) echo t0;; \
             *desired-state=running*) for i in $(seq {running}); do echo 'Running 3 seconds ago'; done;; \
             'service ps'*) printf 't1\\thost2\\t{task}\\tacme/app:v1\\n';; \
             *logs*) echo crashing at start;; 'stack deploy --help'*) ;; \
             'stack deploy '*) echo updated >>told; cat >/dev/null;; *) echo \"$*\" >>told;; esac; }}"
        );
        let (_, text) = deployed();
        let script = format!("{docker}\n{}", *text.expose());
        let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        let told = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
        std::fs::remove_dir_all(&folder).unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), told)
    }

    #[test]
    fn an_update_that_waits_for_a_lost_host_is_done_once_more() {
        let waits = ["updating", "rollback_started", "rollback_completed", "updating", "completed"];
        let (status, said, told) = ended_with(true, &waits, 2, "Assigned 9 seconds ago\\t", "Down");
        assert_eq!((status, said.as_str()), (Some(0), ""));
        assert_eq!(told, "updated\nservice rollback --detach --quiet app_web\nupdated\n");
        // What is still to come is waited for, and what was there before is no matter.
        let comes = ["updating", "updating", "completed"];
        let (status, _, told) = ended_with(true, &comes, 2, "Assigned 9 seconds ago\\t", "Ready");
        assert_eq!((status, told.as_str()), (Some(0), "updated\n"));
        let (_, _, told) = ended_with(true, &comes, 2, "Running 9 seconds ago\\t", "Down");
        assert_eq!(told, "updated\n");
    }

    #[test]
    fn what_becomes_of_a_service_is_read_back() {
        assert_eq!(ended(true, &["updating", "completed"], 2).0, Some(0));
        // A new one has no update: its containers have to keep running.
        assert_eq!(ended(false, &[""], 2).0, Some(0));
        let (status, said, _) = ended(true, &["updating", "rollback_started", "rollback_completed"], 2);
        assert_eq!(status, Some(1));
        let wanted = "a container of app_web on host2 did not come up: task: non-zero exit (3)\n  crashing at start\n\
                      the service app_web went back to what it was\n";
        assert_eq!(said, wanted);
        // One that takes too long is taken back.
        let (status, said, told) = ended(true, &["updating"; 1], 1);
        assert!(status == Some(1) && said.contains("app_web has not come up within"), "{said}");
        assert!(told.contains("service rollback --detach --quiet app_web"), "{told}");
        let (status, said, told) = ended(false, &[""], 1);
        assert!(
            status == Some(1) && said.contains("was removed") && told.contains("service rm app_web"),
            "{said}{told}"
        );
    }
}
