//! Watching how a service answers for a while (`kamal-proxy watch`): whether too many of its answers are errors, or late.
//!
//! Nothing is counted while nobody watches, which costs a request one look at a pointer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::go_duration::GoDuration;

/// How often it is looked whether it is too much.
const INTERVAL: Duration = Duration::from_millis(100);
/// One in so many answers may be late: it is the 95th percentile that counts.
const LATE_ONE_IN: u64 = 20;

/// What a service must keep to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limits {
    /// For how long.
    pub(crate) window: GoDuration,
    /// At most so many percent of its answers are of the 5xx.
    pub(crate) errors: f64,
    /// 95 % of its answers begin within that; zero is any time.
    pub(crate) latency: GoDuration,
    /// Fewer requests tell nothing.
    pub(crate) requests: u64,
}

/// Where a service's answers are counted, if somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Watched(ArcSwapOption<Tally>);

/// Answers since somebody watches.
#[derive(Debug)]
struct Tally {
    late_after: Duration,
    requests: AtomicU64,
    errors: AtomicU64,
    late: AtomicU64,
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    requests: u64,
    errors: u64,
    late: u64,
}

impl Watched {
    /// Counts an answer that began, or that there will never be.
    pub(crate) fn count(&self, status: u16, took: impl FnOnce() -> Duration) {
        let tally = self.0.load();
        let Some(tally) = tally.as_ref() else { return };
        tally.requests.fetch_add(1, Ordering::Relaxed);
        if status >= StatusCode::INTERNAL_SERVER_ERROR.as_u16() {
            tally.errors.fetch_add(1, Ordering::Relaxed);
        }
        if !tally.late_after.is_zero() && took() > tally.late_after {
            tally.late.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Watches until the time is over or it is too much; gives what was seen, as a sentence.
    pub(crate) async fn watch(&self, limits: &Limits) -> Result<String, String> {
        let tally = Arc::new(Tally {
            late_after: limits.latency.as_std(),
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            late: AtomicU64::new(0),
        });
        self.0.store(Some(Arc::clone(&tally)));
        let _end = End(self, &tally);
        let end = Instant::now() + limits.window.as_std();
        loop {
            let seen = tally.seen();
            if let Some(breach) = seen.breach(limits) {
                return Err(breach);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(seen.told(limits));
            }
            sleep(left.min(INTERVAL)).await;
        }
    }
}

/// Ends counting, unless another watch has begun meanwhile.
struct End<'w>(&'w Watched, &'w Arc<Tally>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.0.rcu(|now| now.clone().filter(|now| !Arc::ptr_eq(now, self.1)));
    }
}

impl Tally {
    fn seen(&self) -> Seen {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        // What is counted in two places is counted among the requests first.
        let (errors, late) = (read(&self.errors), read(&self.late));
        Seen { requests: read(&self.requests), errors, late }
    }
}

impl Seen {
    /// What is too much, if anything is.
    fn breach(self, limits: &Limits) -> Option<String> {
        let Self { requests, errors, late } = self;
        if requests < limits.requests.max(1) {
            return None;
        }
        let mut much = Vec::new();
        if percent(errors, requests) > limits.errors {
            let share = percent(errors, requests);
            let limit = limits.errors;
            much.push(format!(
                "{errors} of {requests} requests ({share:.1} %) were answered with a 5xx, and {limit} % may be"
            ));
        }
        if late * LATE_ONE_IN > requests {
            let share = percent(late, requests);
            let limit = limits.latency;
            much.push(format!("{late} of {requests} requests ({share:.1} %) took longer than {limit}, and 5 % may"));
        }
        (!much.is_empty()).then(|| much.join("; "))
    }

    fn told(self, limits: &Limits) -> String {
        let Self { requests, errors, late } = self;
        let mut told = format!("{requests} requests in {}, {errors} of them answered with a 5xx", limits.window);
        if limits.latency.0 > 0 {
            told.push_str(&format!(", {late} later than {}", limits.latency));
        }
        if requests < limits.requests {
            told.push_str("; too few to tell anything");
        }
        told
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is told with one digit")]
fn percent(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 * 100.0 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { window: GoDuration::from_secs(30), errors: 2.0, latency: "500ms".parse().unwrap(), requests: 20 }
    }

    fn answer(watched: &Watched, times: u64, status: u16, millis: u64) {
        (0..times).for_each(|_| watched.count(status, || Duration::from_millis(millis)));
    }

    #[tokio::test(start_paused = true)]
    async fn errors_beyond_the_limit_end_it_with_the_numbers_and_before_the_time() {
        let (watched, began) = (Arc::new(Watched::default()), Instant::now());
        let seen = tokio::spawn({
            let watched = Arc::clone(&watched);
            async move { watched.watch(&limits()).await }
        });
        sleep(Duration::from_secs(1)).await;
        answer(&watched, 95, 200, 10);
        answer(&watched, 5, 500, 10);
        let breach = seen.await.unwrap().unwrap_err();
        assert_eq!(breach, "5 of 100 requests (5.0 %) were answered with a 5xx, and 2 % may be");
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_count_by_the_95th_percentile() {
        for (late, fine) in [(5, true), (6, false)] {
            let watched = Arc::new(Watched::default());
            let seen = tokio::spawn({
                let watched = Arc::clone(&watched);
                async move { watched.watch(&limits()).await }
            });
            sleep(Duration::from_secs(1)).await;
            answer(&watched, 100 - late, 404, 500);
            answer(&watched, late, 200, 501);
            let seen = seen.await.unwrap();
            assert_eq!(seen.is_ok(), fine, "{seen:?}");
            assert!(fine || seen.unwrap_err().contains("6 of 100 requests (6.0 %) took longer than 500ms"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_good_service_and_one_hardly_asked_pass_when_the_time_is_over() {
        for (requests, told) in [(100, "100 requests in 30s"), (19, "too few to tell")] {
            let (watched, began) = (Arc::new(Watched::default()), Instant::now());
            let seen = tokio::spawn({
                let watched = Arc::clone(&watched);
                async move { watched.watch(&limits()).await }
            });
            sleep(Duration::from_secs(1)).await;
            answer(&watched, requests, if requests < 20 { 503 } else { 200 }, 10);
            let seen = seen.await.unwrap().unwrap();
            assert!(seen.contains(told), "{seen}");
            assert!(began.elapsed() >= Duration::from_secs(30));
            assert!(watched.0.load().is_none(), "nobody watches any more");
        }
    }
}
