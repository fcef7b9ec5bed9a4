//! The services of the app's image, as roles, and all that the root of a draft says of them.

use super::super::HOST;
use super::super::tree::{Map, Tree};
use super::env::{Setting, shared, tree};
use super::service::{Service, arch};
use super::{Reader, Store, mounts, one_or_several};

const CHECK: &str =
    "The proxy asks for this path until it is answered with 200, and leads requests to the new container then.";
pub(super) const HOSTS: &str = "Put the addresses of your servers here, and of those of accessories below.";

/// The app: `app` begins with the service that requests come to.
pub(super) fn roles(reader: &mut Reader<'_>, app: &[&Service], releases: &[&Service], root: &mut Map) {
    let Some(primary) = app.first() else { return };
    let settings: Vec<Vec<Setting>> = app.iter().map(|service| settings(reader, service)).collect();
    let (env, own_env) = shared(&settings);
    let volumes: Vec<Vec<String>> =
        app.iter().map(|service| mounts::of_app(reader, &service.path(), &service.mounts)).collect();
    let (volumes, own_volumes) = mounts::shared(&volumes);
    image(reader, primary, root);
    let mut servers = Map::default();
    for (index, service) in app.iter().enumerate() {
        let name = if index == 0 { "web" } else { service.name.as_str() };
        let mut role = role(reader, service, index == 0);
        role.put("env", tree(&own_env[index]));
        let mut options = match role.remove("options") {
            Some(Tree::Map(options)) => options,
            _ => Map::default(),
        };
        options.put("volume", own_volumes[index].clone());
        role.put("options", options);
        servers.put(
            if name == "web" && index > 0 { "web-2" } else { name },
            if role.iter().count() == 1 { Tree::from(vec![HOST]) } else { role.into() },
        );
    }
    root.put_with(HOSTS, "servers", servers);
    proxy(reader, primary, root);
    builder(app, root);
    root.put("env", tree(&env));
    root.put("volumes", volumes);
    release(reader, releases, root);
}

fn settings(reader: &mut Reader<'_>, service: &Service) -> Vec<Setting> {
    let path = service.path();
    let mut all: Vec<Setting> =
        service.env.iter().map(|variable| variable.setting(reader, &service.name, &path)).collect();
    for grant in &service.grants {
        let kind = if grant.secret { "secrets" } else { "configs" };
        let what = format!("{path}/{kind}/{}", grant.source);
        let name = grant.source.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let source = match reader.store(&grant.source) {
            Store::File(file) => format!("$(cat {})", crate::shell::escape::word(&reader.local(&file))),
            Store::Variable(variable) => reader.source_of(&variable),
            Store::Elsewhere => format!("${name}"),
        };
        if grant.secret {
            reader.note(
                grant.span,
                what,
                format!("the app has it in its environment, as {name}, and not in {}", grant.target),
            );
            all.push(Setting::Secret(reader.secrets().add(&service.name, &name, "", &source)));
        } else {
            reader.note(grant.span, what, format!("put the file into the image, at {}", grant.target));
        }
    }
    all
}

/// The image's name, and the registry in it.
fn image(reader: &mut Reader<'_>, primary: &Service, root: &mut Map) {
    let Some(image) = primary.image.as_deref().map(|image| reader.marks().settled(image)) else { return };
    let path = image.split('@').next().unwrap_or_default();
    let (folder, last) = path.rsplit_once('/').map_or(("", path), |(folder, last)| (folder, last));
    let name = last.split(':').next().unwrap_or_default();
    let (server, owner) = match folder.split_once('/') {
        Some((server, owner)) if server.contains(['.', ':']) => (Some(server), owner),
        None if folder.contains(['.', ':']) => (Some(folder), ""),
        _ => (None, folder),
    };
    if server.is_none() && primary.build.is_some() {
        return;
    }
    root.put("image", if owner.is_empty() { name.to_owned() } else { format!("{owner}/{name}") });
    let mut registry = Map::default();
    registry.put_some("server", server.filter(|server| *server != "docker.io"));
    for (key, secret) in [("username", "KAMAL_REGISTRY_USERNAME"), ("password", "KAMAL_REGISTRY_PASSWORD")] {
        let source = format!("${secret}");
        reader.secrets().add("registry", secret, "", &source);
        registry.put(key, vec![secret]);
    }
    root.put("registry", registry);
    if primary.build.is_none() {
        let why = "nothing is built here: `kamal deploy --skip-push --version TAG` takes the image from its registry; for \
                   `kamal deploy` there has to be a Dockerfile";
        reader.note(primary.key, format!("{}/image", primary.path()), why);
    }
}

fn role(reader: &mut Reader<'_>, service: &Service, is_web: bool) -> Map {
    let path = service.path();
    let mut role = Map::default();
    role.put("hosts", vec![HOST]);
    role.put_some("cmd", service.command.clone());
    role.put("labels", service.labels.clone());
    role.put("logging", service.logging.clone());
    role.put_some("stop_timeout", service.stop_timeout);
    let mut options = service.options.clone();
    options.remove("platform");
    if let Some(hostname) = options.remove("hostname") {
        let why = "containers of a role have names of their own for each host and version";
        reader.note(service.key, format!("{path}/hostname"), format!("{}: {why}", hostname.text().unwrap_or_default()));
    }
    if let Some((name, span)) = &service.container_name {
        let why = "containers of a role are named by service, role and version";
        reader.note(*span, format!("{path}/container_name"), format!("{name}: {why}"));
    }
    if let Some((mode, span)) = service.network_mode.as_ref().filter(|(mode, _)| mode != "bridge" && mode != "default")
    {
        let why = format!("{mode}: containers of a role are in the network `kamal`, where the proxy reaches them");
        reader.note(*span, format!("{path}/network_mode"), why);
    }
    if let Some(health) = service.health.clone().filter(|_| !is_web) {
        health.into_options(&mut options);
    }
    let mut aliases = service.aliases.clone();
    aliases.dedup();
    options.put("network-alias", one_or_several(aliases));
    if let Some(policy) = service.restart.as_deref().filter(|policy| policy.starts_with("on-failure")) {
        options.put("restart", policy);
    }
    if !is_web {
        for port in &service.ports {
            let why = "requests come to the role `web`; `proxy: true` below this role lets the proxy lead to it, too";
            reader.note(port.span, format!("{path}/ports"), why);
        }
    }
    if let Some((_, _, span)) = service.depends_on.iter().find(|(_, condition, _)| condition == "service_healthy") {
        let why = "accessories are started before the app, but nobody waits until they are healthy: the app has to";
        reader.note(*span, format!("{path}/depends_on"), why);
    }
    role.put("options", options);
    role
}

fn proxy(reader: &mut Reader<'_>, web: &Service, root: &mut Map) {
    let mut proxy = Map::default();
    let mut route = web.route.clone();
    let asked = web.health.as_ref().and_then(super::health::Health::asks);
    let spelled = |port: Option<u64>| port.map(|port| port.to_string());
    let ports = [
        route.port.take(),
        web.ports.first().map(|port| port.target.clone()),
        web.expose.first().cloned(),
        spelled(asked.as_ref().and_then(|asked| asked.port)),
        web.command.as_deref().and_then(listens_on),
        web.env
            .iter()
            .find(|variable| variable.name == "PORT")
            .and_then(|variable| variable.clear().map(str::to_owned)),
    ];
    let is_port = |port: &String| reader.marks().settled(port).parse::<u16>().is_ok();
    route.port = ports.into_iter().flatten().find(is_port);
    if route.port.is_none() {
        reader.note(
            web.key,
            web.path(),
            "which port the app listens on is not said: set `proxy/app_port`, which is 80 otherwise",
        );
    }
    for port in web.ports.iter().skip(1) {
        reader.note(
            port.span,
            format!("{}/ports", web.path()),
            format!("{}: requests come by the proxy, to one port of the app", port.spelled()),
        );
    }
    if route.hosts.is_empty() {
        let why = "the app's own name is not said: with `proxy/host` and `proxy/ssl: true` the proxy obtains a certificate; \
                   until then it answers on port 80";
        reader.note(web.key, web.path(), why);
    }
    route.into_proxy(reader.marks(), &mut proxy);
    let mut check = Map::default();
    match (&asked, &web.health) {
        (Some(asked), _) => {
            check.put("path", asked.path.clone());
            check.put_some("interval", asked.interval);
            check.put_some("timeout", asked.timeout);
        }
        (None, health) => {
            check.put("path", "/up");
            let why = "the proxy asks for /up until it is answered with 200: let the app answer, or set `proxy/healthcheck/path`";
            let what = if health.is_some() { format!("{}/healthcheck", web.path()) } else { web.path() };
            reader.note(web.key, what, why);
        }
    }
    proxy.put_with(CHECK, "healthcheck", check);
    root.put("proxy", proxy);
}

/// The port a server is told to listen on: `-p 3000`, `--port=3000`, `--bind 0.0.0.0:8000`, `runserver 0.0.0.0:8000`.
fn listens_on(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split([' ', '=', '"', '\'']).collect();
    let after = words.windows(2).find(|pair| ["-p", "--port", "-P"].contains(&pair[0])).map(|pair| pair[1]);
    let bound = words.iter().find_map(|word| {
        word.strip_prefix("0.0.0.0:")
            .or_else(|| word.strip_prefix("[::]:"))
            .or_else(|| word.strip_prefix("tcp://0.0.0.0:"))
    });
    let bound = bound.or_else(|| {
        words.windows(2).find(|pair| ["-b", "--bind"].contains(&pair[0])).and_then(|pair| pair[1].strip_prefix(':'))
    });
    after.or(bound).filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())).map(str::to_owned)
}

fn builder(app: &[&Service], root: &mut Map) {
    let mut builder =
        app.iter().find_map(|service| service.build.as_ref()).map(|(_, builder)| builder.clone()).unwrap_or_default();
    let platform = app.iter().find_map(|service| service.options.get("platform").and_then(Tree::text).and_then(arch));
    if builder.get("arch").is_none() {
        builder.put_with("What the servers run on.", "arch", platform.unwrap_or_else(|| "amd64".to_owned()));
    }
    root.put("builder", builder);
}

fn release(reader: &mut Reader<'_>, releases: &[&Service], root: &mut Map) {
    for (index, service) in releases.iter().enumerate() {
        if index == 0 {
            let mut release = Map::default();
            release.put_some("cmd", service.command.clone());
            root.put_with("Runs once in the new image before it serves.", "x-release", release);
        } else {
            reader.note(
                service.key,
                service.path(),
                "one command runs before a deploy: put this one behind that of `x-release`",
            );
        }
    }
}
