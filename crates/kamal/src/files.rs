//! Where the configuration of a project lies: deploy.yml in its folder, and the destination's file beside it.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use kamal_core::{
    config::{self, Loaded, Source, TemplateWorld, did_you_mean},
    name::Destination,
};

use crate::error::Error;

/// Where a configuration is unless it is said.
pub const CONFIG_FILE: &str = "config/deploy.yml";

/// The configuration's files.
#[derive(Clone, Debug)]
pub struct ProjectFiles {
    /// The project's folder.
    pub folder: PathBuf,
    /// The configuration, relative to the folder.
    pub config_file: String,
    /// The destination, whose file is laid over it.
    pub destination: Option<Destination>,
}

impl ProjectFiles {
    /// The files of a folder, as Kamal names them.
    ///
    /// ```no_run
    /// use kamal::{ProjectFiles, machine::{Environment, Surroundings}};
    ///
    /// let files = ProjectFiles::new("/srv/my-app");
    /// println!("destinations: {:?}", files.destinations());
    /// let outside = Surroundings::new("/srv/my-app", None, Environment::of_process());
    /// let config = files.load(&outside)?.config;
    /// # Ok::<(), kamal::Error>(())
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), config_file: CONFIG_FILE.to_owned(), destination: None }
    }

    /// Reads and loads them. Templates are rendered and may run programs: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Files that are not there, and everything that is wrong with them.
    pub fn load(&self, outside: &dyn TemplateWorld) -> Result<Loaded, Error> {
        let (base, over) = self.read()?;
        config::load(&base, self.destination.as_ref().zip(over.as_ref()), outside).map_err(Error::Config)
    }

    /// The aliases, which need no configuration that is sound otherwise.
    ///
    /// # Errors
    ///
    /// Files that are not there or cannot be read at all.
    pub fn aliases(&self, outside: &dyn TemplateWorld) -> Result<IndexMap<String, String>, Error> {
        let (base, over) = self.read()?;
        config::load_aliases(&base, over.as_ref(), outside).map_err(Error::Config)
    }

    /// The configuration's text, and the destination's.
    ///
    /// # Errors
    ///
    /// Files that are not there or cannot be read.
    pub fn read(&self) -> Result<(Source, Option<Source>), Error> {
        let help = "`kamal init` creates one; -c names another";
        let missing = || Error::NoConfig { path: self.folder.join(&self.config_file), help: help.to_owned() };
        let base = self.file(&self.config_file)?.ok_or_else(missing)?;
        let over = self.destination.as_ref().map(|destination| self.over(destination)).transpose()?;
        Ok((base, over))
    }

    /// The destinations that have a file.
    #[must_use]
    pub fn destinations(&self) -> Vec<String> {
        let base = self.folder.join(&self.config_file);
        let stem = base.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let entries = base.parent().and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let destination = |name: String| {
            let rest = name.strip_prefix(&stem)?.strip_prefix('.')?;
            let destination = rest.strip_suffix(".yml").or_else(|| rest.strip_suffix(".yaml"))?;
            Some(destination.to_owned())
        };
        let mut found: Vec<String> = names.filter_map(destination).collect();
        found.sort();
        found.dedup();
        found
    }

    /// A destination's file, beside the configuration's: as Kamal names it, or ending in `.yaml`.
    pub(crate) fn over(&self, destination: &Destination) -> Result<Source, Error> {
        let base = Path::new(&self.config_file);
        let path = |ending: &str| base.with_extension(format!("{destination}.{ending}")).to_string_lossy().into_owned();
        for ending in ["yml", "yaml"] {
            if let Some(found) = self.file(&path(ending))? {
                return Ok(found);
            }
        }
        let known = self.destinations();
        let help = match did_you_mean(destination, known.iter().map(String::as_str)) {
            Some(help) => help,
            None if known.is_empty() => "a destination's file lies beside the configuration's".to_owned(),
            None => format!("there is {}", known.join(", ")),
        };
        Err(Error::NoConfig { path: self.folder.join(path("yml")), help })
    }

    /// A file, if it is there.
    fn file(&self, path: &str) -> Result<Option<Source>, Error> {
        let absolute = self.folder.join(path);
        match std::fs::read_to_string(&absolute) {
            Ok(text) => Ok(Some(Source::new(path, text))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Unreadable { path: absolute, source }),
        }
    }
}
