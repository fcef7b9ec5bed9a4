//! `kamal init`: a configuration to begin with (spec 9.11).

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use kamal_core::run::hooks;
use serde_json::json;

use crate::{
    args::{Global, InitArgs},
    context,
    failure::Failure,
    output,
};

const DEPLOY: &str = include_str!("../templates/deploy.yml");
const SECRETS: &str = include_str!("../templates/secrets");

/// Creates what is not there yet and leaves alone what is.
pub(super) fn run(global: &Global, args: &InitArgs) -> Result<(), Failure> {
    if args.bundle {
        return Err(Failure::User(
            "there is nothing to bundle: this kamal is a program of its own, not a Ruby gem".to_owned(),
        ));
    }
    let project = context::project()?;
    let tell = |text: &str| {
        if !global.json {
            output::line(text);
        }
    };
    let mut created = Vec::new();
    let deploy = project.join("config/deploy.yml");
    if deploy.exists() {
        tell("Config file already exists in config/deploy.yml (remove first to create a new one)");
    } else {
        write(&deploy, DEPLOY, 0o644)?;
        created.push("config/deploy.yml");
        tell("Created configuration file in config/deploy.yml");
    }
    let secrets = project.join(".kamal/secrets");
    if !secrets.exists() {
        write(&secrets, SECRETS, 0o600)?;
        created.push(".kamal/secrets");
        tell("Created .kamal/secrets file");
    }
    let folder = project.join(".kamal/hooks");
    if !folder.exists() {
        for name in hooks::NAMES {
            write(&folder.join(format!("{name}.sample")), &sample(name), 0o755)?;
        }
        created.push(".kamal/hooks");
        tell("Created sample hooks in .kamal/hooks");
    }
    if global.json {
        output::line(&json!({"schema": "kamal/init/1", "created": created}).to_string());
    }
    Ok(())
}

fn sample(name: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Rename to .kamal/hooks/{name} to use it. A non-zero exit status stops the command.\n\
         # Told in the environment: KAMAL_VERSION, KAMAL_SERVICE, KAMAL_HOSTS, KAMAL_COMMAND, KAMAL_PERFORMER,\n\
         # KAMAL_DESTINATION, KAMAL_RECORDED_AT, and KAMAL_RUNTIME in post-deploy.\n\
         echo \"{name}: $KAMAL_SERVICE $KAMAL_VERSION on $KAMAL_HOSTS\"\n"
    )
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), Failure> {
    let attempt = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, content)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    };
    attempt().map_err(|error| Failure::User(format!("cannot create {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use kamal_core::config::{self, Source, schema};

    use super::*;

    fn loaded(text: &str) -> config::Loaded {
        let asked =
            kamal::machine::Surroundings::new(std::env::temp_dir(), None, kamal::machine::Environment::of_process());
        config::load(&Source::new("config/deploy.yml", text), None, &asked).unwrap()
    }

    #[test]
    fn the_template_loads_as_it_is_and_with_every_suggestion_taken() {
        let config = loaded(DEPLOY).config;
        assert_eq!((config.service.as_str(), &*config.repository()), ("my-app", "localhost:5555/my-app"));
        // A comment that is YAML is a suggestion: `# env:`, `#   DB_HOST: …`, `# server: …`, `#     - …`.
        let suggestion = |line: &str| {
            let text = line.trim_start().strip_prefix("# ").unwrap_or_default().trim_start();
            let key = text.split_once(':').map_or("", |(key, _)| key);
            let named = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            let is_key = named && (key == key.to_lowercase() || key == key.to_uppercase());
            is_key || text.starts_with("- ")
        };
        let taken: Vec<String> = DEPLOY
            .lines()
            .map(|line| if suggestion(line) { line.replacen("# ", "", 1) } else { line.to_owned() })
            .collect();
        let config = loaded(&taken.join("\n")).config;
        assert_eq!(config.roles.len(), 2, "{}", taken.join("\n"));
        assert_eq!((config.accessories.len(), config.aliases.len(), config.env.secret.len()), (1, 1, 1));
        assert_eq!((config.registry.server.as_deref(), config.ssh.user.as_str()), (Some("ghcr.io"), "app"));
        assert_eq!(config.repository(), "ghcr.io/my-user/my-app");
    }

    #[test]
    fn editors_are_told_of_the_schema() {
        assert_eq!(DEPLOY.lines().next(), Some(format!("# yaml-language-server: $schema={}", schema::URL).as_str()));
    }
}
