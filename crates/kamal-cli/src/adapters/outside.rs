//! What ERB in deploy.yml and secrets files may ask this machine.

use std::{path::PathBuf, process::Stdio};

use kamal_core::{
    config::{self, Outside, Source},
    ports::Templates,
    secret::Secret,
    secrets::{Commands, Ran, vendors::Sessions},
};
use zeroize::Zeroizing;

use super::slots::Slots;
use crate::args::{self, SecretsCommand};

/// This machine, for templates and secrets files.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) project: PathBuf,
    pub(crate) destination: Option<String>,
    /// Logins to vendors of secrets, made once.
    pub(crate) sessions: Sessions,
    /// Places for programs that secrets need.
    pub(crate) slots: Slots,
}

impl Asked {
    /// This machine, as seen from a project's folder.
    pub(crate) fn new(project: PathBuf, destination: Option<String>) -> Self {
        Self { project, destination, sessions: Sessions::default(), slots: Slots::from_env() }
    }

    /// Runs a command line as `sh -c` would. Values of secrets stand in it, so the shell finds it in its environment,
    /// which is for its own user's eyes, and not in its arguments.
    fn shell(&self, command: &str, variables: &[(String, Secret)]) -> Result<Ran, String> {
        let mut process = std::process::Command::new("sh");
        process.args(["-c", "kamal_command=$KAMAL_COMMAND_LINE; unset KAMAL_COMMAND_LINE; eval \"$kamal_command\""]);
        process.env("KAMAL_COMMAND_LINE", command).current_dir(&self.project);
        process.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        if let Some(destination) = &self.destination {
            process.env("KAMAL_DESTINATION", destination);
        }
        process.envs(variables.iter().map(|(name, value)| (name, value.expose())));
        let output = process.output().map_err(|error| format!("cannot run a shell for its command: {error}"))?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0);
        let status = output.status.code().unwrap_or(128 + signal);
        let printed = Zeroizing::new(output.stdout);
        Ok(Ran { printed: Zeroizing::new(String::from_utf8_lossy(&printed).into_owned()), status })
    }

    fn variable(&self, name: &str) -> Option<String> {
        // Set while the configuration is loaded, so that templates can tell destinations apart (spec 1.8).
        if name == "KAMAL_DESTINATION" { self.destination.clone() } else { std::env::var(name).ok() }
    }
}

impl Outside for Asked {
    fn env(&self, name: &str) -> Option<String> {
        self.variable(name)
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.project.join(path)).map_err(|error| format!("cannot read {path}: {error}"))
    }

    fn run(&self, command: &str) -> Result<String, String> {
        self.shell(command, &[]).map(|mut ran| std::mem::take(&mut *ran.printed))
    }

    fn ruby_erb(&self, template: &str) -> Option<Result<String, String>> {
        self.ruby(template, &[])
    }
}

/// This machine with variables added to its environment: what a template among an accessory's files sees.
struct WithVariables<'v> {
    asked: &'v Asked,
    variables: &'v [(String, Secret)],
}

impl Outside for WithVariables<'_> {
    fn env(&self, name: &str) -> Option<String> {
        let own = self.variables.iter().rev().find(|(known, _)| known == name);
        own.map(|(_, value)| value.expose().to_owned()).or_else(|| self.asked.variable(name))
    }

    fn read_file(&self, path: &str) -> Result<String, String> {
        self.asked.read_file(path)
    }

    fn run(&self, command: &str) -> Result<String, String> {
        self.asked.shell(command, self.variables).map(|mut ran| std::mem::take(&mut *ran.printed))
    }

    fn ruby_erb(&self, template: &str) -> Option<Result<String, String>> {
        self.asked.ruby(template, self.variables)
    }
}

impl Templates for Asked {
    fn render(&self, path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, String> {
        let outside = WithVariables { asked: self, variables };
        config::render_template(&Source::new(path, text), &outside).map_err(|errors| errors.to_string())
    }
}

impl Asked {
    fn ruby(&self, template: &str, variables: &[(String, Secret)]) -> Option<Result<String, String>> {
        let script = "print ERB.new(STDIN.read, trim_mode: '-').result";
        let mut process = std::process::Command::new("ruby");
        process.args(["-rerb", "-e", script]).current_dir(&self.project);
        process.envs(variables.iter().map(|(name, value)| (name, value.expose())));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().ok()?;
        if let Some(mut stdin) = child.stdin.take() {
            let written = std::io::Write::write_all(&mut stdin, template.as_bytes());
            drop((written, stdin));
        }
        let output = child.wait_with_output().ok()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }
}

impl Commands for Asked {
    fn env(&self, name: &str) -> Option<String> {
        self.variable(name)
    }

    fn run(&self, command: &str) -> Result<Ran, String> {
        let _slot = self.slots.take();
        self.shell(command, &[])
    }

    fn inline_kamal(&self, args: &[String]) -> Result<String, String> {
        let mut text = match args::inline(args)? {
            SecretsCommand::Fetch(args) => self.fetch(&args)?.unwrap_or_default(),
            SecretsCommand::Extract(args) => Self::extract(&args)?,
            SecretsCommand::Print => Zeroizing::default(),
        };
        Ok(std::mem::take(&mut *text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_see_the_accessorys_variables_also_in_commands() {
        let asked = Asked::new(std::env::temp_dir(), None);
        let variables = [("PASSWORD".to_owned(), Secret::new("s3cret"))];
        let render = |text: &str| asked.render("my.cnf.erb", text, &variables);
        assert_eq!(render("a=<%= ENV[\"PASSWORD\"] %>\n").as_deref(), Ok("a=s3cret\n"));
        assert_eq!(render("<%= `printf %s \"$PASSWORD\"` %>").as_deref(), Ok("s3cret"));
        assert!(render("<%= ENV.fetch(\"NO_SUCH_VARIABLE_HERE\") %>").unwrap_err().contains("my.cnf.erb"));
    }
}
