//! What an operation does about secrets besides handing them over.

use kamal_core::{cancel::Cancel, run::lock};

use crate::harness::{App, Verb};

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
