//! The suite for transports, put through a transport that is sound, and through some that are not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local_shell;

use std::{sync::Arc, time::Duration};

use kamal_core::testing::exec_suite;

use local_shell::{Flaw, LocalShell};

async fn broken(flaw: Option<Flaw>) -> Vec<&'static str> {
    let home = tempfile::tempdir().unwrap();
    let host = "h1".parse().unwrap();
    let shell = Arc::new(LocalShell { home: home.path().to_owned(), flaw });
    let broken = exec_suite(|| shell.clone(), &host, || tokio::time::sleep(Duration::from_secs(60))).await;
    if flaw.is_none() {
        assert!(broken.is_empty(), "{broken:#?}");
    }
    broken.into_iter().map(|broken| broken.promise).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sound_transport_keeps_all_promises() {
    assert_eq!(broken(None).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_flaw_is_told_by_the_promise_it_breaks() {
    for (flaw, promise) in [
        (Flaw::ScriptAsArgument, "a script stands in no argument list"),
        (Flaw::OneStream, "standard output and standard error are told apart"),
        (Flaw::OutputAsText, "every byte of the output arrives"),
        (Flaw::AnyFailureIsOne, "an exit status is data"),
        (Flaw::HasInput, "standard input is empty"),
        (Flaw::ElsewhereThanHome, "a script runs in the login directory"),
        (Flaw::UploadInPlace, "an upload is never seen in part"),
        (Flaw::UploadOpenly, "an upload is never seen at a wider mode"),
        (Flaw::UploadLitters, "an upload leaves nothing beside the file"),
    ] {
        // What is seen for a moment is not seen every time.
        let mut told = Vec::new();
        for _ in 0..5 {
            told = broken(Some(flaw)).await;
            if told.contains(&promise) {
                break;
            }
        }
        assert!(told.contains(&promise), "{flaw:?}: {told:?}");
    }
}
