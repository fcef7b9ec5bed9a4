//! Events for the tests of sinks.

use std::time::Duration;

use kamal_core::{
    error::ErrorKind,
    event::{Event, EventKind, Outcome, SCHEMA},
};
use serde_json::json;

/// An event at three minutes past four.
pub(super) fn event(kind: EventKind) -> Event {
    let mut value = serde_json::to_value(kind).unwrap();
    let stamp = json!({"schema": SCHEMA, "operation_id": "id", "sequence": 7, "time": "2026-11-23T04:03:12Z"});
    value.as_object_mut().unwrap().extend(stamp.as_object().unwrap().clone());
    serde_json::from_value(value).unwrap()
}

/// The beginning of an operation on two hosts.
pub(super) fn started(operation: &str, changes: bool) -> Event {
    event(EventKind::Started {
        operation: operation.to_owned(),
        changes,
        dry_run: false,
        service: "app".to_owned(),
        destination: Some("prod".parse().unwrap()),
        performer: "ann@example.com".to_owned(),
        version: Some("999".parse().unwrap()),
        hosts: vec!["1.1.1.1".parse().unwrap(), "1.1.1.2".parse().unwrap()],
    })
}

/// The end, after 1.24 seconds.
pub(super) fn finished(outcome: Outcome, kind: Option<ErrorKind>) -> Event {
    event(EventKind::Finished { outcome, kind, hints: Vec::new(), took: Duration::from_millis(1240) })
}
