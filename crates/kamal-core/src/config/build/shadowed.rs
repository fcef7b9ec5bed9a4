//! Variables that are given in clear and as secrets. Docker takes what is in clear (spec 2.8), and nobody is told.

use super::super::diagnostic::Report;
use super::super::model::{Config, Env};
use super::super::shape::check::at;
use super::super::yaml::Node;
use super::places::{Places, values};

/// Where secrets are listed.
const SECRETS: &Places = &[
    (&["env"], &["secret"]),
    (&["env", "tags", "*"], &["secret"]),
    (&["servers", "*", "env"], &["secret"]),
    (&["accessories", "*", "env"], &["secret"]),
];

/// Warns of secrets that never reach the container under their name.
pub(crate) fn check(root: &Node, config: &Config, report: &mut Report<'_>) {
    let of_hosts = config.roles.iter().flat_map(|role| role.hosts.iter().map(|host| config.env_for(role, host)));
    let of_accessories = config.accessories.iter().map(|accessory| accessory.env.clone());
    let mut names: Vec<String> = of_hosts.chain(of_accessories).flat_map(|env| twice(&env)).collect();
    names.sort();
    names.dedup();
    for (path, list) in values(root, SECRETS) {
        for item in list.list().unwrap_or_default() {
            let name = item.text().and_then(|text| text.split(':').next().map(str::to_owned)).unwrap_or_default();
            if names.contains(&name) {
                let help = Some("remove one of them".to_owned());
                report.warn(item.span, at(&path, &format!("{name} is also given in clear, which counts")), help);
            }
        }
    }
}

fn twice(env: &Env) -> Vec<String> {
    let secrets = env.secret.iter().map(|secret| &secret.name);
    secrets.filter(|name| env.clear.contains_key(*name)).cloned().collect()
}
