//! The suite any transport can be put through.

use std::{sync::Arc, time::Duration};

use kamal_core::testing::exec_suite;
use kamal_ssh::Connector;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_promises_of_the_ports_are_kept() {
    // The folder a login begins in is the one `HOME` names, as on any host; on this server it is a folder of the test's.
    let server = Server::with("ForceCommand cd && exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"");
    let make = || -> Arc<dyn kamal_core::ports::Ssh> { Arc::new(Connector::new(server.options())) };
    let limit = || tokio::time::sleep(Duration::from_secs(60));
    let broken = exec_suite(make, &server.host(), limit).await;
    assert!(broken.is_empty(), "{broken:#?}\n{}", server.log());
}
