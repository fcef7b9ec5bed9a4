//! Effects, and how one of them can be made to go wrong.

use crate::name::HostName;

/// Words with a dash that are no names of an app's.
const KNOWN: [&str; 4] = ["kamal-proxy", "pre-connect", "pre-build", "pre-deploy"];

/// Something done to the world, in the order it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The host; `None` is the local machine.
    pub host: Option<HostName>,
    /// What kind it is.
    pub kind: EffectKind,
    /// What was done, in a few words.
    pub what: String,
}

/// The kinds of effects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectKind {
    /// Connects to a host.
    Connect,
    /// Runs a step, or another script, on a host.
    Run,
    /// Uploads a file.
    Upload,
    /// Runs a local program, or does something else on the local machine.
    Local,
    /// Lets a host reach the local registry; where it fails, the host forbids it.
    Reach,
}

/// A fault to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The effect, counted from the last [`super::SimFleet::begin`].
    pub at: usize,
    /// How it goes wrong.
    pub how: How,
}

/// How an effect goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It fails with an exit status and without an effect.
    Fails,
    /// The connection breaks before it has its effect. The host can be reached again.
    LostBefore,
    /// The connection breaks after it had its effect. The host can be reached again.
    LostAfter,
    /// The host cannot be reached from here on.
    Unplugged,
    /// The user asks to stop while it is under way; what runs on the host ends with its shell.
    Stopped,
    /// The user asks to stop while it is under way; what runs on the host goes on to the end of its step.
    StoppedLate,
    /// The program is killed before it happens, with all it could have put right.
    Killed,
    /// The program is killed while it is under way; what runs on the host goes on to the end of its step.
    KilledLate,
    /// The host's docker restarts before it has its effect, and is away for a while.
    DockerRestarts,
    /// The host's docker restarts after it had its effect and before that is known, and is away for a while.
    DockerRestartsLate,
}

impl How {
    /// True when the program is killed.
    #[must_use]
    pub fn kills(self) -> bool {
        matches!(self, Self::Killed | Self::KilledLate)
    }
}

impl Effect {
    /// What it is, without the names of what it is about.
    #[must_use]
    pub fn plain(&self) -> String {
        let what = self.what.split([',', '(']).next().unwrap_or_default();
        let what = what.split(": ").next().unwrap_or_default();
        let is_name =
            |word: &str| word.contains(['/', ':', '.', '_', '=']) || word.contains('-') && !KNOWN.contains(&word);
        let mut plain: Vec<&str> = Vec::new();
        for word in what.split_whitespace() {
            let word = if is_name(word) || word.parse::<u64>().is_ok() { "…" } else { word };
            if word != "…" || plain.last() != Some(&word) {
                plain.push(word);
            }
        }
        plain.join(" ")
    }

    /// The ways in which the host's docker can get lost to this effect, besides those of [`Effect::hows`].
    #[must_use]
    pub fn restarts(&self) -> &'static [How] {
        match self.kind {
            EffectKind::Run | EffectKind::Upload => &[How::DockerRestarts, How::DockerRestartsLate],
            EffectKind::Connect | EffectKind::Local | EffectKind::Reach => &[],
        }
    }

    /// All the ways in which this effect can go wrong by itself, by its connection or by the program.
    #[must_use]
    pub fn hows(&self) -> &'static [How] {
        match self.kind {
            EffectKind::Connect => &[How::LostBefore, How::Unplugged, How::Stopped, How::Killed],
            EffectKind::Run | EffectKind::Upload => &[
                How::Fails,
                How::LostBefore,
                How::LostAfter,
                How::Unplugged,
                How::Stopped,
                How::StoppedLate,
                How::Killed,
                How::KilledLate,
            ],
            EffectKind::Local => &[How::Fails, How::Stopped, How::Killed],
            EffectKind::Reach => &[How::Fails, How::LostBefore, How::Unplugged, How::Stopped, How::Killed],
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.host.as_deref().unwrap_or("local"), self.what)
    }
}
