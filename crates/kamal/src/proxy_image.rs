//! The proxy's image, made of the binary that was built beside this program: hosts get it through their connection,
//! so that a first deploy needs no registry account and no Docker Hub.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kamal_core::{
    name::ImageRef,
    ports::{Content, Pieces},
    run::{Archive, ArchiveError, ProxyImage},
};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

/// The proxy's version in its tag; Kamal asks for v0.9.2 at least (spec kamal.md 2.10).
const VERSION: &str = "v0.10.0";

/// How much of the binary tells one build from another: its headers and, among them, the linker's build id. Reading and
/// hashing all of it would cost every command some 40 ms.
const HEAD: u64 = 64 * 1024;

/// The binary is read in pieces of this size.
const PIECE: usize = 128 * 1024;

/// The images of `kamal-proxy-linux-ARCH` and of `kamal-proxy` in this program's folder, as far as they are there; of two
/// for one architecture, the one that is named after it.
pub(crate) fn beside_this_program() -> Vec<ProxyImage> {
    let program = std::env::current_exe().ok();
    let folder = program.as_deref().and_then(Path::parent);
    let names = ["kamal-proxy", "kamal-proxy-linux-amd64", "kamal-proxy-linux-arm64"];
    folder.map(|folder| names.iter().filter_map(|name| of(&folder.join(name))).collect()).unwrap_or_default()
}

pub(crate) fn of(path: &Path) -> Option<ProxyImage> {
    let file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    let arch = architecture(&head)?;
    head.extend(length.to_le_bytes());
    // The digits make another build another image; Kamal reads the tag as a pre-release of the version.
    let reference = ImageRef::parse(format!("kamal-rs/kamal-proxy:{VERSION}-{}", &hex(&head)[..8])).ok()?;
    let (path, name) = (path.to_owned(), reference.clone());
    let made = OnceLock::new();
    let archive = Archive::new(move || {
        if let Some(made) = made.get() {
            return Ok(Arc::clone(made));
        }
        let error =
            |error: io::Error| ArchiveError::new(format!("cannot make an image of {}: {error}", path.display()));
        let archive: Arc<dyn Content> = Arc::new(ImageArchive::of(&path, arch, &name).map_err(error)?);
        Ok(Arc::clone(made.get_or_init(|| archive)))
    });
    Some(ProxyImage::new(reference, arch, archive))
}

/// The architecture of a static ELF binary, in Docker's spelling. One that needs a loader cannot run from an empty
/// image.
fn architecture(binary: &[u8]) -> Option<&'static str> {
    if binary.get(..5)? != b"\x7fELF\x02" || loader(binary)? {
        return None;
    }
    match u16::from_le_bytes([*binary.get(18)?, *binary.get(19)?]) {
        62 => Some("amd64"),
        183 => Some("arm64"),
        _ => None,
    }
}

/// Whether a program header asks for an interpreter (ELF64, `PT_INTERP`).
fn loader(binary: &[u8]) -> Option<bool> {
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(binary.get(at..at + 2)?.try_into().ok()?)));
    let start = usize::try_from(u64::from_le_bytes(binary.get(32..40)?.try_into().ok()?)).ok()?;
    let (size, count) = (half(54)?, half(56)?);
    let kind = |i: usize| {
        let at = start.checked_add(i.checked_mul(size)?)?;
        Some(u32::from_le_bytes(binary.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    Some((0..count).any(|i| kind(i) == Some(3)))
}

/// Whom the proxy runs as: the user and group it has in kamal-proxy's own image, so that either can work with the
/// volume the other left. Docker lets anybody in a container listen on port 80.
const USER: u64 = 1001;

/// Files of a tar begin at multiples of this.
const BLOCK: u64 = 512;

/// What `docker load` reads: one layer, FROM scratch, as the image's Dockerfile has it. The binary is most of it, and is
/// read while it goes to a host.
#[derive(Debug)]
struct ImageArchive {
    before: Vec<u8>,
    binary: PathBuf,
    length: u64,
    after: Vec<u8>,
}

impl ImageArchive {
    /// The archive; the binary is read through once, as the image is named after it.
    fn of(binary: &Path, arch: &str, reference: &str) -> io::Result<Self> {
        let mut file = File::open(binary)?;
        let length = file.metadata()?.len();
        let (layer, padding) = (layer_before_binary(length)?, padding(length));
        let end = [padding.as_slice(), &END].concat();
        let layer_size = layer.len() as u64 + length + end.len() as u64;
        let mut sum = Context::new(&SHA256);
        sum.update(&layer);
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece)?;
            let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
            sum.update(read);
        }
        sum.update(&end);
        let digest = spelled(sum.finish().as_ref());
        let config = config(arch, &digest).into_bytes();
        let (config_name, layer_name) = (format!("{}.json", hex(&config)), format!("{digest}/layer.tar"));
        let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [reference], "Layers": [layer_name] }]);
        let mut image = tar::Builder::new(Vec::new());
        append(&mut image, &config_name, &config, 0o644, 0)?;
        append(&mut image, "manifest.json", manifest.to_string().as_bytes(), 0o644, 0)?;
        let mut before = unended(image)?;
        before.extend(header(&layer_name, layer_size, 0o644, 0)?.as_bytes());
        before.extend(layer);
        let after = [end.as_slice(), &END].concat();
        Ok(Self { before, binary: binary.to_owned(), length, after })
    }
}

impl Content for ImageArchive {
    fn size(&self) -> u64 {
        self.before.len() as u64 + self.length + self.after.len() as u64
    }

    fn read(&self) -> Pieces<'_> {
        let binary = async {
            let file = tokio::fs::File::open(&self.binary).await?;
            Ok::<_, io::Error>(ReaderStream::with_capacity(file.take(self.length), PIECE).map_ok(Vec::from))
        };
        let around = |bytes: &[u8]| stream::iter([Ok(bytes.to_vec())]);
        around(&self.before).chain(stream::once(binary).try_flatten()).chain(around(&self.after)).boxed()
    }
}

/// The end of a tar: two blocks of nothing.
const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

/// The layer up to the first byte of the binary.
fn layer_before_binary(length: u64) -> io::Result<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    // Volumes mounted here take the folders' owner.
    for folder in
        ["tmp/", "home/", "home/kamal-proxy/", "home/kamal-proxy/.config/", "home/kamal-proxy/.config/kamal-proxy/"]
    {
        let mode = if folder == "tmp/" { 0o1777 } else { 0o755 };
        let owner = if folder.starts_with("home/kamal-proxy/") { USER } else { 0 };
        append(&mut layer, folder, &[], mode, owner)?;
    }
    for folder in ["usr/", "usr/local/", "usr/local/bin/"] {
        append(&mut layer, folder, &[], 0o755, 0)?;
    }
    let mut layer = unended(layer)?;
    layer.extend(header("usr/local/bin/kamal-proxy", length, 0o755, 0)?.as_bytes());
    Ok(layer)
}

fn config(arch: &str, layer: &str) -> String {
    let config = serde_json::json!({
        "architecture": arch,
        "os": "linux",
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": ["PATH=/usr/local/bin", "HOME=/home/kamal-proxy"],
            "Cmd": ["kamal-proxy", "run"],
            "ExposedPorts": { "80/tcp": {}, "443/tcp": {} },
            "Labels": { "org.opencontainers.image.title": "kamal-proxy" },
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
        "history": [{ "created_by": "kamal" }],
    });
    config.to_string()
}

/// A tar so far, to which files can be added by hand.
fn unended(tar: tar::Builder<Vec<u8>>) -> io::Result<Vec<u8>> {
    let mut bytes = tar.into_inner()?;
    bytes.truncate(bytes.len() - END.len());
    Ok(bytes)
}

/// What fills the last block of a file.
fn padding(length: u64) -> Vec<u8> {
    let missing = length.next_multiple_of(BLOCK) - length;
    (0..missing).map(|_| 0).collect()
}

/// Adds a file, or a folder when the path ends in a slash.
fn append(to: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32, owner: u64) -> io::Result<()> {
    to.append(&header(path, content.len() as u64, mode, owner)?, content)
}

fn header(path: &str, length: u64, mode: u32, owner: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path)?;
    header.set_entry_type(if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mode(mode);
    header.set_size(length);
    header.set_mtime(0);
    header.set_cksum();
    Ok(header)
}

fn hex(bytes: &[u8]) -> String {
    spelled(digest(&SHA256, bytes).as_ref())
}

fn spelled(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16, program_header: u32) -> Vec<u8> {
        let mut binary = vec![0; 64 + 56];
        binary[..5].copy_from_slice(b"\x7fELF\x02");
        binary[18..20].copy_from_slice(&machine.to_le_bytes());
        binary[32..40].copy_from_slice(&64_u64.to_le_bytes());
        binary[54..56].copy_from_slice(&56_u16.to_le_bytes());
        binary[56..58].copy_from_slice(&1_u16.to_le_bytes());
        binary[64..68].copy_from_slice(&program_header.to_le_bytes());
        binary
    }

    #[test]
    fn only_static_binaries_of_known_architectures_make_an_image() {
        assert_eq!(architecture(&elf(62, 1)), Some("amd64"));
        assert_eq!(architecture(&elf(183, 1)), Some("arm64"));
        assert_eq!(architecture(&elf(62, 3)), None, "it asks for a loader");
        assert_eq!(architecture(&elf(8, 1)), None);
        assert_eq!(architecture(b"#!/bin/sh"), None);
        assert_eq!(architecture(b"\x7fELF\x02"), None);
    }

    #[tokio::test]
    async fn the_archive_holds_what_docker_load_looks_for() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 6, 511, 512, 1_000_000] {
            let (path, binary) = (folder.path().join("binary"), vec![b'x'; length]);
            std::fs::write(&path, &binary).unwrap();
            let archive = ImageArchive::of(&path, "amd64", "a/kamal-proxy:v1").unwrap();
            let bytes: Vec<u8> = archive.read().try_concat().await.unwrap();
            assert_eq!(bytes.len() as u64, archive.size());
            assert_eq!(bytes.len() % 512, 0);
            let files = files(&bytes);
            let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
            let [config, layer] =
                [&manifest[0]["Config"], &manifest[0]["Layers"][0]].map(|name| name.as_str().unwrap());
            let config: serde_json::Value = serde_json::from_slice(&files[config]).unwrap();
            assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hex(&files[layer])));
            let layer = self::files(&files[layer]);
            assert_eq!(layer["usr/local/bin/kamal-proxy"], binary);
            assert_eq!((files.len(), layer.len()), (3, 9));
        }
    }

    fn files(tar: &[u8]) -> std::collections::BTreeMap<String, Vec<u8>> {
        let read = |mut entry: tar::Entry<'_, _>| {
            let (name, mut content) = (entry.path().unwrap().display().to_string(), Vec::new());
            Read::read_to_end(&mut entry, &mut content).unwrap();
            (name, content)
        };
        let mut tar = tar::Archive::new(tar);
        tar.entries().unwrap().map(|entry: io::Result<tar::Entry<'_, &[u8]>>| read(entry.unwrap())).collect()
    }
}
