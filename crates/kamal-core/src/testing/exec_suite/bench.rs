//! What promises are tried with.

use std::sync::Arc;

use crate::{
    name::HostName,
    ports::{Chunk, Exec, Ssh},
    secret::Secret,
    shell::{Script, Text, escape::word},
};

/// A transport, a host, and a folder on it.
pub(super) struct Bench {
    pub(super) ssh: Arc<dyn Ssh>,
    pub(super) host: HostName,
    /// Its path below the login directory.
    pub(super) folder: String,
}

/// What a script printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    pub(super) status: i32,
}

impl Ran {
    /// Standard output as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

impl Bench {
    pub(super) async fn connect(&self) -> Result<Arc<dyn Exec>, String> {
        self.ssh.connect(&self.host).await.map_err(|error| format!("cannot connect: {error}"))
    }

    /// Runs a script to its end.
    pub(super) async fn run(&self, text: &str) -> Result<Ran, String> {
        self.run_text(text.into()).await
    }

    /// Runs a script of which a part is secret.
    pub(super) async fn run_with_secret(&self, text: &str, secret: &str) -> Result<Ran, String> {
        let mut whole = Text::from(text);
        whole.push_secret(Secret::new(secret));
        self.run_text(whole).await
    }

    async fn run_text(&self, text: Text) -> Result<Ran, String> {
        let exec = self.connect().await?;
        let mut ran = Ran { out: Vec::new(), err: Vec::new(), status: 0 };
        let mut output = |chunk: Chunk<'_>| match chunk {
            Chunk::Stdout(bytes) => ran.out.extend_from_slice(bytes),
            Chunk::Stderr(bytes) => ran.err.extend_from_slice(bytes),
        };
        let exit = exec.exec(&Script::write("suite", text), &mut output).await;
        ran.status = exit.map_err(|error| format!("the script did not run: {error}"))?.0;
        Ok(ran)
    }

    /// Runs a script that must go well, and returns what it printed.
    pub(super) async fn told(&self, text: &str) -> Result<String, String> {
        let ran = self.run(text).await?;
        if ran.status == 0 { Ok(ran.text()) } else { Err(format!("{text:?} ended with {ran:?}")) }
    }

    /// Runs a script that must print something, end with a status, and say nothing else.
    pub(super) async fn expect(&self, text: &str, out: &str, err: &str, status: i32) -> Result<(), String> {
        let ran = self.run(text).await?;
        let expected = Ran { out: out.into(), err: err.into(), status };
        if ran == expected { Ok(()) } else { Err(format!("{text:?} came to {ran:?}, not {expected:?}")) }
    }

    /// A path in the folder.
    pub(super) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The same, as a word of shell text.
    pub(super) fn word(&self, name: &str) -> String {
        word(&self.path(name))
    }

    pub(super) async fn upload(&self, content: &[u8], name: &str, mode: u32) -> Result<(), String> {
        let uploaded = self.connect().await?.upload(content, &self.path(name), mode).await;
        uploaded.map_err(|error| format!("{name} was not uploaded: {error}"))
    }

    /// Removes the folder.
    pub(super) async fn clear(&self) {
        drop(self.run(&format!("rm -rf {}", word(&self.folder))).await);
    }
}

/// Fails with a sentence unless something holds.
pub(super) fn must(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}
