//! What is to be done: planned on what hosts tell, and decided again under the lock.

use super::{Runner, rollback};
use crate::{
    error::Error,
    name::HostName,
    op::{Facts, Op, Policy},
    plan::{Kind, Plan, Stage, Work},
    request::Request,
};

impl Runner<'_, '_> {
    pub(super) fn plan(&mut self) -> Result<Plan, Error> {
        let (cx, row) = (self.cx, self.op.row());
        let facts = Facts {
            config: cx.fleet.config,
            targets: cx.targets,
            states: &self.states,
            version: cx.version,
            asked: cx.run.asked_version.as_ref(),
            inputs: &self.inputs,
            proxy_images: &cx.proxy_images,
        };
        let draft = self.op.draft(&facts)?;
        self.version = draft.version.clone().or_else(|| self.version.take());
        let lock = |work: fn(HostName) -> Work, kind| cx.lock_host().map(|host| Stage::new(kind, work(host.clone())));
        let taken = lock(|host| Work::Lock { host, message: None }, Kind::Lock);
        let given = lock(|host| Work::Unlock { host }, Kind::Unlock);
        let mut stages: Vec<Stage> = Vec::new();
        if row.policy == Policy::Locks {
            stages.extend(taken);
            stages.extend(draft.stages);
            stages.extend(given);
        } else {
            stages.extend(draft.stages);
        }
        stages.extend(draft.after);
        let plan = Plan {
            format: crate::plan::FORMAT,
            asked: self.asked(),
            operation: row.name(),
            service: cx.fleet.config.service.clone(),
            destination: cx.fleet.config.destination.clone(),
            version: draft.version,
            stages,
            notes: draft.notes,
        };
        Ok(plan.without(&self.left_out).tidied())
    }

    /// What is asked for, as a plan carries it.
    fn asked(&self) -> Request {
        let cx = self.cx;
        Request {
            op: self.op.clone(),
            selection: cx.targets.selection.clone(),
            asked_version: cx.run.asked_version.clone(),
            project_version: cx.version.cloned(),
            skip_hooks: cx.run.skip_hooks,
        }
    }

    /// Decides again what is left after a stage of some kind, on what is there now; says where that begins. What was
    /// reviewed must be what is found. What was done before was done as it was planned then.
    pub(super) fn plan_again(&mut self, before: &Plan, over: Kind) -> Result<(Plan, usize), Error> {
        let now = self.plan()?;
        let (done, left) = before.split_after(over);
        let (_, found) = now.split_after(over);
        if let Some(reviewed) = &self.reviewed {
            let part = |stages: &[Stage]| Plan { stages: stages.to_vec(), ..before.clone() };
            reviewed.compare_left(&part(left), &Plan { version: now.version.clone(), ..part(found) })?;
        }
        // What was said before was said once.
        Ok((Plan { stages: [done, found].concat(), notes: before.notes.clone(), ..now }, done.len()))
    }

    /// How what is rolled back to was made otherwise than it would be made now.
    pub(super) async fn differences(&self, plan: &Plan) -> Result<Vec<String>, Error> {
        match self.op {
            Op::Rollback(asked) => rollback::differences(self.cx, plan, asked).await,
            _ => Ok(Vec::new()),
        }
    }
}
