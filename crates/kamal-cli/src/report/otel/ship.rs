//! Sending: a thread of its own posts what it is given, a hundred records at a time or what there is every five seconds.

use std::{
    sync::{Arc, mpsc as sync},
    time::Duration,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::super::voice::Voice;

/// How many records go at once.
const BATCH: usize = 100;
/// How long a record waits for others.
const PACE: Duration = Duration::from_secs(5);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How many records wait at most for a collector that is slow; further ones are lost.
const WAITING: usize = 10_000;

/// What is sent along with every batch.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) attributes: Vec<Value>,
    pub(super) version: &'static str,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Shipper {
    records: mpsc::Sender<Value>,
    end: mpsc::UnboundedSender<sync::Sender<bool>>,
}

impl Shipper {
    /// Begins to send; `None` where that cannot be, which is told.
    pub(super) fn begin(endpoint: &str, frame: Frame, voice: Voice) -> Option<Self> {
        let (records, waiting) = mpsc::channel(WAITING);
        let (end, ended) = mpsc::unbounded_channel();
        let mut thread = Thread { url: format!("{endpoint}/v1/logs"), frame, voice, failed: false };
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match (runtime, client()) {
                (Ok(runtime), Ok(client)) => runtime.block_on(thread.run(&client, waiting, ended)),
                (Err(error), _) => thread.fail(&error.to_string()),
                (_, Err(error)) => thread.fail(&error.to_string()),
            }
        };
        let started = std::thread::Builder::new().name("otel".to_owned()).spawn(work);
        let failed = |error: &std::io::Error| voice.complain(&format!("Output logger setup failed: {error}"));
        started.inspect_err(failed).ok().map(|_| Self { records, end })
    }

    /// Hands a record on. Never waits: one there is no room for is lost.
    pub(super) fn send(&self, record: Value) {
        drop(self.records.try_send(record));
    }

    /// Has the rest sent. Whether all went well is told once that is done.
    pub(super) fn end(self) -> sync::Receiver<bool> {
        let (done, ended) = sync::channel();
        // A thread that is gone tells by that.
        drop(self.end.send(done));
        ended
    }
}

/// What sends.
struct Thread {
    url: String,
    frame: Frame,
    voice: Voice,
    failed: bool,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

impl Thread {
    async fn run(
        &mut self,
        client: &Http,
        mut records: mpsc::Receiver<Value>,
        mut ended: mpsc::UnboundedReceiver<sync::Sender<bool>>,
    ) {
        let mut batch = Vec::with_capacity(BATCH);
        let done = loop {
            let due = Instant::now() + PACE;
            // A request to end comes once everything was handed on.
            let done = loop {
                tokio::select! {
                    biased;
                    record = records.recv(), if batch.len() < BATCH => match record {
                        Some(record) => batch.push(record),
                        None => break Some(ended.recv().await),
                    },
                    () = tokio::time::sleep_until(due) => break None,
                    () = std::future::ready(()), if batch.len() >= BATCH => break None,
                }
            };
            self.post(client, &mut batch).await;
            if let Some(done) = done {
                break done;
            }
        };
        if let Some(done) = done {
            // Nobody may wait any more.
            let _ = done.send(!self.failed);
        }
    }

    async fn post(&mut self, client: &Http, batch: &mut Vec<Value>) {
        if batch.is_empty() {
            return;
        }
        let Frame { attributes, version } = &self.frame;
        let body = json!({"resourceLogs": [{
            "resource": {"attributes": attributes},
            "scopeLogs": [{"scope": {"name": "kamal", "version": version}, "logRecords": std::mem::take(batch)}],
        }]});
        let request = Request::post(&self.url).header("content-type", "application/json");
        let sent = match request.body(Full::new(Bytes::from(body.to_string()))) {
            Ok(request) => answered(client, request).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = sent {
            self.fail(&why);
        }
    }

    /// Tells the first failure.
    fn fail(&mut self, why: &str) {
        if !std::mem::replace(&mut self.failed, true) {
            self.voice.complain(&format!("OTel log shipping failed: {why}"));
        }
    }
}

async fn answered(client: &Http, request: Request<Full<Bytes>>) -> Result<(), String> {
    let exchange = async {
        let response = client.request(request).await.map_err(|error| with_causes(&error))?;
        let status = response.status();
        // Read to its end, so that the connection is good for the next.
        drop(response.into_body().collect().await);
        if status.is_success() { Ok(()) } else { Err(format!("the collector answered {status}")) }
    };
    timeout(ANSWER, exchange).await.unwrap_or_else(|_| Err(format!("no answer within {} s", ANSWER.as_secs())))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn client() -> Result<Http, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(CONNECT));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}
