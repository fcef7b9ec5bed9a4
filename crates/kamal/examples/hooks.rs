//! Parts of one's own in a deploy: a hook that is a function, a step between the stages, and a builder. The hosts are
//! simulated, so that it runs anywhere.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::sync::Arc;

use async_trait::async_trait;
use kamal::{
    core::{
        build::BuildTask,
        plan::Kind,
        ports::{BuildError, BuildOrder, Builder, Built, Interceptor, Moment, Refusal},
        run::hooks::HookFunctions,
        testing::SimFleet,
    },
    prelude::*,
};

const DEPLOY: &str = "\
service: shop
image: acme/shop
servers: [h1, h2]
registry: { username: me, password: [REGISTRY_PASSWORD] }
builder: { arch: amd64 }
";

/// Stands for one's own build service.
#[derive(Debug)]
struct BuildService(SimFleet);

#[async_trait]
impl Builder for BuildService {
    async fn build(&self, order: &BuildOrder<'_>) -> Result<Built, BuildError> {
        if let (BuildTask::Push { .. }, Some(version)) = (order.task, order.version) {
            println!("the build service builds {version}");
            let digest = self.0.publish(&format!("acme/shop:{version}"));
            // It is what hosts run, wherever the tag moves.
            return Ok(Built { digest: Some(digest), ..Built::default() });
        }
        Ok(Built::default())
    }
}

/// Tries the new version before the old one is stopped: all hosts serve it by then, and go back if it is found wanting.
#[derive(Debug)]
struct SmokeTest;

#[async_trait]
impl Interceptor for SmokeTest {
    async fn after(&self, moment: &Moment<'_>) -> Result<(), Refusal> {
        if moment.stage.kind == Kind::Boot && moment.plan.version.as_ref().is_some_and(|version| **version == *"v3") {
            return Err("the checkout page of v3 answers with an error".into());
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fleet = SimFleet::new(["h1", "h2"]);
    fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
    let hooks = HookFunctions::new().on("pre-deploy", |told| async move {
        match told.env("KAMAL_VERSION") {
            Some(version) if version.ends_with("-rc") => Err("release candidates are not deployed".into()),
            _ => Ok(()),
        }
    });
    let project = Project::builder()
        .text(DEPLOY)
        .world(fleet.world())
        .hooks(Arc::new(hooks))
        .interceptor(Arc::new(SmokeTest))
        .image_builder(Arc::new(BuildService(fleet.clone())))
        .build()
        .await?;
    for version in ["v1", "v2-rc", "v3", "v4"] {
        let outcome = match project.deploy(&Version::parse(version)?).run().await {
            Ok(_) => "deployed".to_owned(),
            Err(error) => error.to_string(),
        };
        let served: Vec<String> = fleet.serving().into_iter().map(|serving| serving.version.to_string()).collect();
        println!("{version}: {outcome}; served: {}", served.join(", "));
    }
    Ok(())
}
