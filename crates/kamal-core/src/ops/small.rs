//! The smaller operations: each makes a few steps per host out of what the hosts told, under the deploy lock.

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};

use super::{Cx, Needs, lock};
use crate::{
    config::{Config, model::Role},
    error::{Error, HostError},
    fleet::{Captured, gather},
    name::{HostName, Version},
    naming,
    plan::{self, HostWork},
    query::Query,
    shell::Script,
    state::HostState,
    step::{Route, Step},
};

/// Takes the lock, observes, runs what `make` makes of it, gives the lock back.
pub async fn locked(
    cx: &Cx<'_>,
    label: &str,
    make: impl FnOnce(&[HostState]) -> Result<Vec<HostWork>, Error> + Send,
) -> Result<(), Error> {
    let Some(host) = cx.targets.primary_host.as_ref().filter(|_| !cx.run.lock_held) else {
        let states = cx.fleet.on(&cx.targets.hosts, |host| cx.fleet.observe(host).boxed()).await?;
        return run(cx, label, &make(&states)?).await;
    };
    let details = lock::details(&cx.fleet, &cx.run.user_name, cx.version, lock::AUTOMATIC);
    let step = Step::AcquireLock { directory: naming::lock_directory(cx.fleet.config), details };
    let mut states = vec![lock::acquire(cx, host, &step).await?];
    let result = async {
        let others: Vec<HostName> = cx.targets.hosts.iter().filter(|other| *other != host).cloned().collect();
        states.extend(cx.fleet.on(&others, |host| cx.fleet.observe(host).boxed()).await?);
        run(cx, label, &make(&states)?).await
    }
    .await;
    match result {
        Ok(()) => {
            cx.say("Releasing the deploy lock...");
            lock::release(&cx.fleet, host).await.map_err(|error| Error::Hosts(vec![error]))
        }
        Err(error) => {
            lock::release_after_failure(cx).await;
            Err(error)
        }
    }
}

/// Runs steps on hosts, side by side.
pub async fn run(cx: &Cx<'_>, label: &str, works: &[HostWork]) -> Result<(), Error> {
    let one = |work: &HostWork| -> BoxFuture<'_, Result<(), HostError>> {
        let work = work.clone();
        async move { cx.fleet.run(&work.host, label, &work.steps, &mut |_, _| {}).await }.boxed()
    };
    gather(join_all(works.iter().map(one)).await).map(drop)
}

/// Asks hosts a question each and returns the answers in the order of the questions.
pub async fn ask(cx: &Cx<'_>, questions: &[(HostName, Query)]) -> Result<Vec<Captured>, Error> {
    let one = |(host, query): &(HostName, Query)| -> BoxFuture<'_, Result<Captured, HostError>> {
        let (host, text) = (host.clone(), cx.fleet.world.docker.query(query, cx.fleet.config));
        async move { cx.fleet.capture(&host, &Script::read("ask", text)).await }.boxed()
    };
    gather(join_all(questions.iter().map(one)).await)
}

/// `app start` (spec 9.7): starts the version's containers and leads the proxy to them; where there is none of that
/// version, to what runs.
pub async fn app_start(cx: &Cx<'_>) -> Result<(), Error> {
    let config = cx.fleet.config;
    // They were uploaded when the version was booted.
    let has_pages = !super::deploy::error_pages(cx).await?.is_empty();
    let pages = has_pages.then(|| naming::error_pages_inside(config, cx.version));
    locked(cx, "start", |states| {
        Ok(each_role(cx, states, |state, role| {
            let container = naming::container(config, &role.name, cx.version);
            let mut steps = vec![audit(format!("Started app version {}", cx.version), None)];
            steps.push(Step::StartExisting { container: container.clone() });
            if role.proxy.is_some() {
                let there = state.container(&container).or_else(|| state.current(config, &role.name));
                let target = there.map_or(&container, |container| &container.name);
                let route = Route { error_pages: pages.clone(), ..plan::route_to(config, role, target) };
                steps.push(Step::SwitchTraffic(Box::new(route)));
            }
            steps
        }))
    })
    .await
}

/// `app stop` (spec 9.7): takes the roles out of the proxy and stops what runs.
pub async fn app_stop(cx: &Cx<'_>) -> Result<(), Error> {
    let config = cx.fleet.config;
    locked(cx, "stop", |states| Ok(each_role(cx, states, |state, role| stop_steps(config, state, role)))).await
}

/// The steps that stop what runs of a role.
pub(super) fn stop_steps(config: &Config, state: &HostState, role: &Role) -> Vec<Step> {
    let mut steps = vec![audit("Stopped app".to_owned(), Some(role))];
    let Some(current) = state.current(config, &role.name) else { return steps };
    if role.proxy.is_some() {
        steps.push(Step::RemoveRoute { service: naming::container_prefix(config, &role.name) });
    }
    let timeout = plan::stop_timeout(config, role);
    steps.push(Step::Stop { container: current.name.clone(), timeout });
    steps
}

/// `app maintenance` and `app live` (spec 9.7): every proxied role answers with a page, or again itself.
pub async fn maintenance(cx: &Cx<'_>, on: Option<&Maintenance>) -> Result<(), Error> {
    let config = cx.fleet.config;
    locked(cx, if on.is_some() { "maintenance" } else { "live" }, |states| {
        Ok(each_role(cx, states, |_, role| {
            if role.proxy.is_none() {
                return Vec::new();
            }
            let service = naming::container_prefix(config, &role.name);
            vec![match on {
                None => Step::ResumeRoute { service },
                Some(Maintenance { drain_timeout, message }) => Step::StopRoute {
                    service,
                    drain_timeout: drain_timeout.unwrap_or(config.drain_timeout.as_secs()),
                    message: message.clone(),
                },
            }]
        }))
    })
    .await
}

/// How maintenance is entered.
#[derive(Clone, Debug, Default)]
pub struct Maintenance {
    /// How long requests under way may take, in seconds; else the configuration's `drain_timeout`.
    pub drain_timeout: Option<u64>,
    /// What the page says.
    pub message: Option<String>,
}

/// `proxy boot` (spec 9.5): the network and the proxy's container, where they are missing.
pub async fn proxy_boot(cx: &Cx<'_>) -> Result<(), Error> {
    let image = cx.proxy_image.as_ref();
    let reference = image.map(|image| &image.reference);
    let steps = |state: &HostState| plan::ensure_proxy(cx.fleet.config, cx.targets, state, reference);
    if let Some(image) = image {
        // Handing an image over changes nothing that runs, so it needs no lock.
        let states = cx.fleet.on(&cx.targets.proxy_hosts, |host| cx.fleet.observe(host).boxed()).await?;
        let brings = |step: &Step| matches!(step, Step::EnsureProxy(spec) if spec.image.is_some());
        let lacks = |state: &&HostState| steps(state).iter().any(brings) && !state.has_image(&image.reference);
        let hosts: Vec<HostName> = states.iter().filter(lacks).map(|state| state.host.clone()).collect();
        cx.fleet.on(&hosts, |host| super::ship_image(&cx.fleet, host, image).boxed()).await?;
    }
    locked(cx, "proxy boot", |states| {
        super::proxy_version::check(cx, states)?;
        Ok(states.iter().map(|state| HostWork { host: state.host.clone(), steps: steps(state) }).collect())
    })
    .await
}

/// What becomes of the proxy's container, which stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRun {
    /// It is started.
    Start,
    /// It is stopped.
    Stop,
    /// It is stopped, then started.
    Restart,
}

/// `proxy start`, `proxy stop` and `proxy restart` (spec 9.5).
pub async fn proxy_run(cx: &Cx<'_>, what: ProxyRun) -> Result<(), Error> {
    let step = |verb: &str, tolerant| Step::Run {
        title: format!("{verb} kamal-proxy"),
        shell: format!("docker container {verb} {}", naming::PROXY_CONTAINER),
        tolerant,
    };
    let stop = [audit("Stopped proxy".to_owned(), None), step("stop", true)];
    let start = [audit("Started proxy".to_owned(), None), step("start", false)];
    let steps: Vec<Step> = match what {
        ProxyRun::Start => start.into(),
        ProxyRun::Stop => stop.into(),
        ProxyRun::Restart => stop.into_iter().chain(start).collect(),
    };
    let works = |host: &HostName| HostWork { host: host.clone(), steps: steps.clone() };
    let works: Vec<HostWork> = cx.targets.proxy_hosts.iter().map(works).collect();
    locked(cx, "proxy", |_| Ok(works)).await
}

/// `proxy remove` (spec 9.5). Refuses while apps are installed, unless forced; then returns false.
pub async fn proxy_remove(cx: &Cx<'_>, force: bool) -> Result<bool, Error> {
    let count = Script::read("look for apps", "ls .kamal/apps 2>/dev/null | wc -l");
    let counts = cx.fleet.on(&cx.targets.proxy_hosts, |host| cx.fleet.capture(host, &count).boxed()).await?;
    if !force && counts.iter().any(|count| count.stdout.trim().parse::<u32>().unwrap_or(0) > 0) {
        return Ok(false);
    }
    let gone = Step::Run {
        title: "remove the proxy's image and folder".to_owned(),
        shell: "docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy; rm -rf .kamal/proxy"
            .to_owned(),
        tolerant: true,
    };
    let steps = vec![
        audit("Stopped proxy".to_owned(), None),
        audit("Removed proxy container".to_owned(), None),
        Step::RemoveProxy,
        audit("Removed proxy image".to_owned(), None),
        gone,
    ];
    let works = |host: &HostName| HostWork { host: host.clone(), steps: steps.clone() };
    let works: Vec<HostWork> = cx.targets.proxy_hosts.iter().map(works).collect();
    locked(cx, "proxy remove", |_| Ok(works)).await.map(|()| true)
}

/// What `prune` removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune {
    /// Containers and images.
    All,
    /// Stopped containers.
    Containers,
    /// Unused images.
    Images,
}

/// `prune` (spec 9.9).
pub async fn prune(cx: &Cx<'_>, what: Prune, retain: u32) -> Result<(), Error> {
    let steps = plan::prune_steps(cx.fleet.config, retain);
    let (containers, images) = steps.split_at(2);
    let steps = match what {
        Prune::All => steps.clone(),
        Prune::Containers => containers.to_vec(),
        Prune::Images => images.to_vec(),
    };
    locked(cx, "prune", |_| {
        Ok(cx.targets.hosts.iter().map(|host| HostWork { host: host.clone(), steps: steps.clone() }).collect())
    })
    .await
}

/// `build pull`: the version's image on every app host.
pub async fn pull(cx: &Cx<'_>, version: &Version) -> Result<(), Error> {
    let steps = plan::pull_steps(cx.fleet.config, version, true, false);
    let work = |host: &HostName| HostWork { host: host.clone(), steps: steps.clone() };
    run(cx, "pull", &cx.targets.app_hosts.iter().map(work).collect::<Vec<_>>()).await
}

/// `registry login` on the hosts.
pub async fn login(cx: &Cx<'_>) -> Result<(), Error> {
    let mut needs = Needs::new();
    needs.registry(cx.fleet.config);
    needs.look_up(&*cx.fleet.world.secrets)?;
    let steps = plan::login_steps(cx.fleet.config);
    let work = |host: &HostName| HostWork { host: host.clone(), steps: steps.clone() };
    run(cx, "login", &cx.targets.hosts.iter().map(work).collect::<Vec<_>>()).await
}

fn each_role(cx: &Cx<'_>, states: &[HostState], steps: impl Fn(&HostState, &Role) -> Vec<Step>) -> Vec<HostWork> {
    let of = |state: &HostState| cx.targets.roles_on(&state.host).flat_map(|(role, _)| steps(state, role)).collect();
    states.iter().map(|state| HostWork { host: state.host.clone(), steps: of(state) }).collect()
}

pub(super) fn audit(text: String, role: Option<&Role>) -> Step {
    Step::Audit { text, role: role.map(|role| role.name.clone()) }
}

/// The roles a question goes to, one per role and host, in Kamal's order.
#[must_use]
pub fn placements<'c>(cx: &'c Cx<'_>) -> Vec<(HostName, &'c Role)> {
    let roles = cx.targets.roles.iter();
    let on = |role: &'c Role| {
        let hosts = role.hosts.iter().map(|tagged| &tagged.name).filter(|host| cx.targets.app_hosts.contains(host));
        hosts.map(move |host| (host.clone(), role)).collect::<Vec<_>>()
    };
    roles.flat_map(on).collect()
}
