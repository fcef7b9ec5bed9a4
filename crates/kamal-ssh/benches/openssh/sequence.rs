//! Commands one after another over one connection.

use std::time::{Duration, Instant};

use kamal_core::{
    name::HostName,
    ports::{Exec, Ssh as _},
    shell::Script,
};
use kamal_ssh::Connector;

use crate::{
    Figure, median,
    relay::Relay,
    server::{Server, wait_for},
};

const COMMANDS: u32 = 100;
const ROUNDS: usize = 3;
const ROUND_TRIP: Duration = Duration::from_millis(50);

pub(crate) async fn measure(server: &Server) -> Vec<Figure> {
    let connector = Connector::new(server.options());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let socket = server.file("master");
    let mut master = server.openssh("ssh").args(["-N", "-M", "-S"]).arg(&socket).arg("root@127.0.0.1").spawn().unwrap();
    let asks = |what: &[&str]| {
        let status = server.openssh("ssh").arg("-S").arg(&socket).arg("root@127.0.0.1").args(what).status();
        status.unwrap().success()
    };
    wait_for(|| socket.exists());
    for _ in 0..ROUNDS {
        ours.push(run(&connector, &server.host()).await);
        let began = Instant::now();
        (0..COMMANDS).for_each(|_| assert!(asks(&["true"])));
        theirs.push(began.elapsed().as_secs_f64());
    }
    master.kill().unwrap();
    master.wait().unwrap();
    let (ours, theirs) = (median(ours), median(theirs));

    let relay = Relay::start(server.port, 1, ROUND_TRIP);
    let far = run(&connector, &relay.host(1)).await / f64::from(COMMANDS);
    vec![
        Figure::new(format!("{COMMANDS} times true"), "s", ours).beside("ControlMaster", theirs).at_most(theirs / 2.0),
        Figure::new(format!("true, {} ms away", ROUND_TRIP.as_millis()), "round trips", far / ROUND_TRIP.as_secs_f64())
            .at_most(1.1),
    ]
}

/// How long the commands take on a connection that is open.
async fn run(connector: &Connector, host: &HostName) -> f64 {
    let host = connector.connect(host).await.unwrap();
    once(&*host).await;
    let began = Instant::now();
    for _ in 0..COMMANDS {
        once(&*host).await;
    }
    began.elapsed().as_secs_f64()
}

/// Runs `true`.
pub(crate) async fn once(host: &dyn Exec) {
    assert!(host.exec(&Script::write("true", "true"), &mut |_| ()).await.unwrap().success());
}
