//! The proxy's image, made of the binary that was built beside this program: hosts get it through their connection,
//! so that a first deploy needs no registry account and no Docker Hub.

use std::{fs::File, io::Read, path::Path};

use aws_lc_rs::digest::{SHA256, digest};
use kamal_core::{
    name::ImageRef,
    run::{Archive, ArchiveError, ProxyImage},
};

/// The proxy's version in its tag; Kamal asks for v0.9.2 at least (spec kamal.md 2.10).
const VERSION: &str = "v0.10.0";

/// How much of the binary tells one build from another: its headers and, among them, the linker's build id. Reading and
/// hashing all of it would cost every command some 40 ms.
const HEAD: u64 = 64 * 1024;

/// The image of `kamal-proxy` or `kamal-proxy-linux-ARCH` in this program's folder, if one is there.
pub(crate) fn beside_this_program() -> Option<ProxyImage> {
    let folder = std::env::current_exe().ok()?.parent()?.to_owned();
    ["kamal-proxy-linux-amd64", "kamal-proxy-linux-arm64", "kamal-proxy"].iter().find_map(|name| of(&folder.join(name)))
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
    let archive = Archive::new(move || {
        let error =
            |error: std::io::Error| ArchiveError::new(format!("cannot make an image of {}: {error}", path.display()));
        archive(&std::fs::read(&path).map_err(error)?, arch, &name).map_err(error)
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

/// What `docker load` reads: one layer, FROM scratch, as the image's Dockerfile has it.
fn archive(binary: &[u8], arch: &str, reference: &str) -> std::io::Result<Vec<u8>> {
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
    append(&mut layer, "usr/local/bin/kamal-proxy", binary, 0o755, 0)?;
    let layer = layer.into_inner()?;
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
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))] },
        "history": [{ "created_by": "kamal" }],
    });
    let config = config.to_string().into_bytes();
    let (config_name, layer_name) = (format!("{}.json", hex(&config)), format!("{}/layer.tar", hex(&layer)));
    let manifest = serde_json::json!([{ "Config": config_name, "RepoTags": [reference], "Layers": [layer_name] }]);
    let mut image = tar::Builder::new(Vec::new());
    append(&mut image, &config_name, &config, 0o644, 0)?;
    append(&mut image, &layer_name, &layer, 0o644, 0)?;
    append(&mut image, "manifest.json", manifest.to_string().as_bytes(), 0o644, 0)?;
    image.into_inner()
}

/// Adds a file, or a folder when the path ends in a slash.
fn append(to: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32, owner: u64) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(if path.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
    header.set_uid(owner);
    header.set_gid(owner);
    header.set_mode(mode);
    header.set_size(content.len() as u64);
    header.set_mtime(0);
    to.append_data(&mut header, path, content)
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn the_archive_holds_what_docker_load_looks_for() {
        let bytes = archive(b"binary", "amd64", "a/kamal-proxy:v1").unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let names: Vec<String> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        assert!(names.iter().any(|name| name == "manifest.json") && names.len() == 3, "{names:?}");
    }
}
