//! Switching targets while requests keep coming: nobody notices.

use super::load::{CLIENTS, Load};
use super::support::{Proxy, Upstream};

const SWITCHES: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_fails_through_fifty_deploys_under_load() {
    let proxy = Proxy::start();
    let targets = [Upstream::named("one").await, Upstream::named("two").await];
    proxy.ok(&format!("deploy app --target {}", targets[0].address));

    let load = Load::start(proxy.http, &["one", "two"]);
    for switch in 0..SWITCHES {
        let target = &targets[(switch + 1) % 2];
        proxy.ok(&format!("deploy app --target {}", target.address));
        let expected = if (switch + 1) % 2 == 0 { "one" } else { "two" };
        assert_eq!(proxy.get("http://localhost/").await.body, expected, "the switch is over when deploy returns");
        load.round().await;
    }
    assert!(load.answered() >= CLIENTS * SWITCHES);
    assert_eq!(load.stop().await, Vec::<String>::new());
}
