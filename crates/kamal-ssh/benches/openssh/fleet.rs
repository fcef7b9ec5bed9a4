//! Many hosts at once: connecting to each and running a command there.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kamal_core::ports::Ssh as _;
use kamal_ssh::Connector;

use crate::{Figure, median, memory::peak, relay::Relay, sequence::once, server::Server};

const MANY: u8 = 100;
const FEW: u8 = 10;
const ROUNDS: usize = 3;
const ROUND_TRIP: Duration = Duration::from_millis(200);
/// The most memory this process may ever have had, in MB.
const MEMORY: f64 = 150.0;

pub(crate) async fn measure(server: &Server) -> Vec<Figure> {
    let relay = Relay::start(0, MANY, ROUND_TRIP);
    // After this the hosts' keys are known.
    visit(server, &relay, MANY).await;
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        few.push(visit(server, &relay, FEW).await);
        many.push(visit(server, &relay, MANY).await);
    }
    let (few, many) = (median(few), median(many));
    vec![
        Figure::new(format!("{MANY} hosts {} ms away", ROUND_TRIP.as_millis()), "s", many)
            .beside(format!("{FEW} hosts"), few)
            .at_most(1.5 * few),
        Figure::new(format!("the most memory with {MANY} hosts"), "MB", peak_memory()).at_most(MEMORY),
    ]
}

async fn visit(server: &Server, relay: &Relay, hosts: u8) -> f64 {
    let mut options = server.options();
    options.max_concurrent_starts = hosts.into();
    let connector = Connector::new(options);
    let began = Instant::now();
    join_all((1..=hosts).map(|number| {
        let (connector, name) = (&connector, relay.host(number));
        async move { once(&*connector.connect(&name).await.unwrap()).await }
    }))
    .await;
    began.elapsed().as_secs_f64()
}

/// The highest resident memory of this process so far, in MB.
fn peak_memory() -> f64 {
    peak("self").unwrap() as f64 / 1024.0 / 1024.0
}
