//! Clients that are led to another host for layers.

use super::*;
use crate::registry::{Lead, Relay};

const TOKEN: (&str, &str) = ("authorization", "Bearer t0ken");

/// A registry with a large blob and a small one.
async fn filled() -> (TempDir, Registry, Digest, Digest) {
    let (folder, registry) = registry();
    let mut client = Client::of(&registry).await;
    let large = client.push("app", vec![7; 200_000]).await;
    let small = client.push("app", "small").await;
    (folder, registry, large, small)
}

/// The connection by which the other host shows itself.
async fn show(registry: &Registry, relay: &Relay) -> Response<hyper::body::Incoming> {
    let mut client = Client::of(registry).await;
    let request = Request::get("/v2/_layers").header("host", "registry").header(TOKEN.0, TOKEN.1);
    let mut shown = client.send.send_request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    assert_eq!(shown.status(), StatusCode::OK);
    assert!(shown.frame().await.unwrap().is_ok(), "it is heard that it is expected");
    relay.shown().await;
    shown
}

async fn get(client: &mut Client, digest: &Digest, headers: &[(&str, &str)]) -> (u16, Option<String>) {
    let (got, _) = client.call("GET", &format!("/v2/app/blobs/{digest}"), headers, "").await;
    let location = got.headers().contains_key("location").then(|| header(&got, "location"));
    (got.status().as_u16(), location)
}

#[tokio::test]
async fn layers_are_asked_for_elsewhere_while_somebody_has_them_there() {
    let (_folder, registry, large, small) = filled().await;
    let relay = Relay::new("10.0.0.1:5555".parse().unwrap(), "t0ken");
    let leads = [Lead::default(), Lead::default(), Lead::default()];
    let [mut own, mut other, mut third] = [
        Client::of(&registry.leading(leads[0].clone())).await,
        Client::of(&registry.leading(leads[1].clone())).await,
        Client::of(&registry.leading(leads[2].clone())).await,
    ];
    assert_eq!(get(&mut other, &large, &[]).await, (200, None), "nobody is led anywhere");
    leads.iter().for_each(|lead| lead.to(&relay));
    assert_eq!(get(&mut other, &large, &[]).await, (200, None), "it has not shown itself");

    let shown = show(&registry.leading(leads[0].clone()), &relay).await;
    let there = format!("http://10.0.0.1:5555/t0ken/v2/app/blobs/{large}");
    assert_eq!(get(&mut other, &large, &[]).await, (307, Some(there.clone())));
    assert_eq!(get(&mut own, &large, &[TOKEN]).await, (200, None), "it gets them here itself");
    assert_eq!(get(&mut own, &large, &[("authorization", "Bearer t0keN")]).await, (307, Some(there)));
    assert_eq!(get(&mut third, &small, &[]).await, (200, None), "what is small comes from here");
    assert_eq!(get(&mut third, &large, &[("range", "bytes=100-")]).await, (206, None));
    assert_eq!(third.status("HEAD", &format!("/v2/app/blobs/{large}")).await, 200);
    assert_eq!(third.status("GET", "/v2/_layers").await, 404, "nobody else shows itself so");

    assert!(!leads[1].came_back());
    assert_eq!(get(&mut other, &large, &[]).await, (200, None), "who comes back has it from here");
    assert!(leads[1].came_back() && !leads[2].came_back());

    drop(shown);
    let mut fresh = get(&mut third, &large, &[]).await;
    for _ in 0..500 {
        if fresh.0 == 200 {
            break;
        }
        leads[2].to(&relay);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        fresh = get(&mut third, &large, &[]).await;
    }
    assert_eq!(fresh, (200, None), "nobody is led to one that is gone");
}

#[tokio::test]
async fn who_is_led_no_more_stays_here() {
    let (_folder, registry, large, _) = filled().await;
    let (relay, lead) = (Relay::new("[fd00::1]:5555".parse().unwrap(), "t0ken"), Lead::default());
    lead.to(&relay);
    let _shown = show(&registry.leading(lead.clone()), &relay).await;
    let mut client = Client::of(&registry.read_only_of(["app".to_owned()]).leading(lead.clone())).await;
    let there = format!("http://[fd00::1]:5555/t0ken/v2/app/blobs/{large}");
    assert_eq!(get(&mut client, &large, &[]).await, (307, Some(there)));
    lead.end();
    assert_eq!(get(&mut client, &large, &[]).await, (200, None));
}
