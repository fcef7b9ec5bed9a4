//! A large file.

use std::time::Instant;

use kamal_core::ports::Ssh as _;
use kamal_ssh::Connector;

use crate::{Figure, median, server::Server};

const MEGABYTES: usize = 100;
const ROUNDS: usize = 5;

pub(crate) async fn measure(server: &Server) -> Vec<Figure> {
    let content: Vec<u8> =
        (0..MEGABYTES as u32 * 1_000_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (from, to) = (server.file("large"), server.file("sent"));
    std::fs::write(&from, &content).unwrap();
    let host = Connector::new(server.options()).connect(&server.host()).await.unwrap();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let began = Instant::now();
        host.upload(&content, to.to_str().unwrap(), 0o600).await.unwrap();
        ours.push(began.elapsed().as_secs_f64());
        assert_eq!(std::fs::metadata(&to).unwrap().len(), content.len() as u64);

        let began = Instant::now();
        let scp = server.openssh("scp").arg(&from).arg(format!("root@127.0.0.1:{}", to.display())).status();
        assert!(scp.unwrap().success());
        theirs.push(began.elapsed().as_secs_f64());
    }
    let speed = |times| MEGABYTES as f64 / median(times);
    let (ours, theirs) = (speed(ours), speed(theirs));
    vec![Figure::new(format!("upload of {MEGABYTES} MB"), "MB/s", ours).beside("scp", theirs).at_least(0.8 * theirs)]
}
