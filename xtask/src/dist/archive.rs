//! Archives that are the same, byte by byte, whenever they are made of the same files.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::tree;
use crate::error::{Context, Result};

/// Packs a folder under its own name.
pub(super) fn pack(root: &Path, to: &Path, changed: u64) -> Result<()> {
    let writing = || format!("writing {}", to.display());
    let file = File::create(to).context(writing)?;
    let title = root.file_name().map_or(Path::new(""), Path::new);
    let gzip = packed(root, title, changed, GzEncoder::new(file, Compression::best()))?;
    gzip.finish().map(drop).context(writing)
}

/// Writes a tar archive of the files below `root`, under `title`, owned by root.
pub(super) fn packed<W: Write>(root: &Path, title: &Path, changed: u64, into: W) -> Result<W> {
    let mut archive = tar::Builder::new(into);
    for file in tree::files(root)? {
        let path = root.join(&file);
        let reading = || format!("reading {}", path.display());
        let content = fs::read(&path).context(reading)?;
        let mut header = tar::Header::new_gnu();
        header.set_mode(if file.starts_with("bin") || file.starts_with("usr/bin") { 0o755 } else { 0o644 });
        header.set_mtime(changed);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, title.join(&file), &content[..]).context(reading)?;
    }
    archive.into_inner().context(|| format!("packing {}", root.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_twice_it_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/kamal"), "program").unwrap();
        let once = packed(folder.path(), Path::new("kamal-1"), 7, Vec::new()).unwrap();
        fs::write(folder.path().join("bin/kamal"), "program").unwrap();
        assert_eq!(once, packed(folder.path(), Path::new("kamal-1"), 7, Vec::new()).unwrap());
        let mut archive = tar::Archive::new(&once[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("kamal-1/bin/kamal"));
        assert_eq!((entry.header().mode().unwrap(), entry.header().mtime().unwrap()), (0o755, 7));
    }
}
