//! The registry on disk. Everything appears under its name by one rename of a file that is on the disk already, so a
//! reader sees whole things or nothing, whenever a process or the machine ends.
//!
//! ```text
//! blobs/ALGORITHM/HEX                              content, shared by all repositories
//! repositories/NAME/_manifests/ALGORITHM/HEX       media type of the manifest HEX, which is itself a blob
//! repositories/NAME/_tags/TAG                      digest the tag points at
//! uploads/ID                                       content on its way in
//! lock                                             held by whoever relies on what is there, or takes it away
//! ```
//!
//! Folders of the store's own begin with `_`, which no component of a repository name does.
//!
//! **Several processes** share a store. When a file was last needed is its time of modification: pushing, asking for and
//! pulling set it ([`touch`]). Looking, touching and making known what relies on it happen while [`Store::shared`] is
//! held; what is old is looked for and removed while [`Store::exclusive`] is ([`super::gc`]). Neither is held while
//! content travels, and the system takes both back from a process that dies.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use aws_lc_rs::rand;

use super::digest::{Algorithm, Digest};
use super::names::{tag_file, tag_of_file};

/// The files of a store. Names passed here were checked by [`super::names`].
#[derive(Debug, Clone)]
pub(super) struct Store {
    root: Arc<Path>,
}

/// A lock on the store, held until it is dropped.
#[derive(Debug)]
#[must_use]
pub(super) struct Guard {
    /// Closing it unlocks it.
    _file: File,
}

impl Store {
    /// The store in the folder `root`, made where it is missing.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        make_folder(root)?;
        let store = Self::owned(root)?;
        for folder in Algorithm::ALL.map(|algorithm| store.blobs(algorithm)) {
            make_folder(&folder)?;
        }
        make_folder(&store.repositories())?;
        make_folder(&store.uploads())?;
        store.lock_file()?;
        Ok(store)
    }

    /// The store in the folder `root`, if it is there.
    pub(super) fn find(root: &Path) -> io::Result<Option<Self>> {
        if_found(Self::owned(root))
    }

    /// What another user than the folder's owner wrote, with the rights of root, its owner could not touch any more.
    fn owned(root: &Path) -> io::Result<Self> {
        let there = fs::metadata(root)?;
        if !there.is_dir() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is a file, not a folder"));
        }
        let (owner, user) = (there.uid(), rustix::process::geteuid().as_raw());
        if owner != user {
            let problem = format!("it belongs to the user {owner}, and this is run by the user {user}");
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
        }
        // The working directory may change under a program that goes on.
        Ok(Self { root: root.canonicalize()?.into() })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blobs(&self, algorithm: Algorithm) -> PathBuf {
        self.root.join("blobs").join(algorithm.name())
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs(digest.algorithm()).join(digest.hex())
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(super) fn upload(&self, id: &str) -> PathBuf {
        self.uploads().join(id)
    }

    pub(super) fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    pub(super) fn manifests(&self, name: &str, algorithm: Algorithm) -> PathBuf {
        self.repositories().join(name).join("_manifests").join(algorithm.name())
    }

    pub(super) fn manifest(&self, name: &str, digest: &Digest) -> PathBuf {
        self.manifests(name, digest.algorithm()).join(digest.hex())
    }

    pub(super) fn tags_folder(&self, name: &str) -> PathBuf {
        self.repositories().join(name).join("_tags")
    }

    pub(super) fn tag(&self, name: &str, tag: &str) -> PathBuf {
        self.tags_folder(name).join(tag_file(tag))
    }

    /// Keeps everything that is there where it is.
    pub(super) fn shared(&self) -> io::Result<Guard> {
        let file = self.lock_file()?;
        file.lock_shared()?;
        Ok(Guard { _file: file })
    }

    /// Waits until nobody relies on anything, and lets nobody begin to.
    pub(super) fn exclusive(&self) -> io::Result<Guard> {
        let file = self.lock_file()?;
        file.lock()?;
        Ok(Guard { _file: file })
    }

    fn lock_file(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(self.root.join("lock"))
    }

    /// A new file for content on its way in, locked by who writes to it, and its name.
    pub(super) fn new_upload(&self) -> io::Result<(String, File)> {
        let id = new_id()?;
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(self.upload(&id))?;
        file.lock()?;
        Ok((id, file))
    }

    /// Makes the content of `file`, which is the upload `id`, the file at `path`, in one step and for good.
    pub(super) fn publish(&self, id: &str, file: &File, path: &Path) -> io::Result<()> {
        file.set_modified(SystemTime::now())?;
        file.sync_all()?;
        let folder = path.parent().unwrap_or(&self.root);
        make_folder(folder)?;
        fs::rename(self.upload(id), path)?;
        File::open(folder)?.sync_all()
    }

    /// Makes `content` the file at `path`, in one step and for good.
    pub(super) fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let (id, mut file) = self.new_upload()?;
        let written = file.write_all(content).and_then(|()| self.publish(&id, &file, path));
        if written.is_err() {
            // What is left of it goes with the next collection; the first error is the one that matters.
            let _ = fs::remove_file(self.upload(&id));
        }
        written
    }

    /// The digest a tag points at.
    pub(super) fn target(&self, name: &str, tag: &str) -> io::Result<Option<Digest>> {
        let text = if_found(fs::read_to_string(self.tag(name, tag)))?;
        Ok(text.and_then(|text| text.parse().ok()))
    }

    /// The tags of a repository, sorted; `None` when there is no such repository.
    pub(super) fn tags(&self, name: &str) -> io::Result<Option<Vec<String>>> {
        let Some(files) = file_names(&self.tags_folder(name))? else {
            let has_manifests = self.repositories().join(name).join("_manifests").is_dir();
            return Ok(has_manifests.then(Vec::new));
        };
        let mut tags = files.iter().filter_map(|file| tag_of_file(file)).collect::<Vec<_>>();
        tags.sort_unstable();
        Ok(Some(tags))
    }

    /// The digests of a repository's manifests.
    pub(super) fn manifest_digests(&self, name: &str) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for algorithm in Algorithm::ALL {
            let files = file_names(&self.manifests(name, algorithm))?.unwrap_or_default();
            digests.extend(files.iter().filter_map(|file| Digest::from_parts(algorithm, file)));
        }
        Ok(digests)
    }

    /// The names of all repositories, sorted.
    pub(super) fn repository_names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        let mut pending = vec![String::new()];
        while let Some(name) = pending.pop() {
            let children = file_names(&self.repositories().join(&name))?.unwrap_or_default();
            if children.iter().any(|child| child.starts_with('_')) {
                names.push(name.clone());
            }
            let deeper = children.into_iter().filter(|child| !child.starts_with('_'));
            pending.extend(deeper.map(|child| if name.is_empty() { child } else { format!("{name}/{child}") }));
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Marks a file as needed now, and tells whether it is there.
pub(super) fn touch(path: &Path) -> io::Result<bool> {
    let Some(file) = if_found(File::open(path))? else { return Ok(false) };
    file.set_modified(SystemTime::now())?;
    Ok(true)
}

/// A name nobody else has, for an upload: 32 hexadecimal digits.
fn new_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether `text` could have come from [`Store::new_upload`]; nothing else may become a path.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `Some` of what a file operation gave, `None` when the file is not there.
pub(super) fn if_found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names in a folder, `None` when there is none.
pub(super) fn file_names(folder: &Path) -> io::Result<Option<Vec<String>>> {
    let Some(entries) = if_found(fs::read_dir(folder))? else { return Ok(None) };
    entries
        .map(|entry| Ok(entry?.file_name().into_string().ok()))
        .filter_map(Result::transpose)
        .collect::<io::Result<_>>()
        .map(Some)
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
