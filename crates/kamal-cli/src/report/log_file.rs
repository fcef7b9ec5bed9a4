//! The copy of the output that `output/file` of deploy.yml asks for (spec 10): one file per operation that changes
//! something.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anstream::adapter::strip_str;
use jiff::{Zoned, tz::TimeZone};
use kamal_core::event::{Event, EventKind, Outcome};

use super::{class::class, lines::Lines, sink::Sink, voice::Voice};

/// Writes Kamal's lines into a folder.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: PathBuf,
    zone: TimeZone,
    lines: Lines,
    voice: Voice,
    open: Option<(File, PathBuf)>,
}

impl LogFile {
    pub(super) fn new(folder: PathBuf, zone: TimeZone, lines: Lines, voice: Voice) -> Self {
        Self { folder, zone, lines, voice, open: None }
    }

    fn write(&mut self, line: &str) {
        if let Some((file, _)) = &mut self.open {
            // A disk that is full must not stop a deploy.
            drop(writeln!(file, "{}", strip_str(line)));
        }
    }

    fn begin(&mut self, event: &Event, destination: Option<&str>, operation: &str) {
        let path = self.folder.join(name(&event.time.to_zoned(self.zone.clone()), destination, operation));
        match open(&self.folder, &path) {
            Ok(file) => self.open = Some((file, path)),
            Err(error) => {
                self.voice.complain(&format!("Output logger setup failed: {}: {error}", path.display()));
            }
        }
    }
}

impl Sink for LogFile {
    fn take(&mut self, event: &Event) {
        // Ids are those of all that began, in a file or not.
        let lines = self.lines.take(event);
        match &event.kind {
            EventKind::Started { changes: true, dry_run: false, operation, destination, .. } => {
                self.begin(event, destination.as_deref(), operation);
            }
            EventKind::Finished { outcome, kind, took, .. } => {
                let took = took.as_secs_f64();
                match outcome {
                    Outcome::Failed(why) => self.write(&format!("# FAILED: {}: {why} ({took:.1}s)", class(*kind))),
                    Outcome::Ok | Outcome::Ignored => self.write(&format!("# Completed in {took:.1}s")),
                }
                if let Some((_, path)) = self.open.take() {
                    self.voice.tell(&format!("Logs written to {}", path.display()));
                }
            }
            _ => lines.iter().for_each(|line| self.write(&line.text)),
        }
    }
}

/// As Kamal names it: the time here, the destination, and the first word of the command.
fn name(now: &Zoned, destination: Option<&str>, operation: &str) -> String {
    let time = now.strftime("%Y-%m-%dT%H-%M-%S").to_string();
    let command = operation.split(' ').next().unwrap_or_default();
    [Some(time.as_str()), destination, Some(command)].into_iter().flatten().collect::<Vec<_>>().join("_") + ".log"
}

fn open(folder: &Path, path: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kamal_core::{error::ErrorKind, event::Tone};

    use super::*;
    use crate::report::testing::{event, finished, started};

    fn log(folder: PathBuf) -> LogFile {
        LogFile::new(folder, TimeZone::UTC, Lines::new(None), Voice::silent())
    }

    /// Kamal's bytes for the same: the narrative, a command that prints something, and the end. Its ids are drawn.
    const KAMALS: &str = "Start container with version 999 (or reboot if already running)...\n\
        \x20 INFO [ID] Running docker pull dhh/app:999 on 1.1.1.2\n\
        \x20DEBUG [ID] Command: docker pull dhh/app:999\n\
        \x20DEBUG [ID] \t999: Pulling from dhh/app\n\
        \x20 INFO [ID] Finished in 1.234 seconds with exit status 0 (successful).\n\
        # Completed in 1.2s\n";

    #[test]
    fn a_file_has_kamals_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(folder.path().join("deep"));
        let host = Some("1.1.1.2".parse().unwrap());
        let (step, command) = ("pull dhh/app:999".to_owned(), "docker pull dhh/app:999".to_owned());
        log.take(&started("app boot", true));
        for kind in [
            EventKind::say("Start container with version 999 (or reboot if already running)..."),
            EventKind::StepStarted { host: host.clone(), step: step.clone(), command },
            EventKind::Output { host: host.clone(), line: "999: Pulling from dhh/app".to_owned(), error: false },
            EventKind::StepFinished { host, step, outcome: Outcome::Ok, took: Duration::from_millis(1234) },
        ] {
            log.take(&event(kind));
        }
        log.take(&finished(Outcome::Ok, None));
        let path = folder.path().join("deep/2026-11-23T04-03-12_prod_app.log");
        let written = std::fs::read_to_string(path).unwrap();
        let id = &written[written.find('[').unwrap() + 1..written.find(']').unwrap()];
        assert!(id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(written.replace(id, "ID"), KAMALS);
    }

    #[test]
    fn what_only_looks_has_none_and_a_failure_is_told_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(folder.path().join("deep"));
        log.take(&started("app logs", false));
        log.take(&finished(Outcome::Ok, None));
        assert!(!folder.path().join("deep").exists());
        log.take(&started("app stop", true));
        log.take(&event(EventKind::tell(Tone::Problem, "Stop \u{1b}[31mred\u{1b}[0m")));
        log.take(&finished(Outcome::Failed("no".to_owned()), Some(ErrorKind::LockHeld)));
        let written = std::fs::read_to_string(folder.path().join("deep/2026-11-23T04-03-12_prod_app.log")).unwrap();
        assert_eq!(written, "Stop red\n# FAILED: Kamal::Cli::LockError: no (1.2s)\n");
    }

    #[test]
    fn a_folder_that_cannot_be_made_stops_nothing() {
        let mut log = log(PathBuf::from("/dev/null/logs"));
        log.take(&started("deploy", true));
        log.take(&finished(Outcome::Ok, None));
        assert!(log.open.is_none());
    }
}
