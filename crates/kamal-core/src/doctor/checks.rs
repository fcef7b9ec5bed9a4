//! The table of checks: what each asks, how it judges, and what puts right what it finds.

use super::{Finding, Judgement, Patient, here, hosts, hosts::Seen, joined};
use crate::hint::Hint;

/// A row of the table.
pub(super) struct Check {
    pub(super) name: &'static str,
    /// What it asks.
    pub(super) asks: &'static str,
    /// What puts it right.
    pub(super) fix: &'static str,
    pub(super) judge: Judge,
}

/// What a check judges by.
#[derive(Clone, Copy)]
pub(super) enum Judge {
    /// This machine and the project.
    Here(fn(&Patient<'_>) -> Verdict),
    /// The way to a host.
    Connection(fn(&super::Surveyed) -> Verdict),
    /// A host that was reached; `None` where the question does not arise.
    Host(fn(&Seen<'_>) -> Option<Verdict>),
}

/// How it is, and what was found.
pub(super) type Verdict = (Judgement, String);

const TABLE: [Check; 23] = [
    Check {
        name: "config",
        asks: "Is deploy.yml understood, and does it select hosts?",
        fix: "`kamal config validate` says what is wrong and where",
        judge: Judge::Here(here::config),
    },
    Check {
        name: "secrets",
        asks: "Can every secret a deploy needs be had?",
        fix: "add what is missing to .kamal/secrets",
        judge: Judge::Here(here::secrets),
    },
    Check {
        name: "docker",
        asks: "Is there a Docker on this machine that builds images?",
        fix: "install Docker and start it, or set `builder/remote` and `builder/local: false`",
        judge: Judge::Here(here::docker),
    },
    Check {
        name: "buildx",
        asks: "Does it have buildx?",
        fix: "install the package docker-buildx-plugin",
        judge: Judge::Here(here::buildx),
    },
    Check {
        name: "git",
        asks: "Is there git, which tells versions and makes the clone images are built from?",
        fix: "install git, or set `builder/context: .` and give --version",
        judge: Judge::Here(here::git),
    },
    Check {
        name: "ssh_agent",
        asks: "Does an SSH agent hold keys?",
        fix: "start one and give it your key (`eval $(ssh-agent)`, `ssh-add`), or name key files in `ssh/keys`",
        judge: Judge::Here(here::agent),
    },
    Check {
        name: "ssh",
        asks: "Is the host reached over SSH, and does it let us in?",
        fix: "`kamal doctor ssh` goes the way step by step and says where it ends",
        judge: Judge::Connection(hosts::reached),
    },
    Check {
        name: "docker_of_host",
        asks: "Is there a Docker of a version that will do, and does it answer?",
        fix: "`kamal server bootstrap` installs Docker; `systemctl enable --now docker` starts it",
        judge: Judge::Host(hosts::docker),
    },
    Check {
        name: "rights",
        asks: "May whoever logs in use Docker?",
        fix: "`usermod -aG docker USER` on the host, as root, and log in anew",
        judge: Judge::Host(hosts::rights),
    },
    Check {
        name: "log_driver",
        asks: "Does Docker keep logs where `kamal app logs` finds them?",
        fix: "set `log-driver` to `local` or `json-file` in /etc/docker/daemon.json, or `logging/driver` in deploy.yml",
        judge: Judge::Host(hosts::log_driver),
    },
    Check {
        name: "disk",
        asks: "Is there room where Docker keeps images and containers?",
        fix: "make room with `kamal prune all`, or `docker system prune` on the host",
        judge: Judge::Host(hosts::disk),
    },
    Check {
        name: "memory",
        asks: "Is there memory left for another container beside those that run?",
        fix: "limit what runs (`options/memory`), or use a host with more",
        judge: Judge::Host(hosts::memory),
    },
    Check {
        name: "clock",
        asks: "Does the host's clock agree with this machine's?",
        fix: "have one of them set its clock by the network (`timedatectl set-ntp true`)",
        judge: Judge::Host(hosts::clock),
    },
    Check {
        name: "ports",
        asks: "Are the proxy's ports, 80 and 443 unless deploy.yml has others, ours or free?",
        fix: "stop what listens there, or set other ports in `proxy/run`",
        judge: Judge::Host(hosts::ports),
    },
    Check {
        name: "dns",
        asks: "Do the names the proxy serves lead to the host?",
        fix: "set the names' A and AAAA records to the host's addresses, unless a load balancer or a CDN is in front",
        judge: Judge::Host(hosts::dns),
    },
    Check {
        name: "certificates",
        asks: "Are the certificates the proxy holds good for a while yet?",
        fix: "one of an authority is renewed by the proxy, which needs port 80 or 443 open and the name to lead to it; one of your own is renewed in the secrets",
        judge: Judge::Host(hosts::certificates),
    },
    Check {
        name: "published",
        asks: "Does a container, other than the proxy, publish ports to all the world, past any firewall?",
        fix: "publish on one address only (`accessories/NAME/port: \"127.0.0.1:5432:5432\"`), or not at all: containers on the network kamal reach each other by name",
        judge: Judge::Host(hosts::published),
    },
    Check {
        name: "architecture",
        asks: "Can the host's processor run what the image is built for?",
        fix: "add the host's architecture to `builder/arch`",
        judge: Judge::Host(hosts::architecture),
    },
    Check {
        name: "registry",
        asks: "Is Docker on the host logged in to the registry?",
        fix: "`kamal registry login`, which `setup` and `deploy` do as well",
        judge: Judge::Host(hosts::registry),
    },
    Check {
        name: "proxy",
        asks: "Does kamal-proxy run where something is deployed?",
        fix: "`kamal proxy boot`; `kamal proxy logs` says why it stopped",
        judge: Judge::Host(hosts::proxy),
    },
    Check {
        name: "cluster",
        asks: "With `x-cluster`: is the host joined with the others, by an odd number of managers, and nothing hides their network?",
        fix: "`kamal server join` joins hosts; `docker network rm NAME` removes a network that hides it; `docker node promote` and `demote` change managers",
        judge: Judge::Host(joined::cluster),
    },
    Check {
        name: "cluster_ports",
        asks: "With `x-cluster`: does it reach the others by what joined hosts talk over?",
        fix: "let the hosts' private addresses reach each other at 2377/tcp, 7946/tcp and udp, and 4789/udp",
        judge: Judge::Host(joined::reached),
    },
    Check {
        name: "cluster_open",
        asks: "With `x-cluster`: is that closed to everybody else?",
        fix: "close 2377/tcp, 7946/tcp and udp, and 4789/udp to all but the other hosts, in the host's firewall or one in front of it",
        judge: Judge::Host(joined::open),
    },
];

/// That deploy.yml cannot be used.
pub(super) fn unusable(why: &str) -> Finding {
    finding(&TABLE[0], None, (Judgement::Failed, why.to_owned()))
}

fn finding(check: &Check, host: Option<&super::Surveyed>, (result, said): Verdict) -> Finding {
    Finding {
        check: check.name,
        host: host.map(|one| one.host.clone()),
        result,
        said: said.trim().replace('\n', "; "),
        fix: (result != Judgement::Ok).then(|| Hint::new(check.fix)),
    }
}

/// What every check comes to: this machine's first, then host by host.
pub(super) fn findings(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for check in &TABLE {
        if let Judge::Here(judge) = check.judge {
            found.push(finding(check, None, judge(patient)));
        }
    }
    for one in patient.surveyed {
        let seen = one.found.as_ref().ok().map(|(state, vitals)| Seen { patient, state, vitals });
        for check in &TABLE {
            let verdict = match check.judge {
                Judge::Here(_) => None,
                Judge::Connection(judge) => Some(judge(one)),
                Judge::Host(judge) => seen.as_ref().and_then(judge),
            };
            found.extend(verdict.map(|verdict| finding(check, Some(one), verdict)));
        }
    }
    found
}

/// The table of checks, for the documentation.
#[must_use]
pub fn table_as_markdown() -> String {
    let place = |check: &Check| if matches!(check.judge, Judge::Here(_)) { "here" } else { "hosts" };
    let row = |check: &Check| format!("| `{}` | {} | {} | {} |\n", check.name, place(check), check.asks, check.fix);
    let rows: String = TABLE.iter().map(row).collect();
    format!("| Check | Where | What it asks | What helps |\n| --- | --- | --- | --- |\n{rows}")
}
