//! The engine in somebody else's program: spawned, stopped, on any runtime.

use std::time::Duration;

use kamal_core::{
    cancel::Cancel,
    error::Error,
    event::EventKind,
    op::{Deploy, Op},
    plan::Plan,
    ports::Clock,
    request::Request,
    run::Report,
};

use crate::harness::{App, TOGETHER};

fn deploy(version: &str) -> Request {
    Request::new(Op::Deploy(Deploy::default())).version(version.parse().unwrap())
}

/// A deploy, reviewed and applied, then another one, each in a task of its own.
async fn twice(app: &App) -> (Plan, Report) {
    let engine = app.engine();
    let plan = tokio::spawn(engine.plan(deploy("v1"))).await.unwrap().unwrap();
    let report = tokio::spawn(engine.apply(plan.clone(), Cancel::never())).await.unwrap().unwrap();
    assert_eq!(report.plan, plan);
    let second = tokio::spawn(engine.run(deploy("v2"), Cancel::never())).await.unwrap().unwrap();
    (plan, second)
}

#[test]
fn simulated_hosts_go_under_any_runtime() {
    let current = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let expected = {
        let app = App::new(TOGETHER);
        let plan = app.fleet.drive(app.engine().plan(deploy("v1"))).unwrap().unwrap();
        app.fleet.drive(app.engine().apply(plan.clone(), Cancel::never())).unwrap().unwrap();
        (plan, app.fleet.drive(app.engine().run(deploy("v2"), Cancel::never())).unwrap().unwrap())
    };
    for (name, runtime) in [("current_thread", &current), ("multi_thread", &several)] {
        let app = App::new(TOGETHER);
        let (plan, report) = runtime.block_on(async { twice(&app).await });
        assert_eq!(plan, expected.0, "{name}");
        assert_eq!((&report.plan, report.took), (&expected.1.plan, expected.1.took), "{name}");
        app.assert_converged("v2", name);
    }
    let app = App::new(TOGETHER);
    futures_executor::block_on(app.engine().run(deploy("v1"), Cancel::never())).unwrap();
    app.assert_converged("v1", "block_on");
}

#[test]
fn sleeps_on_many_threads_end_when_they_are_due() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let app = App::new("servers: [h1]\n");
    runtime.block_on(async {
        let naps = [30_u64, 10, 20, 3600].map(|seconds| {
            let clock = app.fleet.clock().clone();
            tokio::spawn(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                assert!(clock.elapsed() >= Duration::from_secs(seconds));
                clock.elapsed()
            })
        });
        for nap in naps {
            nap.await.unwrap();
        }
    });
    // A thread that comes late begins its nap when others have ended theirs.
    let elapsed = app.fleet.clock().elapsed().as_secs();
    assert!((3600..=3660).contains(&elapsed), "{elapsed}");
}

#[test]
fn whoever_wants_it_stopped_says_so_and_awaits_the_end() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for after in [0, 5, 50, 200, 400, 700, 1000] {
        let app = App::deployed(TOGETHER, "v1");
        let (canceller, cancel) = Cancel::pair();
        let stopped = runtime.block_on(async {
            let clock = app.fleet.clock().clone();
            let stop = tokio::spawn(async move {
                clock.sleep(Duration::from_millis(after)).await;
                canceller.cancel();
            });
            let result = tokio::spawn(app.engine().run(deploy("v2"), cancel)).await.unwrap();
            stop.await.unwrap();
            result
        });
        assert!(matches!(stopped, Err(Error::Cancelled | Error::Hosts(_)) | Ok(_)), "{after}");
        assert_eq!((app.locks(), app.versions().len()), (Vec::new(), 1), "{after}: {stopped:?}");
        runtime.block_on(app.engine().run(deploy("v2"), Cancel::never())).unwrap();
        app.assert_converged("v2", "again");
    }
}

#[test]
fn a_selection_that_matches_nothing_is_an_error() {
    let app = App::new("servers: [h1]\n");
    let request =
        deploy("v1").on(kamal_core::targets::Selection { hosts: Some(vec!["h9".into()]), ..Default::default() });
    for error in [
        app.fleet.drive(app.engine().plan(request.clone())).unwrap().unwrap_err(),
        app.fleet.drive(app.engine().run(request, Cancel::never())).unwrap().unwrap_err(),
    ] {
        assert!(error.to_string().contains("No --hosts match for h9"), "{error}");
    }
    assert!(app.fleet.events().events().iter().all(|event| !matches!(event, EventKind::Connected { .. })));
}
