//! Accounts whose login shell is not bash, and start-up files that print. The shell is what `ForceCommand` starts with
//! what was asked for, as sshd starts a login shell.

use kamal_core::ports::Ssh as _;
use kamal_ssh::Connector;

use crate::server::{Server, sh};

/// A server whose accounts have this login shell.
fn with_shell(shell: &str) -> (tempfile::TempDir, Server) {
    let found = std::process::Command::new("sh").args(["-c", &format!("command -v {shell}")]).output().unwrap();
    assert!(found.status.success(), "this test needs {shell}: apt-get install {shell}");
    // What sshd does: the login shell with -c and the command, or as a login shell without one.
    let text = format!(
        "#!/bin/sh\nexport HOME={{home}}\nif [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"; fi\nexec {shell} -l\n"
    );
    let home = tempfile::tempdir().unwrap();
    let noise = "echo noise from a start-up file\necho noise on standard error >&2\n";
    for file in [".bashrc", ".bash_profile", ".profile", ".zshenv", ".zshrc", ".zprofile", ".config/fish/config.fish"] {
        let path = home.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, noise).unwrap();
    }
    let (folder, line) = Server::login_program("login", &text.replace("{home}", &home.path().display().to_string()));
    let server = Server::with(&line);
    // Both folders live as long as the server.
    drop(std::fs::rename(home.path(), folder.path().join("home")));
    std::fs::write(
        folder.path().join("login"),
        text.replace("{home}", &folder.path().join("home").display().to_string()),
    )
    .unwrap();
    (folder, server)
}

#[tokio::test]
async fn scripts_run_the_same_under_every_login_shell() {
    for shell in ["bash", "dash", "zsh", "fish"] {
        let (_folder, server) = with_shell(shell);
        let connector = Connector::new(server.options());
        let host = connector.connect(&server.host()).await.unwrap_or_else(|error| panic!("{shell}: {error}"));
        let script = "for i in 1 2; do printf '%s\\n' \"$i $(echo ok)\"; done; x='a b'; [ \"$x\" = 'a b' ] && exit 7";
        for _ in 0..2 {
            let (out, err, exit) = sh(&*host, script).await;
            assert_eq!((out.as_str(), err.as_str(), exit), ("1 ok\n2 ok\n", "", 7), "{shell}");
        }
        host.upload(b"content", &format!("{}", server.file("uploaded").display()), 0o600).await.unwrap();
        assert_eq!(std::fs::read(server.file("uploaded")).unwrap(), b"content", "{shell}");
    }
}
