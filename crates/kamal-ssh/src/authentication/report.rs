//! What a login that failed has to say.

use super::Attempt;
use crate::{fault::Cause, target::Target};

impl Attempt<'_> {
    /// Everything tried and everything that could not be, in one line, with what would help.
    pub(super) fn report(&self, target: &Target, cause: &Cause) -> String {
        let who = format!("{}@{}", target.user, target.address());
        let mut text = if self.tried.refused.is_empty() {
            format!("no usable key for {who}")
        } else {
            format!("{who} refused {}", self.tried.refused.join(", "))
        };
        if self.partly {
            text.push_str("; it took the last proof but asks for a further one, which nobody was there to give");
        }
        if !self.tried.unusable.is_empty() {
            text.push_str(&format!("; not usable: {}", self.tried.unusable.join(", ")));
        }
        if self.tried.left > 0 {
            text.push_str("; further keys were not tried, since the server bears few at once: name the right one under ssh/keys with keys_only: true, or IdentityFile with IdentitiesOnly yes");
        }
        if let Some(why) = cause.text() {
            text.push_str(&format!("; {why}"));
        }
        if let Some(allowed) = self.allowed.as_ref().filter(|allowed| !allowed.is_empty()) {
            let names: Vec<&str> = allowed.iter().map(<&str>::from).collect();
            text.push_str(&format!("; the server takes {}", names.join(", ")));
        }
        text.push_str(&format!(
            "; put the public key into ~{}/.ssh/authorized_keys of the host, or name the right key under ssh/keys, or ssh-add it",
            target.user
        ));
        text
    }
}
