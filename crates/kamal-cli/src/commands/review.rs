//! Plans that are shown for review, and that come back as what was reviewed.

use kamal_core::{
    plan::{Outlook, Plan},
    request::Request,
    targets::Selection,
};
use serde_json::{Value, json};

use crate::{context::Context, failure::Failure};

/// The name of the form in which a plan is shown to programs.
pub(super) const SCHEMA: &str = "kamal/plan/1";

/// What was reviewed.
pub(super) enum Reviewed {
    /// A plan with this digest.
    Digest(String),
    /// This plan.
    Plan(Box<Plan>),
}

/// A plan, and what is known besides, as one document.
pub(super) fn document(outlook: &Outlook) -> Value {
    json!({
        "schema": SCHEMA,
        "digest": outlook.plan.digest(),
        "changes": !outlook.is_empty(),
        "only_restarts": outlook.only_restarts,
        "plan": outlook.plan,
        "differences": outlook.differences,
        "strays": outlook.strays,
    })
}

/// What `--plan` names: a digest, or a file with a plan as `--json` printed it, which has to be one of what is asked for.
pub(super) fn read(context: &Context, named: &str, asked: &Request) -> Result<Reviewed, Failure> {
    let path = context.project_path(named);
    if !path.is_file() {
        return digest(named);
    }
    let unusable = |why: &dyn std::fmt::Display| Failure::User(format!("--plan {named}: {why}"));
    let text = std::fs::read_to_string(&path).map_err(|error| unusable(&error))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| unusable(&error))?;
    let plan = value.get("plan").unwrap_or(&value);
    let plan = Plan::from_json(&plan.to_string()).map_err(|error| unusable(&error))?;
    let Request { op, selection, asked_version, .. } = &plan.asked;
    if *op != asked.op {
        let same = plan.operation == asked.op.row().name();
        let with = if same { " with other options" } else { "" };
        return Err(unusable(&format!("it is a plan of `kamal {}`{with}, not of what is asked for", plan.operation)));
    }
    // Where nothing is said on the command line the plan says it.
    if asked.selection != Selection::default() && asked.selection != *selection {
        return Err(unusable(&"it is a plan for other hosts or roles than are asked for"));
    }
    if asked.asked_version.is_some() && asked.asked_version != *asked_version {
        return Err(unusable(&"it is a plan for another version than is asked for"));
    }
    Ok(Reviewed::Plan(Box::new(plan)))
}

fn digest(named: &str) -> Result<Reviewed, Failure> {
    let is_digest = named.len() == 16 && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_digest {
        return Ok(Reviewed::Digest(named.to_ascii_lowercase()));
    }
    let what = "neither a digest (16 hexadecimal digits, as `kamal plan` prints it) nor a file with a plan";
    Err(Failure::User(format!("--plan {named}: there is no such file, and it is {what}")))
}
