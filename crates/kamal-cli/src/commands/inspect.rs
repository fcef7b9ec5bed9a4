//! Commands that only look at the project: config, secrets.

use kamal_core::{config::effective, redact::Redactor};
use serde_json::{Value, json};

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
    for warning in &loaded.warnings {
        output::complain(&redactor.text(&warning.to_string()));
    }
    for notice in notices {
        output::complain(&format!("warning: {notice}"));
    }
    let version = context::version(global, &loaded.config)?;
    let effective = effective::effective(&loaded, &version);
    let effective = effective.redacted(&redactor);
    if global.json {
        output::line(&json!({"schema": "kamal/config/1", "config": effective.to_json()}).to_string());
        return Ok(());
    }
    // Kamal's own form, as it is.
    let text = if args.format == "json" { format!("{:#}\n", effective.to_json()) } else { effective.to_yaml() };
    output::show(&text);
    Ok(())
}

/// `config validate`.
fn validate(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    let (valid, found) = match context::load(global) {
        Ok(loaded) => (true, loaded.warnings),
        Err(Failure::Config(errors)) => (false, errors.0),
        Err(other) => return Err(other),
    };
    if args.format == "json" || global.json {
        let found = json!({"schema": "kamal/validation/1", "valid": valid, "diagnostics": found});
        output::line(&format!("{found:#}"));
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
    let secrets = context.project.world().secrets.all().await?;
    if context.reporter.is_json() {
        let all = secrets.into_iter().map(|(name, secret)| (name, Value::from(secret.expose()))).collect();
        super::secrets::document(&Value::Object(all));
        return Ok(());
    }
    for (name, secret) in secrets {
        super::secrets::print(&format!("{name}={}", secret.expose()));
    }
    Ok(())
}
