//! Docker networks (spec 9.3).

use kamal_core::shell::escape::word;

/// Creates a network that is not there. On a worker of a swarm it is not, unless it is to be `local`: an overlay network of
/// that name, which a worker only sees once a container joins it, would be hidden by a local one for good, without a word.
pub(crate) fn create(name: &str, local: bool) -> String {
    let name = word(name);
    if local {
        return format!(
            "(docker network inspect {name} >/dev/null 2>&1 || docker network create {name} >/dev/null 2>&1 || \
             docker network inspect {name} >/dev/null)"
        );
    }
    format!(
        "(docker network inspect {name} >/dev/null 2>&1 && exit 0\n\
         case $(docker info --format '{{{{.Swarm.LocalNodeState}}}} {{{{.Swarm.ControlAvailable}}}}' 2>/dev/null) in 'active false')\n\
         echo \"this host is a worker of a swarm, where a network {name} made here would hide an overlay network of that name. \\\n\
Make one on a manager with 'docker network create --driver overlay --attachable {name}' and start a container on it here, or, \\\n\
if it is to be a network of this host alone, make it here with 'docker network create {name}'\" >&2; exit 1;; esac\n\
         docker network create {name} >/dev/null 2>&1 || docker network inspect {name} >/dev/null)"
    )
}

/// Joins a container to a network it has lost. One that shares the network of the host or of another container cannot
/// join any, and need not.
pub(crate) fn connect(network: &str, container: &str, aliases: &[String]) -> String {
    let (at, name) = (word(container), word(network));
    format!(
        "case $(docker inspect --format '{{{{.HostConfig.NetworkMode}}}} {{{{range $name, $_ := .NetworkSettings.Networks}}}}\
         {{{{$name}}}} {{{{end}}}}' {at}) in 'host '*|container:*|*' '{name}' '*) ;; *) {};; esac",
        attach(network, &at, aliases)
    )
}

/// Puts a container, in shell text, on a network, where it answers to some names.
pub(crate) fn attach(network: &str, container: &str, aliases: &[String]) -> String {
    let aliases: String = aliases.iter().map(|alias| format!("--alias {} ", word(alias))).collect();
    format!("docker network connect {aliases}{} {container}", word(network))
}

/// Takes a container off a network.
pub(crate) fn disconnect(network: &str, container: &str) -> String {
    let (network, container) = (word(network), word(container));
    format!(
        "case \" $(docker inspect --format '{{{{range $name, $_ := .NetworkSettings.Networks}}}}{{{{$name}}}} {{{{end}}}}' \
         {container} 2>/dev/null)\" in *' '{network}' '*) docker network disconnect --force {network} {container};; esac"
    )
}
