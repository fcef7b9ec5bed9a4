//! `kamal doctor`: whether all is there that a deploy relies on; where the way to a host ends. Both say what would fix it.

use futures_util::future::join_all;
use kamal_core::{doctor::Checkup, name::HostName, op::Op, redact::Redactor};
use kamal_ssh::Finding;
use serde_json::{Value, json};

use crate::{context::Context, failure::Failure, output};

/// Looks at everything; fails when something is not as it has to be.
pub(crate) async fn all(context: &Context) -> Result<(), Failure> {
    let report = context.operation(Op::Doctor).run().await?;
    let checkup = report.checkup.ok_or(Failure::Interrupted)?;
    if context.reporter.is_json() {
        context.reporter.json(checkup.to_json());
    } else {
        context.reporter.data(&checkup.to_string());
    }
    if checkup.ok { Ok(()) } else { Err(Failure::Status(1)) }
}

/// Tells a program that deploy.yml cannot be used, in the form it asked for.
pub(crate) fn unusable(failure: &Failure, redactor: &Redactor) -> Result<(), Failure> {
    let checkup = Checkup::unusable(jiff::Timestamp::now(), &failure.told());
    output::line(&redactor.text(&checkup.to_json().to_string()));
    Err(Failure::Status(1))
}

/// Goes the way to hosts step by step; fails when one does not lead there.
pub(crate) async fn ssh(context: &Context, hosts: &[String]) -> Result<(), Failure> {
    let hosts: Vec<HostName> = if hosts.is_empty() {
        context.targets()?.hosts
    } else {
        hosts.iter().map(|host| HostName::parse(host.as_str())).collect::<Result<_, _>>()?
    };
    let connector = context.project.connector().ok_or(Failure::Interrupted)?;
    let ways = join_all(hosts.iter().map(|host| connector.diagnose(host))).await;
    let lost = ways.iter().filter(|findings| findings.iter().any(|finding| finding.failed)).count();
    let ways = hosts.iter().zip(&ways);
    let json = context.reporter.is_json();
    if json {
        let hosts: Vec<Value> = ways.map(|(host, findings)| as_json(host, findings)).collect();
        context.reporter.json(json!({"schema": "kamal/doctor-ssh/1", "ok": lost == 0, "hosts": hosts}));
    } else {
        ways.for_each(|(host, findings)| context.reporter.data(&as_text(host, findings)));
    }
    match Failure::User(format!("{lost} of {} hosts cannot be used", hosts.len())) {
        _ if lost == 0 => Ok(()),
        // The document says it.
        failure if json => Err(Failure::Reported(Box::new(failure))),
        failure => Err(failure),
    }
}

fn as_text(host: &HostName, findings: &[Finding]) -> String {
    let mut text = format!("{host}\n");
    for finding in findings {
        let mark = if finding.failed { "✗" } else { "·" };
        let after = finding.after.as_millis();
        text.push_str(&format!("  {mark} {:<10} {:>6} ms  {}\n", finding.stage.name(), after, finding.text));
    }
    if !findings.iter().any(|finding| finding.failed) {
        text.push_str("  ✓ the host can be used\n");
    }
    text
}

fn as_json(host: &HostName, findings: &[Finding]) -> Value {
    let failed = findings.iter().find(|finding| finding.failed);
    let steps: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "step": finding.stage.name(),
                "ok": !finding.failed,
                "text": finding.text,
                "after_ms": u64::try_from(finding.after.as_millis()).unwrap_or(u64::MAX),
            })
        })
        .collect();
    json!({
        "host": host.as_str(),
        "ok": failed.is_none(),
        "failed_step": failed.map(|finding| finding.stage.name()),
        "steps": steps,
    })
}
