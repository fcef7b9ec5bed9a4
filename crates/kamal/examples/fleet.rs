//! One's own program tested on simulated hosts: they behave as real ones do, in virtual time, and any of them can be made
//! to fail. Here a version that does not become healthy goes live nowhere, and a host that is cut off is put right by the
//! next deploy.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use kamal::{core::testing::SimFleet, prelude::*};

const DEPLOY: &str = "\
service: shop
image: acme/shop
servers: [h1, h2, h3]
registry: { username: me, password: [REGISTRY_PASSWORD] }
builder: { arch: amd64 }
";

/// The versions that are served.
fn served(fleet: &SimFleet) -> Vec<String> {
    fleet.serving().into_iter().map(|serving| serving.version.to_string()).collect()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fleet = SimFleet::new(["h1", "h2", "h3"]);
    fleet.secrets().put("REGISTRY_PASSWORD", "hunter2");
    let project = Project::builder().text(DEPLOY).world(fleet.world()).build().await?;
    let deploy = async |version: &str| {
        // From here on, what serves must go on serving.
        fleet.begin(&[project.config().hosts()], None);
        project.deploy(&Version::parse(version)?).run().await
    };

    deploy("v1").await?;
    assert_eq!(served(&fleet), ["v1", "v1", "v1"]);

    fleet.sicken("v2");
    let error = deploy("v2").await.expect_err("v2 is sick");
    println!("v2: {error}");
    assert_eq!(served(&fleet), ["v1", "v1", "v1"], "all hosts or none");

    fleet.unplug("h3");
    let error = deploy("v3").await.expect_err("a host is cut off");
    println!("v3: {error}");
    fleet.plug_in();
    deploy("v3").await?;
    assert_eq!(served(&fleet), ["v3", "v3", "v3"]);
    assert_eq!(fleet.violations(), [""; 0]);
    println!("v3 is served by all");
    Ok(())
}
