//! Whoever runs the command: asked on the terminal, or through the program `SSH_ASKPASS` names, as OpenSSH does it.

use std::{
    fs::File,
    io::{IsTerminal as _, Read as _, Write as _},
    process::{Command, Stdio},
};

use kamal_core::{
    event::{EventKind, Teller, Tone},
    secret::Secret,
};
use kamal_ssh::{Attendant, Question, QuestionKind};
use rustix::{
    process::{Signal, getpid, kill_process},
    termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
};
use zeroize::Zeroizing;

/// Ctrl-C, Ctrl-D, Ctrl-U as the terminal sends them.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const KILL: u8 = 0x15;

/// The longest answer.
const LONGEST: usize = 4096;

/// Whoever runs the command.
#[derive(Debug)]
pub(crate) struct TerminalAttendant {
    teller: Teller,
}

impl TerminalAttendant {
    pub(crate) fn new(teller: Teller) -> Self {
        Self { teller }
    }
}

impl Attendant for TerminalAttendant {
    fn ask(&self, question: &Question) -> Option<Secret> {
        let program = std::env::var("SSH_ASKPASS").ok().filter(|program| !program.is_empty());
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let terminal = std::io::stdin().is_terminal();
        let display = set("DISPLAY") || set("WAYLAND_DISPLAY");
        let require = std::env::var("SSH_ASKPASS_REQUIRE").unwrap_or_default();
        match (way(&require, terminal, display), program) {
            (PromptRoute::Program, Some(program)) => through(&program, question),
            // Preferred, but there is none.
            (PromptRoute::Program, None) | (PromptRoute::Terminal, _) if terminal && require != "force" => {
                on_terminal(question)
            }
            _ => None,
        }
    }

    fn warn(&self, text: &str) {
        self.teller.emit(EventKind::tell(Tone::Warning, text));
    }
}

/// How a question reaches somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PromptRoute {
    Terminal,
    Program,
    None,
}

/// OpenSSH's rules for `SSH_ASKPASS_REQUIRE`.
fn way(require: &str, terminal: bool, display: bool) -> PromptRoute {
    match require {
        "force" => PromptRoute::Program,
        "prefer" if display => PromptRoute::Program,
        "never" => PromptRoute::Terminal,
        _ if terminal => PromptRoute::Terminal,
        _ if display => PromptRoute::Program,
        _ => PromptRoute::None,
    }
}

/// The answer is the program's first line; another exit status than 0 is none.
fn through(program: &str, question: &Question) -> Option<Secret> {
    let mut command = Command::new(program);
    command.arg(&question.text).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().ok()?;
    let text = Zeroizing::new(output.stdout);
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    output.status.success().then(|| Secret::new(String::from_utf8_lossy(line)))
}

fn on_terminal(question: &Question) -> Option<Secret> {
    let _alone = kamal::machine::terminal_alone();
    let file = File::options().read(true).write(true).open("/dev/tty").ok()?;
    let shown = matches!(question.kind, QuestionKind::HostKey | QuestionKind::Shown);
    let (mut terminal, typing) = (&file, Typing::begin(&file)?);
    terminal.write_all(question.text.replace('\n', "\r\n").as_bytes()).ok()?;
    let answer = line(terminal, shown);
    drop(terminal.write_all(b"\r\n"));
    drop(typing);
    match answer {
        Line::Typed(text) => Some(Secret::new(String::from_utf8_lossy(&text))),
        Line::Ended => None,
        Line::Interrupted => {
            // As if the terminal had sent it: the command knows how to stop.
            let _ = kill_process(getpid(), Signal::INT);
            None
        }
    }
}

/// What was typed.
enum Line {
    Typed(Zeroizing<Vec<u8>>),
    Interrupted,
    Ended,
}

fn line(mut terminal: &File, shown: bool) -> Line {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = [0];
    loop {
        match terminal.read(&mut byte) {
            Ok(1) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            _ => return Line::Ended,
        }
        let mut echo: &[u8] = &[];
        match byte[0] {
            b'\n' | b'\r' => return Line::Typed(text),
            INTERRUPT => return Line::Interrupted,
            END if text.is_empty() => return Line::Ended,
            KILL if !shown => text.clear(),
            8 | 0x7f if text.pop().is_some() => echo = b"\x08 \x08",
            typed if typed >= b' ' && typed != 0x7f && text.len() < LONGEST => {
                text.push(typed);
                echo = &byte;
            }
            _ => {}
        }
        if shown {
            drop(terminal.write_all(echo));
        }
    }
}

/// The terminal while an answer is typed: keys arrive one by one, unseen and without effect, so that however it ends,
/// dropping this puts the mode before back.
struct Typing<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Typing<'t> {
    fn begin(terminal: &'t File) -> Option<Self> {
        let before = tcgetattr(terminal).ok()?;
        let mut mode = before.clone();
        mode.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Now, &mode).ok()?;
        Some(Self { terminal, before })
    }
}

impl Drop for Typing<'_> {
    fn drop(&mut self) {
        // A terminal that went away needs no mode.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openssh_s_rules_for_askpass() {
        for (require, terminal, display, expected) in [
            ("", true, true, PromptRoute::Terminal),
            ("", false, true, PromptRoute::Program),
            ("", false, false, PromptRoute::None),
            ("prefer", true, true, PromptRoute::Program),
            ("prefer", true, false, PromptRoute::Terminal),
            ("force", true, false, PromptRoute::Program),
            ("never", false, true, PromptRoute::Terminal),
        ] {
            assert_eq!(way(require, terminal, display), expected, "{require} {terminal} {display}");
        }
    }
}
