//! Writing files.

use std::{
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use futures_util::stream::{self, StreamExt as _};
use kamal_core::ports::{Content, Pieces, TransportErrorKind};
use tokio::sync::oneshot;

use crate::{
    memory::peak,
    server::{Server, sh},
};

#[tokio::test]
async fn content_mode_and_folders() {
    let server = Server::start();
    let host = server.connect().await;
    let content: Vec<u8> = (0..5_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let file = server.file("it's/a new/folder/big");
    host.upload(&content, file.to_str().unwrap(), 0o640).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), content);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    // Again, over the old one, by way of a rename.
    let inode = std::fs::metadata(&file).unwrap().ino();
    host.upload(b"", file.to_str().unwrap(), 0o600).await.unwrap();
    let after = std::fs::metadata(&file).unwrap();
    assert_eq!((after.len(), after.permissions().mode() & 0o7777), (0, 0o600));
    assert_ne!(after.ino(), inode);
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
}

#[tokio::test]
async fn relative_paths_start_at_the_login_folder() {
    let server = Server::start();
    let host = server.connect().await;
    let folder = format!(".kamal-ssh-test-{}", std::process::id());
    host.upload(b"x\n", &format!("{folder}/env"), 0o600).await.unwrap();
    let (out, _, _) = sh(&*host, &format!("cd ~root/{folder} && cat env && rm -r ../{folder}")).await;
    assert_eq!(out, "x\n");
}

#[tokio::test]
async fn large_files_tell_how_far_they_are() {
    let server = Server::start();
    let host = server.connect().await;
    let content = vec![7; 9_000_000];
    let mut told = Vec::new();
    host.upload_watched(&content, server.file("big").to_str().unwrap(), 0o600, &mut |sent| told.push(sent))
        .await
        .unwrap();
    assert!(told.is_sorted() && told.len() > 20, "{told:?}");
    assert_eq!(told.last(), Some(&9_000_000));
}

/// So many bytes that nobody has in memory at once.
#[derive(Debug)]
struct Zeros(u64);

impl Content for Zeros {
    fn size(&self) -> u64 {
        self.0
    }

    fn read(&self) -> Pieces<'_> {
        const PIECE: u64 = 128 << 10;
        let pieces = (0..self.0 / PIECE).map(|_| Ok(vec![0; PIECE as usize]));
        stream::iter(pieces).boxed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_while_it_goes_is_never_in_memory_whole() {
    let server = Server::start();
    let host = server.connect().await;
    let before = peak("self").unwrap();
    host.upload_content(&Zeros(256 << 20), server.file("big").to_str().unwrap(), 0o600, &mut |_| ()).await.unwrap();
    assert_eq!(std::fs::metadata(server.file("big")).unwrap().len(), 256 << 20);
    let more = (peak("self").unwrap() - before) / 1_000_000;
    assert!(more < 32, "{more} MB");
}

#[tokio::test]
async fn what_cannot_be_written_says_why() {
    let server = Server::start();
    let host = server.connect().await;
    std::fs::write(server.file("plain"), "").unwrap();
    let content = vec![0; 3_000_000];
    for (to, why) in [("plain/file", "plain"), ("home", "folder")] {
        let to = server.file(to);
        let error = host.upload(&content, to.to_str().unwrap(), 0o600).await.unwrap_err();
        assert!(matches!(error.kind, TransportErrorKind::Protocol(_)), "{error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = host.upload(b"", "folder/", 0o600).await.unwrap_err();
    assert!(matches!(error.kind, TransportErrorKind::Client(_)), "{error:?}");
    assert_eq!(std::fs::read_dir(server.file("home")).unwrap().count(), 0);
}

/// A disk of 2 MB; taken away when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf) -> Self {
        std::fs::create_dir(&at).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(&at).status();
        assert!(mount.unwrap().success());
        Self(at)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmount.unwrap().success());
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let server = Server::start();
    let host = server.connect().await;
    let disk = Disk::mount(server.file("disk"));
    let file = disk.0.join("file");
    for content in [vec![b'a'; 20_000], vec![0; 1_000_000]] {
        host.upload(&content, file.to_str().unwrap(), 0o600).await.unwrap();
        // Both ways: through the shell that is open anyway, and in a session of its own.
        std::fs::write(disk.0.join("ballast"), vec![1; 3_000_000]).unwrap_err();
        let error = host.upload(&vec![b'b'; content.len() + 10_000], file.to_str().unwrap(), 0o600).await.unwrap_err();
        assert!(matches!(error.kind, TransportErrorKind::Protocol(_)), "{error:?}");
        assert!(error.to_string().contains("No space left"), "{error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), content);
        std::fs::remove_file(disk.0.join("ballast")).unwrap();
        assert_eq!(std::fs::read_dir(&disk.0).unwrap().count(), 1, "nothing is left of the new file");
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_off_leaves_nothing() {
    let server = Server::start();
    let host = server.connect().await;
    let file = server.file("folder/file");
    let content = vec![0; 200_000_000];
    let (begun, wait) = oneshot::channel();
    let mut begun = Some(begun);
    let mut sent = |_| {
        if let Some(begun) = begun.take() {
            begun.send(()).unwrap();
        }
    };
    let upload = host.upload_watched(&content, file.to_str().unwrap(), 0o600, &mut sent);
    tokio::select! {
        biased;
        ended = upload => panic!("too fast: {ended:?}"),
        _ = wait => {}
    }
    let left = || std::fs::read_dir(server.file("folder")).map_or(0, Iterator::count);
    let deadline = Instant::now() + Duration::from_secs(20);
    while left() > 0 {
        assert!(Instant::now() < deadline, "something is left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(sh(&*host, "echo fine").await.0, "fine\n");
}

#[tokio::test]
async fn short_texts_arrive_as_they_are() {
    let server = Server::start();
    let host = server.connect().await;
    let every_character: String = (0x80..0x2000).filter_map(char::from_u32).collect();
    for (n, text) in
        ["", "\n", "no newline", "a\\b '$HOME' \"`id`\" \t\n\n", "END\nEND_0\n", &every_character].iter().enumerate()
    {
        let file = server.file(&format!("short{n}"));
        host.upload(text.as_bytes(), file.to_str().unwrap(), 0o600).await.unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), text.as_bytes());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    let error = host.upload(b"x\n", server.file("home").to_str().unwrap(), 0o600).await.unwrap_err();
    assert!(error.to_string().contains("it is a folder"), "{error}");
    let dashed = format!("-kamal-ssh-test-{}", std::process::id());
    host.upload(b"x\n", &dashed, 0o600).await.unwrap();
    assert_eq!(sh(&*host, &format!("cat ./{dashed}; rm ./{dashed}")).await.0, "x\n");
}
