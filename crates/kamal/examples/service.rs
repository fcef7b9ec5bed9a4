//! A web page that deploys: it begins a deploy, shows what happens while it happens, and can stop it. Whoever opens the
//! page in the middle sees it from the beginning.
//!
//! `cargo run --example service -- FOLDER [ADDRESS]`, then open the address in a browser.
#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{
        Html,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, StreamExt as _};
use kamal::prelude::*;

const PAGE: &str = include_str!("service.html");

/// The project, and what runs or ran last.
struct Service {
    project: Project,
    run: Mutex<Option<Run>>,
}

impl Service {
    fn run(&self) -> std::sync::MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins a deploy, unless one is at work.
async fn deploy(State(service): State<Arc<Service>>) -> (StatusCode, String) {
    let version = match service.project.version().await {
        Ok(version) => version,
        Err(error) => return (StatusCode::CONFLICT, error.to_string()),
    };
    let mut run = service.run();
    if run.as_ref().is_some_and(|run| !run.is_finished()) {
        return (StatusCode::CONFLICT, "a deploy is at work".to_owned());
    }
    *run = Some(service.project.deploy(&version).run());
    (StatusCode::ACCEPTED, version.to_string())
}

/// Asks the deploy to stop: hosts go back to what they served.
async fn cancel(State(service): State<Arc<Service>>) -> StatusCode {
    service.run().as_ref().map_or(StatusCode::NOT_FOUND, |run| {
        run.cancel();
        StatusCode::ACCEPTED
    })
}

/// What happens, as a stream of JSON objects from the beginning.
async fn events(State(service): State<Arc<Service>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = service.run().as_ref().map(Run::events);
    let events = futures_util::stream::iter(events).flatten();
    let as_json = |event| Event::default().json_data(event).unwrap_or_else(|_| Event::default());
    let end = futures_util::stream::once(async { Event::default().event("end").data("") });
    Sse::new(events.map(as_json).chain(end).map(Ok)).keep_alive(KeepAlive::default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let folder = words.next().unwrap_or_else(|| ".".to_owned());
    let address = words.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let service = Arc::new(Service { project: Project::open(folder).await?, run: Mutex::default() });
    let page = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/deploy", post(deploy))
        .route("/cancel", post(cancel))
        .route("/events", get(events))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, page).await?;
    Ok(())
}
