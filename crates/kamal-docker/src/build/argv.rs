//! The build commands, their arguments in Kamal's order (spec 9.4, golden vectors 13.3).

use kamal_core::{
    config::{
        Config,
        model::{Builder, Cache, Pack},
    },
    naming,
    ports::{BuildError, BuildOrder, Command},
    secret::Secret,
    shell::escape::{value, word},
};

use super::backend::Backend;

/// What a build is told besides the configuration.
pub(super) struct Flags<'f> {
    /// Builds every layer anew.
    pub(super) no_cache: bool,
    /// What becomes of the result.
    pub(super) output: &'f str,
    /// What its tags end in.
    pub(super) suffix: &'f str,
    /// The file that buildx tells the image's digest in, where it is wanted.
    pub(super) metadata: Option<&'f str>,
}

/// `docker buildx build …`, to be run in the context's folder.
pub(super) fn build(order: &BuildOrder<'_>, backend: &Backend, flags: &Flags<'_>) -> Result<Command, BuildError> {
    let (config, builder) = (order.config, &order.config.builder);
    let mut line = Line::new("docker");
    line.plain(words("buildx build"));
    line.plain([format!("--output=type={}", flags.output)]);
    line.plain(flags.metadata.into_iter().flat_map(|file| ["--metadata-file".to_owned(), file.to_owned()]));
    line.plain(platforms(&builder.arches));
    line.plain(backend.name().into_iter().flat_map(|name| ["--builder".to_owned(), name.to_owned()]));
    line.plain(tags(order, flags)?.into_iter().flat_map(|tag| ["-t".to_owned(), tag]));
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
    let mut command = line.command();
    if backend.elsewhere().is_some() {
        // It is that machine that has to reach the registry, and so asks for the token.
        command.env.push(("BUILDKIT_NO_CLIENT_TOKEN".to_owned(), Secret::new("1")));
    }
    Ok(command)
}

/// `pack build …`. Secrets are in the environment, which it takes variables without a value from.
pub(super) fn pack(order: &BuildOrder<'_>, pack: &Pack, flags: &Flags<'_>) -> Result<Command, BuildError> {
    let (config, builder) = (order.config, &order.config.builder);
    let mut line = Line::new("pack");
    line.plain(["build".to_owned(), config.repository()]);
    line.plain(platforms(&builder.arches));
    line.plain(words("--creation-time now --builder"));
    line.plain([pack.builder.clone()]);
    let labels = "paketo-buildpacks/image-labels".to_owned();
    let buildpacks = pack.buildpacks.iter().chain([&labels]);
    line.plain(buildpacks.flat_map(|buildpack| ["--buildpack".to_owned(), buildpack.clone()]));
    line.plain(tags(order, flags)?.into_iter().flat_map(|tag| ["-t".to_owned(), tag]));
    if flags.no_cache {
        line.plain(["--clear-cache".to_owned()]);
    }
    line.plain(["--env".to_owned(), format!("BP_IMAGE_LABELS=service={}", config.service)]);
    for (key, value) in &builder.args {
        line.plain(["--env".to_owned()]);
        line.pair(key, value.as_deref());
    }
    line.plain(builder.secrets.iter().flat_map(|name| ["--env".to_owned(), name.clone()]));
    line.plain(["--path".to_owned()]);
    line.raw(builder.context.as_deref().unwrap_or("."));
    Ok(line.command())
}

/// What the image is called: by its version, and as the latest.
pub(super) fn tags(order: &BuildOrder<'_>, flags: &Flags<'_>) -> Result<[String; 2], BuildError> {
    let version = order.version.ok_or_else(|| BuildError::Unfit("there is no version to build".to_owned()))?;
    let images = [naming::image(order.config, version), naming::latest_image(order.config)];
    Ok(images.map(|image| format!("{image}{}", flags.suffix)))
}

/// `--platform`, if there are any.
pub(super) fn platforms(arches: &[String]) -> Vec<String> {
    if arches.is_empty() {
        return Vec::new();
    }
    let platforms: Vec<String> = arches.iter().map(|arch| format!("linux/{arch}")).collect();
    vec!["--platform".to_owned(), platforms.join(",")]
}

/// Arguments of a program as they are, and as a shell has to be told them. Kamal hands its line to one, which fills in
/// variables where it leaves some: `--ssh default=$SSH_AUTH_SOCK`, `${VERSION}` in a build argument.
struct Line {
    program: &'static str,
    args: Vec<String>,
    shell: Vec<String>,
    needs_shell: bool,
}

impl Line {
    fn new(program: &'static str) -> Self {
        Self { program, args: Vec::new(), shell: Vec::new(), needs_shell: false }
    }

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
            let text = format!("exec {} {}", self.program, self.shell.join(" "));
            return Command::new("sh", ["-c".to_owned(), text]);
        }
        Command::new(self.program, self.args)
    }
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

/// Words with blanks between them.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fill: impl FnOnce(&mut Line)) -> Command {
        let mut line = Line::new("docker");
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
