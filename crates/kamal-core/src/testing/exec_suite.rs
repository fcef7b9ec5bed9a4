//! A suite that any transport can be put through: one's own `Ssh` and `Exec`, on a host with a POSIX `sh`. It goes over the
//! promises the ports make, each by itself, and tells which are broken. It needs no runtime: its futures run on whichever
//! the transport needs.

mod bench;
mod scripts;
mod side_by_side;
mod uploads;

use std::{pin::pin, sync::Arc};

use futures_util::future::{BoxFuture, Either, select};

use self::bench::Bench;
use crate::{name::HostName, ports::Ssh};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The promise, in a sentence.
    pub promise: &'static str,
    /// What happened instead.
    pub why: String,
}

/// A promise, and what finds out whether it is kept.
struct Promise {
    words: &'static str,
    test: for<'b> fn(&'b Bench) -> BoxFuture<'b, Result<(), String>>,
}

/// A row of the suite, of an `async fn(&Bench) -> Result<(), String>`.
macro_rules! promises {
    ($($words:literal: $test:path,)+) => {
        &[$($crate::testing::exec_suite::Promise { words: $words, test: |bench| Box::pin($test(bench)) },)+]
    };
}
use promises;

/// Goes over all promises of [`Ssh`] and [`Exec`](crate::ports::Exec) on a host, with a new transport for each, and
/// returns those that are broken. What it leaves on the host is in a folder of its own in the login directory, which it
/// removes. A promise that is not kept before the future of `limit` ends counts as broken; a minute is enough for each.
///
/// ```no_run
/// # async fn test(ssh: std::sync::Arc<dyn kamal_core::ports::Ssh>) {
/// use std::time::Duration;
///
/// let host = "10.0.0.1".parse().unwrap();
/// let minute = || tokio::time::sleep(Duration::from_secs(60));
/// let broken = kamal_core::testing::exec_suite(|| ssh.clone(), &host, minute).await;
/// assert!(broken.is_empty(), "{broken:#?}");
/// # }
/// ```
pub async fn exec_suite<L: Future<Output = ()>>(
    make: impl Fn() -> Arc<dyn Ssh>,
    host: &HostName,
    limit: impl Fn() -> L,
) -> Vec<Broken> {
    let mut broken = Vec::new();
    let all = [scripts::PROMISES, side_by_side::PROMISES, uploads::PROMISES];
    for (number, promise) in all.into_iter().flatten().enumerate() {
        let bench = Bench { ssh: make(), host: host.clone(), folder: format!(".kamal-exec-suite-{number}") };
        let result = match select((promise.test)(&bench), pin!(limit())).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err("it took too long".to_owned()),
        };
        // A transport that hangs has been told of.
        select(pin!(bench.clear()), pin!(limit())).await;
        broken.extend(result.err().map(|why| Broken { promise: promise.words, why }));
    }
    broken
}
