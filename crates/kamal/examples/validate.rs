//! Checks a deploy.yml that is a text, without touching files, network or environment, and prints what is wrong with it,
//! each finding with its place.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use kamal::core::config::{NoTemplateWorld, Source, load};

const DEPLOY: &str = "\
service: shop
image: acme/shop
servers:
  web: [10.0.0.1, 10.0.0.2]
proxy:
  app_port: 80800
builder:
  arch: amd65
registry:
  username: me
  passwort: [REGISTRY_PASSWORD]
";

fn main() {
    match load(&Source::new("config/deploy.yml", DEPLOY), None, &NoTemplateWorld) {
        Ok(loaded) => println!("{} on {} hosts", loaded.config.service, loaded.config.hosts().len()),
        Err(errors) => {
            for finding in &errors.0 {
                println!("{finding}\n");
            }
        }
    }
}
