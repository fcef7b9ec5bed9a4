//! A terminal of our own, with a program in front of it.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    process::{Child, Command, ExitStatus},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

/// How long what is waited for may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal and the program in front of it.
#[derive(Debug)]
pub struct Pty {
    keyboard: File,
    /// Kept open, or what is printed last would be lost with the program.
    screen: File,
    printed: Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

impl Pty {
    /// Starts a program on a new terminal of this many rows and columns.
    ///
    /// # Panics
    ///
    /// When there is no terminal to be had, or no program.
    #[must_use]
    pub fn start(command: &Command, size: (u16, u16)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal can be opened");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal can be unlocked");
        let name = ptsname(&master, Vec::new()).expect("a terminal has a name").into_string().expect("a plain one");
        let screen = OpenOptions::new().read(true).write(true).open(name).expect("a terminal can be opened");
        resize(&screen, size);
        let end = || OwnedFd::from(screen.try_clone().expect("a terminal can be shared"));
        // Makes the terminal the program's own, so that it is told of new sizes.
        let mut setsid = Command::new("setsid");
        setsid.arg("--ctty").arg(command.get_program()).args(command.get_args());
        setsid.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        setsid.current_dir(command.get_current_dir().expect("a project has a folder")).env("TERM", "xterm-test");
        let child = setsid.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid starts");
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a terminal can be shared");
        let (sender, printed) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = reader.read(&mut buffer)
                && length > 0
                && sender.send(buffer[..length].to_vec()).is_ok()
            {}
        });
        Self { keyboard, screen, printed, seen: String::new(), child }
    }

    /// Waits until the program has printed a text, after what was waited for before.
    ///
    /// # Panics
    ///
    /// When it does not.
    pub fn expect(&mut self, text: &str) {
        drop(self.up_to(text));
    }

    /// Waits for a text as [`Pty::expect`] does, and returns what came before it.
    ///
    /// # Panics
    ///
    /// When the program does not print it.
    pub fn up_to(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.printed.recv_timeout(left) else { panic!("{text:?} is not in {:?}", self.seen) };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// Types.
    ///
    /// # Panics
    ///
    /// When the terminal is gone.
    pub fn keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("keys can be typed");
    }

    /// Changes the size to rows and columns.
    pub fn resize(&self, size: (u16, u16)) {
        resize(&self.screen, size);
    }

    /// Whether lines are edited and shown as they are typed, as a shell's user expects.
    ///
    /// # Panics
    ///
    /// When the terminal is gone.
    #[must_use]
    pub fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.screen).expect("a terminal has modes").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    /// Sends the program a signal, such as `TERM`.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill can be run").success());
    }

    /// Waits for the program's end.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end; seen: {:?}", self.seen);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn resize(screen: &File, (rows, columns): (u16, u16)) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(screen, size).expect("a terminal has a size");
}
