//! What each service of a Compose file becomes: the app, a worker of it, an accessory, or nothing.

use super::super::marks::Marks;
use super::service::Service;

/// What becomes of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The primary role, which requests come to.
    Web,
    /// Another role: the same image with another command.
    Worker,
    /// Runs once in the new image before it serves.
    Release,
    Accessory,
    /// It is left out.
    Left(&'static str),
}

/// What keeps the ports of a host for others, and learns of routes by itself.
const ROUTERS: [&str; 7] = [
    "traefik",
    "nginx-proxy",
    "docker-gen",
    "acme-companion",
    "letsencrypt-nginx-proxy-companion",
    "docker-letsencrypt-nginx-proxy-companion",
    "caddy-docker-proxy",
];

/// Servers that stand before the app where they have the host's ports.
const SERVERS: [&str; 6] = ["nginx", "caddy", "haproxy", "httpd", "openresty", "swag"];

const PROFILE: &str = "it is in a profile, so Compose does not start it by itself either";
const ROUTER: &str = "kamal-proxy takes its place";
const SERVER: &str = "kamal-proxy takes its place on ports 80 and 443 and leads requests to the app, which has to answer for its \
                      static files as well (WhiteNoise, `asset_path` …)";
const BUILT: &str = "a deploy.yml builds one image: give this one a deploy.yml of its own, or publish its image and make it an accessory";

const NAMELESS: &str = "which image it runs is not said, or only by a variable that has no value";

/// Decides for all services.
pub(super) fn kinds(services: &[Service], marks: &Marks) -> Vec<Kind> {
    let left = |service: &Service| {
        if !service.profiles.is_empty() {
            Some(PROFILE)
        } else if service.image.as_deref().is_some_and(|image| ROUTERS.contains(&base(marks, image).as_str())) {
            Some(ROUTER)
        } else {
            None
        }
    };
    let mut kinds: Vec<Option<Kind>> = services.iter().map(|service| left(service).map(Kind::Left)).collect();
    let open =
        |kinds: &[Option<Kind>]| -> Vec<usize> { (0..services.len()).filter(|at| kinds[*at].is_none()).collect() };
    let app = app(services, &open(&kinds), marks);
    if let Some(app) = &app {
        for at in open(&kinds) {
            if !app.contains(&at) && is_server(&services[at], marks) {
                kinds[at] = Some(Kind::Left(SERVER));
            }
        }
    }
    let app = app.unwrap_or_default();
    let web = web(services, &app);
    for at in open(&kinds) {
        kinds[at] = Some(match &services[at] {
            _ if Some(at) == web => Kind::Web,
            service if app.contains(&at) && is_release(service, services) => Kind::Release,
            _ if app.contains(&at) => Kind::Worker,
            service if service.build.is_some() => Kind::Left(BUILT),
            service if service.image.is_none() => Kind::Left(NAMELESS),
            _ => Kind::Accessory,
        });
    }
    kinds.into_iter().flatten().collect()
}

/// An image's name without registry, owner and tag.
fn base(marks: &Marks, image: &str) -> String {
    let image = marks.settled(image);
    let last = image.rsplit('/').next().unwrap_or_default();
    last.split([':', '@']).next().unwrap_or_default().to_owned()
}

fn has_web_ports(service: &Service) -> bool {
    service.ports.iter().any(|port| matches!(port.published.as_deref(), Some("80" | "443")))
}

fn is_server(service: &Service, marks: &Marks) -> bool {
    let image = service.image.as_deref().map(|image| base(marks, image));
    let named = |name: &str| SERVERS.iter().any(|server| name.contains(server)) || name.contains("proxy");
    has_web_ports(service)
        && (image.is_some_and(|image| SERVERS.contains(&image.as_str()))
            || service.build.is_some() && named(&service.name))
}

/// How much a service looks like one that requests come to.
fn score(service: &Service) -> u32 {
    let named = ["web", "app", "server", "rails", "django", "api", "backend", "frontend", "www", "site"];
    let by_name = match named.iter().position(|name| service.name == *name) {
        Some(0 | 1) => 3,
        Some(_) => 2,
        None if named.iter().any(|name| service.name.contains(name)) => 1,
        None => 0,
    };
    let by_ports = u32::from(!service.ports.is_empty()) * 4 + u32::from(!service.expose.is_empty()) * 2;
    by_name + by_ports + u32::from(service.route.is_known()) * 8
}

/// The services that are the app: those of one image. It is one that is built here, else one that several services run or
/// requests are led to.
fn app(services: &[Service], open: &[usize], marks: &Marks) -> Option<Vec<usize>> {
    let is_built = open.iter().any(|at| services[*at].build.is_some());
    let image = |at: usize| services[at].image.as_deref().map(|image| marks.settled(image));
    let alike = |a: usize, b: usize| {
        let builds = (services[a].build.as_ref(), services[b].build.as_ref());
        let built_alike = matches!(builds, (Some((a, _)), Some((b, _))) if a == b);
        built_alike || image(a).is_some() && image(a) == image(b)
    };
    let group =
        |first: usize| -> Vec<usize> { open.iter().copied().filter(|at| *at == first || alike(first, *at)).collect() };
    let candidates = open.iter().copied().filter(|at| {
        let service = &services[*at];
        if is_built {
            service.build.is_some()
                && !(is_server(service, marks)
                    && open.iter().any(|other| other != at && services[*other].build.is_some()))
        } else {
            service.route.is_known() || group(*at).len() > 1 || ["web", "app"].contains(&service.name.as_str())
        }
    });
    let best = |group: &Vec<usize>| group.iter().map(|at| score(&services[*at])).max().unwrap_or_default();
    // The first of the best.
    candidates.map(group).rev().max_by_key(best)
}

fn web(services: &[Service], app: &[usize]) -> Option<usize> {
    app.iter().copied().rev().max_by_key(|at| (score(&services[*at]), services[*at].command.is_none()))
}

/// Something the others wait for until it is done, or that migrates and is not started again.
fn is_release(service: &Service, all: &[Service]) -> bool {
    let awaited = all.iter().flat_map(|other| &other.depends_on);
    let mut awaited =
        awaited.filter(|(name, condition, _)| *name == service.name && condition == "service_completed_successfully");
    let once = matches!(service.restart.as_deref(), Some("no" | "on-failure" | "false") | None);
    let migrates =
        service.command.as_deref().is_some_and(|command| command.contains("migrat") || command.contains("db:prepare"));
    service.command.is_some()
        && (awaited.next().is_some() || once && migrates && service.ports.is_empty() && !command_serves(service))
}

/// Migrating, and then serving, is what a server does.
fn command_serves(service: &Service) -> bool {
    service.command.as_deref().is_some_and(|command| command.contains("&&") || command.contains(';'))
}
