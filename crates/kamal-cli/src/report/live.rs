//! A line per host that changes: what it does now and for how long. Everything else scrolls above, and in the end a
//! summary takes the lines' place.

mod scroll;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use kamal_core::{
    event::{Event, EventKind, Outcome, Tone},
    name::HostName,
};

use self::scroll::Scroll;
use super::{
    plain::{self, Plain},
    sink::Sink,
    summary::Summary,
};
use crate::output;

/// How often lines are drawn anew.
const PACE: Duration = Duration::from_millis(100);

/// The longest name of a host that is shown whole.
const LONGEST: usize = 28;

/// Shows lines that change.
#[derive(Debug)]
pub(super) struct Live {
    plain: Plain,
    summary: Summary,
    scroll: Scroll,
    shown: Option<Shown>,
}

impl Live {
    pub(super) fn new(summary: Summary) -> Self {
        Self { plain: Plain::new(false), summary, scroll: Scroll::default(), shown: None }
    }
}

impl Sink for Live {
    fn take(&mut self, event: &Event) {
        self.summary.take(event);
        match (&event.kind, &mut self.shown) {
            (EventKind::Started { changes: true, dry_run: false, operation, service, hosts, .. }, shown) => {
                let hosts: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
                *shown = Some(Shown::begin(&format!("{operation} {service}"), &hosts));
            }
            (EventKind::Finished { .. }, shown @ Some(_)) => {
                *shown = None;
                output::complain(&self.summary.text());
            }
            (kind, Some(shown)) => {
                self.scroll.take(kind, |kind| {
                    if let Some(text) = plain::text(kind) {
                        plain::print(kind, false, &text);
                    }
                });
                shown.take(kind);
            }
            (_, None) => self.plain.take(event),
        }
    }

    fn close(&mut self) {
        self.shown = None;
    }
}

/// Lines on the terminal, as long as this is kept.
#[derive(Debug)]
struct Shown {
    multi: MultiProgress,
    head: ProgressBar,
    local: Option<ProgressBar>,
    hosts: IndexMap<String, Line>,
    width: usize,
    ticker: Ticker,
}

#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    step: Option<String>,
    failed: bool,
}

impl Shown {
    fn begin(what: &str, hosts: &[&str]) -> Self {
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let width = hosts.iter().map(|host| host.chars().count()).max().unwrap_or(0).clamp(5, LONGEST);
        let ticker = Ticker::begin();
        let head = multi.add(ProgressBar::no_length().with_style(style(Look::Head)).with_message(what.to_owned()));
        ticker.add(&head);
        let line = |host: &&str| {
            let prefix = padded(host, width);
            let bar = ProgressBar::no_length().with_style(style(Look::Idle)).with_prefix(prefix);
            let bar = multi.add(bar.with_message("waits"));
            ticker.add(&bar);
            ((*host).to_owned(), Line { bar, step: None, failed: false })
        };
        let hosts = hosts.iter().map(line).collect();
        output::keep_below(Some(multi.clone()));
        Self { multi, head, local: None, hosts, width, ticker }
    }

    fn take(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Say { text, tone: Tone::Progress } => {
                self.head.set_message(text.trim_end_matches('.').to_owned());
            }
            EventKind::Connected { host, .. } => self.idle(host, "connected"),
            EventKind::StepStarted { host: Some(host), step, .. } => {
                if let Some(line) = self.hosts.get_mut(host.as_str()).filter(|line| !line.failed) {
                    line.step = Some(step.clone());
                    line.bar.reset_elapsed();
                    line.bar.set_style(style(Look::Busy));
                    line.bar.set_message(in_short(step).to_owned());
                }
            }
            EventKind::StepFinished { host: Some(host), step, outcome, .. } => {
                let Some(line) = self.hosts.get_mut(host.as_str()) else { return };
                if let Outcome::Failed(why) = outcome {
                    line.failed = true;
                    line.bar.set_style(style(Look::Failed));
                    line.bar.set_message(format!("{}: {why}", in_short(step)));
                } else if line.step.as_ref() == Some(step) {
                    line.step = None;
                }
            }
            // Its script has ended; whoever begins the next says so.
            EventKind::RoundTrip { host, .. }
                if self.hosts.get(host.as_str()).is_some_and(|line| line.step.is_none() && !line.failed) =>
            {
                self.idle(host, "waits");
            }
            EventKind::Progress { host: Some(host), what, done, total } => {
                if let Some(line) = self.hosts.get(host.as_str()) {
                    let step = line.step.clone().unwrap_or_else(|| what.clone());
                    progress(&line.bar, &step, *done, *total, &format!("{done} of {total} layers"));
                }
            }
            EventKind::Uploading { host, file, sent, total } => {
                if let Some(line) = self.hosts.get(host.as_str()) {
                    let file = file.rsplit('/').next().unwrap_or(file);
                    let text = format!("{:.0} of {:.0} MB", plain::megabytes(*sent), plain::megabytes(*total));
                    progress(&line.bar, &format!("upload {file}"), *sent, *total, &text);
                }
            }
            EventKind::Pulling { host, sent } => {
                if let Some(line) = self.hosts.get(host.as_str()) {
                    line.bar.set_message(format!("pulls the image: {:.1} MB", plain::megabytes(*sent)));
                }
            }
            EventKind::StepStarted { host: None, step, .. } => {
                let bar = self.local();
                bar.reset_elapsed();
                bar.set_style(style(Look::Busy));
                bar.set_message(step.clone());
            }
            EventKind::Progress { host: None, what, done, total } => {
                let bar = self.local();
                let unit = what.split(' ').next().unwrap_or(what);
                progress(&bar, &bar.message(), *done, *total, &format!("{done} of {total} {unit}"));
            }
            EventKind::StepFinished { host: None, step, .. } => {
                if let Some(bar) = self.local.take_if(|bar| bar.message() == *step) {
                    self.ticker.remove(&bar);
                    bar.finish_and_clear();
                    self.multi.remove(&bar);
                }
            }
            _ => {}
        }
    }

    fn idle(&self, host: &str, text: &str) {
        if let Some(line) = self.hosts.get(host) {
            line.bar.reset_elapsed();
            line.bar.set_style(style(Look::Idle));
            line.bar.set_message(text.to_owned());
        }
    }

    /// The line of this machine, which is there only while it is at work.
    fn local(&mut self) -> ProgressBar {
        let Self { local, multi, head, width, ticker, .. } = self;
        local
            .get_or_insert_with(|| {
                let bar = ProgressBar::no_length().with_style(style(Look::Busy)).with_prefix(padded("local", *width));
                let bar = multi.insert_after(head, bar);
                ticker.add(&bar);
                bar
            })
            .clone()
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.ticker.end();
        output::keep_below(None);
        let lines = self.hosts.values().map(|line| &line.bar);
        lines.chain(&self.local).chain([&self.head]).for_each(ProgressBar::finish_and_clear);
        // A terminal that went away shows nothing.
        drop(self.multi.clear());
    }
}

/// A step without what stands in brackets at its end, for which a line has no room.
fn in_short(step: &str) -> &str {
    step.strip_suffix(')').and_then(|step| step.rsplit_once(" (")).map_or(step, |(step, _)| step)
}

fn progress(bar: &ProgressBar, step: &str, done: u64, total: u64, text: &str) {
    bar.set_style(style(Look::Counted(text.to_owned())));
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(step.to_owned());
}

fn padded(name: &str, width: usize) -> String {
    let shown: String = if name.chars().count() > width {
        name.chars().take(width - 1).chain(['…']).collect()
    } else {
        name.to_owned()
    };
    format!("{shown:<width$}")
}

/// How a line looks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    Head,
    Idle,
    Busy,
    Failed,
    /// With how far it is in words.
    Counted(String),
}

fn style(look: Look) -> ProgressStyle {
    let template = match &look {
        Look::Head => "  {spinner:.magenta} {since:.dim}  {wide_msg:.magenta}",
        Look::Idle => "  {prefix:.blue} {since:.dim}  {wide_msg:.dim}",
        Look::Busy => "  {prefix:.blue} {since:.dim}  {wide_msg}",
        Look::Failed => "  {prefix:.red}         {wide_msg:.red}",
        Look::Counted(_) => "  {prefix:.blue} {since:.dim}  {bar:16.green/dim} {counted:.dim} {wide_msg}",
    };
    let counted = if let Look::Counted(text) = look { text } else { String::new() };
    let since = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // What cannot be written is not shown.
        let _ = write!(text, "{:>6}", elapsed(state.elapsed()));
    };
    let counted = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
        let _ = text.write_str(&counted);
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .with_key("since", since)
        .with_key("counted", counted)
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
        .progress_chars("━╸─")
}

/// How long something takes, in few signs.
fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{:.1}s", time.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        _ => format!("{}m{:02}s", seconds / 60, seconds % 60),
    }
}

/// Draws lines anew, so that time is seen to pass.
#[derive(Debug)]
struct Ticker {
    bars: Arc<Mutex<Vec<ProgressBar>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn begin() -> Self {
        let (bars, over) = (Arc::<Mutex<Vec<ProgressBar>>>::default(), Arc::new(AtomicBool::new(false)));
        let (watched, ended) = (bars.clone(), over.clone());
        let tick = move || {
            while !ended.load(Ordering::Relaxed) {
                let bars = watched.lock().unwrap_or_else(PoisonError::into_inner).clone();
                bars.iter().for_each(ProgressBar::tick);
                std::thread::park_timeout(PACE);
            }
        };
        // Without a thread lines change when something happens.
        let thread = std::thread::Builder::new().name("display".to_owned()).spawn(tick).ok();
        Self { bars, over, thread }
    }

    fn add(&self, bar: &ProgressBar) {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner).push(bar.clone());
    }

    fn remove(&self, gone: &ProgressBar) {
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        bars.retain(|bar| bar.prefix() != gone.prefix());
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::event;

    #[test]
    fn every_look_has_a_template_that_can_be_read() {
        for look in [Look::Head, Look::Idle, Look::Busy, Look::Failed, Look::Counted("1 of 2".to_owned())] {
            let shown = ProgressBar::hidden().with_style(style(look.clone()));
            assert_eq!(shown.length(), None, "{look:?}");
        }
    }

    #[test]
    fn times_and_names_are_short() {
        for (seconds, shown) in [(0.04, "0.0s"), (9.94, "9.9s"), (12.7, "12s"), (75.0, "1m15s")] {
            assert_eq!(elapsed(Duration::from_secs_f64(seconds)), shown);
        }
        assert_eq!(padded("web1", 6), "web1  ");
        assert_eq!(padded("a-very-long-name", 6), "a-ver…");
        assert_eq!(in_short("switch app-web when healthy (within 30 s)"), "switch app-web when healthy");
        assert_eq!(in_short("pull app"), "pull app");
    }

    /// A deploy to look at: `KAMAL_LOOK=20` with `--nocapture` in a terminal, or `KAMAL_LOOK="20 fails"`. What simulated
    /// hosts did is told again, at its own pace, with a build and the layers of images.
    #[test]
    fn a_deploy_to_look_at() {
        let Ok(wish) = std::env::var("KAMAL_LOOK") else { return };
        let count: usize = wish.split(' ').next().unwrap().parse().unwrap();
        let names: Vec<String> = (1..=count).map(|n| format!("web{n}.example.com")).collect();
        let mut live = Live::new(Summary::new(vec!["https://app.example.com/".to_owned()]));
        let mut tell = |kind: EventKind, millis: u64| {
            live.take(&event(kind));
            std::thread::sleep(Duration::from_millis(millis));
        };
        let host = |name: &String| Some(name.parse().unwrap());
        let began = |host, step: &str| EventKind::StepStarted { host, step: step.into(), command: String::new() };
        let ended = |host, step: &str, outcome| {
            let took = Duration::from_millis(1234);
            EventKind::StepFinished { host, step: step.into(), outcome, took }
        };
        let hosts: Vec<HostName> = names.iter().map(|name| name.parse().unwrap()).collect();
        tell(
            EventKind::Started {
                operation: "deploy".into(),
                changes: true,
                dry_run: false,
                service: "app".into(),
                destination: None,
                performer: "ann".into(),
                version: Some("0123abcd".parse().unwrap()),
                hosts,
            },
            300,
        );
        tell(EventKind::say("Build and push app image..."), 100);
        tell(began(None, "build the image"), 300);
        for step in 0..=5 {
            tell(
                EventKind::Output { host: None, line: format!("#{step} 0.1 compiling part {step}"), error: false },
                300,
            );
            tell(EventKind::Progress { host: None, what: "steps of the build".into(), done: step, total: 5 }, 300);
            tell(ended(None, &format!("[{step}/5] RUN make part{step}"), Outcome::Ok), 100);
        }
        tell(ended(None, "build the image", Outcome::Ok), 100);
        for name in &names {
            tell(EventKind::Connected { host: name.parse().unwrap(), took: Duration::from_millis(80) }, 20);
            tell(began(host(name), "pull acme/app:0123abcd"), 20);
        }
        for done in 0..=6 {
            for name in &names {
                let what = "layers of the image".to_owned();
                tell(EventKind::Progress { host: host(name), what, done, total: 6 }, 15);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        tell(EventKind::say("Start container with version 0123abcd (or reboot if already running)..."), 100);
        let switch = "switch app-web to app-web-0123abcd when healthy (within 30 s)";
        for name in &names {
            tell(ended(host(name), "pull acme/app:0123abcd", Outcome::Ok), 20);
            tell(began(host(name), switch), 40);
        }
        std::thread::sleep(Duration::from_secs(2));
        let fails = wish.ends_with("fails");
        for (at, name) in names.iter().enumerate() {
            let sick = fails && at % 7 == 0;
            let outcome = if sick { Outcome::Failed("exit status 1".into()) } else { Outcome::Ok };
            tell(ended(host(name), switch, outcome), 60);
            if !sick {
                let (label, took) = ("boot".to_owned(), Duration::from_secs(2));
                tell(EventKind::RoundTrip { host: name.parse().unwrap(), label, took }, 60);
            }
        }
        std::thread::sleep(Duration::from_secs(1));
        let outcome = if fails { Outcome::Failed("it did not become healthy".into()) } else { Outcome::Ok };
        tell(EventKind::Finished { outcome, kind: None, hints: Vec::new(), took: Duration::from_secs(12) }, 0);
    }
}
