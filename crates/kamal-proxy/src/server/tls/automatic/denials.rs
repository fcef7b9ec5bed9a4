//! Names that may not have a certificate, remembered for a while: whoever decides that is not asked again by each client
//! that tries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Names that are remembered.
const MOST: usize = 4096;

/// Why a name may not have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denial {
    /// For people.
    pub(crate) why: String,
    /// How long it holds.
    pub(crate) lasts: Duration,
}

/// What was denied, by service and name.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<HashMap<(String, String), (String, Instant)>>);

impl Denials {
    pub(super) fn find(&self, service: &str, name: &str) -> Option<String> {
        let denials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (why, until) = denials.get(&(service.to_owned(), name.to_owned()))?;
        (Instant::now() < *until).then(|| why.clone())
    }

    pub(super) fn remember(&self, service: &str, name: &str, denial: &Denial) {
        let now = Instant::now();
        let mut denials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.len() >= MOST {
            denials.retain(|_, (_, until)| now < *until);
        }
        if denials.len() >= MOST {
            denials.clear();
        }
        denials.insert((service.to_owned(), name.to_owned()), (denial.why.clone(), now + denial.lasts));
    }

    /// Whoever decides may think otherwise by now.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_no_lasts_for_its_time_and_memory_is_bounded() {
        let denials = Denials::default();
        let denial = Denial { why: "no".into(), lasts: Duration::from_secs(60) };
        denials.remember("app", "a.test", &denial);
        assert_eq!((denials.find("app", "a.test"), denials.find("other", "a.test")), (Some("no".into()), None));
        tokio::time::advance(denial.lasts).await;
        assert_eq!(denials.find("app", "a.test"), None);
        for number in 0..3 * MOST {
            denials.remember("app", &number.to_string(), &denial);
        }
        assert!(denials.0.lock().unwrap().len() <= MOST);
        denials.forget();
        assert_eq!(denials.0.lock().unwrap().len(), 0);
    }
}
