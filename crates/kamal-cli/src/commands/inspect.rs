//! Commands that only look: details, audit, config, secrets.

use kamal_core::{
    config::{Diagnostic, Severity, effective},
    name::HostName,
    ops::small,
    query::Query,
    redact::Redactor,
};

use crate::{
    args::{ConfigArgs, ConfigChore, Global},
    context::{self, Context},
    failure::Failure,
};

/// Asks questions and shows the answers under Kamal's headings. An answer that failed is shown, and fails the command.
pub(super) async fn show(context: &Context, kind: &str, questions: &[(HostName, Query)]) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let answers = small::ask(&context.cx(&version), questions).await?;
    let mut failed = Vec::new();
    for ((host, _), answer) in questions.iter().zip(&answers) {
        context.reporter.host(kind, host, &answer.stdout);
        if answer.status != 0 {
            failed.push(format!("{host}: {}", answer.stderr.trim()));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::User(failed.join("\n"))) }
}

/// `app details`.
pub(super) async fn app_details(context: &Context) -> Result<(), Failure> {
    let version = context.version_or_unknown();
    let cx = context.cx(&version);
    let placed = small::placements(&cx);
    let questions: Vec<_> =
        placed.into_iter().map(|(host, role)| (host, Query::Details { role: role.name.clone() })).collect();
    show(context, "App", &questions).await
}

/// `details`.
pub(super) async fn details(context: &Context) -> Result<(), Failure> {
    let on =
        |hosts: &[HostName], query: Query| hosts.iter().map(|host| (host.clone(), query.clone())).collect::<Vec<_>>();
    show(context, "Proxy", &on(&context.targets.proxy_hosts, Query::ProxyDetails)).await?;
    app_details(context).await?;
    if !context.config().accessories.is_empty() {
        show(context, "Accessory", &on(&context.targets.hosts, Query::Accessories)).await?;
    }
    Ok(())
}

/// `audit`.
pub(super) async fn audit(context: &Context) -> Result<(), Failure> {
    let questions: Vec<_> = context.targets.hosts.iter().map(|host| (host.clone(), Query::Audit)).collect();
    show(context, "App", &questions).await
}

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
    let unsupported =
        loaded.unsupported.iter().map(|found| Diagnostic { severity: Severity::Warning, ..found.clone() });
    for warning in loaded.warnings.iter().cloned().chain(unsupported) {
        anstream::eprintln!("{}", redactor.text(&warning.to_string()));
    }
    for notice in notices {
        anstream::eprintln!("warning: {notice}");
    }
    let version = context::version(global, &loaded.config)?;
    let effective = effective::effective(&loaded, &version);
    let effective = effective.redacted(&redactor);
    let text = if args.format == "json" { format!("{:#}\n", effective.to_json()) } else { effective.to_yaml() };
    anstream::print!("{text}");
    Ok(())
}

/// `config validate`.
fn validate(global: &Global, args: &ConfigArgs) -> Result<(), Failure> {
    let (valid, found) = match context::load(global) {
        Ok(loaded) => (loaded.unsupported.is_empty(), [loaded.unsupported, loaded.warnings].concat()),
        Err(Failure::Config(errors)) => (false, errors.0),
        Err(other) => return Err(other),
    };
    if args.format == "json" || global.json {
        anstream::println!("{:#}", serde_json::json!({"valid": valid, "diagnostics": found}));
    } else {
        let separated: Vec<String> = found.iter().map(ToString::to_string).collect();
        if !separated.is_empty() {
            anstream::eprintln!("{}", separated.join("\n\n"));
        }
        if valid {
            anstream::println!("{} is valid", global.config_file);
        }
    }
    if valid { Ok(()) } else { Err(Failure::Status(1)) }
}

/// `secrets print`.
pub(super) fn secrets(context: &Context) -> Result<(), Failure> {
    for (name, secret) in context.world.secrets.all().map_err(Failure::User)? {
        super::secrets::print(&format!("{name}={}", secret.expose()));
    }
    Ok(())
}
