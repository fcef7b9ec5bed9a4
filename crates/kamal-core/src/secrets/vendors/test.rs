//! Kamal's vendor for tests (spec 3.4): no program, every secret is its own name backwards.

use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

use super::program::Programs;

pub(super) const VENDOR: Vendor =
    Vendor { names: &["test"], about: "for tests", needs_account: true, login: no_login, fetch };

pub(super) const WITHOUT_ACCOUNT: Vendor = Vendor { names: &["test_optional_account"], needs_account: false, ..VENDOR };

#[expect(clippy::unnecessary_wraps, reason = "the form of every vendor")]
fn fetch(_programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let backwards = |name: String| {
        let value = name.replace("LPAREN", "(").replace("RPAREN", ")").chars().rev().collect::<String>();
        (name, Secret::new(value))
    };
    Ok(ask.prefixed().into_iter().map(backwards).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Script, ask, fetch, shown};

    #[test]
    fn names_come_backwards() {
        let found =
            fetch("test", &ask(&["LPAREN\"RPAREN", "文中"], Some("me"), Some("f")), &Script::default()).unwrap();
        assert_eq!(
            shown(&found),
            [("f/LPAREN\"RPAREN", ")\"(/f"), ("f/文中", "中文/f")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
        fetch("test_optional_account", &ask(&["a"], None, None), &Script::default()).unwrap();
    }
}
