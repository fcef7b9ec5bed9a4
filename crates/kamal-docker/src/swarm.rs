//! Docker's swarm, as far as it joins hosts: membership, one network over all of them, and what a host tells of both.

use std::net::IpAddr;

use kamal_core::{
    cluster::{Address, Joined, Member, Membership, Network},
    config::model::Cluster,
    secret::Secret,
    shell::{Text, escape::word},
    vitals::{PortProbe, Reach},
};
use serde_json::json;

use crate::services;

/// The port swarms talk on.
const PORT: u16 = 2377;

/// Makes the host the first manager of a swarm. What docker prints then holds a token.
pub(crate) fn init(address: &str) -> String {
    let address = word(address);
    format!("docker swarm init --advertise-addr {address} --data-path-addr {address} >/dev/null")
}

/// The question for what lets a host in.
pub(crate) fn token(manager: bool) -> String {
    format!("docker swarm join-token --quiet {}", if manager { "manager" } else { "worker" })
}

/// Joins the host to a swarm. Docker's command takes the token as an argument, which all users of the host can read, so
/// the engine is asked by its socket, what it is asked going through standard input.
pub(crate) fn join(at: &str, address: &str, token: Option<&Secret>) -> Text {
    let token = token.map(|token| token.expose().to_owned()).unwrap_or_default();
    let asked = json!({
        "ListenAddr": format!("0.0.0.0:{PORT}"),
        "AdvertiseAddr": address,
        "DataPathAddr": address,
        "RemoteAddrs": [at],
        "JoinToken": token,
    });
    let mut text = Text::from(
        "(command -v curl >/dev/null || { echo 'curl is needed to join a swarm without showing other users of the host what \
         lets it in; install it' >&2; exit 1; }\n\
         s=${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)}\n\
         case $s in unix://*) s=${s#unix://};; *) s=/var/run/docker.sock;; esac\n\
         said=$(curl -sS -w '\\n%{http_code}' --unix-socket \"$s\" -H 'Content-Type: application/json' --data-binary @- \
         http://docker/swarm/join 2>&1 <<'KAMAL_JOIN'\n",
    );
    text.push_secret(Secret::new(format!("{asked}\n"))).push(
        "KAMAL_JOIN\n)\n\
         case $said in *'\n200') ;; *) printf '%s\\n' \"$said\" | sed '$d; s/^{\"message\":\"\\(.*\\)\"}$/\\1/' >&2; exit 1;; esac)",
    );
    text
}

/// Makes a network over all hosts, where it is not there.
pub(crate) fn create_overlay(name: &str, encrypted: bool) -> String {
    let (name, how) = (word(name), if encrypted { " --opt encrypted" } else { "" });
    format!(
        "docker network inspect {name} >/dev/null 2>&1 || \
         docker network create --driver overlay --attachable{how} {name} >/dev/null"
    )
}

/// Takes the host out of its swarm, unless somebody else needs it there. Docker then forgets the names of all its
/// containers, those on networks of the host alone as well, until each is told its name again.
pub(crate) fn leave(last: bool) -> String {
    let services = if last { "docker service ls --format '{{.Name}}'" } else { "true" };
    let force = if last { " --force" } else { "" };
    format!(
        "(used=$({{ docker ps --filter label=com.docker.swarm.service.name --format '{{{{.Names}}}}'; {services}; }} | head -n 5 | \
         tr '\n' ' ')\n\
         [ -z \"$used\" ] || {{ echo \"the swarm runs services here, which would end: $used\" >&2; exit 1; }}\n\
         trap '' HUP INT TERM\n\
         docker swarm leave{force} || exit 1\n\
         {RENAME})"
    )
}

/// Tells containers their names again, all at once, by another name in between: docker takes no name for the one it has.
const RENAME: &str = "lost=$(for n in $(docker ps -q | xargs -r docker inspect --format '{{.Name}}'); do n=${n#/}\n\
    { docker rename \"$n\" \"${n}_renamed\" && docker rename \"${n}_renamed\" \"$n\"; } >&2 || echo \"$n\" &\n\
    done; wait)\n\
    [ -z \"$lost\" ] || { echo \"it has left, but these containers are not found by name until they are restarted:\" $lost >&2; exit 1; }";

/// Removes a node that has left. Until its manager has noticed that, it has to be told.
pub(crate) fn remove_node(node: &str) -> String {
    let node = word(node);
    format!("! docker node inspect {node} >/dev/null 2>&1 || docker node rm --force {node}")
}

/// Kernel settings without which nothing comes through a network that is encrypted.
const ENCRYPTION: &str = "^CONFIG_(INET_ESP|CRYPTO_GCM)=[ym]";

/// Prints the host's addresses but those of Docker's own.
const ADDRESSES: &str = "ip -o addr show up scope global 2>/dev/null | \
    awk '$2 !~ /^(docker|br-|veth|vxlan|lo$)/ { sub(\"/.*\", \"\", $4); print \"address \" $2 \"\\t\" $4 }'\n";

/// The part of an observation about the addresses by which hosts reach each other, where nothing joins them.
pub(crate) fn look_for_addresses() -> String {
    format!("echo '== joined'; {ADDRESSES}")
}

/// The part of an observation about hosts that are joined.
pub(crate) fn look(cluster: &Cluster) -> String {
    let name = word(&cluster.network);
    format!(
        "echo '== joined'; docker info --format 'swarm {{{{.Swarm.LocalNodeState}}}}\t{{{{.Swarm.NodeID}}}}\t{{{{.Swarm.NodeAddr}}}}\t\
         {{{{.Swarm.ControlAvailable}}}}\t{{{{range .Swarm.RemoteManagers}}}}{{{{.NodeID}}}} {{{{end}}}}' 2>/dev/null\n\
         docker network inspect {name} --format 'network {{{{.Driver}}}}\t{{{{.Attachable}}}}\t\
         {{{{range $name, $_ := .Options}}}}{{{{$name}}}} {{{{end}}}}' 2>/dev/null\n\
         {ADDRESSES}\
         for f in /proc/config.gz /boot/config-$(uname -r); do [ -r \"$f\" ] || continue; \
         echo \"encryption $(gzip -cdf \"$f\" | grep -cE '{ENCRYPTION}')\"; break; done\n"
    )
}

/// What joined hosts reach each other by, and whether by UDP.
const PROBED: [(u16, &str); 4] = [(PORT, "tcp"), (7946, "tcp"), (7946, "udp"), (4789, "udp")];

/// Tries to reach other hosts, all at once. By UDP nobody has to answer: a second message fails where the first was refused.
pub(crate) fn probe(to: &[IpAddr]) -> String {
    let addresses = to.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let ports = PROBED.map(|(port, protocol)| format!("{port}/{protocol}")).join(" ");
    format!(
        "echo '== probes'; command -v bash >/dev/null || exit 0\n\
         for a in {addresses}; do for p in {ports}; do {{\n\
         to=/dev/${{p#*/}}/$a/${{p%/*}}\n\
         timeout 3 bash -c \"exec 3<>$to; case $p in *udp) echo >&3; sleep 0.5; echo >&3;; esac\" 2>/dev/null; s=$?\n\
         case $s in 0) e=open;; 124) e=silent;; *) e=refused;; esac\n\
         echo \"$a ${{p%/*}} ${{p#*/}} $e\"; }} & done; done; wait"
    )
}

/// Reads a line of what came of it.
pub(crate) fn read_probe(line: &str) -> Option<PortProbe> {
    let mut words = line.split(' ');
    let (to, port, protocol, reach) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let reach = match reach {
        "open" => Reach::Open,
        "silent" => Reach::Silent,
        _ => Reach::Refused,
    };
    Some(PortProbe { to: to.parse().ok()?, port: port.parse().ok()?, udp: protocol == "udp", reach })
}

/// Reads a line of that.
pub(crate) fn read(joined: &mut Joined, line: &str) {
    let Some((what, rest)) = line.split_once(' ') else { return };
    let fields: Vec<&str> = rest.split('\t').map(str::trim).collect();
    match (what, &fields[..]) {
        ("swarm", ["inactive" | "", ..]) => joined.swarm = Membership::None,
        ("swarm", ["active", node, address, manager, managers]) => {
            let managers = managers.split_whitespace().map(str::to_owned).collect();
            let mut member = Member::new(*node, *address, managers);
            member.manager = *manager == "true";
            joined.swarm = Membership::Member(member);
        }
        ("swarm", [state, ..]) => joined.swarm = Membership::Unclear((*state).to_owned()),
        ("network", [driver, attachable, options]) => {
            let encrypted = options.split_whitespace().any(|option| option == "encrypted");
            joined.network = Some(Network::new(*driver, *attachable == "true", encrypted));
        }
        ("address", [interface, address]) => {
            let interface = interface.split('@').next().unwrap_or(interface);
            joined.addresses.extend(address.parse().ok().map(|address| Address::new(interface, address)));
        }
        ("node" | "service" | "running", fields) => {
            services::read(joined.managed.get_or_insert_default(), what, fields);
        }
        ("encryption", [settings]) => joined.encrypts = Some(*settings == "2"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &str) -> Joined {
        let mut joined = Joined::default();
        lines.lines().for_each(|line| read(&mut joined, line));
        joined
    }

    #[test]
    fn what_a_host_tells() {
        let manager = told(
            "swarm active\tvrhx\t10.77.3.2\ttrue\tvrhx tjqa \n\
             network overlay\ttrue\tcom.docker.network.driver.overlay.vxlanid_list encrypted \n\
             address eth0@if7\t10.77.3.2\naddress eth0\tfd00::3\nencryption 2\n",
        );
        let member = manager.member().unwrap();
        assert!(member.manager && member.managers == ["vrhx", "tjqa"]);
        assert_eq!((member.node.as_str(), member.address.as_str()), ("vrhx", "10.77.3.2"));
        assert_eq!(manager.network, Some(Network::new("overlay", true, true)));
        let addresses: Vec<String> =
            manager.addresses.iter().map(|known| format!("{} {}", known.interface, known.address)).collect();
        assert_eq!(addresses, ["eth0 10.77.3.2", "eth0 fd00::3"]);
        assert_eq!(manager.encrypts, Some(true));

        let alone = told("swarm inactive\t\t\tfalse\t\nnetwork bridge\tfalse\t\nencryption 0\n");
        assert_eq!((alone.swarm, alone.encrypts), (Membership::None, Some(false)));
        assert_eq!(alone.network, Some(Network::new("bridge", false, false)));
        let locked = told("swarm locked\t\t\tfalse\t\n");
        assert_eq!((locked.swarm, locked.encrypts), (Membership::Unclear("locked".to_owned()), None));
    }

    /// Runs what takes a host out of its swarm with a docker of two containers.
    fn left(rename: &str) -> (String, Option<i32>) {
        let docker = format!(
            "docker() {{ case $1 in ps) [ \"$2\" = -q ] && echo id;; inspect) echo /app-web-1; echo /other;; \
             rename) {rename};; *) echo \"$*\";; esac; }}\nxargs() {{ shift; \"$@\" \"$(cat)\"; }}"
        );
        let script = format!("{docker}\n{}", leave(false));
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let mut lines: Vec<String> = String::from_utf8_lossy(&said).lines().map(str::to_owned).collect();
        lines.sort();
        (lines.join("\n"), output.status.code())
    }

    #[test]
    fn who_leaves_tells_containers_their_names_again() {
        let (said, status) = left("echo \"$2 to $3\"");
        let wanted = "app-web-1 to app-web-1_renamed\napp-web-1_renamed to app-web-1\nother to other_renamed\n\
                      other_renamed to other\nswarm leave";
        assert_eq!((said.as_str(), status), (wanted, Some(0)));
        let (said, status) = left("[ \"$2\" != other ]");
        assert!(said.contains("not found by name until they are restarted: other") && status == Some(1), "{said}");
    }

    #[test]
    fn who_listens_is_told_from_who_does_not() {
        let taken = std::net::TcpListener::bind("127.77.0.9:7946").unwrap();
        let script = probe(&["127.77.0.9".parse().unwrap()]);
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        drop(taken);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let found: Vec<PortProbe> = said.lines().filter_map(read_probe).collect();
        let reach = |port, udp| found.iter().find(|probe| (probe.port, probe.udp) == (port, udp)).unwrap().reach;
        assert_eq!((reach(7946, false), reach(7946, true)), (Reach::Open, Reach::Refused), "{said}");
        assert_eq!(found.len(), PROBED.len(), "{said}");
    }

    #[test]
    fn what_lets_a_host_in_is_no_argument() {
        let folder = std::env::temp_dir().join(format!("kamal-join-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let run = |answer: &str| {
            let programs = format!(
                "docker() {{ echo unix:///run/d.sock; }}\ncurl() {{ echo \"$@\" >arguments; cat >asked; printf '{answer}'; }}"
            );
            let text = join("10.0.0.1:2377", "10.0.0.2", Some(&Secret::new("SWMTKN-1-x")));
            assert!(!text.to_string().contains("SWMTKN"), "{text}");
            let script = format!("{programs}\n{}\necho ended $?", *text.expose());
            let mut command = std::process::Command::new("sh");
            let output = command.args(["-c", &script]).env_remove("DOCKER_HOST").current_dir(&folder).output().unwrap();
            let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            (said(&output.stdout), said(&output.stderr))
        };
        assert_eq!(run("\\n200"), ("ended 0\n".to_owned(), String::new()));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(read("arguments").contains("--unix-socket /run/d.sock") && !read("arguments").contains("SWMTKN"));
        let asked: serde_json::Value = serde_json::from_str(&read("asked")).unwrap();
        assert_eq!((&asked["JoinToken"], &asked["RemoteAddrs"][0]), (&json!("SWMTKN-1-x"), &json!("10.0.0.1:2377")));
        assert_eq!((&asked["AdvertiseAddr"], &asked["DataPathAddr"]), (&json!("10.0.0.2"), &json!("10.0.0.2")));
        let refused = run("{\"message\":\"This node is already part of a swarm.\"}\\n\\n503");
        assert_eq!(refused.0, "ended 1\n");
        assert!(refused.1.starts_with("This node is already part of a swarm.\n"), "{refused:?}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
