//! sops, by `sops`; Kamal has none. Decrypts a file of the repository, never to the disk: a file of any form sops
//! knows for `kamal secrets fetch`, one in dotenv form as a secrets file.

use serde_json::Value;

use super::program::{Output, Programs, Tool};
use super::reading::{chosen, flattened, json, said, text, unread};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

const SOPS: Tool = Tool { program: "sops", name: "sops", site: "https://github.com/getsops/sops/releases" };

/// The exit status that says that no key fits (getsops/sops, `cmd/sops/codes`, `CouldNotRetrieveKey`).
const NO_KEY: i32 = 128;

pub(super) const VENDOR: Vendor = Vendor {
    names: &["sops"],
    about: "A file encrypted with sops; --from FILE, names [PATH/]KEY; without names all",
    needs_account: false,
    login: no_login,
    fetch,
};

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let Some(file) = ask.from else {
        return Err(VendorError::usage("Missing required option '--from'\nhelp: it is the encrypted file"));
    };
    let output = SOPS.run(programs, &SOPS.with(["decrypt", "--output-type", "json", file]))?;
    let value: Value = json(&SOPS, &decrypted(file, output)?)?;
    let mut all = Found::new();
    flattened(value, "", &mut all);
    chosen(&all, ask.names, file)
}

/// The text of a secrets file in dotenv form.
pub(crate) fn dotenv(programs: &dyn Programs, file: &str) -> Result<Secret, VendorError> {
    let run = SOPS.with(["decrypt", "--input-type", "dotenv", "--output-type", "dotenv", file]);
    let output = SOPS.run(programs, &run)?;
    text(&SOPS, &decrypted(file, output)?).map(Secret::new)
}

fn decrypted(file: &str, output: Output) -> Result<Output, VendorError> {
    let message = || format!("Could not decrypt {file} with sops");
    match output.status {
        Some(0) => Ok(output),
        Some(NO_KEY) => Err(VendorError::NotLoggedIn {
            message: message(),
            said: said(&output),
            help: "no key of this machine opens it: SOPS_AGE_KEY_FILE names a file with age keys, cloud keys want a login \
                   there (`aws sso login`, `gcloud auth login`), PGP keys the secret key in gpg"
                .to_owned(),
        }),
        _ => Err(unread(&output, message())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    const LINE: &str = "sops decrypt --output-type json config/s.yaml";

    #[test]
    fn files_of_any_depth_are_read_in_one_run() {
        let plain = format!(r#"{{"db":{{"pw":{},"port":5432}},"key":"k","list":[1,"a"]}}"#, quoted(ODD));
        let script = Script::default().says(LINE, &plain);
        let found = fetch("sops", &ask(&[], None, Some("config/s.yaml")), &script).unwrap();
        let expected = [("db/pw", ODD), ("db/port", "5432"), ("key", "k"), ("list", r#"[1,"a"]"#)];
        assert_eq!(shown(&found), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
        let found = fetch("sops", &ask(&["key", "db"], None, Some("config/s.yaml")), &script).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["key", "db/pw", "db/port"]);
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["key", "no"], None, Some("config/s.yaml"));
        assert!(refused("sops", &two, &Script::default()).starts_with("sops is not installed\nhelp: "));
        let script =
            Script::default().ends(LINE, 128, "", "Failed to get the data key required to decrypt the SOPS file.");
        let error = refused("sops", &two, &script);
        assert!(error.starts_with("Could not decrypt config/s.yaml with sops: Failed to get the data key"), "{error}");
        assert!(error.contains("\nhelp: no key of this machine opens it: SOPS_AGE_KEY_FILE"), "{error}");
        let script = Script::default().ends(LINE, 2, "", "Failed to read \"config/s.yaml\": no such file or directory");
        assert_eq!(
            refused("sops", &two, &script),
            "Could not decrypt config/s.yaml with sops: Failed to read \"config/s.yaml\": no such file or directory"
        );
        assert_eq!(
            refused("sops", &two, &Script::default().says(LINE, r#"{"key":"k"}"#)),
            "Could not find no in config/s.yaml"
        );
        assert!(refused("sops", &ask(&["a"], None, None), &script).starts_with("Missing required option '--from'"));
    }
}
