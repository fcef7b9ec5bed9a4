//! The copy of the output that `output/file` of deploy.yml asks for: one file per operation that changes something.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use anstream::adapter::strip_str;
use jiff::Zoned;
use kamal_core::event::{EventKind, Outcome};

use super::{Level, human};

/// Writes what `-v` would show.
#[derive(Debug)]
pub(super) struct LogFile {
    folder: PathBuf,
    destination: Option<String>,
    open: Mutex<Option<(File, PathBuf)>>,
}

impl LogFile {
    pub(super) fn new(folder: PathBuf, destination: Option<String>) -> Self {
        Self { folder, destination, open: Mutex::default() }
    }

    /// Writes an event down. Returns a sentence for the user when the file was begun in vain, or is complete.
    pub(super) fn take(&self, event: &EventKind) -> Option<Result<String, String>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let EventKind::Started { changes: true, operation, .. } = event {
            let path = self.folder.join(self.name(&Zoned::now(), operation));
            match begin(&self.folder, &path) {
                Ok(file) => *open = Some((file, path)),
                Err(error) => return Some(Err(format!("Output logger setup failed: {}: {error}", path.display()))),
            }
        }
        let (file, path) = open.as_mut()?;
        // A disk that is full must not stop a deploy.
        let mut write = |text: &str| drop(file.write_all(strip_str(text).to_string().as_bytes()));
        let EventKind::Finished { outcome, took } = event else {
            write(&human::text(event, Level::Verbose)?);
            return None;
        };
        let took = took.as_secs_f64();
        match outcome {
            Outcome::Failed(why) => write(&format!("# FAILED: {why} ({took:.1}s)\n")),
            Outcome::Ok | Outcome::Ignored => write(&format!("# Completed in {took:.1}s\n")),
        }
        let told = format!("Logs written to {}", path.display());
        *open = None;
        Some(Ok(told))
    }

    /// As Kamal names it: the time here, the destination, and the first word of the command.
    fn name(&self, now: &Zoned, operation: &str) -> String {
        let time = now.strftime("%Y-%m-%dT%H-%M-%S").to_string();
        let command = operation.split(' ').next().unwrap_or_default();
        [Some(time.as_str()), self.destination.as_deref(), Some(command)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("_")
            + ".log"
    }
}

fn begin(folder: &Path, path: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kamal_core::event::Tone;

    use super::*;

    fn started(operation: &str, changes: bool) -> EventKind {
        let service = "app".to_owned();
        EventKind::Started { operation: operation.to_owned(), changes, service, version: None, hosts: Vec::new() }
    }

    fn finished(outcome: Outcome) -> EventKind {
        EventKind::Finished { outcome, took: Duration::from_millis(1240) }
    }

    #[test]
    fn an_operation_that_changes_something_has_a_file_of_its_own() {
        let folder = std::env::temp_dir().join(format!("kamal-log-{}", std::process::id()));
        let log = LogFile::new(folder.join("deep"), Some("prod".to_owned()));
        assert_eq!(log.take(&started("app logs", false)), None);
        assert_eq!(log.take(&finished(Outcome::Ok)), None);
        assert!(!folder.exists());
        log.take(&started("app stop", true));
        log.take(&EventKind::tell(Tone::Problem, "Stop \u{1b}[31mred\u{1b}[0m"));
        let told = log.take(&finished(Outcome::Failed("no".to_owned()))).unwrap().unwrap();
        let path = told.strip_prefix("Logs written to ").unwrap();
        assert!(path.ends_with("_prod_app.log"), "{path}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "Stop red\n# FAILED: no (1.2s)\n");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_and_stops_nothing() {
        let log = LogFile::new(PathBuf::from("/dev/null/logs"), None);
        let told = log.take(&started("deploy", true)).unwrap().unwrap_err();
        assert!(told.starts_with("Output logger setup failed: /dev/null/logs/"), "{told}");
        assert_eq!(log.take(&finished(Outcome::Ok)), None);
    }
}
