//! Where secrets are kept: password managers, cloud stores and encrypted files, each reached through its own program
//! (spec 3.4). A vendor is a pair of functions over [`Programs`]: log in, and fetch all names of one request in as few
//! runs as the program allows, several side by side where it allows that.
//!
//! Kamal asks each program for its version first, to learn whether it is there. A program that is not there says so by
//! itself when it is run for real, so that run is saved.
//!
//! What other programs print is read here and nowhere else in this crate; texts that are matched are constants that
//! say where they come from.

mod age;
mod ask;
mod aws;
mod aws_parameters;
mod aws_secrets;
mod bitwarden;
mod bitwarden_sm;
mod doppler;
mod enpass;
mod error;
mod gcp;
mod infisical;
mod lastpass;
mod onepassword;
mod passbolt;
mod program;
mod reading;
mod sops;
mod test;
#[cfg(test)]
pub(super) mod testing;
mod vault;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use indexmap::IndexMap;

pub use ask::Ask;
pub use error::VendorError;
pub use program::{NotRun, Output, Program, Programs, Terminal};

use crate::config::did_you_mean;
use crate::secret::Secret;

/// What a vendor gave, by name, in the order it gave it.
pub type Found = IndexMap<String, Secret>;

/// What a login left behind for the fetches after it: a session token, where the program hands one out.
type Session = Option<Secret>;

/// A place secrets are kept in.
#[derive(Debug)]
pub struct Vendor {
    /// How `--adapter` may name it. The first is the one shown.
    names: &'static [&'static str],
    /// What it is, and behind a semicolon what the options mean to it, for help texts.
    about: &'static str,
    /// Whether `--account` must be given.
    needs_account: bool,
    login: fn(&dyn Programs, &Ask<'_>) -> Result<Session, VendorError>,
    fetch: fn(&dyn Programs, &Ask<'_>, &Session) -> Result<Found, VendorError>,
}

static ALL: [Vendor; 16] = [
    onepassword::VENDOR,
    lastpass::VENDOR,
    bitwarden::VENDOR,
    bitwarden_sm::VENDOR,
    aws_secrets::VENDOR,
    aws_parameters::VENDOR,
    doppler::VENDOR,
    gcp::VENDOR,
    passbolt::VENDOR,
    enpass::VENDOR,
    vault::VENDOR,
    infisical::VENDOR,
    sops::VENDOR,
    age::VENDOR,
    test::VENDOR,
    test::WITHOUT_ACCOUNT,
];

pub(super) use age::decrypted as decrypt_age;
pub(super) use sops::dotenv as decrypt_sops;

/// No login, for programs that need none or find it themselves.
fn no_login(_programs: &dyn Programs, _ask: &Ask<'_>) -> Result<Session, VendorError> {
    Ok(None)
}

impl Vendor {
    /// The vendor `--adapter` names. Capitals, `-` and `_` do not matter, as hardly any do in Kamal.
    ///
    /// # Errors
    ///
    /// [`VendorError::Unknown`].
    pub fn named(name: &str) -> Result<&'static Self, VendorError> {
        let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
        let wanted = plain(name);
        let known = |vendor: &&Self| vendor.names.iter().any(|known| plain(known) == wanted);
        ALL.iter().find(known).ok_or_else(|| VendorError::Unknown {
            name: name.to_owned(),
            known: Self::all().map(Self::name).collect(),
            meant: did_you_mean(name, ALL.iter().flat_map(|vendor| vendor.names).copied()),
        })
    }

    /// All but those for tests.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        ALL.iter().filter(|vendor| !vendor.name().starts_with("test"))
    }

    /// The name it goes by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }

    /// What it is, and behind a semicolon what `--from`, `--account` and names mean to it.
    #[must_use]
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// Whether a request lacks the account this vendor needs.
    #[must_use]
    pub fn lacks_account(&self, ask: &Ask<'_>) -> bool {
        self.needs_account && ask.account.is_none()
    }
}

/// A login that was made, is being made, or failed.
type Login = OnceLock<Result<Session, VendorError>>;

/// Logins of one run: whoever fetches from the same vendor and account again finds it logged in, and two fetches side
/// by side do not ask for the same password twice.
#[derive(Debug, Default)]
pub struct Sessions {
    /// By vendor and account.
    open: Mutex<HashMap<(&'static str, String), Arc<Login>>>,
}

impl Sessions {
    /// Fetches secrets, after a login where one is needed.
    ///
    /// # Errors
    ///
    /// When the program is missing, not logged in, or lacks what is asked for.
    pub fn fetch(&self, vendor: &Vendor, ask: &Ask<'_>, programs: &dyn Programs) -> Result<Found, VendorError> {
        if vendor.lacks_account(ask) {
            return Err(VendorError::usage("Missing required option '--account'"));
        }
        let key = (vendor.name(), ask.account.unwrap_or_default().to_owned());
        let session = Arc::clone(self.open.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        let session = session.get_or_init(|| (vendor.login)(programs, ask)).as_ref().map_err(Clone::clone)?;
        (vendor.fetch)(programs, ask, session)
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{Script, ask, shown};
    use super::*;

    #[test]
    fn every_spelling_of_kamals_leads_to_its_vendor() {
        let spellings = [
            ("1password", "1password"),
            ("one_password", "1password"),
            ("OnePassword", "1password"),
            ("last_pass", "lastpass"),
            ("LastPass", "lastpass"),
            ("bitwarden", "bitwarden"),
            ("bitwarden_secrets_manager", "bitwarden-sm"),
            ("bitwarden-sm", "bitwarden-sm"),
            ("aws_secrets_manager", "aws_secrets_manager"),
            ("aws-secrets-manager", "aws_secrets_manager"),
            ("aws_ssm_parameter_store", "aws_ssm_parameter_store"),
            ("gcp", "gcp"),
            ("gcp_secret_manager", "gcp"),
            ("doppler", "doppler"),
            ("passbolt", "passbolt"),
            ("enpass", "enpass"),
            ("test", "test"),
            ("test_optional_account", "test_optional_account"),
        ];
        for (spelling, name) in spellings {
            assert_eq!(Vendor::named(spelling).unwrap().name(), name, "{spelling}");
        }
    }

    #[test]
    fn a_slip_in_the_name_gets_a_suggestion_and_anything_else_the_list() {
        let error = Vendor::named("bitwardn").unwrap_err().to_string();
        assert_eq!(error, "Unknown secrets adapter: bitwardn\nhelp: did you mean `bitwarden`?");
        let error = Vendor::named("keychain").unwrap_err().to_string();
        assert!(
            error.starts_with("Unknown secrets adapter: keychain\nhelp: there is 1password, lastpass, "),
            "{error}"
        );
        assert!(!error.contains("test"), "{error}");
    }

    #[test]
    fn a_needed_account_is_asked_for_before_anything_runs() {
        let script = Script::default();
        let vendor = Vendor::named("1password").unwrap();
        let error = Sessions::default().fetch(vendor, &ask(&["a"], None, None), &script).unwrap_err();
        assert_eq!(error.to_string(), "Missing required option '--account'");
        assert!(script.ran().is_empty());
    }

    #[test]
    fn one_login_serves_all_fetches_of_an_account() {
        let script = Script::default()
            .says("lpass status --color never", "Logged in as me.\n")
            .says("lpass show A --json", r#"[{"fullname":"A","password":"a"}]"#)
            .says("lpass show B --json", r#"[{"fullname":"B","password":"b"}]"#);
        let (sessions, vendor) = (Sessions::default(), Vendor::named("lastpass").unwrap());
        for name in ["A", "B"] {
            let found = sessions.fetch(vendor, &ask(&[name], Some("me"), None), &script).unwrap();
            assert_eq!(shown(&found), [(name.to_owned(), name.to_lowercase())]);
        }
        assert_eq!(script.ran(), ["lpass status --color never", "lpass show A --json", "lpass show B --json"]);
    }
}
