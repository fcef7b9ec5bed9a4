//! OpenTelemetry, as `output/otel` of deploy.yml asks for it (spec 10): each line a log record, beginning and end of what
//! changes something events. A collector that is slow or not there holds nothing up.

mod ship;

use std::time::Duration;

use anstream::adapter::strip_str;
use kamal_core::event::{Event, EventKind, Outcome};
use serde_json::{Map, Value, json};

use super::{
    class::class,
    lines::{Line, Lines, Severity},
    sink::Sink,
    voice::Voice,
};
use ship::Shipper;

/// Those Kamal calls deployments.
const DEPLOYMENTS: [&str; 4] = ["deploy", "redeploy", "rollback", "setup"];

/// How long the end of the command waits for the last records to go.
const LAST: Duration = Duration::from_secs(2);

/// Hands records to whoever sends them.
#[derive(Debug)]
pub(super) struct Otel {
    /// The version of Kamal this behaves like.
    kamal: &'static str,
    endpoint: String,
    lines: Lines,
    voice: Voice,
    shipper: Option<Shipper>,
    began: Option<Began>,
}

#[derive(Debug)]
struct Began {
    id: String,
    operation: String,
    service: String,
    changes: bool,
}

impl Otel {
    pub(super) fn new(endpoint: &str, kamal: &'static str, lines: Lines, voice: Voice) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { kamal, endpoint, lines, voice, shipper: None, began: None }
    }

    fn send(&self, record: Value) {
        if let Some(shipper) = &self.shipper {
            shipper.send(record);
        }
    }

    fn begin(&mut self, event: &Event) {
        let EventKind::Started { operation, changes, dry_run, service, destination, performer, version, .. } =
            &event.kind
        else {
            return;
        };
        let mut attributes = vec![
            text("service.name", "kamal"),
            text("service.version", self.kamal),
            text("kamal.run_id", &event.operation_id),
            text("kamal.performer", performer),
        ];
        attributes.extend(destination.iter().map(|name| text("deployment.environment.name", name)));
        attributes.extend(version.iter().map(|version| text("kamal.deploy_version", version)));
        attributes.push(text("service.namespace", service));
        let frame = ship::Frame { attributes, version: self.kamal };
        self.shipper = Shipper::begin(&self.endpoint, frame, self.voice);
        self.began = Some(Began {
            id: event.operation_id.clone(),
            operation: operation.clone(),
            service: service.clone(),
            changes: *changes && !dry_run,
        });
    }

    /// The record of an event of the operation as a whole.
    fn milestone(&self, event: &Event, began: &Began) -> Option<Value> {
        let command = began.operation.split(' ').next().unwrap_or_default();
        let mut attributes = vec![text("kamal.command", command)];
        let (name, severity, status) = match &event.kind {
            EventKind::Started { .. } => ("kamal.start", Severity::Info, None),
            EventKind::Finished { outcome, kind, took, .. } => {
                let runtime = (took.as_secs_f64() * 10.0).round() / 10.0;
                attributes.push(json!({"key": "kamal.runtime", "value": {"doubleValue": runtime}}));
                match outcome {
                    Outcome::Failed(why) => {
                        attributes.push(text("exception.type", class(*kind)));
                        attributes.push(text("exception.message", why));
                        ("kamal.failed", Severity::Error, Some("failed"))
                    }
                    Outcome::Ok | Outcome::Ignored => ("kamal.complete", Severity::Info, Some("succeeded")),
                }
            }
            _ => return None,
        };
        if DEPLOYMENTS.contains(&command) {
            attributes.push(text("deployment.id", &began.id));
            attributes.push(text("deployment.name", &format!("{command} {}", began.service)));
            attributes.extend(status.map(|status| text("deployment.status", status)));
        }
        Some(record(event, severity, name, Some(name), &attributes))
    }
}

impl Sink for Otel {
    fn take(&mut self, event: &Event) {
        self.begin(event);
        let Some(began) = &self.began else { return };
        if began.changes
            && let Some(milestone) = self.milestone(event, began)
        {
            self.send(milestone);
        }
        // What is only looked at has no narrative.
        let changes = began.changes;
        for line in self.lines.take(event).into_iter().filter(|line| changes || !line.said) {
            self.send(of_line(event, &line));
        }
    }

    fn close(&mut self) {
        let Some(shipper) = self.shipper.take() else { return };
        let ended = shipper.end();
        let changes = self.began.take().is_some_and(|began| began.changes);
        if ended.recv_timeout(LAST) == Ok(true) && changes {
            self.voice.tell(&format!("Logs sent to {}", self.endpoint));
        }
    }
}

fn of_line(event: &Event, line: &Line) -> Value {
    let mut attributes: Vec<Value> = line.host.iter().map(|host| text("server.address", host)).collect();
    attributes.extend(line.stream.map(|stream| text("log.iostream", stream)));
    record(event, line.severity, &strip_str(&line.text).to_string(), None, &attributes)
}

fn record(event: &Event, severity: Severity, body: &str, name: Option<&str>, attributes: &[Value]) -> Value {
    let nanos = event.time.as_nanosecond().to_string();
    let (number, word) = match severity {
        Severity::Debug => (5, "DEBUG"),
        Severity::Info => (9, "INFO"),
        Severity::Warn => (13, "WARN"),
        Severity::Error => (17, "ERROR"),
    };
    let mut record = Map::new();
    record.insert("timeUnixNano".to_owned(), json!(nanos));
    record.insert("observedTimeUnixNano".to_owned(), json!(nanos));
    record.insert("severityNumber".to_owned(), json!(number));
    record.insert("severityText".to_owned(), json!(word));
    record.insert("body".to_owned(), json!({"stringValue": body}));
    if let Some(name) = name {
        record.insert("eventName".to_owned(), json!(name));
    }
    if !attributes.is_empty() {
        record.insert("attributes".to_owned(), json!(attributes));
    }
    Value::Object(record)
}

/// An attribute.
fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::mpsc,
        time::Instant,
    };

    use kamal_core::error::ErrorKind;

    use super::*;
    use crate::report::testing::{event, finished, started};

    /// A receiver that takes requests of OTLP over HTTP, one a connection, and hands their bodies on.
    fn receiver(status: &'static str) -> (String, mpsc::Receiver<(String, Value)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
                let (head, body) = loop {
                    let count = stream.read(&mut buffer).unwrap();
                    read.extend_from_slice(&buffer[..count]);
                    let text = String::from_utf8_lossy(&read).into_owned();
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let head = head.to_ascii_lowercase();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() >= length.trim().parse().unwrap() {
                        break (head, body.to_owned());
                    }
                };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
                stream.write_all(answer.as_bytes()).unwrap();
                sender.send((head, serde_json::from_str(&body).unwrap())).unwrap();
            }
        });
        (endpoint, requests)
    }

    fn otel(endpoint: &str) -> Otel {
        Otel::new(endpoint, "2.12.0", Lines::new(None), Voice::silent())
    }

    /// Attributes as a map from their keys to their values.
    fn attributes(of: &Value) -> Map<String, Value> {
        let pair = |one: &Value| {
            let value = one["value"].as_object().unwrap().values().next().unwrap().clone();
            (one["key"].as_str().unwrap().to_owned(), value)
        };
        of["attributes"].as_array().into_iter().flatten().map(pair).collect()
    }

    #[test]
    fn a_collector_is_told_all_of_a_deploy_by_the_names_kamal_has() {
        let (endpoint, requests) = receiver("200 OK");
        let mut otel = otel(&endpoint);
        otel.take(&started("deploy", true));
        otel.take(&event(EventKind::say("Build and push app image...")));
        let host = Some("1.1.1.2".parse().unwrap());
        otel.take(&event(EventKind::Output { host, line: "done".to_owned(), error: true }));
        otel.take(&finished(Outcome::Failed("no".to_owned()), Some(ErrorKind::LockHeld)));
        otel.close();
        let (head, body) = requests.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(
            head.starts_with("post /v1/logs http/1.1") && head.contains("content-type: application/json"),
            "{head}"
        );
        let resource = &body["resourceLogs"][0];
        assert_eq!(
            Value::Object(attributes(&resource["resource"])),
            json!({
                "service.name": "kamal", "service.version": "2.12.0", "kamal.run_id": "id",
                "kamal.performer": "ann@example.com", "deployment.environment.name": "prod",
                "kamal.deploy_version": "999", "service.namespace": "app",
            })
        );
        assert_eq!(resource["scopeLogs"][0]["scope"], json!({"name": "kamal", "version": "2.12.0"}));
        let records = resource["scopeLogs"][0]["logRecords"].as_array().unwrap();
        assert_eq!(records.len(), 4);
        let [start, said, printed, failed] = [0, 1, 2, 3].map(|at| &records[at]);
        assert_eq!(start["eventName"], "kamal.start");
        assert_eq!(
            Value::Object(attributes(start)),
            json!({"kamal.command": "deploy", "deployment.id": "id", "deployment.name": "deploy app"})
        );
        assert_eq!(said["timeUnixNano"], "1795406592000000000");
        assert_eq!(
            (&said["severityNumber"], &said["body"]["stringValue"]),
            (&json!(9), &json!("Build and push app image..."))
        );
        assert_eq!(Value::Object(attributes(printed)), json!({"server.address": "1.1.1.2", "log.iostream": "stderr"}));
        assert_eq!(
            (&printed["severityText"], &printed["body"]["stringValue"]),
            (&json!("DEBUG"), &json!(" DEBUG \tdone"))
        );
        assert_eq!(
            Value::Object(attributes(failed)),
            json!({
                "kamal.command": "deploy", "kamal.runtime": 1.2, "exception.type": "Kamal::Cli::LockError",
                "exception.message": "no", "deployment.id": "id", "deployment.name": "deploy app",
                "deployment.status": "failed",
            })
        );
    }

    #[test]
    fn what_only_looks_has_lines_and_neither_narrative_nor_events() {
        let (endpoint, requests) = receiver("200 OK");
        let mut otel = otel(&endpoint);
        otel.take(&started("app details", false));
        otel.take(&event(EventKind::say("said")));
        otel.take(&event(EventKind::tell(kamal_core::event::Tone::Info, "inside")));
        otel.take(&finished(Outcome::Ok, None));
        otel.close();
        let (_, body) = requests.recv_timeout(Duration::from_secs(5)).unwrap();
        let records = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["body"]["stringValue"], "  INFO inside");
    }

    #[test]
    fn records_go_by_the_hundred_and_all_of_them() {
        let (endpoint, requests) = receiver("503 Busy");
        let mut otel = otel(&endpoint);
        otel.take(&started("app stop", true));
        for line in 0..250 {
            otel.take(&event(EventKind::say(line.to_string())));
        }
        otel.close();
        let sizes: Vec<usize> = (0..3)
            .map(|_| requests.recv_timeout(Duration::from_secs(5)).unwrap().1)
            .map(|body| body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().len())
            .collect();
        assert_eq!(sizes, [100, 100, 51]);
    }

    #[test]
    fn a_collector_that_never_answers_holds_nothing_up() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        for endpoint in
            [format!("http://{}", silent.local_addr().unwrap()), "http://127.0.0.1:1".into(), "no url".into()]
        {
            let began = Instant::now();
            let mut otel = otel(&endpoint);
            otel.take(&started("deploy", true));
            for line in 0..30_000 {
                otel.take(&event(EventKind::say(line.to_string())));
            }
            let told = began.elapsed();
            let began = Instant::now();
            otel.close();
            assert!(began.elapsed() < LAST + Duration::from_secs(1), "{endpoint}: {:?}", began.elapsed());
            assert!(told < Duration::from_secs(20), "{endpoint}: {told:?}");
        }
    }
}
