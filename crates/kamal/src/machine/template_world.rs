//! What ERB in deploy.yml and secrets files may ask this machine.

mod command;
mod ruby;

use std::{
    cell::RefCell, collections::BTreeMap, io::Write, os::unix::fs::PermissionsExt, path::PathBuf, process::Stdio,
    sync::Arc,
};

use async_trait::async_trait;
use jiff::Zoned;
use kamal_core::{
    config::{self, Answer, Complaints, Fact, FileError, Found, RubyError, Source, TemplateWorld},
    ports::{Entropy as _, TemplateError, Templates},
    secret::Secret,
    secrets::{self, Commands, Ran, vendors::Sessions},
};
use zeroize::Zeroizing;

use super::{Environment, chance::SystemEntropy, secrets_command::SecretsCommand, slots::Slots};

/// This machine, for templates and secrets files.
#[derive(Debug)]
pub struct Surroundings {
    pub(super) project: PathBuf,
    pub(super) destination: Option<String>,
    /// Logins to vendors of secrets, made once.
    pub(super) sessions: Sessions,
    /// Places for programs that secrets need.
    pub(super) slots: Slots,
    pub(super) environment: Environment,
    /// Whether templates may run programs and say something.
    lively: bool,
}

impl Surroundings {
    /// This machine, as seen from a project's folder.
    pub fn new(project: impl Into<PathBuf>, destination: Option<String>, environment: Environment) -> Self {
        let slots = Slots::new(&environment);
        Self { project: project.into(), destination, sessions: Sessions::default(), slots, environment, lively: true }
    }

    /// The same for who only wants to know what a template says, while somebody types: it runs nothing and says nothing.
    /// A program's output is empty.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { lively: false, ..self }
    }

    /// Runs a command line as `sh -c` would. Values of secrets stand in it, so the shell finds it in its environment,
    /// which is for its own user's eyes, and not in its arguments.
    fn shell(&self, command: &str, variables: &Changes, complaints: Complaints) -> Result<Printed, NoShell> {
        let mut process = std::process::Command::new("sh");
        process.args(["-c", "kamal_command=$KAMAL_COMMAND_LINE; unset KAMAL_COMMAND_LINE; eval \"$kamal_command\""]);
        self.environment.give(&mut process);
        process.env("KAMAL_COMMAND_LINE", command).current_dir(&self.project);
        let kept = complaints == Complaints::Kept;
        process.stdin(Stdio::inherit()).stderr(if kept { Stdio::piped() } else { Stdio::inherit() });
        if let Some(destination) = &self.destination {
            process.env("KAMAL_DESTINATION", destination);
        }
        for (name, value) in variables {
            match value {
                Some(value) => process.env(name, value),
                None => process.env_remove(name),
            };
        }
        let output = process.output().map_err(NoShell)?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status).unwrap_or(0);
        let status = output.status.code().unwrap_or(128 + signal);
        let bytes = Zeroizing::new(output.stdout);
        let mut printed = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        let ran = Ran::printed(std::mem::take(&mut *printed)).ended(status);
        Ok(Printed { ran, complaints: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    /// Runs a command for a template.
    fn answer(
        &self,
        command: &str,
        variables: &Changes,
        complaints: Complaints,
    ) -> Result<Answer, config::CommandError> {
        if !self.lively {
            return Ok(Answer::default());
        }
        let changed = variables.get("PATH").cloned();
        let path = changed.unwrap_or_else(|| self.environment.get("PATH")).unwrap_or_default();
        if let Some(refusal) = command::refusal(command, &self.project, &path) {
            return Err(refusal);
        }
        let printed = self.shell(command, variables, complaints);
        let Printed { mut ran, complaints } =
            printed.map_err(|error| config::CommandError::Other(error.to_string()))?;
        Ok(Answer::printed(std::mem::take(&mut *ran.printed)).complaining(complaints).ended(ran.status))
    }

    fn variable(&self, name: &str) -> Option<String> {
        // Set while the configuration is loaded, so that templates can tell destinations apart (spec 1.8).
        if name == "KAMAL_DESTINATION" { self.destination.clone() } else { self.environment.get(name) }
    }
}

/// There is no shell to run a command.
#[derive(Debug, thiserror::Error)]
#[error("cannot run a shell for its command: {0}")]
struct NoShell(std::io::Error);

/// Variables set, or taken away.
type Changes = BTreeMap<String, Option<String>>;

/// What a shell printed.
struct Printed {
    ran: Ran,
    complaints: String,
}

impl TemplateWorld for Surroundings {
    fn env(&self, name: &str) -> Option<String> {
        self.variable(name)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let mut all = self.environment.all();
        all.remove("KAMAL_DESTINATION");
        all.extend(self.destination.iter().map(|name| ("KAMAL_DESTINATION".to_owned(), name.clone())));
        all.into_iter().collect()
    }

    fn set_env(&self, name: &str, value: Option<&str>) {
        self.environment.set(name, value);
    }

    fn read_file(&self, path: &str) -> Result<String, FileError> {
        let bytes = std::fs::read(self.project.join(path)).map_err(|error| file_error(&error))?;
        String::from_utf8(bytes).map_err(|_| FileError::Other("it is no text in UTF-8".to_owned()))
    }

    fn look(&self, path: &str) -> Option<Found> {
        let found = std::fs::metadata(self.project.join(path)).ok()?;
        let executable = found.permissions().mode() & 0o111 != 0;
        let of = if found.is_dir() { Found::folder } else { Found::file };
        Some(of(found.len()).executable(executable))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        let entries = std::fs::read_dir(self.project.join(folder)).map_err(|error| file_error(&error))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn run(&self, command: &str, complaints: Complaints) -> Result<Answer, config::CommandError> {
        self.answer(command, &Changes::new(), complaints)
    }

    fn fact(&self, fact: Fact) -> String {
        let user = || self.environment.get("USER").or_else(|| self.environment.get("LOGNAME"));
        match fact {
            Fact::Folder => self.project.to_string_lossy().into_owned(),
            Fact::Home => self.environment.get("HOME").unwrap_or_else(|| "/root".to_owned()),
            Fact::Host => rustix::system::uname().nodename().to_string_lossy().into_owned(),
            Fact::User => user().unwrap_or_else(|| "root".to_owned()),
            Fact::Platform => platform(std::env::consts::ARCH, std::env::consts::OS),
            Fact::ArchitectureQuestion => kamal_docker::ARCHITECTURE_QUESTION.to_owned(),
            Fact::Processors => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).to_string(),
            _ => String::new(),
        }
    }

    fn now(&self) -> Zoned {
        Zoned::now()
    }

    fn random(&self, count: usize) -> Vec<u8> {
        let hex = SystemEntropy::default().hex(count * 2);
        hex.as_bytes()
            .chunks(2)
            .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect()
    }

    fn say(&self, text: &str) {
        if !self.lively {
            return;
        }
        // Standard output is for what commands print. A terminal that is gone is no error of the template's.
        drop(std::io::stderr().write_all(text.as_bytes()));
    }

    fn ruby_erb(&self, template: &str) -> Option<Result<String, RubyError>> {
        let destination = [("KAMAL_DESTINATION".to_owned(), self.destination.clone())];
        if !self.lively {
            return None;
        }
        let rendered = ruby::render(template, &self.project, &self.environment, &destination.into())?;
        Some(rendered.map(|rendered| {
            for (name, value) in rendered.environment {
                self.environment.set(&name, value.as_deref());
            }
            rendered.text
        }))
    }
}

/// A platform in Ruby's words.
fn platform(arch: &str, os: &str) -> String {
    match (arch, os) {
        ("aarch64", "macos") => "arm64-darwin".to_owned(),
        (arch, "macos") => format!("{arch}-darwin"),
        _ => format!("{arch}-{os}"),
    }
}

fn file_error(error: &std::io::Error) -> FileError {
    match error.kind() {
        std::io::ErrorKind::NotFound => FileError::Missing,
        std::io::ErrorKind::IsADirectory => FileError::Folder,
        _ => FileError::Other(error.to_string()),
    }
}

/// This machine with variables added to its environment: what a template among an accessory's files sees. What it
/// changes is forgotten after it.
struct WithVariables<'v> {
    asked: &'v Surroundings,
    variables: RefCell<Changes>,
}

impl TemplateWorld for WithVariables<'_> {
    fn env(&self, name: &str) -> Option<String> {
        let own = self.variables.borrow().get(name).cloned();
        own.unwrap_or_else(|| self.asked.variable(name))
    }

    fn variables(&self) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = self.asked.variables().into_iter().collect();
        for (name, value) in &*self.variables.borrow() {
            match value {
                Some(value) => drop(all.insert(name.clone(), value.clone())),
                None => drop(all.remove(name)),
            }
        }
        all.into_iter().collect()
    }

    fn set_env(&self, name: &str, value: Option<&str>) {
        self.variables.borrow_mut().insert(name.to_owned(), value.map(str::to_owned));
    }

    fn read_file(&self, path: &str) -> Result<String, FileError> {
        self.asked.read_file(path)
    }

    fn look(&self, path: &str) -> Option<Found> {
        self.asked.look(path)
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, FileError> {
        self.asked.list(folder)
    }

    fn run(&self, command: &str, complaints: Complaints) -> Result<Answer, config::CommandError> {
        self.asked.answer(command, &self.variables.borrow(), complaints)
    }

    fn fact(&self, fact: Fact) -> String {
        self.asked.fact(fact)
    }

    fn now(&self) -> Zoned {
        self.asked.now()
    }

    fn random(&self, count: usize) -> Vec<u8> {
        self.asked.random(count)
    }

    fn say(&self, text: &str) {
        self.asked.say(text);
    }

    fn ruby_erb(&self, template: &str) -> Option<Result<String, RubyError>> {
        let rendered = ruby::render(template, &self.asked.project, &self.asked.environment, &self.variables.borrow())?;
        Some(rendered.map(|rendered| rendered.text))
    }
}

impl Surroundings {
    /// A template among an accessory's files.
    fn render(&self, source: &Source, variables: Changes) -> Result<String, TemplateError> {
        let outside = WithVariables { asked: self, variables: RefCell::new(variables) };
        config::render_template(source, &outside).map_err(|errors| TemplateError::new(errors.to_string()))
    }
}

/// Templates of a project, rendered where programs may be waited for.
#[derive(Debug)]
pub struct ProjectTemplates(Arc<Surroundings>);

impl ProjectTemplates {
    /// Templates that see these surroundings.
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        Self(Arc::new(surroundings))
    }
}

#[async_trait]
impl Templates for ProjectTemplates {
    async fn render(&self, path: &str, text: &str, variables: &[(String, Secret)]) -> Result<String, TemplateError> {
        let (asked, source) = (self.0.clone(), Source::new(path, text));
        let variables = variables.iter().map(|(name, value)| (name.clone(), Some(value.expose().to_owned()))).collect();
        let rendered = tokio::task::spawn_blocking(move || asked.render(&source, variables)).await;
        rendered.unwrap_or_else(|error| Err(TemplateError::new(format!("{path} was not rendered to the end: {error}"))))
    }
}

impl Commands for Surroundings {
    fn env(&self, name: &str) -> Option<String> {
        self.variable(name)
    }

    fn run(&self, command: &str) -> Result<Ran, secrets::CommandError> {
        let _slot = self.slots.take();
        let printed = self.shell(command, &Changes::new(), Complaints::Shown);
        printed.map(|printed| printed.ran).map_err(|error| secrets::CommandError::NotRun(error.to_string()))
    }

    fn inline_kamal(&self, args: &[String]) -> Result<String, secrets::CommandError> {
        let mut text = match SecretsCommand::read(args)? {
            SecretsCommand::Fetch(fetch) => self.fetch(&fetch)?.unwrap_or_default(),
            SecretsCommand::Extract(extract) => extract.run()?,
        };
        Ok(std::mem::take(&mut *text))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn templates_see_the_accessorys_variables_also_in_commands() {
        let asked = Surroundings::new(std::env::temp_dir(), None, Environment::of_process());
        let variables = Changes::from([("PASSWORD".to_owned(), Some("s3cret".to_owned()))]);
        let render = |text: &str| {
            let rendered = asked.render(&Source::new("my.cnf.erb", text), variables.clone());
            rendered.map_err(|error| error.to_string())
        };
        assert_eq!(render("a=<%= ENV[\"PASSWORD\"] %>\n").as_deref(), Ok("a=s3cret\n"));
        assert_eq!(render("<%= `printf %s \"$PASSWORD\"` %>").as_deref(), Ok("s3cret"));
        assert_eq!(
            render("<% ENV['PASSWORD'] = 'n'; ENV['MORE'] = 'm' %><%= `echo $PASSWORD$MORE` %>").as_deref(),
            Ok("nm\n")
        );
        assert_eq!(render("<%= ENV['PASSWORD'] %>|<%= ENV['MORE'] %>").as_deref(), Ok("s3cret|"));
        assert!(render("<%= ENV.fetch(\"NO_SUCH_VARIABLE_HERE\") %>").unwrap_err().contains("my.cnf.erb"));
    }

    fn rendered(asked: &Surroundings, text: &str) -> Result<String, String> {
        config::render_template(&Source::new("config/deploy.yml", text), asked).map_err(|errors| errors.to_string())
    }

    #[test]
    fn what_a_template_loads_is_there_for_the_secrets_after_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".env"), "LOADED_BY_TEMPLATE=yes\n").unwrap();
        let environment = Environment::of_process();
        let asked = || Surroundings::new(folder.path(), None, environment.clone());
        assert_eq!(rendered(&asked(), "<% Dotenv.load %>ok").as_deref(), Ok("ok"));
        assert_eq!(Commands::env(&asked(), "LOADED_BY_TEMPLATE").as_deref(), Some("yes"));
        let ran = Commands::run(&asked(), "printf %s $LOADED_BY_TEMPLATE").unwrap();
        assert_eq!(&*ran.printed, "yes");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_with_its_place() {
        let asked = Surroundings::new(std::env::temp_dir(), None, Environment::of_process());
        let told = rendered(&asked, "a: 1\nb: \"v<%= `nosuchtool describe --tags`.strip %>\"\n").unwrap_err();
        assert!(
            told.contains("cannot run `nosuchtool describe --tags`: No such file or directory - nosuchtool"),
            "{told}"
        );
        assert!(told.contains("config/deploy.yml:2:10"), "{told}");
        assert_eq!(rendered(&asked, "<%= `nosuchtool 2>/dev/null` %><%= $?.exitstatus %>").as_deref(), Ok("127"));
    }

    #[test]
    fn a_template_can_tell_why_a_program_was_not_run() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("data"), "").unwrap();
        let asked = Surroundings::new(folder.path(), None, Environment::of_process());
        for (class, command) in [("ENOENT", "./nothing"), ("EACCES", "./data")] {
            let template = format!("<% begin; `{command}`; rescue Errno::{class} %>{class}<% end %>");
            assert_eq!(rendered(&asked, &template).as_deref(), Ok(class));
        }
    }

    /// `None` where there is no ruby, which is said.
    fn by_ruby(folder: &Path, template: &str, variables: &Changes) -> Option<Result<ruby::Rendered, RubyError>> {
        let rendered = ruby::render(template, folder, &Environment::of_process(), variables);
        if rendered.is_none() {
            drop(writeln!(std::io::stderr(), "skipped: there is no ruby on PATH"));
        }
        rendered
    }

    #[test]
    fn whole_files_render_the_same_with_ruby() {
        let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kamal-core/tests/config/templates");
        for folder in std::fs::read_dir(templates).unwrap() {
            let folder = folder.unwrap().path();
            let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
            let line = |line: &str| {
                let (name, value) = line.split_once('=')?;
                Some((name.to_owned(), Some(value.to_owned())))
            };
            let variables = read("environment").lines().filter_map(line).collect();
            let empty = tempfile::tempdir().unwrap();
            let project = Some(folder.join("project")).filter(|project| project.is_dir());
            let project = project.unwrap_or_else(|| empty.path().to_owned());
            let Some(rendered) = by_ruby(&project, &read("deploy.yml"), &variables) else { return };
            assert_eq!(rendered.unwrap().text, read("expected.yml"), "{}", folder.display());
        }
    }

    #[test]
    fn ruby_has_what_kamals_process_has_and_tells_what_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let template = "<% require 'dotenv' %><% ENV['NEW'] = 'v' %><% puts 'for the user' %><%= ''.blank? %>\n\
            <%= [Pathname, YAML, JSON, Open3, Shellwords, SecureRandom, Digest, Base64, URI, Time, Kamal::Utils].size %>\n";
        let Some(rendered) = by_ruby(folder.path(), template, &Changes::new()) else { return };
        let rendered = rendered.unwrap();
        assert_eq!(rendered.text, "true\n11\n");
        assert_eq!(rendered.environment, [("NEW".to_owned(), Some("v".to_owned()))].into());
        for (template, message, line) in [
            ("a\n<%= ENV.fetch('NOPE') %>", "key not found: \"NOPE\" (KeyError)", Some(2)),
            ("a\n\n<%= Integer('x') %>", "invalid value for Integer(): \"x\" (ArgumentError)", Some(3)),
        ] {
            let error = by_ruby(folder.path(), template, &Changes::new()).unwrap().unwrap_err();
            assert_eq!(error, RubyError::new(message, line));
        }
        let error = by_ruby(folder.path(), "a\n<% if %>", &Changes::new()).unwrap().unwrap_err();
        assert!(error.line.is_some() && error.message.contains("SyntaxError"), "{error:?}");
    }
}
