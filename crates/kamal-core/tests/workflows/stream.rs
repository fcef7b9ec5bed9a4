//! The stream of events: each has its number, its time and its operation, and every operation begins and ends.

use kamal_core::{
    cancel::Cancel,
    error::ErrorKind,
    event::{Event, EventKind, Outcome, SCHEMA},
    request::Request,
    targets::Selection,
    testing::every_operation,
};

use crate::harness::{App, THREE, Verb};

/// The events since the last look, in order of their numbers, of one operation.
fn heard(app: &App, context: &str) -> Vec<Event> {
    let events = app.fleet.events().told();
    app.fleet.events().clear();
    for (number, event) in events.iter().enumerate() {
        assert_eq!((event.sequence, &*event.schema), (number as u64, SCHEMA), "{context}");
        assert_eq!(event.operation_id, events[0].operation_id, "{context}");
    }
    assert!(events.windows(2).all(|pair| pair[0].time <= pair[1].time), "{context}: time goes back");
    events
}

fn assert_whole(events: &[Event], context: &str) {
    let begins = events.iter().filter(|event| matches!(event.kind, EventKind::Started { .. })).count();
    let ends = events.iter().filter(|event| matches!(event.kind, EventKind::Finished { .. })).count();
    assert_eq!((begins, ends), (1, 1), "{context}");
    assert!(matches!(events.first().map(|event| &event.kind), Some(EventKind::Started { .. })), "{context}");
    assert!(matches!(events.last().map(|event| &event.kind), Some(EventKind::Finished { .. })), "{context}");
}

#[test]
fn every_operation_is_told_from_its_beginning_to_its_end() {
    let yaml = "servers: [h1, h2]\naccessories: {db: {image: pg, host: h1}}\n";
    let app = App::deployed(yaml, "v1");
    app.deploy("v2").unwrap();
    let mut ids = Vec::new();
    for op in every_operation(&app.config, &"v1".parse().unwrap()) {
        for run in [false, true] {
            let app = app.fork();
            app.fleet.events().clear();
            let context = format!("{} {run}", op.row().name());
            if run {
                drop(app.perform(&op, None, None));
            } else {
                drop(app.plan(&op, None));
            }
            let events = heard(&app, &context);
            assert_whole(&events, &context);
            let EventKind::Started { dry_run, .. } = &events[0].kind else { unreachable!() };
            assert_eq!(*dry_run, !run, "{context}");
            ids.push(events[0].operation_id.clone());
        }
    }
    assert!(ids.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'4'), "{ids:?}");
}

#[test]
fn operations_have_ids_of_their_own() {
    let app = App::deployed(THREE, "v1");
    let first = heard(&app, "v1")[0].operation_id.clone();
    app.deploy("v2").unwrap();
    assert_ne!(heard(&app, "v2")[0].operation_id, first);
}

#[test]
fn what_ends_before_it_begins_is_told_as_well() {
    let app = App::deployed(THREE, "v1");
    let elsewhere = Selection { hosts: Some(vec!["nowhere".to_owned()]), ..Selection::default() };
    let request = Request::new(Verb::Deploy.op()).on(elsewhere);
    app.fleet.events().clear();
    app.fleet.drive(app.engine().run(request, Cancel::never())).unwrap().unwrap_err();
    let events = heard(&app, "nowhere");
    assert_whole(&events, "nowhere");
    let EventKind::Finished { outcome: Outcome::Failed(why), kind, .. } = &events[1].kind else { panic!("{events:?}") };
    assert!(why.contains("nowhere"), "{why}");
    assert_eq!(*kind, Some(ErrorKind::Usage));
}

#[test]
fn a_failure_tells_its_kind_and_what_would_put_it_right() {
    let app = App::deployed(THREE, "v1");
    app.fleet.sicken("v2");
    app.fleet.events().clear();
    let error = app.deploy("v2").unwrap_err();
    let events = heard(&app, "sick");
    let EventKind::Finished { outcome: Outcome::Failed(why), kind, hints, .. } = &events.last().unwrap().kind else {
        panic!("{events:?}")
    };
    assert_eq!((why, *kind, hints), (&error.to_string(), Some(ErrorKind::Unhealthy), &error.hints()));
}

#[test]
fn events_are_read_back_as_they_were_written() {
    let app = App::deployed(THREE, "v1");
    let events = heard(&app, "v1");
    assert!(events.len() > 20);
    for event in events {
        let line = serde_json::to_string(&event).unwrap();
        let read: Event = serde_json::from_str(&line).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(value["event"].is_string() && value["time"].is_string() && !value["operation_id"].is_null(), "{line}");
    }
}
