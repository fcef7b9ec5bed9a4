//! What `kamal docs` prints: a section of deploy.yml as YAML with a comment above every key (spec 9.11). It is made
//! from the table that checks the file, as the schema is, so it cannot tell of a key that does not exist or leave one
//! out; only the examples are its own.

mod examples;
mod reference;

use std::fmt::Write;

use super::shape::{Apart, Key, Shape, keys};
pub(super) use examples::example;
pub use reference::reference;

/// A section's name, its title, what it is for, where it stands in the file, and its keys.
type Section = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [Key]);

const ROOT: Section = (
    "",
    "Kamal Configuration",
    "The file is config/deploy.yml. `service`, `servers` and `builder` with its `arch` are needed, and `image` with a \
     `registry` that is not on this machine; all else may be left out. With `--destination NAME`, config/deploy.NAME.yml is merged over it: mappings \
     key by key, lists and values as a whole. ERB is evaluated before the YAML is read. Other keys that begin with \
     `x-` are for your own anchors.",
    &[],
    keys::ROOT,
);

const SECTIONS: &[Section] = &[
    (
        "accessory",
        "Accessories",
        "Services that are not deployed with the app, such as databases: each is booted once and then left alone. One \
         of `host`, `hosts`, `role`, `roles`, `tag` and `tags` says where it runs.",
        &["accessories", "db"],
        keys::ACCESSORY,
    ),
    (
        "alias",
        "Aliases",
        "Commands of one's own: `kamal console` runs the line behind `console`, and what follows it is added. A name \
         is made of lower-case letters, digits, `-` and `_`, and may not be that of a command.",
        &["aliases"],
        &[],
    ),
    (
        "boot",
        "Booting",
        "By default all hosts boot a new version at the same time. In groups, a fault shows before it is everywhere.",
        &["boot"],
        keys::BOOT,
    ),
    ("builder", "Builder", "How the image is built, by docker buildx.", &["builder"], keys::BUILDER),
    (
        "env",
        "Environment variables",
        "For every role here, for one role or accessory below it. Either variables alone (`NAME: value`), or `clear` \
         and `secret` apart. A variable of a role wins over the root's, one of a tag over both.",
        &["env"],
        keys::ENV,
    ),
    (
        "logging",
        "Custom logging configuration",
        "Docker's own logging. In the root for all app containers, in a role for that role. Without it, logs are \
         rotated at 10 MB.",
        &["logging"],
        keys::LOGGING,
    ),
    ("output", "Output", "Where a copy of what a command prints is kept.", &["output"], keys::OUTPUT),
    (
        "proxy",
        "Proxy",
        "kamal-proxy routes requests to the newest healthy container. It serves the primary role; other roles with \
         `proxy: true` or settings of their own, which are merged over the root's.",
        &["proxy"],
        keys::PROXY,
    ),
    (
        "registry",
        "Registry",
        "Where the image is kept between build and hosts. Left out, or with the server `localhost:PORT`, it is one on \
         this machine, which needs no account: `kamal` serves it on this port while it builds and delivers, hosts reach it \
         on the same port of theirs through their SSH connection, and pull the layers they lack. Where a host's sshd \
         forbids that (AllowTcpForwarding), or the port is taken there, the image goes through the connection as an \
         archive. It keeps its images in ~/.local/share/kamal/registry ($XDG_DATA_HOME). User name and password of any \
         other are text, or a list with the name of one secret.",
        &["registry"],
        keys::REGISTRY,
    ),
    (
        "role",
        "Roles",
        "A role is a list of hosts, or a mapping with these keys. `web` is the primary role unless `primary_role` \
         says otherwise.",
        &["servers", "jobs"],
        keys::ROLE,
    ),
    (
        "servers",
        "Servers",
        "The hosts: a list for the role `web` alone, or roles by name. A host may carry tags, for `env.tags` and \
         for accessories. See `kamal docs role` for what a role may have besides hosts.",
        &["servers"],
        &[],
    ),
    (
        "ssh",
        "SSH configuration",
        "How the hosts are reached: with the keys of the agent and of ~/.ssh, unless this says otherwise.",
        &["ssh"],
        keys::SSH,
    ),
    ("sshkit", "SSHKit", "Limits for connections to hosts.", &["sshkit"], keys::SSHKIT),
    (
        "x-proxy",
        "Proxy, beyond Kamal",
        "What the kamal-proxy that comes with this command can do and Kamal has no keys for. Kamal passes over root keys \
         that begin with `x-`, so either tool reads the file. An `x-proxy` with keys of `proxy` alone is taken for an \
         anchor of your own.",
        &["x-proxy"],
        keys::X_PROXY,
    ),
    (
        "x-release",
        "Release step",
        "A command that `setup`, `deploy` and `redeploy` run once, on the first host of a role, in a container of the new \
         image: after the image is there and before anything is switched to it. Its output is shown; where it fails, or \
         takes too long, the deploy fails and what served goes on serving. Kamal passes over this key.",
        &["x-release"],
        keys::X_RELEASE,
    ),
    (
        "x-boot",
        "Switching",
        "When the hosts of a group switch to a new version. Kamal passes over this key.",
        &["x-boot"],
        keys::X_BOOT,
    ),
    (
        "x-guard",
        "Guard",
        "After the switch of `setup`, `deploy` and `redeploy`, kamal-proxy watches for a while how the new version answers, \
         and the old container goes on running. Where too many answers are errors, or late, requests are led back to the \
         old one and the deploy fails with the numbers. It has to be this project's kamal-proxy. Kamal passes over this \
         key.",
        &["x-guard"],
        keys::X_GUARD,
    ),
    (
        "x-cluster",
        "Several hosts",
        "Hosts that are joined by Docker's swarm: `kamal server join`, or `kamal setup`, makes the primary host a manager, \
         joins the others over their private addresses, and makes one network over all of them. On it each role answers \
         under its name, each accessory under its own; containers stay what they are without it. `kamal server leave` takes \
         hosts out again. With `x-balance: true` the proxy of each web host leads requests to the containers of all. With \
         `run: services` roles are services of the swarm, which runs their containers elsewhere when a host dies. Kamal passes \
         over both keys.",
        &["x-cluster"],
        keys::X_CLUSTER,
    ),
    (
        "x-deliver",
        "Images between hosts",
        "Without a registry of its own an app's image goes from this machine to each host. With `between_hosts: true` the \
         first host hands layers on to the others at its private address, and each layer leaves this machine once: for many \
         hosts behind a slow uplink. A container of kamal-proxy's image does it for as long as hosts pull, on the port of the \
         registry (5555), which the hosts' firewalls have to let through between them; whoever asks needs a token of that \
         one deploy. On that way layers are checked, and not encrypted. A host that does not get a layer there gets it from this machine. Kamal passes over this key.",
        &["x-deliver"],
        keys::X_DELIVER,
    ),
    (
        "x-ssh",
        "SSH, beyond Kamal",
        "What Kamal has no keys for below `ssh`, where it would refuse the file. An `x-ssh` without `known_hosts` is taken for \
         an anchor of your own.",
        &["x-ssh"],
        keys::X_SSH,
    ),
];

/// The names `kamal docs` knows.
#[must_use]
pub fn sections() -> Vec<&'static str> {
    SECTIONS.iter().map(|(name, ..)| *name).collect()
}

/// The annotated YAML of a section, of the whole file without a name; `None` for a name there is no section of.
#[must_use]
pub fn docs(name: Option<&str>) -> Option<String> {
    let section = match name {
        None => &ROOT,
        Some(name) => SECTIONS.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name))?,
    };
    let (_, title, about, place, keys) = section;
    let mut out = format!("# {title}\n#\n");
    comment(about, 0, &mut out);
    for (depth, key) in place.iter().enumerate() {
        let _ = writeln!(out, "{}{key}:", "  ".repeat(depth));
    }
    if keys.is_empty() {
        indented(example(place[0]).unwrap_or_default(), place.len(), &mut out);
    }
    let path = if *place == ["servers", "jobs"] { "role" } else { place.first().copied().unwrap_or_default() };
    entries(keys, path, place.len(), &mut out);
    Some(out)
}

/// Every key with its meaning and an example. `path` tells sections apart in which keys of the same name stand.
fn entries(keys: &[Key], path: &str, depth: usize, out: &mut String) {
    for key in keys {
        let path = if path.is_empty() { key.name.to_owned() } else { format!("{path}/{}", key.name) };
        out.push('\n');
        comment(key.doc, depth, out);
        if let Some(section) = section_of(key.shape) {
            comment(&format!("See `kamal docs {section}`."), depth, out);
        }
        let _ = write!(out, "{}{}:", "  ".repeat(depth), key.name);
        // Most of a role's keys are the root's too.
        let example = example(&path).or_else(|| example(path.strip_prefix("role/")?));
        match (key.shape, example) {
            (Shape::Section(keys), None) => {
                out.push('\n');
                entries(keys, &path, depth + 1, out);
            }
            (_, Some(text)) if text.contains('\n') => {
                out.push('\n');
                indented(text, depth + 1, out);
            }
            (_, text) => {
                let _ = writeln!(out, " {}", text.unwrap_or("~"));
            }
        }
    }
}

/// Where a key's own section is told of.
fn section_of(shape: Shape) -> Option<&'static str> {
    let Shape::Apart(apart) = shape else { return None };
    Some(match apart {
        Apart::Servers => "servers",
        Apart::Env => "env",
        Apart::Proxy | Apart::RoleProxy => "proxy",
        Apart::Registry => "registry",
        Apart::Builder => "builder",
        Apart::Accessories => "accessory",
        Apart::Boot => "boot",
        Apart::Logging => "logging",
        Apart::Output => "output",
        Apart::Ssh => "ssh",
        Apart::SshKit => "sshkit",
        Apart::Aliases => "alias",
        Apart::XProxy => "x-proxy",
        Apart::XRelease => "x-release",
        Apart::XBoot => "x-boot",
        Apart::XGuard => "x-guard",
        Apart::XCluster => "x-cluster",
        Apart::XDeliver => "x-deliver",
        Apart::XSsh => "x-ssh",
        Apart::Credential | Apart::HooksOutput | Apart::PoliciesByName => return None,
    })
}

/// A comment in lines of at most 100 characters.
fn comment(text: &str, depth: usize, out: &mut String) {
    let start = format!("{}#", "  ".repeat(depth));
    let mut line = start.clone();
    for word in text.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 100 {
            let _ = writeln!(out, "{line}");
            line.clone_from(&start);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

fn indented(text: &str, depth: usize, out: &mut String) {
    for line in text.trim_matches('\n').lines() {
        let _ = writeln!(out, "{}{line}", "  ".repeat(depth));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Source, load};
    use super::*;
    use crate::testing::NoTemplateWorld;

    fn findings(text: &str) -> String {
        load(&Source::new("docs", text), None, &NoTemplateWorld)
            .err()
            .map_or_else(String::new, |errors| errors.to_string())
    }

    #[test]
    fn what_is_printed_for_the_whole_file_is_a_configuration() {
        let text = docs(None).unwrap();
        assert!(text.starts_with("# Kamal Configuration\n"), "{text}");
        // Of these one may be given, and they stand side by side in a reference.
        assert_eq!(findings(&text.replace("x-balance: true", "x-balance: false")), "");
    }

    #[test]
    fn every_section_can_be_put_into_a_file() {
        let base = [
            ("service", "service: app\n"),
            ("image", "image: acme/app\n"),
            ("servers", "servers: {web: [1.1.1.1]}\n"),
            ("registry", "registry: {username: u, password: [P]}\n"),
            ("builder", "builder: {arch: amd64}\n"),
            ("accessories", "accessories: {db: {image: i, host: h, proxy: {host: d.example}}}\n"),
        ];
        for (name, title, _, place, _) in SECTIONS {
            let section = docs(Some(name)).unwrap();
            assert!(section.starts_with(&format!("# {title}\n")), "{section}");
            let others: String = base.iter().filter(|(key, _)| *key != place[0]).map(|(_, line)| *line).collect();
            let text = format!("{others}primary_role: {}\n{section}", if *name == "role" { "jobs" } else { "web" });
            // Keys of which only one may be given stand side by side in a reference, and tags without their hosts.
            let known = [
                "is ignored",
                "specify one of",
                "Specify one of",
                "Cannot set http_port",
                "for one arch",
                "on demand",
                "no host has the tag",
            ];
            let wrong: Vec<_> = match load(&Source::new("docs", text.clone()), None, &NoTemplateWorld) {
                Ok(_) => Vec::new(),
                Err(errors) => errors.0,
            };
            let wrong: Vec<_> = wrong.iter().filter(|e| !known.iter().any(|known| e.message.contains(known))).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?}\n{text}");
        }
    }

    #[test]
    fn every_key_has_an_example_and_a_line_fits_a_terminal() {
        for name in sections().into_iter().map(Some).chain([None]) {
            let text = docs(name).unwrap();
            assert!(!text.contains(": ~\n"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        }
        assert_eq!(docs(Some("foo")), None);
        assert!(
            docs(Some("Proxy"))
                .unwrap()
                .contains("\n  # The port the app listens on in its container, default 80.\n  app_port: 3000\n")
        );
    }
}
