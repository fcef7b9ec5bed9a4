//! How checks of this machine and the project judge.

use super::{
    Judgement::{self, Failed, Ok, Warning},
    Patient, Ran,
    checks::Verdict,
};

pub(super) fn config(patient: &Patient<'_>) -> Verdict {
    let (config, targets) = (patient.config, patient.targets);
    let said = format!(
        "service {}, {} roles, {} accessories, {} hosts",
        config.service,
        config.roles.len(),
        config.accessories.len(),
        targets.hosts.len()
    );
    (if targets.hosts.is_empty() { Warning } else { Ok }, said)
}

pub(super) fn secrets(patient: &Patient<'_>) -> Verdict {
    match &patient.here.secrets {
        Result::Ok(count) => (Ok, format!("{count} of them, all there")),
        Err(missing) => (Failed, missing.clone()),
    }
}

pub(super) fn docker(patient: &Patient<'_>) -> Verdict {
    // A remote builder has one of its own, but it is asked by the same program.
    let matters = if patient.config.builder.local { Failed } else { Warning };
    judged(&patient.here.docker, matters, "Docker ")
}

pub(super) fn buildx(patient: &Patient<'_>) -> Verdict {
    let matters = if patient.config.builder.pack.is_some() { Warning } else { Failed };
    judged(&patient.here.buildx, matters, "")
}

pub(super) fn git(patient: &Patient<'_>) -> Verdict {
    let matters = if patient.config.builder.context.is_some() { Warning } else { Failed };
    judged(&patient.here.git, matters, "")
}

pub(super) fn agent(patient: &Patient<'_>) -> Verdict {
    let ssh = &patient.config.ssh;
    if patient.here.agent.went_well() {
        let keys = patient.here.agent.said.lines().count();
        return (Ok, format!("{keys} {}", if keys == 1 { "key" } else { "keys" }));
    }
    let reached = !patient.surveyed.is_empty() && patient.surveyed.iter().all(|one| one.found.is_ok());
    if !ssh.keys.is_empty() || !ssh.key_data.is_empty() {
        return (Ok, "none is needed: deploy.yml names keys".to_owned());
    }
    if reached {
        return (Ok, "none, and hosts let us in without".to_owned());
    }
    let why = if patient.here.agent.status == Some(1) { "it holds no keys" } else { "there is none" };
    (Warning, why.to_owned())
}

/// A program that has to go well.
fn judged(ran: &Ran, otherwise: Judgement, before: &str) -> Verdict {
    let first = ran.said.lines().next().unwrap_or_default();
    if ran.went_well() { (Ok, format!("{before}{first}")) } else { (otherwise, ran.said.clone()) }
}
