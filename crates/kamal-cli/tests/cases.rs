//! Cases that need the project's files alone (tests/cases): what people's own files came to in Kamal.
//!
//! A folder of `files` is a project. Its `run` is a script; `expect` says how that ends, and then what it says besides
//! its output, a piece a line; `stdout` is its output to the byte, in which HOME stands for the user's folder. Kamal is
//! right, but where PARITY.md says otherwise.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../tests/shared/cases.rs"]
mod cases;
#[path = "../../../tests/shared/filled.rs"]
mod filled;

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cases::Cases;
use filled::filled;
use tempfile::TempDir;

/// What scripts may run besides kamal. There is no ruby.
const PROGRAMS: [&str; 6] = ["cat", "echo", "sed", "sh", "tail", "tr"];

/// A copy of a case's folder, a home and a PATH for it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn of(case: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        copy(&root().join(case), &path.join("project"));
        fs::create_dir(path.join("home")).unwrap();
        fs::create_dir(path.join("bin")).unwrap();
        for name in PROGRAMS {
            let found =
                ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
            symlink(found.unwrap_or_else(|| panic!("there is no {name}")), path.join("bin").join(name)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_kamal"), path.join("bin/kamal")).unwrap();
        Self { folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Runs a script in the project.
    fn run(&self, script: &str) -> Output {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-ec", script]).current_dir(self.folder.path().join("project")).env_clear();
        shell.env("PATH", self.folder.path().join("bin")).env("HOME", self.home());
        shell.output().unwrap()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases")
}

/// Copies a folder; in what was reported, hosts and the like have names that stand for them.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let text = String::from_utf8(fs::read(entry.path()).unwrap()).unwrap();
            let hosts = ["10.0.0.1".to_owned(), "10.0.0.2".to_owned()];
            let is_report = from.starts_with(root().join("reports"));
            let text = if is_report { filled(&text, &hosts, "hub.test", "redis:7") } else { text };
            fs::write(target, text).unwrap();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn folders(kind: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(kind)).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files() {
    let mut cases = Cases::default();
    for name in folders("files") {
        let case = format!("files/{name}");
        cases.case(&case, || check(&case));
    }
    cases.end();
}

// It says what is wrong in the user's language, unless it is asked in another.
#[test]
fn what_git_says_is_understood_in_every_language() {
    let bench = Bench::of("reports/60-warnings-on-standard-output");
    let git = bench.folder.path().join("bin/git");
    let script = "#!/bin/sh\n[ \"$LC_ALL\" = C ] && echo 'fatal: not a git repository' >&2 || echo 'Kein Git-Repository' >&2\n\
                  exit 128\n";
    fs::write(&git, script).unwrap();
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
    let output = bench.run("kamal config");
    assert!(text(&output.stderr).contains("no git repository found in "), "{}", text(&output.stderr));
}

fn check(case: &str) {
    let folder = root().join(case);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let bench = Bench::of(case);
    let output = bench.run(&read("run"));
    let said = text(&output.stderr);
    let expect = read("expect");
    let mut expect = expect.lines();
    let status = expect.next().and_then(|line| line.strip_prefix("exit ")?.parse().ok());
    assert_eq!(output.status.code(), status, "{}{said}", text(&output.stdout));
    for piece in expect {
        assert!(said.contains(piece), "it does not say {piece}:\n{said}");
    }
    let wanted = read("stdout").replace("HOME", &bench.home().display().to_string());
    let printed = text(&output.stdout);
    assert!(printed == wanted, "it prints\n{printed}and not\n{wanted}{said}");
}

#[test]
fn reports() {
    let mut cases = Cases::default();
    cases.case("reports/10-host-replaced-by-hosts", || {
        let bench = Bench::of("reports/10-host-replaced-by-hosts");
        let config = |destination: &str| bench.run(&format!("kamal config --version v1 -d {destination}"));
        for (destination, hosts) in
            [("staging", "hosts:\n    - 10.0.0.1\n    - 10.0.0.2\n"), ("acc", "roles:\n    - web\n")]
        {
            let output = config(destination);
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!(text(&output.stdout).contains(hosts), "{}", text(&output.stdout));
        }
        let output = config("both");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for piece in
            ["Specify one of 'host' or 'hosts', not both", "config/deploy.both.yml:2", "config/deploy.both.yml:3"]
        {
            assert!(said.contains(piece), "{said}");
        }
    });
    cases.case("reports/11-secrets-dropped-by-destination", || {
        let bench = Bench::of("reports/11-secrets-dropped-by-destination");
        let output = bench.run("kamal config validate -d staging");
        let said = text(&output.stderr);
        assert!(output.status.success(), "{said}");
        for piece in ["config/deploy.staging.yml:1", "config/deploy.yml", "line 6", "DB", "KEY"] {
            assert!(said.contains(piece), "{said}");
        }
        assert_eq!(said.matches("drops").count(), 1, "{said}");
    });
    cases.case("reports/15-shell-defaults-in-secrets", || {
        let bench = Bench::of("reports/15-shell-defaults-in-secrets");
        for command in ["secrets print", "registry login"] {
            let output = bench.run(&format!("kamal {command}"));
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert_eq!(text(&output.stdout), "", "{said}");
            for (line, construct) in
                ["${UNSET_X:-abc}", "${UNSET_X-d}", "${UNSET_X:?must}", "${UNSET_X:=zz}", "${B%%x}", "${#B}"]
                    .iter()
                    .enumerate()
            {
                assert!(said.contains(&format!(".kamal/secrets:{}", line + 1)) && said.contains(construct), "{said}");
            }
        }
    });
    cases.case("reports/17-modes-of-accessory-files", || {
        let bench = Bench::of("reports/17-modes-of-accessory-files");
        let output = bench.run("kamal config validate");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for piece in ["config/deploy.yml:14", "write \"0640\", in quotes", "private.key", "0400"] {
            assert!(said.contains(piece), "it does not say {piece}:\n{said}");
        }
    });
    cases.case("reports/60-warnings-on-standard-output", || {
        let bench = Bench::of("reports/60-warnings-on-standard-output");
        let output = bench.run("kamal secrets print");
        assert_eq!(text(&output.stdout), "REGISTRY_PASSWORD=pw\n");
        assert!(text(&output.stderr).contains("012"), "{}", text(&output.stderr));
    });
    cases.end();
}
