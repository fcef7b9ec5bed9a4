//! `kamal init`: a configuration to begin with (spec 9.11).

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use kamal_core::ops::hooks;

use crate::{args::InitArgs, context, failure::Failure};

const DEPLOY: &str = include_str!("../templates/deploy.yml");
const SECRETS: &str = include_str!("../templates/secrets");

/// Creates what is not there yet and leaves alone what is.
pub(super) fn run(args: &InitArgs) -> Result<(), Failure> {
    if args.bundle {
        return Err(Failure::User(
            "there is nothing to bundle: this kamal is a program of its own, not a Ruby gem".to_owned(),
        ));
    }
    let project = context::project()?;
    let deploy = project.join("config/deploy.yml");
    if deploy.exists() {
        anstream::println!("Config file already exists in config/deploy.yml (remove first to create a new one)");
    } else {
        write(&deploy, DEPLOY, 0o644)?;
        anstream::println!("Created configuration file in config/deploy.yml");
    }
    let secrets = project.join(".kamal/secrets");
    if !secrets.exists() {
        write(&secrets, SECRETS, 0o600)?;
        anstream::println!("Created .kamal/secrets file");
    }
    let folder = project.join(".kamal/hooks");
    if !folder.exists() {
        for name in hooks::NAMES {
            write(&folder.join(format!("{name}.sample")), &sample(name), 0o755)?;
        }
        anstream::println!("Created sample hooks in .kamal/hooks");
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
