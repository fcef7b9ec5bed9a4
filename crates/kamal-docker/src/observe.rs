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
pub(crate) fn text(config: &Config) -> Text {
    let lock = naming::lock_directory(config);
    let filters = naming::service_filters(config);
    let repository = config.repository();
    let accessories: String = config
        .accessories
        .iter()
        .map(|accessory| format!(" --filter label=service={}", kamal_core::shell::escape::word(&accessory.service)))
        .collect();
    // Docker ANDs filters on different keys and ORs equal ones, so all accessories fit in one question.
    let accessories = if accessories.is_empty() {
        String::new()
    } else {
        format!("echo '== accessories'; docker ps --all --no-trunc{accessories} --format '{CONTAINER}'\n")
    };
    format!(
        "echo '== machine'; uname -m; id -un; printf '%s\\n' \"$HOME\"\n\
         echo '== lock'; [ ! -d {lock} ] || {{ base64 -d < {lock}/details 2>/dev/null || echo unreadable; }}\n\
         echo '== boot_config'; ls .kamal/proxy/options .kamal/proxy/image .kamal/proxy/image_version .kamal/proxy/run_command 2>/dev/null\n\
         if c=$(docker ps --all --no-trunc {filters} --format '{CONTAINER}' 2>/dev/null); then\n\
         echo '== docker'; echo yes\n\
         echo '== containers'; printf '%s\\n' \"$c\"\n\
         {accessories}\
         echo '== images'; docker image ls --no-trunc --format '{{{{.ID}}}}\t{{{{.Repository}}}}:{{{{.Tag}}}}' | grep -F -e '\t{repository}:' -e 'kamal-proxy:'\n\
         echo '== proxy'; p=$(docker ps --all --filter 'name=^kamal-proxy$' --format '{{{{.Image}}}}\t{{{{.State}}}}\t{{{{.Networks}}}}'); printf '%s\\n' \"$p\"\n\
         echo '== network'; case $p in *running*kamal) echo kamal;; *) docker network inspect kamal --format '{{{{.Name}}}}' 2>/dev/null;; esac\n\
         fi; :"
    )
    .into()
}

const CONTAINER: &str = "{{.ID}}\t{{.Names}}\t{{.Image}}\t{{.State}}\t{{.Label \"role\"}}";

/// Reads what the script printed.
pub(crate) fn parse(host: &HostName, printed: &str) -> Result<HostState, String> {
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
            // A list of nothing is an empty line.
            "containers" if !line.is_empty() => state.containers.push(container(line)?),
            "accessories" => state.accessories.push(container(line)?),
            "images" => state.images.extend(image(line)),
            "proxy" => state.proxy = proxy(line),
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

fn container(line: &str) -> Result<Container, String> {
    let fields: Vec<&str> = line.split(TAB).collect();
    let [id, names, image, state, role] = fields[..] else {
        return Err(format!("docker listed a container in an unknown form: {line:?}"));
    };
    let state =
        ContainerState::parse(state).ok_or_else(|| format!("docker named an unknown state of {names}: {state:?}"))?;
    Ok(Container {
        id: ContainerId::new(id),
        // A linked container has further names, the own one comes without a slash.
        name: ContainerName::new(names.split(',').find(|name| !name.contains('/')).unwrap_or(names)),
        image: image.to_owned(),
        state,
        role: (!role.is_empty()).then(|| RoleName::new(role)),
    })
}

fn image(line: &str) -> Option<Image> {
    let (id, reference) = line.split_once(TAB)?;
    (!reference.ends_with(":<none>")).then(|| Image { id: id.to_owned(), reference: ImageRef::new(reference) })
}

fn proxy(line: &str) -> Option<ProxyContainer> {
    let mut fields = line.split(TAB);
    let (image, state) = (fields.next()?, fields.next()?);
    Some(ProxyContainer { image: ImageRef::new(image), state: ContainerState::parse(state)? })
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
    use super::*;

    const PRINTED: &str = "== machine\nx86_64\ndeploy\n/home/deploy\n== lock\nLocked by: Ann at 2026-01-01T00:00:00Z\nVersion: 1\n\
        == boot_config\n== docker\nyes\n== containers\n\
        aaa\tapp-web-2\thub/app:2\trunning\tweb\nbbb\tapp-web-1\t0123456789ab\texited\tweb\n== images\n\
        sha256:22\thub/app:2\nsha256:01\thub/app:<none>\n== proxy\nbasecamp/kamal-proxy:v0.9.2\trunning\tkamal\n== network\nkamal\n";

    #[test]
    fn reads_a_whole_answer() {
        let state = parse(&HostName::new("h"), PRINTED).unwrap();
        assert_eq!((state.machine.arch.as_str(), state.machine.user.as_str()), ("amd64", "deploy"));
        assert_eq!(state.containers.len(), 2);
        assert_eq!(state.containers[1].state, ContainerState::Exited);
        assert_eq!(state.images.len(), 1);
        assert!(state.network && !state.boot_config);
        assert_eq!(state.lock.as_deref(), Some("Locked by: Ann at 2026-01-01T00:00:00Z\nVersion: 1\n"));
        assert!(state.docker && state.proxy.is_some());
    }

    #[test]
    fn a_host_without_docker_is_told_apart_from_an_answer_cut_short() {
        let state = parse(&HostName::new("h"), "== machine\naarch64\nroot\n/root\n== lock\n== boot_config\n").unwrap();
        assert_eq!((state.docker, state.machine.arch.as_str(), state.lock), (false, "arm64", None));
        assert!(parse(&HostName::new("h"), "== machine\nx86_64\n").is_err());
        let odd = PRINTED.replace("\trunning\tweb", "\tfloating\tweb");
        assert!(parse(&HostName::new("h"), &odd).unwrap_err().contains("floating"));
    }
}
