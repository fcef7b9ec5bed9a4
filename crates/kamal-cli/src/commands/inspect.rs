//! Commands that only look at the project: config, secrets.

use kamal_core::{
    config::{Severity, effective},
    redact::Redactor,
};

use crate::{
    args::{ConfigArgs, ConfigChore, Global},
    context::{self, Context},
    failure::Failure,
    output,
};

/// `config`.
pub(super) fn config(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    if let Some(ConfigChore::Validate) = args.chore {
        return validate(global, args);
    }
    let loaded = context::load(global)?;
    // They change nothing that is printed, but have to fit.
    context::targets(global, &loaded.config)?;
    let redactor = Redactor::new();
    let notices = if args.reveal { Vec::new() } else { context::learn(global, &loaded, &redactor)? };
    let unsupported = loaded.unsupported.iter().cloned().map(|mut found| {
        found.severity = Severity::Warning;
        found
    });
    for warning in loaded.warnings.iter().cloned().chain(unsupported) {
        output::complain(&redactor.text(&warning.to_string()));
    }
    for notice in notices {
        output::complain(&format!("warning: {notice}"));
    }
    let version = context::version(global, &loaded.config)?;
    let effective = effective::effective(&loaded, &version);
    let effective = effective.redacted(&redactor);
    let text = if as_json(global, args) { format!("{:#}\n", effective.to_json()) } else { effective.to_yaml() };
    output::show(&text);
    Ok(())
}

/// Whether the answer is to be JSON, by the command's own option or by everybody's.
fn as_json(global: &Global, args: &ConfigArgs) -> bool {
    args.format == "json" || global.json
}

/// `config validate`.
fn validate(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    let (valid, found) = match context::load(global) {
        Ok(loaded) => (loaded.unsupported.is_empty(), [loaded.unsupported, loaded.warnings].concat()),
        Err(Failure::Config(errors)) => (false, errors.0),
        Err(other) => return Err(other),
    };
    if as_json(global, args) {
        output::line(&format!("{:#}", serde_json::json!({"valid": valid, "diagnostics": found})));
    } else {
        let separated: Vec<String> = found.iter().map(ToString::to_string).collect();
        if !separated.is_empty() {
            output::complain(&separated.join("\n\n"));
        }
        if valid {
            output::line(&format!("{} is valid", global.config_file));
        }
    }
    if valid { Ok(()) } else { Err(Failure::Status(1)) }
}

/// `secrets print`.
pub(super) async fn secrets(context: &Context) -> Result<(), Failure> {
    for (name, secret) in context.project.world().secrets.all().await? {
        super::secrets::print(&format!("{name}={}", secret.expose()));
    }
    Ok(())
}
