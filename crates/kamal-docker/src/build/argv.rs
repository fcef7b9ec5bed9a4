//! The build command, its arguments in Kamal's order (spec 9.4, golden vectors 13.3).

use kamal_core::{
    config::{
        Config,
        model::{Builder, Cache},
    },
    naming,
    ports::{BuildError, BuildOrder, Command},
    shell::escape::{value, word},
};

/// What a build is told besides the configuration.
pub(super) struct Flags<'f> {
    /// Builds every layer anew.
    pub(super) no_cache: bool,
    /// What becomes of the result.
    pub(super) output: &'f str,
    /// What its tags end in.
    pub(super) suffix: &'f str,
}

/// `docker buildx build …`, to be run in the context's folder.
pub(super) fn build(order: &BuildOrder<'_>, flags: &Flags<'_>) -> Result<Command, BuildError> {
    let (config, builder) = (order.config, &order.config.builder);
    if builder.pack.is_some() {
        return Err(BuildError::Unfit("builder/pack is not supported yet; build with a Dockerfile".to_owned()));
    }
    let mut line = Line::default();
    line.plain(words("buildx build"));
    line.plain([format!("--output=type={}", flags.output)]);
    if !builder.arches.is_empty() {
        let platforms: Vec<String> = builder.arches.iter().map(|arch| format!("linux/{arch}")).collect();
        line.plain(["--platform".to_owned(), platforms.join(",")]);
    }
    if let Some(name) = builder_name(config) {
        line.plain(["--builder".to_owned(), name]);
    }
    let version = order.version.ok_or_else(|| BuildError::Unfit("there is no version to build".to_owned()))?;
    for image in [naming::image(config, version), naming::latest_image(config)] {
        line.plain(["-t".to_owned(), format!("{image}{}", flags.suffix)]);
    }
    line.plain(cache(config, builder));
    line.plain(["--label".to_owned(), format!("service={}", config.service)]);
    for (key, value) in &builder.args {
        line.plain(["--build-arg".to_owned()]);
        line.pair(key, value.as_deref());
    }
    line.plain(builder.secrets.iter().flat_map(|name| ["--secret".to_owned(), format!("id={name}")]));
    line.plain(["--file".to_owned()]);
    line.raw(&builder.dockerfile);
    for (flag, value) in [("--target", &builder.target), ("--ssh", &builder.ssh)] {
        if let Some(value) = value.as_ref().filter(|value| !value.trim().is_empty()) {
            line.plain([flag.to_owned()]);
            line.raw(value);
        }
    }
    let sbom = builder.sbom.map(|sbom| sbom.to_string());
    for (flag, value) in [("--provenance", &builder.provenance), ("--sbom", &sbom)] {
        line.plain(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    }
    if flags.no_cache {
        line.plain(["--no-cache".to_owned()]);
    }
    line.raw(builder.context.as_deref().unwrap_or("."));
    Ok(line.command())
}

/// Arguments of docker as they are, and as a shell has to be told them. Kamal hands its line to one, which fills in
/// variables where it leaves some: `--ssh default=$SSH_AUTH_SOCK`, `${VERSION}` in a build argument.
#[derive(Default)]
struct Line {
    args: Vec<String>,
    shell: Vec<String>,
    needs_shell: bool,
}

impl Line {
    fn plain(&mut self, args: impl IntoIterator<Item = String>) {
        for arg in args {
            self.shell.push(word(&arg));
            self.args.push(arg);
        }
    }

    /// What the shell is to read.
    fn raw(&mut self, text: &str) {
        self.needs_shell |= text.contains(['$', '`']) || text.starts_with('~');
        self.shell.push(text.to_owned());
        self.args.push(text.to_owned());
    }

    /// A build argument; one without a value is taken from the environment.
    fn pair(&mut self, key: &str, text: Option<&str>) {
        let Some(text) = text else { return self.plain([key.to_owned()]) };
        self.needs_shell |= text.contains("${");
        self.shell.push(format!("{}={}", word(key), value(text)));
        self.args.push(format!("{key}={text}"));
    }

    fn command(self) -> Command {
        if self.needs_shell {
            return Command::new("sh", ["-c".to_owned(), format!("exec docker {}", self.shell.join(" "))]);
        }
        Command::new("docker", self.args)
    }
}

/// The buildx builder's name, Kamal's; the `docker` driver needs none.
pub(super) fn builder_name(config: &Config) -> Option<String> {
    let driver = &config.builder.driver;
    match driver.as_str() {
        "docker" => None,
        cloud if cloud.starts_with("cloud") => Some(cloud.replace([' ', '/'], "-")),
        _ if local_registry(config) => Some(format!("kamal-local-registry-{driver}")),
        _ => Some(format!("kamal-local-{driver}")),
    }
}

/// `docker buildx create …`.
pub(super) fn create_builder(config: &Config, name: &str) -> Command {
    let driver = &config.builder.driver;
    if let Some(cloud) = driver.strip_prefix("cloud ") {
        return Command::new("docker", ["buildx", "create", "--driver", "cloud", cloud]);
    }
    let mut args = words("buildx create --name");
    args.extend([name.to_owned(), format!("--driver={driver}")]);
    if local_registry(config) {
        args.extend(words("--driver-opt network=host"));
    }
    Command::new("docker", args)
}

fn local_registry(config: &Config) -> bool {
    config.registry.server.as_ref().is_some_and(|server| server.starts_with("localhost:"))
}

fn cache(config: &Config, builder: &Builder) -> Vec<String> {
    let Some(Cache { kind, options, image }) = &builder.cache else { return Vec::new() };
    let with = |text: String, options: &str| if options.is_empty() { text } else { format!("{text},{options}") };
    let options = options.as_deref().unwrap_or_default();
    let (to, from) = if kind == "registry" {
        let image = image.clone().unwrap_or_else(|| format!("{}-build-cache", config.image));
        let server = config.registry.server.as_ref().map(|server| format!("{server}/")).unwrap_or_default();
        let reference = format!("type=registry,ref={server}{image}");
        (with(reference.clone(), options), reference)
    } else {
        let known = ["url=", "url_v2=", "token=", "scope=", "timeout="];
        let kept: Vec<&str> =
            options.split(',').filter(|option| known.iter().any(|key| option.starts_with(key))).collect();
        (with(format!("type={kind}"), options), with(format!("type={kind}"), &kept.join(",")))
    };
    vec!["--cache-to".to_owned(), to, "--cache-from".to_owned(), from]
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fill: impl FnOnce(&mut Line)) -> Command {
        let mut line = Line::default();
        line.plain(words("buildx build"));
        fill(&mut line);
        line.command()
    }

    #[test]
    fn docker_is_run_without_a_shell_where_none_is_needed() {
        let command = line(|line| {
            line.plain(["--build-arg".to_owned()]);
            line.pair("A", Some("it's $1 \"b\" `c`"));
            line.pair("B", None);
            line.pair("C", Some(""));
            line.raw("../app");
        });
        assert_eq!(command.program, "docker");
        assert_eq!(command.args, ["buildx", "build", "--build-arg", "A=it's $1 \"b\" `c`", "B", "C=", "../app"]);
    }

    #[test]
    fn variables_are_filled_in_as_in_kamal() {
        let command = line(|line| {
            line.plain(["a b".to_owned()]);
            line.pair("A", Some("${X} $X"));
            line.raw("default=$X");
        });
        assert_eq!(command.program, "sh");
        assert_eq!(command.args[1], "exec docker buildx build 'a b' A=\"${X} \\$X\" default=$X");
        let text = command.args[1].replace("exec docker", "printf '%s,'");
        let output = std::process::Command::new("sh").args(["-c", &text]).env("X", "x").output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "buildx,build,a b,A=x $X,default=x,");
    }
}
