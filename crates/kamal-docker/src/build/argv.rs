//! The build command, its arguments in Kamal's order (spec 9.4, golden vectors 13.3).

use kamal_core::{
    config::{
        Config,
        model::{Builder, Cache},
    },
    naming,
    ports::{BuildError, BuildOrder, Command},
};

/// `docker buildx build …`, to be run in the context's folder.
pub(super) fn build(order: &BuildOrder<'_>) -> Result<Command, BuildError> {
    let (config, builder) = (order.config, &order.config.builder);
    if builder.pack.is_some() {
        return Err(BuildError::Unfit("builder/pack is not supported yet; build with a Dockerfile".to_owned()));
    }
    let mut args = words("buildx build");
    args.push(format!("--output=type={}", order.output));
    if !builder.arches.is_empty() {
        let platforms: Vec<String> = builder.arches.iter().map(|arch| format!("linux/{arch}")).collect();
        args.extend(["--platform".to_owned(), platforms.join(",")]);
    }
    if let Some(name) = builder_name(config) {
        args.extend(["--builder".to_owned(), name]);
    }
    let dirty = if order.output == "docker" { "-dirty" } else { "" };
    for image in [naming::image(config, order.version), naming::latest_image(config)] {
        args.extend(["-t".to_owned(), format!("{image}{dirty}")]);
    }
    args.extend(cache(config, builder));
    args.extend(["--label".to_owned(), format!("service={}", config.service)]);
    for (key, value) in &builder.args {
        let pair = if value.is_empty() { key.clone() } else { format!("{key}={value}") };
        args.extend(["--build-arg".to_owned(), pair]);
    }
    args.extend(builder.secrets.iter().flat_map(|name| ["--secret".to_owned(), format!("id={name}")]));
    args.extend(["--file".to_owned(), builder.dockerfile.clone()]);
    let option = |flag: &str, value: &Option<String>| {
        value.iter().flat_map(|value| [flag.to_owned(), value.clone()]).collect::<Vec<_>>()
    };
    args.extend(option("--target", &builder.target));
    args.extend(option("--ssh", &builder.ssh));
    args.extend(option("--provenance", &builder.provenance));
    args.extend(option("--sbom", &builder.sbom.map(|sbom| sbom.to_string())));
    if order.no_cache {
        args.push("--no-cache".to_owned());
    }
    args.push(builder.context.clone().unwrap_or_else(|| ".".to_owned()));
    Ok(Command::new("docker", args))
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
