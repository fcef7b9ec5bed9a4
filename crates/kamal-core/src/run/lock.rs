//! The deploy lock: a folder on the primary host, made by `mkdir` (spec chapter 8). It is given back on every way out,
//! a request to stop included, which Kamal leaves it behind on.

use std::time::Duration;

use super::Cx;
use crate::{
    error::{Error, HostError},
    event::{EventKind, Tone},
    fleet::Fleet,
    name::HostName,
    naming,
    render::LOCK_HELD,
    state::HostState,
    step::Step,
};

/// What Kamal writes into a lock nobody took by hand.
pub(crate) const AUTOMATIC: &str = "Automatic deploy lock";

/// A lock's three lines, without secrets: others read them.
#[must_use]
pub fn details(cx: &Cx<'_>, message: &str) -> String {
    let now = cx.fleet.world.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let user = if cx.run.user_name.trim().is_empty() { cx.fleet.performer } else { &cx.run.user_name };
    let version = cx.run.asked_version.as_ref().or(cx.version).map(ToString::to_string).unwrap_or_default();
    let text = format!("Locked by: {user} at {now}\nVersion: {version}\nMessage: {message}");
    cx.fleet.world.redactor.text(&text).into_owned()
}

/// Takes the lock, waiting for it if the settings say so, and observes its host in the same round trip. A request to
/// stop does not cut that round trip short, or nobody would know whose lock it is.
pub(super) async fn acquire(cx: &Cx<'_>, host: &HostName, details: &str) -> Result<HostState, Error> {
    let step = &Step::AcquireLock { directory: naming::lock_directory(cx.fleet.config), details: details.to_owned() };
    match cx.run.lock_wait {
        None => cx.say("Acquiring the deploy lock..."),
        Some((limit, _)) => cx.say(format!("Acquiring the deploy lock (waiting up to {}s)...", limit.as_secs())),
    }
    let began = cx.fleet.world.clock.elapsed();
    let fleet = cx.fleet.unstoppable();
    let mut told = false;
    loop {
        if cx.fleet.cancel.requested() {
            return Err(Error::Cancelled);
        }
        let held = match fleet.run_and_observe(host, "lock", std::slice::from_ref(step)).await {
            Ok(state) => return Ok(state),
            Err(HostError::Step { status: LOCK_HELD, output, .. }) => output,
            Err(error) => {
                release_if_ours(&fleet, host, step).await;
                return Err(Error::Hosts(vec![error]));
            }
        };
        let host = host.clone();
        let Some((limit, interval)) = cx.run.lock_wait.filter(|_| held.contains(AUTOMATIC)) else {
            return Err(Error::LockHeld { host, details: held });
        };
        if !std::mem::replace(&mut told, true) {
            cx.fleet.emit(EventKind::tell(Tone::Warning, format!("Deploy lock is held by:\n{}", held.trim_end())));
        }
        let left = limit.saturating_sub(cx.fleet.world.clock.elapsed().saturating_sub(began));
        if left < Duration::from_secs(1) {
            return Err(Error::LockTimeout { host, details: held });
        }
        let pause = interval.min(left);
        cx.say(format!("Retrying in {}s ({}s remaining)...", pause.as_secs(), left.as_secs()));
        cx.fleet.cancel.guard(cx.fleet.world.clock.sleep(pause)).await.ok_or(Error::Cancelled)?;
    }
}

/// Gives the lock back after a failure. Failing at that too is only said: the first failure is what matters.
pub(super) async fn release_after_failure(cx: &Cx<'_>) {
    let Some(host) = cx.lock_host() else { return };
    cx.say("Releasing the deploy lock...");
    if let Err(error) = release(&cx.fleet.unstoppable(), host).await {
        cx.fleet.emit(EventKind::tell(Tone::Problem, format!("Error releasing the deploy lock: {error}")));
    }
}

/// Gives the lock back if this very step took it: its answer was lost, or what followed it in the script failed.
async fn release_if_ours(fleet: &Fleet<'_>, host: &HostName, step: &Step) {
    let Step::AcquireLock { details, .. } = step else { return };
    let ours = |held: Option<String>| held.is_some_and(|held| held.trim_end() == details.trim_end());
    let released = match fleet.observe(host).await.map(|state| ours(state.lock)) {
        Ok(true) => release(fleet, host).await,
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = released {
        let text = format!("Could not find out whether the deploy lock was taken: {error}");
        fleet.emit(EventKind::tell(Tone::Problem, text));
    }
}

/// Gives the lock back.
pub(super) async fn release(fleet: &Fleet<'_>, host: &HostName) -> Result<(), HostError> {
    let step = Step::ReleaseLock { directory: naming::lock_directory(fleet.config) };
    fleet.run(host, "unlock", &[step], &mut |_, _| {}).await
}
