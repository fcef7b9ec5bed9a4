//! Apps to drill.

use super::Drill;
use crate::{
    config::{self, Source},
    testing::NoTemplateWorld,
};

const COMMON: &str = "service: app\nimage: acme/app\nregistry: {username: deployer, password: [REGISTRY_PASSWORD]}\n\
    builder: {arch: amd64}\nenv: {secret: [DATABASE_URL]}\nretain_containers: 2\n";

const DATABASE: &str = "accessories: {db: {image: acme/db, host: h1, directories: [\"data:/data\"]}}\n";

/// What is in a file besides what all have in common.
type Text = fn() -> String;

/// Each with what is in its file.
pub(super) const NAMES: [(&str, Text); 11] = [
    ("one", || format!("servers: [h1]\n{DATABASE}")),
    ("one-of-both", || roles(0..1, 0..1)),
    ("two", || format!("{}{DATABASE}", web(2))),
    ("two-apart", || roles(0..1, 1..2)),
    ("two-guarded", || format!("{}x-guard: {{for: 20s, errors: 2%}}\n", web(2))),
    ("two-in-turn", || format!("{}boot: {{limit: 1}}\n", web(2))),
    ("five", || web(5)),
    ("five-together", || format!("{}x-boot: {{switch: together}}\n", roles(0..4, 3..5))),
    ("five-apart", || format!("{}x-release: {{cmd: bin/migrate}}\n{DATABASE}", roles(0..3, 3..5))),
    ("five-side-by-side", || format!("{}boot: {{parallel_roles: true}}\n", roles(0..5, 2..5))),
    ("fifty", || roles(0..40, 30..50)),
];

fn hosts(which: std::ops::Range<usize>) -> String {
    which.map(|host| format!("h{}", host + 1)).collect::<Vec<_>>().join(", ")
}

fn web(hosts_of_web: usize) -> String {
    format!("servers: [{}]\n", hosts(0..hosts_of_web))
}

fn roles(web: std::ops::Range<usize>, workers: std::ops::Range<usize>) -> String {
    format!(
        "servers: {{web: [{}], workers: {{hosts: [{}], proxy: false, cmd: bin/jobs}}}}\n",
        hosts(web),
        hosts(workers)
    )
}

pub(super) fn drill(name: &str, seed: u64) -> Option<Drill> {
    let (_, text) = NAMES.iter().find(|(known, _)| *known == name)?;
    let source = Source::new("config/deploy.yml", format!("{COMMON}{}", text()));
    let loaded = config::load(&source, None, &NoTemplateWorld).ok()?;
    let prepare = |fleet: &crate::testing::SimFleet| {
        fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
        fleet.secrets().put("DATABASE_URL", "postgres://x");
    };
    Drill::new(name, loaded.config, seed, prepare).ok()
}
