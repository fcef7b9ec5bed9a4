//! Files on their way to hosts.

use kamal_core::{cancel::Cancel, event::EventKind};

use crate::harness::App;

/// How far an upload said it was.
fn told(app: &App, length: usize) -> Vec<(u64, u64)> {
    let run = app.asking(None);
    let cx = app.cx(&run, Cancel::never());
    let host = app.targets.hosts.first().unwrap();
    app.fleet.drive(cx.fleet.upload(host, &vec![0; length], "large", 0o600)).unwrap().unwrap();
    let told = |event| match event {
        EventKind::Uploading { sent, total, .. } => Some((sent, total)),
        _ => None,
    };
    app.fleet.events().events().into_iter().filter_map(told).collect()
}

#[test]
fn one_that_takes_long_is_told_of_every_second() {
    // The simulated link takes 10 MB a second.
    let app = App::new("servers: [h1]\n");
    assert_eq!(told(&app, 9_000_000), []);
    assert_eq!(told(&app, 31_000_000), [(10_000_000, 31_000_000), (20_000_000, 31_000_000), (30_000_000, 31_000_000)]);
}
