//! What `status` and `doctor` ask a host besides what every plan depends on, in the same round trip, and how its answers
//! are read.

use base64::Engine as _;
use kamal_core::{
    config::{
        Config,
        model::{Proxy, Ssl},
    },
    name::HostName,
    naming,
    secret::Secret,
    shell::escape::word,
    vitals::{Certificate, Engine, Published, Room, Vitals},
};
use x509_parser::parse_x509_certificate;

use crate::{credentials, observe, post_mortem, sections, swarm};

const SCRIPT: &str = include_str!("survey.sh");

/// The folder in which kamal-proxy keeps certificates of authorities, each under its host's name.
const CERTIFICATES: &str = "/home/kamal-proxy/.config/kamal-proxy/certs";

/// How many lines of the audit log are shown.
const AUDITED: usize = 5;

/// The observation, and the rest.
pub(crate) fn text(config: &Config) -> String {
    let names = served(config).flat_map(|(proxy, _)| &proxy.hosts).filter(|name| !name.contains('*'));
    let hosts = config.hosts();
    let mut names: Vec<&str> = names.map(String::as_str).chain(hosts.iter().map(HostName::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let certificates: String = served(config)
        .flat_map(|(proxy, folder)| certificate_files(config, proxy, &folder))
        .map(|(name, path)| format!("certificate {} {}\n", word(&name), word(&path)))
        .collect();
    let services: Vec<&str> = [config.service.as_str()]
        .into_iter()
        .chain(config.accessories.iter().map(|accessory| accessory.service.as_str()))
        .collect();
    let words = |all: &[&str]| all.iter().map(|one| word(one)).collect::<Vec<_>>().join(" ");
    format!(
        "{}\nnames={} services={} audit={} registry={} lines={AUDITED} proxy={}\n\
         certificates() {{ :\n{certificates}}}\n{SCRIPT}",
        observe::text(config),
        word(&words(&names)),
        word(&words(&services)),
        word(&naming::audit_log(config)),
        word(&format!("\"{}\"", credentials::config_key(config.registry.server.as_deref()))),
        naming::PROXY_CONTAINER,
    )
}

/// What the proxy serves, and the folder of its own certificate, if it has one.
fn served(config: &Config) -> impl Iterator<Item = (&Proxy, String)> {
    let roles =
        config.roles.iter().filter_map(|role| Some((role.proxy.as_ref()?, naming::role_certificate(&role.name))));
    let accessories = config.accessories.iter();
    roles.chain(
        accessories
            .filter_map(|accessory| Some((accessory.proxy.as_ref()?, naming::accessory_certificate(&accessory.name)))),
    )
}

/// The files inside the proxy's container that hold the certificates of what it serves.
fn certificate_files(config: &Config, proxy: &Proxy, folder: &str) -> Vec<(String, String)> {
    match proxy.ssl {
        Ssl::Off => Vec::new(),
        Ssl::Automatic => proxy.hosts.iter().map(|name| (name.clone(), format!("{CERTIFICATES}/{name}"))).collect(),
        Ssl::Custom { .. } => {
            let name = proxy.hosts.first().cloned().unwrap_or_else(|| "all hosts".to_owned());
            vec![(name, format!("{}/{folder}/cert.pem", naming::apps_config_inside(config)))]
        }
    }
}

/// Reads what the script printed.
pub(crate) fn read(printed: &str) -> Vitals {
    let of =
        |name: &'static str| sections::of(printed).filter(move |(section, _)| *section == name).map(|(_, line)| line);
    let number = |name| of(name).next().and_then(|line| line.trim().parse::<i64>().ok());
    let owned = |line: &str| line.to_owned();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    Vitals {
        now: number("now"),
        docker: engine(of("docker_info")),
        groups: of("groups").flat_map(words).collect(),
        disk: of("space").find_map(|line| {
            let mut fields = line.split_whitespace().skip(1).filter_map(|field| field.parse::<u64>().ok());
            let (total, _, free) = (fields.next()?, fields.next()?, fields.next()?);
            Some(room(total, free))
        }),
        memory: {
            let mut numbers = of("memory").filter_map(|line| line.trim().parse::<u64>().ok());
            numbers.next().zip(numbers.next()).map(|(total, free)| room(total, free))
        },
        listeners: post_mortem::listeners(of("listening")).unwrap_or_default(),
        published: of("published").flat_map(published).collect(),
        firewall: of("firewall").next().map(owned),
        addresses: of("addresses").flat_map(words).collect(),
        names: of("names")
            .filter_map(|line| {
                let mut words = line.split_whitespace().map(str::to_owned);
                Some((words.next()?, words.collect()))
            })
            .collect(),
        certificates: certificates(of("certificates")),
        probes: of("probes").filter_map(swarm::read_probe).collect(),
        logged_in: of("registry").any(|line| line == "yes"),
        audit: of("audit").map(owned).collect(),
        made: of("made").map(Secret::new).collect(),
    }
}

fn room(total: u64, free: u64) -> Room {
    Room { total: total.saturating_mul(1024), free: free.saturating_mul(1024) }
}

/// Whether there is a docker, how asking it ended, and what it said.
fn engine<'l>(mut lines: impl Iterator<Item = &'l str>) -> Engine {
    let installed = lines.next() == Some("installed");
    let went_well = lines.next() == Some("0");
    let said = lines.next().unwrap_or_default();
    match said.split_once('\t') {
        Some((version, driver)) if went_well && !version.is_empty() => Engine {
            installed,
            version: Some(version.to_owned()),
            log_driver: Some(driver.to_owned()),
            complaint: String::new(),
        },
        _ => Engine { installed, complaint: said.to_owned(), ..Engine::default() },
    }
}

/// A container's name and its ports: `0.0.0.0:80->80/tcp, [::]:80->80/tcp, 3306/tcp`.
fn published(line: &str) -> Vec<Published> {
    let Some((container, ports)) = line.split_once('\t') else { return Vec::new() };
    let one = |port: &str| {
        let (outside, _) = port.split_once("->")?;
        let (address, port) = outside.rsplit_once(':')?;
        let port = port.split('-').next()?.parse().ok()?;
        Some(Published { container: container.to_owned(), address: address.to_owned(), port })
    };
    ports.split(", ").filter_map(one).collect()
}

/// The first certificate in each file: a line `name NAME`, then its text. Those that sign it come behind it.
fn certificates<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<Certificate> {
    let (mut found, mut host, mut text) = (Vec::new(), String::new(), String::new());
    for line in lines {
        match line.strip_prefix("name ") {
            Some(name) => (host, text) = (name.to_owned(), String::new()),
            None if line.starts_with("-----END") => {
                let ends = ends(&text).map(|ends| Certificate { host: host.clone(), ends });
                found.extend(ends);
                text.clear();
            }
            None if line.starts_with("-----") => {}
            None => text.push_str(line.trim()),
        }
    }
    found
}

/// When a certificate ends.
fn ends(text: &str) -> Option<i64> {
    let der = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
    let (_, certificate) = parse_x509_certificate(&der).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "== now\n1767225660\n== docker_info\ninstalled\n0\n28.1.1\tjson-file\n== groups\nann docker\n\
        == space\n/dev/vda1 1000 300 700 30% /\n== memory\n2000\n500\n== listening\nseen\n00000000:0050\n0100007F:1F90\n\
        == published\nkamal-proxy\t0.0.0.0:80->80/tcp, [::]:80->80/tcp, 0.0.0.0:443->443/tcp\napp-db\t127.0.0.1:5432->5432/tcp\n\
        cache\t6379/tcp\n== firewall\nufw\n== addresses\n10.0.0.1 fe80::1\n== names\na.test 10.0.0.1 10.0.0.2\nb.test \n\
        == registry\nyes\n== audit\n[2026] one\n== made\n{\"Name\":\"/app-db\"}\n";

    #[test]
    fn reads_a_whole_answer() {
        let found = read(PRINTED);
        assert_eq!(found.now, Some(1_767_225_660));
        assert_eq!(
            (found.docker.version.as_deref(), found.docker.log_driver.as_deref()),
            (Some("28.1.1"), Some("json-file"))
        );
        assert_eq!(found.groups, ["ann", "docker"]);
        assert_eq!(found.disk, Some(Room { total: 1_024_000, free: 716_800 }));
        assert_eq!(found.memory, Some(Room { total: 2_048_000, free: 512_000 }));
        let ports: Vec<_> =
            found.published.iter().map(|one| (one.container.as_str(), one.is_for_all(), one.port)).collect();
        assert_eq!(
            ports,
            [("kamal-proxy", true, 80), ("kamal-proxy", true, 80), ("kamal-proxy", true, 443), ("app-db", false, 5432)]
        );
        assert_eq!(found.names["a.test"], ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(found.names["b.test"], [""; 0]);
        assert!(found.logged_in && found.firewall.as_deref() == Some("ufw"));
        assert_eq!((found.audit.len(), found.made.len(), found.addresses.len()), (1, 1, 2));
    }

    #[test]
    fn a_docker_that_does_not_answer_is_told_apart_from_none() {
        let denied = read("== docker_info\ninstalled\n1\npermission denied while trying to connect\n").docker;
        assert!(denied.installed && denied.version.is_none() && denied.complaint.starts_with("permission denied"));
        assert!(!read("== docker_info\nmissing\n127\nsh: docker: not found\n").docker.installed);
    }

    /// Made for `a.test`.
    #[test]
    fn the_end_of_a_certificate() {
        let found =
            read(&format!("== certificates\nname a.test\n{}name b.test\n", include_str!("survey/certificate.pem")));
        assert_eq!(found.certificates, [Certificate { host: "a.test".into(), ends: 2_227_985_668 }]);
    }
}
