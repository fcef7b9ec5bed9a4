//! Deploys the project in a folder, the current one unless another is named, and prints Kamal's narrative.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use kamal::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let tell = |event: Event| {
        if let EventKind::Say { text, .. } = event.kind {
            println!("{text}");
        }
    };
    let project = Project::builder().folder(folder).on_event(tell).build().await?;
    let version = project.version().await?;
    let report = project.deploy(&version).run().await?;
    println!("{version} serves after {:.1} s", report.took.as_secs_f64());
    Ok(())
}
