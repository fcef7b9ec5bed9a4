//! How often a layer leaves this machine where several hosts pull it: once for each, or once with `x-deliver`.

use std::{
    net::Ipv4Addr,
    time::{Duration, SystemTime},
};

use super::{Figures, fill, project, quietly};
use crate::{
    cable::Cable,
    command::{note, run},
    error::{Context, Result},
    figure::Figure,
    programs::Programs,
    project::Project,
    sandbox::{self, Host},
};

const HOSTS: u8 = 3;
const LAYER: usize = 20_000_000;

pub(super) fn measure(programs: &Programs, figures: &mut Figures) -> Result<()> {
    let sandbox = sandbox::up(HOSTS)?;
    let hosts: Vec<&Host> = sandbox.hosts().iter().filter(|host| host.number <= HOSTS).collect();
    let lay = |host: &&Host| Cable::lay(Ipv4Addr::new(10, 77, 0, 1), (host.address, 22).into(), Duration::ZERO);
    let cables = hosts.iter().map(lay).collect::<std::io::Result<Vec<Cable>>>();
    let cables = cables.context(|| "laying cables".to_owned())?;
    let addresses: Vec<String> = cables.iter().map(|cable| format!("10.77.0.1:{}", cable.port)).collect();
    let project = project("between", programs, &sandbox, &addresses, &["layer"])?;
    for (host, address) in hosts.iter().zip(&addresses) {
        project.knows(host, address)?;
    }
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
    note(format_args!("a layer of 20 MB to {HOSTS} hosts, each from here"));
    let apart = sent(&project, &cables, seed)?;
    let path = "config/deploy.yml";
    let text = std::fs::read_to_string(project.folder().join(path)).context(|| format!("reading {path}"))?;
    project.write(path, &format!("{text}x-deliver: {{between_hosts: true}}\n"))?;
    note("the same with x-deliver; the first time the host is handed what hands layers on");
    sent(&project, &cables, seed + 1)?;
    let between = sent(&project, &cables, seed + 2)?;
    figures.begin(format!("One layer of 20 MB to {HOSTS} hosts, bytes that left this machine per byte of it"))?;
    figures.add(Figure::new("each host from here", "bytes", apart))?;
    figures.add(Figure::new("with x-deliver", "bytes", between).at_most(1.1))
}

/// Has all hosts pull a layer nobody has, and tells how many times as much went over the cables.
fn sent(project: &Project, cables: &[Cable], seed: u64) -> Result<f64> {
    fill(project, "layer", seed, LAYER)?;
    project.commit()?;
    run(&mut quietly(project, &["build", "push"]))?;
    let gone = || cables.iter().map(Cable::up).sum::<u64>();
    let before = gone();
    run(&mut quietly(project, &["build", "pull"]))?;
    Ok((gone() - before) as f64 / LAYER as f64)
}
