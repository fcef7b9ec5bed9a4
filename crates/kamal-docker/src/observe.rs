//! One script that asks a host everything, and how its answers are read (replaces most of the 42 questions Kamal asks,
//! one round trip each).

use std::str::FromStr;

use kamal_core::{
    config::{Config, model::Registry},
    lock::{self, Held},
    name::{HostName, NameError},
    naming,
    ports::AnswerError,
    shell::{Text, escape::word},
    state::{Container, ContainerState, Deployed, HostState, Image, ProxyContainer, Rollout, RouteState},
};

use crate::{hub, login, services, swarm};

/// Separates fields; no name, image or label may hold it.
const TAB: char = '\t';

/// The script. Every section begins with a line `== NAME`. Sections that need docker are left out where it is missing.
/// Each question to docker is a process that costs more than its answer, so there are three, side by side: one lists all
/// containers of the host, and [`parse`] picks those that matter; the others print images and what the proxy leads to
/// meanwhile.
/// That a host belongs to a swarm shows without docker, by a bridge it has made.
pub(crate) fn text(config: &Config) -> Text {
    let lock = lock::look(&naming::lock_directory(config));
    let audit = word(&naming::audit_log(config));
    let booted = word(&naming::accessory_env_directory(config));
    let rollout = word(&naming::rollout_note(config));
    let repository = word(&format!("\t{}:", config.repository()));
    let registries = config.accessories.iter().filter_map(|accessory| accessory.registry.as_ref());
    let logs_in = registries.chain([&config.registry]).any(Registry::needs_login);
    let logins = if logs_in { format!("echo '== logins'; {}\n", login::OBSERVE) } else { String::new() };
    let [in_short, in_full] = hub::spellings(&config.repository()).map(|name| word(&format!("\t{name}:")));
    let joined = match (&config.cluster, &config.between_hosts) {
        (Some(cluster), _) if cluster.services.is_some() => {
            format!("{}{}", swarm::look(cluster), services::look(&config.service, config.destination.as_ref()))
        }
        (Some(cluster), _) => swarm::look(cluster),
        (None, Some(_)) => swarm::look_for_addresses(),
        (None, None) => String::new(),
    };
    format!(
        "echo '== machine'; uname -m; id -un; printf '%s\\n' \"$HOME\"\n\
         echo '== emulated'; cat /proc/sys/fs/binfmt_misc/qemu-* 2>/dev/null | sed -n 's|^interpreter .*/qemu-||p'\n\
         echo '== disk'; d=$(sed -n 's/.*\"data-root\" *: *\"\\([^\"]*\\)\".*/\\1/p' /etc/docker/daemon.json 2>/dev/null); \
         df -Pk \"${{d:-/var/lib/docker}}\" 2>/dev/null | tail -n 1\n\
         echo '== lock'; {lock}\n\
         echo '== boot_config'; ls .kamal/proxy/options .kamal/proxy/image .kamal/proxy/image_version .kamal/proxy/run_command 2>/dev/null\n\
         echo '== apps'; ls .kamal/apps 2>/dev/null\n\
         echo '== booted'; ls {booted} 2>/dev/null\n\
         echo '== rollout'; cat {rollout} 2>/dev/null\n\
         echo '== history'; [ ! -f {audit} ] || grep -a ' as the latest image$' {audit} | tail -n 100\n\
         {logins}{joined}echo '== images'; {{ docker image ls --no-trunc --format '{{{{.ID}}}}\t{{{{.Repository}}}}:{{{{.Tag}}}}\t{{{{.Digest}}}}' 2>/dev/null | grep -F -e {repository} -e {in_short} -e {in_full} -e 'kamal-proxy:'; }} &\n\
         docker exec {proxy} kamal-proxy list 2>/dev/null | sed 's/^/route\t/' &\n\
         c=$(docker ps --all --no-trunc --format '{CONTAINER}' 2>/dev/null); s=$?; wait\n\
         if [ $s = 0 ]; then\n\
         echo '== docker'; echo yes\n\
         echo '== containers'; printf '%s\\n' \"$c\"\n\
         echo '== network'; case $c in *'\trunning\tkamal\t'*) echo kamal;; \
         *) docker network inspect kamal --format '{{{{.Name}}}}' 2>/dev/null;; esac\n\
         ! grep -qs 'docker_gwbridge:' /proc/net/dev || {{ echo '== swarm'; docker info --format \
         '{{{{.Swarm.LocalNodeState}}}} {{{{.Swarm.ControlAvailable}}}}'; docker network inspect kamal --format '{{{{.Driver}}}}'; }} 2>/dev/null\n\
         fi; :",
        proxy = naming::PROXY_CONTAINER,
    )
    .into()
}

/// The labels come last: those of other people's containers may hold anything.
const CONTAINER: &str = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.State}}\t{{.Networks}}\t{{.Status}}\t{{.Label \"service\"}}\t{{.Label \"destination\"}}\t{{.Label \"role\"}}";

/// Reads what the script printed.
pub(crate) fn parse(config: &Config, host: &HostName, printed: &str) -> Result<HostState, AnswerError> {
    let mut state = HostState::new(host.clone());
    let (mut section, mut machine, mut lock) = ("", Vec::new(), Vec::new());
    let (mut owners, mut swarm, mut booted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut emulated, mut free) = (Vec::new(), None);
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            section = name;
            continue;
        }
        match section {
            "machine" => machine.push(line),
            "emulated" => emulated.push(docker_arch(line.split(['-', ' ']).next().unwrap_or(line))),
            "disk" => free = line.split_whitespace().nth(3).and_then(|kilobytes| kilobytes.parse::<u64>().ok()),
            "docker" => state.docker = true,
            "containers" => {
                owners.extend(owner(line));
                listed(&mut state, config, &booted, line)?;
            }
            "images" => match line.strip_prefix("route\t") {
                Some(row) => state.routes.extend(route(row)),
                None => listed_image(config, &mut state.images, line),
            },
            "apps" => state.apps.push(line.to_owned()),
            "booted" => booted.extend(line.strip_suffix(".env")),
            "rollout" => state.rollout = Rollout::read(line),
            "history" => state.history.extend(deployed(config, line)),
            "network" => state.network = line == naming::NETWORK,
            "swarm" => swarm.push(line),
            "joined" => swarm::read(state.joined.get_or_insert_default(), line),
            "logins" => state.logins.push(line.to_owned()),
            "lock" => lock.push(line),
            "boot_config" => state.boot_config = true,
            _ => {}
        }
    }
    let [arch, user, home] = machine[..] else {
        let beginning: String = printed.chars().take(200).collect();
        return Err(AnswerError::new(format!("the host's answer was cut short: {beginning:?}")));
    };
    state.machine.arch = docker_arch(arch);
    state.machine.user = user.into();
    state.machine.home = home.into();
    state.machine.emulated = emulated;
    state.machine.free = free.and_then(|kilobytes| kilobytes.checked_mul(1024));
    state.hides_overlay = swarm == ["active false", "bridge"];
    state.lock = Held::read(lock);
    for route in &mut state.routes {
        let led_to = |(id, _): &&(&str, &str)| route.targets.iter().any(|target| id.starts_with(target.as_str()));
        route.owner = owners.iter().find(led_to).map(|(_, service)| (*service).to_owned());
    }
    Ok(state)
}

/// A container's id and whose it is, where it says so.
fn owner(line: &str) -> Option<(&str, &str)> {
    let fields: Vec<&str> = line.split(TAB).collect();
    let [id, _, _, _, _, _, service, ..] = fields[..] else { return None };
    (!service.is_empty()).then_some((id, service))
}

/// Puts a container where it belongs; what is somebody else's is left out, in whatever form it comes. Accessories that
/// were `booted` by this app are its own, whether deploy.yml has them still or not.
fn listed(state: &mut HostState, config: &Config, booted: &[&str], line: &str) -> Result<(), AnswerError> {
    let fields: Vec<&str> = line.split(TAB).collect();
    let [id, names, image, word, networks, status, service, destination, role] = fields[..] else { return Ok(()) };
    // A linked container has further names, the own one comes without a slash.
    let name = names.split(',').find(|name| !name.contains('/')).unwrap_or(names);
    let is_proxy = name == naming::PROXY_CONTAINER;
    let is_app = service == config.service.as_str() && destination == config.destination.as_deref().unwrap_or_default();
    let accessory = service.strip_prefix(config.service.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let was_booted = role.is_empty() && accessory.is_some_and(|name| booted.contains(&name));
    let is_accessory = was_booted || config.accessories.iter().any(|accessory| accessory.service.as_str() == service);
    if !(is_proxy || is_app || is_accessory) {
        return Ok(());
    }
    let unknown = || AnswerError::new(format!("docker named an unknown state of {name}: {word:?}"));
    let named = ContainerState::parse(word).ok_or_else(unknown)?;
    if is_proxy {
        let mut proxy = ProxyContainer::new(strange(hub::short(image))?, named);
        proxy.networks = networks_of(networks);
        state.proxy = Some(proxy);
    }
    let mut container = Container::new(strange(id)?, strange(name)?, spelled(config, image), named);
    status.clone_into(&mut container.status);
    container.role = role.parse().ok();
    container.networks = networks_of(networks);
    if is_app {
        state.containers.push(container);
    } else if is_accessory {
        state.accessories.push(container);
    }
    Ok(())
}

/// A name docker printed, which could not be one if it printed something else.
fn strange<N: FromStr<Err = NameError>>(text: &str) -> Result<N, AnswerError> {
    text.parse().map_err(|error: NameError| AnswerError::new(format!("docker named something strangely: {error}")))
}

fn networks_of(listed: &str) -> Vec<String> {
    listed.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Docker lists an image once for each digest its name is known by.
fn listed_image(config: &Config, images: &mut Vec<Image>, line: &str) {
    let mut fields = line.split(TAB);
    let (Some(id), Some(reference)) = (fields.next(), fields.next()) else { return };
    let reference = spelled(config, reference);
    let digests = fields.filter(|digest| *digest != "<none>").map(str::to_owned);
    if let Some(image) = images.iter_mut().find(|image| image.id == id && image.reference.as_str() == reference) {
        image.digests.extend(digests);
    } else if !reference.ends_with(":<none>")
        && let Ok(reference) = reference.parse()
    {
        let mut image = Image::new(id, reference);
        image.digests.extend(digests);
        images.push(image);
    }
}

/// An image's name as it is in the configuration, however docker spells it.
fn spelled(config: &Config, image: &str) -> String {
    let repository = config.repository();
    let tag = hub::short(image).strip_prefix(hub::short(&repository)).filter(|tag| tag.starts_with([':', '@']));
    tag.map_or_else(|| hub::short(image).to_owned(), |tag| format!("{repository}{tag}"))
}

/// A row of what `kamal-proxy list` prints: columns of any width, coloured, two blanks between them.
fn route(row: &str) -> Option<RouteState> {
    let mut plain = String::new();
    let mut rest = row;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, text)| text);
    }
    plain.push_str(rest);
    let columns: Vec<&str> = plain.split("  ").map(str::trim).filter(|column| !column.is_empty()).collect();
    let [service, hosts, paths, targets, ..] = columns[..] else { return None };
    // The port, and the network it is found on, are left out.
    let id = |target: &str| {
        let name = target.split(':').next().unwrap_or(target);
        name.strip_suffix(naming::NETWORK).and_then(|name| name.strip_suffix('.')).unwrap_or(name).to_owned()
    };
    let mut route = RouteState::default();
    service.clone_into(&mut route.service);
    hosts.clone_into(&mut route.hosts);
    paths.clone_into(&mut route.paths);
    route.targets = targets.split(',').map(id).collect();
    (service != "Service").then_some(route)
}

/// A line of the audit log that says which version is the latest from then on.
fn deployed(config: &Config, line: &str) -> Option<Deployed> {
    let (tags, text) = line.rsplit_once("] ")?;
    let image = text.strip_prefix("Tagging ")?.strip_suffix(" as the latest image")?;
    let version = image.strip_prefix(&config.repository())?.strip_prefix(':')?;
    let mut tags = tags.split("] ").map(|tag| tag.trim_start_matches('['));
    let (at, by) = (tags.next()?, tags.next()?);
    Some(Deployed::new(version.parse().ok()?, at, by))
}

/// `uname -m` in Docker's spelling.
fn docker_arch(machine: &str) -> String {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        other => other,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use kamal_core::{
        config::{self, Source},
        testing::NoTemplateWorld,
    };

    use super::*;

    const PRINTED: &str = "== machine\nx86_64\ndeploy\n/home/deploy\n== lock\nnow boot 17\ndetails TG9ja2VkIGJ5OiBBbm4=\n\
        == emulated\naarch64-static\narm\n== disk\n/dev/vda1 10255636 3333333 512000 36% /\n== boot_config\n== apps\napp\nother\n== booted\nold.env\nweb.env\n== history\n\
        [2026-01-01T00:00:00Z] [ann@a.b] [staging] Tagging hub/app:1 as the latest image\n\
        [2026-01-02T00:00:00Z] [bob] Tagging hub/app:2 as the latest image\n== docker\nyes\n== containers\n\
        aaa\tapp-web-2\thub/app:2\trunning\tkamal\tUp 2 hours\tapp\t\tweb\nbbb\tapp-web-1\t0123456789ab\texited\tkamal\tExited (0) 5 minutes ago\tapp\t\tweb\n\
        ccc\tapp-web-staging-1\thub/app:1\trunning\tkamal\tUp 1 hour\tapp\tstaging\tweb\n\
        ddd\tapp-db\tmysql:8\trunning\tkamal\tUp 1 hour\tapp-db\t\t\n\
        dde\tapp-old\tredis:7\trunning\tkamal\tUp 1 hour\tapp-old\t\t\nddf\tapp-new\tredis:7\trunning\tkamal\tUp\tapp-new\t\t\n\
        ddg\tapp-web-7\thub/web\trunning\tkamal\tUp\tapp-web\t\tweb\n\
        eee\tother\tother\tfloating\tbridge\tUp\tsome\nlabel\twith everything\t\tin it\n\
        fff\tkamal-proxy\tbasecamp/kamal-proxy:v0.9.2\trunning\tkamal\tUp\t\t\t\n== images\n\
        route\t\u{1b}[3;94mService\u{1b}[0m  \u{1b}[3;94mHost\u{1b}[0m  \u{1b}[3;94mPath\u{1b}[0m  \u{1b}[3;94mTarget\u{1b}[0m  \u{1b}[3;94mState\u{1b}[0m  \u{1b}[3;94mTLS\u{1b}[0m  \n\
        route\t\u{1b}[1;34mapp-web\u{1b}[0m  \u{1b}[ma.com\u{1b}[0m  \u{1b}[m/\u{1b}[0m     \u{1b}[maaa:80\u{1b}[0m  \u{1b}[mrunning\u{1b}[0m  \u{1b}[mno\u{1b}[0m   \n\
        sha256:22\thub/app:2\tsha256:a1\nsha256:22\thub/app:2\tsha256:a2\nsha256:01\thub/app:<none>\tsha256:a3\n\
        sha256:33\thub/app:3\t<none>\n== logins\n0a1b  -\n== network\nkamal\n";

    fn read(printed: &str) -> Result<HostState, AnswerError> {
        let file = "service: app\nimage: hub/app\nservers: [h]\nregistry: {username: u, password: [P]}\n\
            builder: {arch: amd64}\naccessories: {db: {image: mysql:8, host: h}}\n";
        let loaded = config::load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap();
        parse(&loaded.config, &"h".parse().unwrap(), printed)
    }

    #[test]
    fn reads_a_whole_answer() {
        let state = read(PRINTED).unwrap();
        assert_eq!((state.machine.arch.as_str(), state.machine.user.as_str()), ("amd64", "deploy"));
        assert_eq!(
            (state.machine.emulated, state.machine.free),
            (vec!["arm64".into(), "arm".into()], Some(512_000 * 1024))
        );
        let names = |containers: &[Container]| containers.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&state.containers), ["app-web-2", "app-web-1"]);
        // One that this app had once, and neither another app's nor another app.
        assert_eq!(names(&state.accessories), ["app-db", "app-old"]);
        assert_eq!(state.containers[1].state, ContainerState::Exited);
        let images: Vec<(&str, &[String])> =
            state.images.iter().map(|image| (image.reference.as_str(), &image.digests[..])).collect();
        let both = ["sha256:a1".to_owned(), "sha256:a2".to_owned()];
        assert_eq!(images, [("hub/app:2", &both[..]), ("hub/app:3", &[])]);
        assert_eq!(state.logins, ["0a1b  -"]);
        let [route] = &state.routes[..] else { panic!("{:?}", state.routes) };
        let told = [&route.service, &route.hosts, &route.paths, &route.targets[0]];
        assert_eq!(told, ["app-web", "a.com", "/", "aaa"]);
        let targets = |text: &str| super::route(&format!("app-web  a.com  /  {text}  running  no")).unwrap().targets;
        assert_eq!(targets("aaa.kamal:80,10.0.0.1:80,kamal:80"), ["aaa", "10.0.0.1", "kamal"]);
        assert_eq!((route.owner.as_deref(), route.targets.len()), (Some("app"), 1));
        assert_eq!(state.apps, ["app", "other"]);
        let known = |entry: &Deployed| format!("{} {} {}", entry.version, entry.at, entry.by);
        let known: Vec<String> = state.history.iter().map(known).collect();
        assert_eq!(known, ["1 2026-01-01T00:00:00Z ann@a.b", "2 2026-01-02T00:00:00Z bob"]);
        assert!(state.network && !state.boot_config);
        assert_eq!(state.lock.map(|held| held.details).as_deref(), Some("Locked by: Ann"));
        assert_eq!(state.proxy.unwrap().image.as_str(), "basecamp/kamal-proxy:v0.9.2");
        assert!(state.docker && !state.hides_overlay);
        for (swarm, hides) in
            [("active false\nbridge", true), ("active false\noverlay", false), ("active true\nbridge", false)]
        {
            assert_eq!(read(&format!("{PRINTED}== swarm\n{swarm}\n")).unwrap().hides_overlay, hides, "{swarm}");
        }
    }

    #[test]
    fn a_rollout_is_what_was_noted() {
        assert_eq!(read(PRINTED).unwrap().rollout, None);
        let noted = PRINTED.replace("== images", "== rollout\n4f2a91c 25\n== images");
        assert_eq!(read(&noted).unwrap().rollout, Some(Rollout::new("4f2a91c".parse().unwrap(), 25)));
        let cut_short = PRINTED.replace("== images", "== rollout\n4f2\n== images");
        assert_eq!(read(&cut_short).unwrap().rollout, None);
    }

    #[test]
    fn images_of_docker_hub_are_called_as_in_the_configuration() {
        for (server, name) in [("", "hub/app"), ("server: docker.io, ", "docker.io/hub/app")] {
            let file = format!(
                "service: app\nimage: hub/app\nservers: [h]\nregistry: {{{server}username: u, password: [P]}}\nbuilder: {{arch: amd64}}\n"
            );
            let config = config::load(&Source::new("config/deploy.yml", file), None, &NoTemplateWorld).unwrap().config;
            for printed in ["hub/app:2", "docker.io/hub/app:2"] {
                assert_eq!(spelled(&config, printed), format!("{name}:2"), "{printed}");
            }
            assert_eq!(spelled(&config, "hub/apple:2"), "hub/apple:2");
            assert_eq!(spelled(&config, "docker.io/library/redis:7"), "redis:7");
        }
    }

    #[test]
    fn a_host_without_docker_is_told_apart_from_an_answer_cut_short() {
        let state = read("== machine\naarch64\nroot\n/root\n== lock\n== boot_config\n").unwrap();
        assert_eq!((state.docker, state.machine.arch.as_str(), state.lock), (false, "arm64", None));
        assert!(read("== machine\nx86_64\n").is_err());
        for word in ["stopped", "configured", "initialized", "stopping"] {
            let podman = PRINTED.replace("\texited\tkamal", &format!("\t{word}\tkamal"));
            let podman = read(&podman.replace("\thub/app:2", "\tdocker.io/hub/app:2")).unwrap();
            assert_eq!((podman.containers.len(), podman.images[0].reference.as_str()), (2, "hub/app:2"), "{word}");
        }
        let odd = PRINTED.replace("\trunning\tkamal\tUp 2 hours", "\tsinking\tkamal\tUp 2 hours");
        assert!(read(&odd).unwrap_err().to_string().contains("sinking"));
    }
}
