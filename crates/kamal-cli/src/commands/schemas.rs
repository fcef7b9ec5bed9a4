//! The JSON schemas of what commands print with `--json`, by name.

use kamal_core::config::schema;

use crate::{failure::Failure, output};

/// What commands print, and its schema. That of deploy.yml is made of the table its checks go by.
const SCHEMAS: [(&str, &str); 17] = [
    ("answers", include_str!("../schemas/answers.json")),
    ("config", include_str!("../schemas/config.json")),
    ("docs", include_str!("../schemas/docs.json")),
    ("doctor", include_str!("../schemas/doctor.json")),
    ("doctor-ssh", include_str!("../schemas/doctor-ssh.json")),
    ("event", include_str!("../schemas/event.json")),
    ("failure", include_str!("../schemas/failure.json")),
    ("import", include_str!("../schemas/import.json")),
    ("init", include_str!("../schemas/init.json")),
    ("log", include_str!("../schemas/log.json")),
    ("plan", include_str!("../schemas/plan.json")),
    ("registry", include_str!("../schemas/registry.json")),
    ("registry-gc", include_str!("../schemas/registry-gc.json")),
    ("secrets", include_str!("../schemas/secrets.json")),
    ("status", include_str!("../schemas/status.json")),
    ("validation", include_str!("../schemas/validation.json")),
    ("version", include_str!("../schemas/version.json")),
];

/// Prints a schema: that of deploy.yml where none is named.
pub(super) fn print(name: Option<&str>) -> Result<(), Failure> {
    match name {
        None | Some("deploy") => output::show(&schema::text()),
        Some(name) => match SCHEMAS.iter().find(|(known, _)| *known == name) {
            Some((_, text)) => output::show(text),
            None => {
                let known: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
                let known = known.join(", ");
                return Err(Failure::User(format!("there is no schema named {name}; there are deploy, {known}")));
            }
        },
    }
    Ok(())
}

#[cfg(test)]
mod tests;
