//! One script that asks a host everything, and how its answers are read (replaces most of the 42 questions Kamal asks,
//! one round trip each).

use kamal_core::{
    config::Config,
    name::{ContainerId, ContainerName, HostName, ImageRef, RoleName},
    naming,
    shell::Text,
    state::{Container, ContainerState, HostState, Image, Machine, ProxyContainer},
};

/// Separates fields; no name, image or label may hold it.
const TAB: char = '\t';

/// The script. Every section begins with a line `== NAME`. Sections that need docker are left out where it is missing.
/// Each question to docker is a process that costs more than its answer, so there are two, side by side: one lists all
/// containers of the host, and [`parse`] picks those that matter; the other prints images meanwhile.
pub(crate) fn text(config: &Config) -> Text {
    let lock = naming::lock_directory(config);
    let repository = config.repository();
    format!(
        "echo '== machine'; uname -m; id -un; printf '%s\\n' \"$HOME\"\n\
         echo '== lock'; [ ! -d {lock} ] || {{ base64 -d < {lock}/details 2>/dev/null || echo unreadable; }}\n\
         echo '== boot_config'; ls .kamal/proxy/options .kamal/proxy/image .kamal/proxy/image_version .kamal/proxy/run_command 2>/dev/null\n\
         echo '== images'; {{ docker image ls --no-trunc --format '{{{{.ID}}}}\t{{{{.Repository}}}}:{{{{.Tag}}}}' 2>/dev/null | grep -F -e '\t{repository}:' -e 'kamal-proxy:'; }} &\n\
         c=$(docker ps --all --no-trunc --format '{CONTAINER}' 2>/dev/null); s=$?; wait\n\
         if [ $s = 0 ]; then\n\
         echo '== docker'; echo yes\n\
         echo '== containers'; printf '%s\\n' \"$c\"\n\
         echo '== network'; case $c in *'\trunning\tkamal\t'*) echo kamal;; \
         *) docker network inspect kamal --format '{{{{.Name}}}}' 2>/dev/null;; esac\n\
         fi; :"
    )
    .into()
}

/// The labels come last: those of other people's containers may hold anything.
const CONTAINER: &str = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.State}}\t{{.Networks}}\t{{.Label \"service\"}}\t{{.Label \"destination\"}}\t{{.Label \"role\"}}";

/// Reads what the script printed.
pub(crate) fn parse(config: &Config, host: &HostName, printed: &str) -> Result<HostState, String> {
    let mut state = HostState {
        host: host.clone(),
        machine: Machine::default(),
        docker: false,
        containers: Vec::new(),
        accessories: Vec::new(),
        images: Vec::new(),
        proxy: None,
        boot_config: false,
        network: false,
        lock: None,
    };
    let (mut section, mut machine, mut lock) = ("", Vec::new(), String::new());
    for line in printed.lines() {
        if let Some(name) = line.strip_prefix("== ") {
            section = name;
            if section == "lock" {
                lock.clear();
            }
            continue;
        }
        match section {
            "machine" => machine.push(line),
            "docker" => state.docker = true,
            "containers" => listed(&mut state, config, line)?,
            "images" => state.images.extend(image(line)),
            "network" => state.network = line == naming::NETWORK,
            "lock" => {
                lock.push_str(line);
                lock.push('\n');
            }
            "boot_config" => state.boot_config = true,
            _ => {}
        }
    }
    let [arch, user, home] = machine[..] else {
        return Err(format!("the host's answer was cut short: {:?}", printed.chars().take(200).collect::<String>()));
    };
    state.machine = Machine { arch: docker_arch(arch), user: user.into(), home: home.into() };
    state.lock = (!lock.is_empty()).then_some(lock);
    Ok(state)
}

/// Puts a container where it belongs; what is somebody else's is left out, in whatever form it comes.
fn listed(state: &mut HostState, config: &Config, line: &str) -> Result<(), String> {
    let fields: Vec<&str> = line.split(TAB).collect();
    let [id, names, image, word, _networks, service, destination, role] = fields[..] else { return Ok(()) };
    // A linked container has further names, the own one comes without a slash.
    let name = names.split(',').find(|name| !name.contains('/')).unwrap_or(names);
    let is_proxy = name == naming::PROXY_CONTAINER;
    let is_app = service == config.service.as_str() && destination == config.destination.as_deref().unwrap_or_default();
    let is_accessory = config.accessories.iter().any(|accessory| accessory.service.as_str() == service);
    if !(is_proxy || is_app || is_accessory) {
        return Ok(());
    }
    let named =
        ContainerState::parse(word).ok_or_else(|| format!("docker named an unknown state of {name}: {word:?}"))?;
    if is_proxy {
        state.proxy = Some(ProxyContainer { image: ImageRef::new(image), state: named });
    }
    let container = Container {
        id: ContainerId::new(id),
        name: ContainerName::new(name),
        image: image.to_owned(),
        state: named,
        role: (!role.is_empty()).then(|| RoleName::new(role)),
    };
    if is_app {
        state.containers.push(container);
    } else if is_accessory {
        state.accessories.push(container);
    }
    Ok(())
}

fn image(line: &str) -> Option<Image> {
    let (id, reference) = line.split_once(TAB)?;
    (!reference.ends_with(":<none>")).then(|| Image { id: id.to_owned(), reference: ImageRef::new(reference) })
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
        testing::NothingOutside,
    };

    use super::*;

    const PRINTED: &str = "== machine\nx86_64\ndeploy\n/home/deploy\n== lock\nLocked by: Ann at 2026-01-01T00:00:00Z\nVersion: 1\n\
        == boot_config\n== docker\nyes\n== containers\n\
        aaa\tapp-web-2\thub/app:2\trunning\tkamal\tapp\t\tweb\nbbb\tapp-web-1\t0123456789ab\texited\tkamal\tapp\t\tweb\n\
        ccc\tapp-web-staging-1\thub/app:1\trunning\tkamal\tapp\tstaging\tweb\n\
        ddd\tapp-db\tmysql:8\trunning\tkamal\tapp-db\t\t\n\
        eee\tother\tother\tfloating\tbridge\tsome\nlabel\twith everything\t\tin it\n\
        fff\tkamal-proxy\tbasecamp/kamal-proxy:v0.9.2\trunning\tkamal\t\t\t\n== images\n\
        sha256:22\thub/app:2\nsha256:01\thub/app:<none>\n== network\nkamal\n";

    fn read(printed: &str) -> Result<HostState, String> {
        let file = "service: app\nimage: hub/app\nservers: [h]\nregistry: {username: u, password: [P]}\n\
            builder: {arch: amd64}\naccessories: {db: {image: mysql:8, host: h}}\n";
        let loaded = config::load(&Source::new("config/deploy.yml", file), None, &NothingOutside).unwrap();
        parse(&loaded.config, &HostName::new("h"), printed)
    }

    #[test]
    fn reads_a_whole_answer() {
        let state = read(PRINTED).unwrap();
        assert_eq!((state.machine.arch.as_str(), state.machine.user.as_str()), ("amd64", "deploy"));
        let names = |containers: &[Container]| containers.iter().map(|one| one.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&state.containers), ["app-web-2", "app-web-1"]);
        assert_eq!(names(&state.accessories), ["app-db"]);
        assert_eq!(state.containers[1].state, ContainerState::Exited);
        assert_eq!(state.images.len(), 1);
        assert!(state.network && !state.boot_config);
        assert_eq!(state.lock.as_deref(), Some("Locked by: Ann at 2026-01-01T00:00:00Z\nVersion: 1\n"));
        assert_eq!(state.proxy.unwrap().image.as_str(), "basecamp/kamal-proxy:v0.9.2");
        assert!(state.docker);
    }

    #[test]
    fn a_host_without_docker_is_told_apart_from_an_answer_cut_short() {
        let state = read("== machine\naarch64\nroot\n/root\n== lock\n== boot_config\n").unwrap();
        assert_eq!((state.docker, state.machine.arch.as_str(), state.lock), (false, "arm64", None));
        assert!(read("== machine\nx86_64\n").is_err());
        let odd = PRINTED.replace("\trunning\tkamal\tapp\t\tweb", "\tsinking\tkamal\tapp\t\tweb");
        assert!(read(&odd).unwrap_err().contains("sinking"));
    }
}
