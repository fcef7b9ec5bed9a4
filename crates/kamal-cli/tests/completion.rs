//! What shells are offered, and man pages.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it is")]

use std::{fs, path::Path, process::Command};

const CONFIG: &str = "\
service: app
image: me/app
servers:
  web: [192.0.2.1, 192.0.2.2]
  workers: [192.0.2.3]
registry: {username: me, password: [PASSWORD]}
builder: {arch: amd64}
env: {clear: {BUILT: \"<%= `touch ran; date` %>\"}}
accessories:
  db: {image: postgres, host: 192.0.2.4}
  cache: {image: redis, host: 192.0.2.4}
";

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::write(folder.path().join("config/deploy.yml"), CONFIG).unwrap();
    fs::write(folder.path().join("config/deploy.staging.yml"), "servers: {web: [198.51.100.1]}\n").unwrap();
    folder
}

fn kamal(folder: &Path) -> Command {
    let mut kamal = Command::new(env!("CARGO_BIN_EXE_kamal"));
    kamal.current_dir(folder).env_remove("KAMAL_COMPLETE");
    kamal
}

/// What fish is offered for the last word of a line, without the explanations.
fn offered(folder: &Path, line: &str) -> Vec<String> {
    let words = line.split(' ').map(str::to_owned);
    let output = kamal(folder).env("KAMAL_COMPLETE", "fish").arg("--").args(words).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

#[test]
fn values_come_from_the_configuration_which_runs_nothing() {
    let project = project();
    let offered = |line: &str| offered(project.path(), line);
    assert_eq!(offered("kamal app boot -r "), ["web", "workers"]);
    assert_eq!(offered("kamal deploy --roles web,w"), ["web,workers"]);
    assert_eq!(
        offered("kamal app logs -h 192.0.2.1,"),
        ["192.0.2.1,192.0.2.2", "192.0.2.1,192.0.2.3", "192.0.2.1,192.0.2.4"]
    );
    assert_eq!(offered("kamal app logs -d staging -h 198"), ["198.51.100.1"]);
    assert_eq!(offered("kamal accessory boot c"), ["cache"]);
    assert_eq!(offered("kamal deploy -d "), ["staging"]);
    assert!(!project.path().join("ran").exists());
}

#[test]
fn commands_and_options_are_completed_anywhere() {
    let nowhere = tempfile::tempdir().unwrap();
    let offered = |line: &str| offered(nowhere.path(), line);
    assert_eq!(offered("kamal acc"), ["accessory"]);
    assert_eq!(offered("kamal proxy boot"), ["boot", "boot_config"]);
    assert_eq!(offered("kamal app logs --since"), ["--since"]);
    assert_eq!(offered("kamal app boot -r "), Vec::<String>::new());
}

#[test]
fn every_shell_is_told_how_to_ask() {
    let nowhere = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = kamal(nowhere.path()).args(["completion", shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("KAMAL_COMPLETE"), "{shell}: {text}");
    }
}

#[test]
fn bash_completes() {
    let project = project();
    let bin = Path::new(env!("CARGO_BIN_EXE_kamal")).parent().unwrap();
    let script = "source <(kamal completion bash); COMP_WORDS=(kamal accessory boot d); COMP_CWORD=3; COMP_TYPE=9; \
                  _clap_complete_kamal kamal d boot; echo \"${COMPREPLY[@]}\"";
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("bash").args(["-c", script]).current_dir(project.path()).env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "db", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_command_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("share/man1");
    assert!(kamal(folder.path()).args(["docs", "--man"]).arg(&man).status().unwrap().success());
    for page in ["kamal.1", "kamal-deploy.1", "kamal-app-exec.1", "kamal-accessory-boot.1"] {
        assert!(fs::read_to_string(man.join(page)).unwrap().contains(".SH NAME"), "{page}");
    }
}
