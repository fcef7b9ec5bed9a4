//! Plan, review, apply: the plan of a deploy is written to a file, somebody looks at it, and later exactly that is done, or
//! nothing where the hosts have moved on.
//!
//! `cargo run --example review -- FOLDER plan.json` plans; the same with `apply` behind it does what the file says.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use kamal::{core::error::Error::PlanChanged, prelude::*};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, file, rest @ ..] = &words[..] else { return Err("usage: review FOLDER FILE [apply]".into()) };
    let project = Project::open(folder).await?;
    if rest.is_empty() {
        let version = project.version().await?;
        let plan = project.deploy(&version).plan().await?;
        std::fs::write(file, plan.to_json())?;
        println!("{plan}\nkept in {file}, digest {}", plan.digest());
        return Ok(());
    }
    let plan = Plan::from_json(&std::fs::read_to_string(file)?)?;
    match project.apply(plan).await {
        Ok(report) => println!("done in {:.1} s", report.took.as_secs_f64()),
        Err(Error::Engine(PlanChanged { differences, .. })) => {
            println!("the hosts have moved on; nothing was done:\n{}", differences.join("\n"));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
