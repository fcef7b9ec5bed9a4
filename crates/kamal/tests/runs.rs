//! Runs of a project on simulated hosts: they are awaited, watched, cancelled, dropped, and leave nothing behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::StreamExt as _;
use kamal::{
    EventStream, async_trait,
    core::{
        error::Error::{Cancelled, PlanChanged},
        event::{Outcome, Sequence},
        ports::{Events, Interceptor, Moment, Refusal},
        run::hooks::HookFunctions,
        testing::SimFleet,
    },
    prelude::*,
};

const DEPLOY: &str = "service: app\nimage: acme/app\nservers: {web: [h1, h2], jobs: {hosts: [h2], cmd: bin/jobs}}\n\
    registry: {username: me, password: [REGISTRY_PASSWORD]}\nbuilder: {arch: amd64}\n";

async fn on(fleet: &SimFleet) -> Project {
    Project::builder().text(DEPLOY).world(fleet.world()).build().await.unwrap()
}

fn fleet() -> SimFleet {
    let fleet = SimFleet::new(["h1", "h2"]);
    fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
    fleet
}

fn version(version: &str) -> Version {
    Version::parse(version).unwrap()
}

/// What all hosts serve; they must serve the same.
fn served(fleet: &SimFleet, at: &str) -> String {
    let serving = fleet.serving();
    let first = serving[0].version.clone();
    assert!(serving.iter().all(|one| one.version == first), "{at}: half switched: {serving:?}");
    assert_eq!(serving.len(), 3, "{at}");
    first.to_string()
}

fn nothing_is_left(fleet: &SimFleet, at: &str) {
    assert_eq!(fleet.violations(), [""; 0], "{at}");
    for host in ["h1", "h2"] {
        let host = fleet.host(host);
        assert!(host.locks.is_empty(), "{at}: the lock was left behind");
        let renamed =
            host.containers.iter().find(|container| container.name.contains("_replaced_") && container.runs());
        assert!(renamed.is_none(), "{at}: {renamed:?}");
    }
}

/// Waits for the end of a run nobody holds any more.
async fn ended(mut events: EventStream) -> Option<Outcome> {
    let mut outcome = None;
    while let Some(event) = events.next().await {
        if let EventKind::Finished { outcome: how, .. } = event.kind {
            outcome = Some(how);
        }
    }
    outcome
}

#[tokio::test]
async fn what_was_reviewed_is_done_or_nothing() {
    let fleet = fleet();
    let project = on(&fleet).await;
    project.deploy(&version("v1")).run().await.unwrap();
    let plan = project.deploy(&version("v2")).plan().await.unwrap();
    assert_eq!(served(&fleet, "planned"), "v1");
    let kept = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!(kept, plan);
    let report = project.apply(kept.clone()).await.unwrap();
    assert_eq!((report.plan, served(&fleet, "applied").as_str()), (plan, "v2"));
    // The hosts have moved on.
    let refused = project.apply(kept).await.unwrap_err();
    assert!(matches!(refused, Error::Engine(PlanChanged { .. })), "{refused}");
    assert_eq!(served(&fleet, "refused"), "v2");
}

/// Says a secret aloud, and fails with it where a version is to be kept back.
#[derive(Debug)]
struct Gossip;

#[async_trait]
impl Interceptor for Gossip {
    async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        moment.say("the password is hunter2");
        let kept_back = moment.plan.version == Some(version("v2"));
        if kept_back { Err("hunter2 is too easy".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_run_is_watched_by_whoever_comes_and_tells_no_secret() {
    let fleet = fleet();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let builder = Project::builder().text(DEPLOY).world(fleet.world()).interceptor(Arc::new(Gossip));
    let builder = builder.on_event(move |event| listener.lock().unwrap().push(event));
    let project = builder.build().await.unwrap();
    for wanted in ["v1", "v2"] {
        heard.lock().unwrap().clear();
        let run = project.deploy(&version(wanted)).run();
        let early: EventStream = run.events();
        let late = run.events();
        let told = run.await.map_or_else(|error| error.to_string(), |report| format!("{report:?}"));
        let (early, late): (Vec<_>, Vec<_>) = (early.collect().await, late.collect().await);
        assert_eq!(early, late);
        assert_eq!(early, *heard.lock().unwrap(), "the listener hears what the stream tells");
        let told = format!("{told}{early:?}");
        assert!(told.contains("the password is [REDACTED]"), "{told}");
        assert_eq!(told.contains("[REDACTED] is too easy"), wanted == "v2", "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_detached_run_goes_on_and_a_cancelled_one_says_so() {
    let fleet = fleet();
    let project = on(&fleet).await;
    let run = project.deploy(&version("v1")).run();
    let events = run.events();
    run.detach();
    assert_eq!(ended(events).await, Some(Outcome::Ok));
    let run = project.deploy(&version("v2")).run();
    let canceller = run.canceller();
    canceller.cancel();
    let error = run.await.unwrap_err();
    assert!(matches!(error, Error::Engine(Cancelled)), "{error}");
    assert_eq!(served(&fleet, "cancelled"), "v1");
    nothing_is_left(&fleet, "cancelled");
}

/// Counts events, and wakes whoever waits for one of them.
#[derive(Debug, Default)]
struct Counter {
    seen: AtomicUsize,
    moved: tokio::sync::Notify,
}

impl Events for Counter {
    fn emit(&self, _event: Event) {
        self.seen.fetch_add(1, Ordering::SeqCst);
        self.moved.notify_one();
    }
}

impl Counter {
    async fn reaches(&self, count: usize) {
        while self.seen.load(Ordering::SeqCst) < count {
            self.moved.notified().await;
        }
    }
}

#[tokio::test]
async fn a_run_dropped_at_any_event_leaves_no_lock_no_half_switched_host_and_no_renamed_container() {
    let base = fleet();
    on(&base).await.deploy(&version("v1")).run().await.unwrap();
    // The same version again renames what it replaces; another one does not.
    for wanted in ["v1", "v2"] {
        let mut stopped = 0;
        for moment in 0.. {
            let fleet = base.fork();
            let counter = Arc::new(Counter::default());
            let mut world = fleet.world();
            world.events = counter.clone();
            let project = Project::builder().text(DEPLOY).world(world).build().await.unwrap();
            let run = project.deploy(&version(wanted)).run();
            let events = run.events();
            let all = tokio::select! {
                () = counter.reaches(moment) => false,
                _ = ended(run.events()) => true,
            };
            drop(run);
            let outcome = ended(events).await;
            let at = format!("{wanted} dropped after {moment} events: {outcome:?}");
            nothing_is_left(&fleet, &at);
            let now = served(&fleet, &at);
            assert!(now == "v1" || now == wanted, "{at}: {now}");
            stopped += usize::from(outcome != Some(Outcome::Ok));
            project.deploy(&version(wanted)).run().await.unwrap_or_else(|error| panic!("{at}: again: {error}"));
            assert_eq!(served(&fleet, &at), wanted);
            if all {
                break;
            }
        }
        assert!(stopped > 10, "only {stopped} runs were stopped");
    }
}

#[test]
fn outside_of_a_runtime_there_is_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let fleet = fleet();
    let project = runtime.block_on(on(&fleet));
    let run = project.deploy(&version("v1")).run();
    assert!(run.is_finished());
    let error = futures_util::FutureExt::now_or_never(run).unwrap().unwrap_err();
    assert!(matches!(error, Error::NoRuntime), "{error}");
}

/// Panics before the traffic moves.
#[derive(Debug)]
struct Panics;

#[async_trait]
impl Interceptor for Panics {
    async fn before(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        assert!(!format!("{:?}", moment.stage.kind).contains("Boot"), "own step is broken: hunter2");
        Ok(())
    }
}

#[tokio::test]
async fn a_panic_in_what_is_ones_own_is_a_refusal() {
    let fleet = fleet();
    on(&fleet).await.deploy(&version("v1")).run().await.unwrap();
    let project = Project::builder().text(DEPLOY).interceptor(Arc::new(Panics)).world(fleet.world());
    let run = project.build().await.unwrap().deploy(&version("v2")).run();
    let events = run.events();
    let error = run.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OwnStep);
    assert!(error.to_string().contains("it panicked: own step is broken: [REDACTED]"), "{error}");
    assert!(matches!(ended(events).await, Some(Outcome::Failed(_))));
    assert_eq!(served(&fleet, "an own step panicked"), "v1");
    nothing_is_left(&fleet, "an own step panicked");

    let hooks = HookFunctions::new().on("pre-app-boot", |_| async { panic!("own hook is broken") });
    let project =
        Project::builder().text(DEPLOY).hooks(Arc::new(hooks)).on_event(|_| panic!("no listener")).world(fleet.world());
    let error = project.build().await.unwrap().deploy(&version("v3")).run().await.unwrap_err();
    assert!(error.to_string().contains("own hook is broken"), "{error}");
    assert_eq!(served(&fleet, "a hook panicked"), "v1");
    nothing_is_left(&fleet, "a hook panicked");
}

/// Chance that has run out.
#[derive(Debug)]
struct NoChance;

impl kamal::core::ports::Entropy for NoChance {
    fn hex(&self, _digits: usize) -> String {
        panic!("there is no chance left")
    }
}

#[tokio::test]
async fn streams_end_though_what_runs_panics() {
    let fleet = fleet();
    let project = Project::builder().text(DEPLOY).told_in(Sequence::under("id")).entropy(Arc::new(NoChance));
    let run = project.world(fleet.world()).build().await.unwrap().deploy(&version("v1")).run();
    let events = run.events();
    let joined = tokio::spawn(run).await;
    assert!(joined.is_err_and(|error| error.is_panic()), "it went well without chance");
    assert_eq!(ended(events).await, None);
}

#[tokio::test]
async fn parts_given_by_themselves_are_kept_whatever_comes_after() {
    let fleet = fleet();
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    let project = Project::builder().text(DEPLOY).on_event(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    project.world(fleet.world()).build().await.unwrap().deploy(&version("v1")).run().await.unwrap();
    assert!(told.load(Ordering::Relaxed) > 10);
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let built = futures_util::FutureExt::now_or_never(Project::builder().text(DEPLOY).build());
    assert!(matches!(built, Some(Err(Error::NoRuntime))), "{built:?}");
}

#[tokio::test]
async fn a_destination_is_never_passed_over() {
    let staging = || Destination::parse("staging").unwrap();
    let hosts = |project: &Project| project.config().hosts().iter().map(ToString::to_string).collect::<Vec<_>>();
    let secrets = [("REGISTRY_PASSWORD", "x")];
    let base = || Project::builder().text(DEPLOY).secret_map(secrets);
    // There is no text of it, and no folder it could lie in.
    let error = base().destination(staging()).build().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("deploy.staging.yml"), "{error}");
    // Its text is another's.
    let other = Destination::parse("production").unwrap();
    let error = base().destination_text(staging(), "servers: [h9]").destination(other).build().await.unwrap_err();
    assert!(error.to_string().contains("deploy.production.yml"), "{error}");
    // It lies in the folder.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/deploy.staging.yml"), "servers: [h7]\n").unwrap();
    let project = base().folder(folder.path()).destination(staging()).build().await.unwrap();
    assert_eq!((hosts(&project), project.config().destination.clone()), (vec!["h7".to_owned()], Some(staging())));
    let project = base().destination_text(staging(), "servers: [h9]").build().await.unwrap();
    assert_eq!(hosts(&project), ["h9"]);
}

#[tokio::test]
async fn the_version_can_be_a_variable_where_there_is_no_folder() {
    let environment = kamal::machine::Environment::of([("VERSION", "v9")]);
    let project = Project::builder().text(DEPLOY).environment(environment).secret_map([("REGISTRY_PASSWORD", "x")]);
    assert_eq!(project.build().await.unwrap().version().await.unwrap(), version("v9"));
}
