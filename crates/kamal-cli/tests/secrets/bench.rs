//! A project, and a folder of stand-in programs that is the whole PATH.

use std::{
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// A configuration that `secrets print` is content with.
const DEPLOY: &str = "service: app\nimage: acme/app\nservers: [192.0.2.1]\nregistry: {username: u, password: [P]}\n\
                      builder: {arch: amd64}\n";

/// What a stand-in program answers to exactly these arguments.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    args: Vec<String>,
    env: Option<(&'static str, &'static str)>,
    status: i32,
    stdout: String,
    stderr: String,
    meets: Option<&'static str>,
    alone: bool,
    killed: bool,
}

/// A run of the command.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The project and its programs.
#[derive(Debug)]
pub(crate) struct Bench {
    folder: TempDir,
    env: Vec<(String, String)>,
}

/// The arguments a stand-in expects.
pub(crate) fn to(args: &[&str]) -> Answer {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    Answer {
        args,
        env: None,
        status: 0,
        stdout: String::new(),
        stderr: String::new(),
        meets: None,
        alone: false,
        killed: false,
    }
}

impl Answer {
    pub(crate) fn says(self, stdout: &impl ToString) -> Self {
        Self { stdout: stdout.to_string(), ..self }
    }

    pub(crate) fn fails(self, status: i32, stderr: &str) -> Self {
        Self { status, stderr: stderr.to_owned(), ..self }
    }

    /// Only with this variable.
    pub(crate) fn if_env(self, name: &'static str, value: &'static str) -> Self {
        Self { env: Some((name, value)), ..self }
    }

    /// Is killed when it has printed.
    pub(crate) fn killed(self) -> Self {
        Self { killed: true, ..self }
    }

    /// Fails when another of these runs.
    pub(crate) fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Waits, where a meeting is held, until all have come to it.
    pub(crate) fn meets(self, who: &'static str) -> Self {
        Self { meets: Some(who), ..self }
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "answers", "home", "project/config", "project/.kamal"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("project/config/deploy.yml"), DEPLOY).unwrap();
        Self { folder, env: Vec::new() }
    }

    pub(crate) fn with_secrets(self, text: &str) -> Self {
        fs::write(self.project().join(".kamal/secrets"), text).unwrap();
        self
    }

    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.path("project")
    }

    /// Puts a program on the PATH. Of answers to the same arguments each is given once, and the last ever after.
    pub(crate) fn program(&self, name: &str, answers: &[Answer]) {
        let log = word(&self.path("log").display().to_string());
        let mut script = format!(
            "#!/bin/sh\nprintf '%s\\037' {name} \"$@\" \"$(printf '\\036')\" >>{log}\ncome() {{ set -- \"$MEETING\"/*; echo $#; }}\n"
        );
        for (index, answer) in answers.iter().enumerate() {
            let file = |kind: &str| self.path(&format!("answers/{name}.{index}.{kind}"));
            fs::write(file("out"), &answer.stdout).unwrap();
            fs::write(file("err"), &answer.stderr).unwrap();
            let mut conditions = vec![format!("[ $# -eq {} ]", answer.args.len())];
            for (at, arg) in answer.args.iter().enumerate() {
                conditions.push(format!("[ \"${{{}}}\" = {} ]", at + 1, word(arg)));
            }
            conditions.extend(answer.env.map(|(name, value)| format!("[ \"${name}\" = {} ]", word(value))));
            let quoted = |kind: &str| word(&file(kind).display().to_string());
            if answers[index + 1..].iter().any(|later| later.args == answer.args) {
                conditions.push(format!("/bin/mkdir {} 2>/dev/null", quoted("given")));
            }
            let meet = answer.meets.map_or_else(String::new, |who| {
                format!(
                    "if [ -n \"$MEETING\" ]; then : >\"$MEETING/{who}\"; i=0; while [ $(come) -lt $MEETING_OF ]; do \
                     i=$((i + 1)); [ $i -gt 500 ] && exit 98; /bin/sleep 0.02; done; fi; "
                )
            });
            let room = word(&self.path("room").display().to_string());
            let alone = if answer.alone {
                format!("/bin/mkdir {room} || exit 96; /bin/sleep 0.1; /bin/rmdir {room}; ")
            } else {
                String::new()
            };
            let conditions = conditions.join(" && ");
            let (out, err) = (quoted("out"), quoted("err"));
            let end = if answer.killed { "kill -9 $$".to_owned() } else { format!("exit {}", answer.status) };
            writeln!(script, "if {conditions}; then {meet}{alone}/bin/cat {out}; /bin/cat {err} >&2; {end}; fi")
                .unwrap();
        }
        script.push_str("echo \"unexpected arguments: $*\" >&2\nexit 97\n");
        let path = self.path("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The command with the stand-ins as its whole PATH.
    pub(crate) fn kamal(&self, args: &[&str]) -> Ran {
        self.kamal_on(&self.path("bin").display().to_string(), args)
    }

    pub(crate) fn kamal_on(&self, path: &str, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kamal"));
        command.args(args).current_dir(self.project()).stdin(Stdio::null()).env_clear();
        command.env("PATH", path).env("HOME", self.path("home"));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The argument lists the stand-ins got, in the order they began.
    pub(crate) fn ran(&self) -> Vec<Vec<String>> {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let fields = |run: &str| run.split_terminator('\u{1f}').map(str::to_owned).collect();
        log.split_terminator("\u{1e}\u{1f}").map(fields).collect()
    }
}

impl Ran {
    /// What it printed; it must have succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.status, Some(0), "{}{}", self.stdout, self.stderr);
        &self.stdout
    }

    /// What it said on failing, for the command line or a secret.
    #[track_caller]
    pub(crate) fn refused(&self) -> &str {
        assert!(matches!(self.status, Some(1 | 18)), "{:?}: {}", self.status, self.stderr);
        assert_eq!(self.stdout, "", "{}", self.stderr);
        self.stderr.strip_prefix("  ERROR ").unwrap_or(&self.stderr).trim_end()
    }
}

/// A text as a shell's word.
pub(crate) fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The PATH these tests themselves run with, for real programs.
pub(crate) fn real_path() -> String {
    std::env::var("PATH").unwrap()
}

/// Runs a real program, which must succeed.
pub(crate) fn run(folder: &Path, program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}, which .ci/run installs: {error}"));
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
