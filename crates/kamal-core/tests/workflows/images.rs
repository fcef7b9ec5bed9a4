//! Images from somebody's registry: logins, which image it is, and room for it.

use std::sync::Arc;

use async_trait::async_trait;
use kamal_core::{
    build::BuildTask,
    error::ErrorKind,
    op::{Build, Deploy, Op},
    plan::Kind,
    ports::{BuildError, BuildOrder, Builder, Built, Interceptor, Moment, Refusal},
    testing::{Effect, SimDocker, SimFleet},
};

use crate::harness::{App, THREE, Verb};

/// The effects that have to do with logins.
fn logins(app: &App) -> Vec<String> {
    let of = |effect: &Effect| effect.what.contains("log in to") || effect.what.contains("docker's configuration");
    let effects = app.fleet.effects().into_iter().filter(of);
    effects.map(|effect| format!("{} {}", effect.host.unwrap(), effect.what)).collect()
}

#[test]
fn a_login_is_made_where_it_is_not_held() {
    let app = App::new(THREE);
    app.operate(Verb::Setup, "v1", None).unwrap();
    assert_eq!(logins(&app).len(), 6, "{:?}", logins(&app));
    app.deploy("v2").unwrap();
    assert_eq!(logins(&app), [""; 0]);
    app.fleet.change("h2", |host| host.logins.clear());
    app.deploy("v3").unwrap();
    assert_eq!(logins(&app).len(), 2, "{:?}", logins(&app));
    assert!(logins(&app).iter().all(|login| login.starts_with("h2 ")));
    assert!(app.fleet.host("h2").logins.contains(""));
    let plan = app.dry_run(Verb::Deploy, "v4").unwrap();
    assert!(plan.to_string().contains("log in to Docker Hub"), "a plan says what is seen to");
}

/// Builds, and then somebody pushes another image under the same name.
#[derive(Debug)]
struct Overtaken(SimFleet);

#[async_trait]
impl Builder for Overtaken {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        let built = SimDocker.build(order).await?;
        if let (BuildTask::Push { .. }, Some(version)) = (order.task, order.version) {
            self.0.publish(&format!("acme/app:{version}"));
        }
        Ok(built)
    }
}

#[test]
fn what_was_built_runs_where_its_tag_moves_in_the_registry() {
    for verb in [Verb::Setup, Verb::Deploy, Verb::Redeploy] {
        let mut app = App::deployed(THREE, "v1");
        app.world.builder = Arc::new(Overtaken(app.fleet.clone()));
        app.operate(verb, "v2", None).unwrap();
        let ids: Vec<String> =
            ["h1", "h2", "h3"].map(|host| app.fleet.host(host).routed("app-web").unwrap().image_id.clone()).to_vec();
        assert!(ids[0] == ids[1] && ids[1] == ids[2], "{verb:?}: {ids:?}");
        // Whoever asks for what the tag stands for gets the other one.
        app.perform(&Op::Build(Build::Pull), Some("v2"), None).unwrap();
        assert_ne!(app.fleet.host("h1").images["acme/app:v2"], ids[0], "{verb:?}");
    }
}

/// Moves the image's tag on a host as soon as it is delivered.
#[derive(Debug)]
struct Meddler(SimFleet);

#[async_trait]
impl Interceptor for Meddler {
    async fn after(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        if moment.stage.kind == Kind::Deliver {
            self.0.change("h2", |host| drop(host.images.insert("acme/app:v2".to_owned(), "sha256:other".to_owned())));
        }
        Ok(())
    }
}

#[test]
fn a_tag_that_moves_on_a_host_is_told_before_anything_is_changed() {
    for skip_push in [false, true] {
        let mut app = App::deployed(THREE, "v1");
        app.fleet.publish("acme/app:v2");
        app.world.interceptor = Some(Arc::new(Meddler(app.fleet.clone())));
        let deploy = Op::Deploy(Deploy { skip_push, ..Deploy::default() });
        let error = app.perform(&deploy, Some("v2"), None).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("h2: the tag of acme/app:v2 has moved: it is sha256:other there, and"), "{said}");
        assert_eq!(error.kind(), ErrorKind::HostUnfit);
        assert!(error.hints()[0].to_string().contains("deploy again"), "{:?}", error.hints());
        assert_eq!(app.versions(), ["v1"]);
        assert!(!app.fleet.host("h1").locked());
    }
}

#[test]
fn a_full_disk_is_told_before_anything_is_pulled() {
    for verb in [Verb::Setup, Verb::Deploy] {
        let app = App::deployed(THREE, "v1");
        app.fleet.weigh(500_000_000);
        // What the host lacks takes twice its size while it is unpacked.
        app.fleet.change("h3", |host| host.free = Some(100_000_000));
        app.operate(verb, "v2", None).unwrap();
        app.fleet.change("h3", |host| host.free = Some(99_000_000));
        let error = app.operate(verb, "v3", None).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("h3: docker has 99 MB free there, and the image needs about 100 MB"), "{said}");
        assert!(!error.hints().is_empty());
        assert_eq!(app.versions(), ["v2"]);
        assert!(!app.fleet.host("h1").images.contains_key("acme/app:v3"), "not on the others either");
    }
    // Nobody asks where there is room for anything.
    let app = App::deployed(THREE, "v1");
    app.fleet.change("h3", |host| host.free = Some(1 << 40));
    app.deploy("v2").unwrap();
    assert!(!app.fleet.ran().iter().any(|ran| ran.command.contains("imagetools")));
}
