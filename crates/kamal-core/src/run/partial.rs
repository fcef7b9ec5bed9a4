//! Commands that only tell: what the hosts say that can be reached is told, and then which could not be and why.

use futures_util::{FutureExt, future::join_all};

use super::{Answer, Runner};
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    name::HostName,
    plan::{Plan, Question, Stage, Work},
    state::HostState,
};

/// Whether a host is not there, or its docker is not.
fn is_lost(error: &HostError) -> bool {
    matches!(error, HostError::Transport(_) | HostError::DockerMissing { .. })
}

impl Runner<'_, '_> {
    /// Observes the hosts of the operation; those that fail are missed where the others are told of all the same.
    pub(super) async fn look(&mut self) -> Result<(), Error> {
        let hosts = self.hosts_of();
        if !self.op.tells_what_it_can() {
            self.states = self.observe_those_there(&hosts).await?;
            return Ok(());
        }
        let looked = join_all(hosts.iter().map(|host| self.observe(std::slice::from_ref(host)).boxed())).await;
        for result in looked {
            match result {
                Ok(states) => self.states.extend(states),
                Err(Error::Hosts(errors)) => self.missed.extend(errors),
                Err(error) => return Err(error),
            }
        }
        if self.states.is_empty() { self.fail_of_missed() } else { Ok(()) }
    }

    /// Observes hosts. Where what is done needs no more than those that answer, the others are left out from here on.
    pub(super) async fn observe_those_there(&mut self, hosts: &[HostName]) -> Result<Vec<HostState>, Error> {
        if !self.op.leaves_out_lost_hosts(self.cx.fleet.config) {
            return self.observe(hosts).await;
        }
        let asked: Vec<&HostName> = hosts.iter().filter(|host| !self.left_out.contains(host)).collect();
        let looked = join_all(asked.iter().map(|host| self.observe(std::slice::from_ref(*host)).boxed())).await;
        let (mut states, mut lost) = (Vec::new(), Vec::new());
        for result in looked {
            match result {
                Ok(found) => states.extend(found),
                Err(Error::Hosts(errors)) if errors.iter().all(is_lost) => lost.extend(errors),
                Err(error) => return Err(error),
            }
        }
        let lock_host = self.cx.lock_host();
        let all = lost.len() == self.hosts_of().len();
        if all || lost.iter().any(|error| Some(error.host()) == lock_host) {
            return Error::of_hosts(lost).map_or(Ok(states), Err);
        }
        for error in lost {
            let host = error.host().clone();
            let text = format!("{host} is left out, as the swarm runs elsewhere what ran there: {error}");
            self.cx.fleet.emit(EventKind::tell(Tone::Warning, text));
            self.left_out.push(host);
        }
        Ok(states)
    }

    /// What came of work on hosts. Where the others are told of all the same, those that failed are missed from here on.
    pub(super) fn settle(&mut self, results: Vec<Result<(), HostError>>) -> Result<(), Error> {
        let of = results.len();
        self.miss(results.into_iter().filter_map(Result::err).collect(), of)
    }

    /// As [`Self::settle`], by what failed, and of how many.
    pub(super) fn miss(&mut self, errors: Vec<HostError>, of: usize) -> Result<(), Error> {
        let stopped = errors.iter().any(|error| matches!(error, HostError::Cancelled { .. }));
        if errors.len() < of && !stopped && self.op.tells_what_it_can() {
            self.missed.extend(errors);
            return Ok(());
        }
        Error::of_hosts(errors).map_or(Ok(()), Err)
    }

    /// Whether a host is missed.
    pub(super) fn misses(&self, host: &HostName) -> bool {
        self.missed.iter().any(|error| error.host() == host)
    }

    /// The plan. What keeps it from being made is that hosts are missed, where there are such.
    pub(super) fn plan_of_the_rest(&mut self) -> Result<Plan, Error> {
        self.plan().or_else(|error| self.fail_of_missed().and(Err(error)))
    }

    fn fail_of_missed(&mut self) -> Result<(), Error> {
        Error::of_hosts(std::mem::take(&mut self.missed)).map_or(Ok(()), Err)
    }

    /// A stage without the hosts that are missed.
    pub(super) fn rest_of(&self, stage: Stage) -> Stage {
        let work = match stage.work {
            Work::Hosts(works) => Work::Hosts(works.into_iter().filter(|work| !self.misses(&work.host)).collect()),
            Work::Ask(asked) => Work::Ask(asked.into_iter().filter(|asked| !self.misses(&asked.host)).collect()),
            other => other,
        };
        Stage { work, ..stage }
    }

    /// Leaves a question to the caller, if its host is not missed. That another one is matters to nobody then.
    pub(super) fn attach(&mut self, question: &Question) -> Result<(), Error> {
        let (of_host, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.missed).into_iter().partition(|error| *error.host() == question.host);
        for error in others {
            self.cx.fleet.emit(EventKind::tell(Tone::Warning, error.to_string()));
        }
        self.missed = of_host;
        self.fail_of_missed()?;
        self.attach = Some(question.clone());
        Ok(())
    }

    /// Tells which hosts were missed.
    pub(super) fn tell_missed(&mut self) {
        let missed = std::mem::take(&mut self.missed);
        let answers =
            missed.into_iter().map(|error| Answer::new(Some(error.host().clone()), String::new(), Err(error)));
        self.answers.extend(answers);
    }
}
