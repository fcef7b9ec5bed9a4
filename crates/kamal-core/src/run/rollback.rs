//! What a rollback changes besides the version: how the containers of that version were made, beside how they would be
//! made now. Names only: values may be secrets.

use super::{Cx, ask, made::Made, outlook::secrets_of_role};
use crate::{
    error::Error,
    op::Rollback,
    plan::{Aspect, Plan, Question},
    query::Query,
    step::{RunSpec, Step},
};

/// A line for each role whose containers would be made otherwise than they were.
pub(super) async fn differences(cx: &Cx<'_>, plan: &Plan, asked: &Rollback) -> Result<Vec<String>, Error> {
    if asked.as_deployed {
        return Ok(vec![
            "Containers are started again as they were deployed, environment and options included.".into(),
        ]);
    }
    let Some(host) = cx.targets.app_hosts.first() else { return Ok(Vec::new()) };
    let specs: Vec<&RunSpec> = plan
        .stages
        .iter()
        .flat_map(crate::plan::Stage::steps)
        .filter(|(of, _)| *of == host)
        .filter_map(|(_, step)| if let Step::Start(spec) = step { Some(&**spec) } else { None })
        .filter(|spec| spec.role.is_some())
        .collect();
    let question = |spec: &&RunSpec| Question {
        host: host.clone(),
        heading: String::new(),
        query: Query::Inspect { container: spec.name.clone() },
    };
    let answers = ask(&cx.fleet, &specs.iter().map(question).collect::<Vec<_>>()).await;
    let mut notes = Vec::new();
    for (spec, answer) in specs.iter().zip(answers) {
        let Ok(captured) = answer.outcome else { continue };
        // A container that is there under another name tells nothing, which is no reason not to go back.
        let Some(made) = Made::read(&captured.stdout) else { continue };
        let mut changes = made.changes(spec, &secrets_of_role(cx, spec, host));
        // The image is what is gone back for.
        changes.retain(|change| change.aspect != Aspect::Image);
        if !changes.is_empty() {
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            let role = spec.role.as_ref().map(ToString::to_string).unwrap_or_default();
            notes
                .push(format!("{role} is made otherwise than it was: {} (--as-deployed keeps it)", changes.join(", ")));
        }
    }
    Ok(notes)
}
