//! Request metrics in the text format of Prometheus (spec 9.4).
//!
//! Series are created on first use and found again in a snapshot without a lock; counting is adding to atomics.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Method;

const BUCKETS: [(&str, u64); 11] = [
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("5", 5_000_000_000),
    ("10", 10_000_000_000),
];

/// All series of the proxy.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: ArcSwap<HashMap<Key, Arc<Series>>>,
    in_flight: ArcSwap<HashMap<String, Arc<Gauge>>>,
    adding: Mutex<()>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    service: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Default)]
struct Series {
    count: AtomicU64,
    nanos: AtomicU64,
    /// Not cumulative; summed up when written.
    buckets: [AtomicU64; BUCKETS.len()],
}

/// The number of requests a service is working on.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

/// One request counted in a gauge until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Gauge>);

impl Counted {
    pub(crate) fn new(gauge: &Arc<Gauge>) -> Self {
        gauge.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gauge))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a finished request.
    pub(crate) fn record(&self, service: &str, method: &Method, status: u16, duration: Duration) {
        let key = Key { service: service.to_owned(), method: verb(method), status };
        let found = self.requests.load().get(&key).map(Arc::clone);
        let series = found.unwrap_or_else(|| {
            let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = HashMap::clone(&self.requests.load());
            let series = Arc::clone(all.entry(key).or_default());
            self.requests.store(Arc::new(all));
            series
        });
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        series.count.fetch_add(1, Ordering::Relaxed);
        series.nanos.fetch_add(nanos, Ordering::Relaxed);
        if let Some(at) = BUCKETS.iter().position(|(_, bound)| nanos <= *bound) {
            series.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The gauge of a service.
    pub(crate) fn in_flight(&self, service: &str) -> Arc<Gauge> {
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = HashMap::clone(&self.in_flight.load());
        let gauge = Arc::clone(all.entry(service.to_owned()).or_default());
        self.in_flight.store(Arc::new(all));
        gauge
    }

    /// The exposition, text format 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let requests = self.requests.load();
        let mut series: Vec<_> = requests.iter().collect();
        series.sort_by(|(a, _), (b, _)| (&a.service, a.method, a.status).cmp(&(&b.service, b.method, b.status)));

        heading(&mut out, "in_flight_requests", "gauge", "Number of in-flight HTTP requests, labeled by service.");
        let in_flight = self.in_flight.load();
        let mut gauges: Vec<_> = in_flight.iter().collect();
        gauges.sort_by_key(|(service, _)| *service);
        for (service, gauge) in gauges {
            let value = gauge.0.load(Ordering::Relaxed);
            let _ = writeln!(out, "kamal_proxy_http_in_flight_requests{{service=\"{}\"}} {value}", escape(service));
        }

        let help = "Duration of HTTP requests, labeled by service, status code and method.";
        heading(&mut out, "request_duration_seconds", "histogram", help);
        for (key, series) in &series {
            let labels = key.labels();
            let name = "kamal_proxy_http_request_duration_seconds";
            let mut total = 0;
            for ((bound, _), bucket) in BUCKETS.iter().zip(&series.buckets) {
                total += bucket.load(Ordering::Relaxed);
                let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
            }
            let (count, nanos) = (series.count.load(Ordering::Relaxed), series.nanos.load(Ordering::Relaxed));
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
            let _ = writeln!(out, "{name}_sum{{{labels}}} {}", Duration::from_nanos(nanos).as_secs_f64());
            let _ = writeln!(out, "{name}_count{{{labels}}} {count}");
        }

        let help = "HTTP requests processed, labeled by service, status code and method.";
        heading(&mut out, "requests_total", "counter", help);
        for (key, series) in &series {
            let count = series.count.load(Ordering::Relaxed);
            let _ = writeln!(out, "kamal_proxy_http_requests_total{{{}}} {count}", key.labels());
        }
        out
    }
}

fn heading(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP kamal_proxy_http_{name} {help}\n# TYPE kamal_proxy_http_{name} {kind}");
}

impl Key {
    fn labels(&self) -> String {
        format!("method=\"{}\",service=\"{}\",status=\"{}\"", self.method, escape(&self.service), self.status)
    }
}

pub(super) fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The nine standard verbs; anything else would let a client create series at will.
fn verb(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "CONNECT" => "CONNECT",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.H.134
    #[test]
    fn methods_are_normalised() {
        for (method, label) in [("GET", "GET"), ("POST", "POST"), ("PATCH", "PATCH"), ("CUSTOM", "OTHER")] {
            assert_eq!(verb(&Method::from_bytes(method.as_bytes()).unwrap()), label);
        }
    }

    // spec 11.O.233
    #[test]
    fn the_text_has_the_names_and_labels() {
        let metrics = Metrics::default();
        let counted = Counted::new(&metrics.in_flight("app"));
        metrics.record("app", &Method::GET, 200, Duration::from_millis(20));
        metrics.record("app", &Method::GET, 200, Duration::from_secs(20));
        let text = metrics.text();
        for line in [
            "kamal_proxy_http_in_flight_requests{service=\"app\"} 1",
            "kamal_proxy_http_request_duration_seconds_bucket{method=\"GET\",service=\"app\",status=\"200\",le=\"0.01\"} 0",
            "kamal_proxy_http_request_duration_seconds_bucket{method=\"GET\",service=\"app\",status=\"200\",le=\"0.025\"} 1",
            "kamal_proxy_http_request_duration_seconds_bucket{method=\"GET\",service=\"app\",status=\"200\",le=\"+Inf\"} 2",
            "kamal_proxy_http_request_duration_seconds_sum{method=\"GET\",service=\"app\",status=\"200\"} 20.02",
            "kamal_proxy_http_requests_total{method=\"GET\",service=\"app\",status=\"200\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        drop(counted);
        assert!(metrics.text().contains("in_flight_requests{service=\"app\"} 0"));
    }
}
