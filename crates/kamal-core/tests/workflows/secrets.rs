//! What an operation does about secrets besides handing them over.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::future::join;
use kamal_core::{
    cancel::Cancel,
    error::Error,
    ports::{Clock, SecretError, Secrets, World},
    run::{self, lock},
    secret::Secret,
};

use crate::harness::{App, Verb, seconds};

fn said_at_setup(file: &str) -> Vec<String> {
    let accessory =
        format!("accessories: {{db: {{image: db, host: h1, env: {{secret: [DB_PASSWORD]}}, files: [{file}]}}}}");
    let app = App::new(&format!("servers: [h1]\n{accessory}\n"));
    app.fleet.secrets().put("DB_PASSWORD", "hunter3");
    app.fleet.project_file("config/db.erb", "password=<DB_PASSWORD>\n");
    app.fleet.publish("db");
    app.fleet.project_file("config/plain.erb", "user=app\n");
    app.operate(Verb::Setup, "v1", None).unwrap();
    app.fleet.events().said().into_iter().filter(|text| text.contains("holds a secret")).collect()
}

#[test]
fn a_rendered_file_with_a_secret_that_all_may_read_is_warned_about() {
    let warned = said_at_setup("\"config/db.erb:/etc/db\"");
    assert!(warned.len() == 1 && warned[0].starts_with("config/db.erb "), "{warned:?}");
    assert_eq!(said_at_setup("{local: config/db.erb, remote: /etc/db, mode: \"0644\"}").len(), 1);
    assert_eq!(said_at_setup("{local: config/db.erb, remote: /etc/db, mode: \"0600\"}"), [""; 0]);
    assert_eq!(said_at_setup("\"config/plain.erb:/etc/plain\""), [""; 0]);
}

#[test]
fn a_locks_message_holds_no_secret() {
    let app = App::deployed("servers: [h1]\n", "v1");
    let run = app.asking(Some("v1"));
    let details = lock::details(&app.cx(&run, Cancel::never()), "the password is hunter2 now");
    assert!(details.ends_with("Message: the password is [REDACTED] now"), "{details}");
}

/// A password manager that takes its time.
#[derive(Debug)]
struct Slow {
    behind: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Secrets for Slow {
    async fn get(&self, key: &str) -> Result<Secret, SecretError> {
        self.clock.sleep(seconds(2)).await;
        self.behind.get(key).await
    }

    async fn all(&self) -> Result<Vec<(String, Secret)>, SecretError> {
        self.clock.sleep(seconds(2)).await;
        self.behind.all().await
    }
}

fn slow(mut app: App) -> App {
    let World { secrets, clock, .. } = app.world.clone();
    app.world.secrets = Arc::new(Slow { behind: secrets, clock });
    app
}

#[test]
fn slow_secrets_are_waited_for_side_by_side_and_nobody_else_waits() {
    let app = slow(App::new("servers: [h1]\n"));
    let run = app.asking(Some("v1"));
    let cx = app.cx(&run, app.fleet.begin(&[], None));
    let (op, clock) = (Verb::Deploy.op(), &app.world.clock);
    let others = async {
        for _ in 0..10 {
            clock.sleep(Duration::from_millis(100)).await;
        }
        clock.elapsed()
    };
    let (report, others) = app.fleet.drive(join(run::run(&cx, &op), others)).unwrap();
    assert_eq!(others, seconds(1));
    let took = report.unwrap().took;
    assert!(took >= seconds(2) && took < seconds(4), "{took:?}");
}

#[test]
fn a_request_to_stop_ends_the_wait_for_secrets() {
    let app = slow(App::new("servers: [h1]\n"));
    let (run, clock) = (app.asking(Some("v1")), app.world.clock.clone());
    let cx = app.cx(&run, Cancel::when(async move { clock.sleep(seconds(1)).await }));
    let ended = app.fleet.drive(run::run(&cx, &Verb::Deploy.op())).unwrap();
    assert!(matches!(ended, Err(Error::Cancelled)), "{ended:?}");
    assert_eq!(app.world.clock.elapsed(), seconds(1));
    assert_eq!(app.fleet.effects(), []);
}
