//! age, by `age`; Kamal has none. Decrypts a file of the repository, never to the disk: one with JSON or `NAME=value`
//! lines for `kamal secrets fetch`, a secrets file whole.
//!
//! The identity is the file KAMAL_AGE_IDENTITY names, or its text where it is in the variable itself (as in CI), else
//! the SSH keys of the user: age takes those as well.

use serde_json::Value;

use super::program::{Programs, Tool};
use super::reading::{chosen, flattened, read, text};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;
use crate::secrets::dotenv::{Value as Written, entries};

const AGE: Tool = Tool { program: "age", name: "age", site: "https://age-encryption.org (apt: age, brew: age)" };

/// The variable that says which identity opens files.
const IDENTITY: &str = "KAMAL_AGE_IDENTITY";

/// What an identity's own text begins with, in capitals or after the comment of `age-keygen`.
const IDENTITY_TEXT: &str = "AGE-SECRET-KEY-";

/// Of the keys OpenSSH makes by itself, those age can use.
const SSH_KEYS: [&str; 2] = [".ssh/id_ed25519", ".ssh/id_rsa"];

pub(super) const VENDOR: Vendor = Vendor {
    names: &["age"],
    about: "A file encrypted with age, JSON or NAME=value lines; --from FILE, --account IDENTITY-FILE [default: $KAMAL_AGE_IDENTITY, your SSH key]",
    needs_account: false,
    login: no_login,
    fetch,
};

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let Some(file) = ask.from else {
        return Err(VendorError::usage("Missing required option '--from'\nhelp: it is the encrypted file"));
    };
    let text = decrypted(programs, file, ask.account)?;
    let all = match serde_json::from_str(text.expose()) {
        Ok(value @ Value::Object(_)) => {
            let mut all = Found::new();
            flattened(value, "", &mut all);
            all
        }
        _ => lines(text.expose()),
    };
    chosen(&all, ask.names, file)
}

/// The text of a file.
pub(crate) fn decrypted(programs: &dyn Programs, file: &str, identity: Option<&str>) -> Result<Secret, VendorError> {
    let mut run = AGE.with(["--decrypt"]);
    let home = programs.env("HOME").unwrap_or_default();
    let given = identity.map(str::to_owned).or_else(|| programs.env(IDENTITY)).filter(|given| !given.trim().is_empty());
    match given {
        Some(key) if key.contains(IDENTITY_TEXT) => {
            run.args.extend(["-i", "-"].map(str::to_owned));
            run.stdin = Some(Secret::new(key.trim_end().to_owned() + "\n"));
        }
        Some(path) => {
            // CI's variables know no `~`.
            let path = path.strip_prefix("~/").map_or(path.clone(), |rest| format!("{home}/{rest}"));
            run.args.extend(["-i".to_owned(), path]);
        }
        None => {
            let keys = SSH_KEYS.map(|key| format!("{home}/{key}")).into_iter().filter(|key| programs.exists(key));
            run.args.extend(keys.flat_map(|key| ["-i".to_owned(), key]));
        }
    }
    if run.args.len() == 1 {
        return Err(VendorError::NotLoggedIn {
            message: format!("Could not decrypt {file} with age: there is no identity"),
            said: String::new(),
            help: format!("{IDENTITY} names its file; without it, ~/{} or ~/{} is used", SSH_KEYS[0], SSH_KEYS[1]),
        });
    }
    run.args.push(file.to_owned());
    let output = AGE.run(programs, &run)?;
    text(&AGE, &read(output, format!("Could not decrypt {file} with age"))?).map(Secret::new)
}

/// `NAME=value` lines. What they hold is data: nothing in it is expanded or run.
fn lines(text: &str) -> Found {
    let value = |value| match value {
        Written::Literal(text) | Written::Bare(text) => Some(text),
        Written::Quoted(text) => Some(Secret::new(text.expose().replace("\\\"", "\""))),
        Written::Exported => None,
    };
    entries(text).into_iter().filter_map(|entry| Some((entry.key, value(entry.value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn with_ssh_key() -> Script {
        let mut script = Script::default();
        script.env.insert("HOME", "/home/me");
        script.files = vec!["/home/me/.ssh/id_ed25519"];
        script
    }

    #[test]
    fn json_and_lines_are_read() {
        let line = "age --decrypt -i /home/me/.ssh/id_ed25519 db.age";
        let script = with_ssh_key().says(line, &format!(r#"{{"db":{{"pw":{}}},"port":5432}}"#, quoted(ODD)));
        let found = fetch("age", &ask(&["db/pw"], None, Some("db.age")), &script).unwrap();
        assert_eq!(shown(&found), [("db/pw".to_owned(), ODD.to_owned())]);
        let script = with_ssh_key().says(line, "A=a\nB='$(id) \"q\" 文'\n# note\nC=\"c \\\"$d\"\nD=$(id)${E}\n");
        let found = fetch("age", &ask(&["D", "C", "B"], None, Some("db.age")), &script).unwrap();
        assert_eq!(
            shown(&found),
            [("D", "$(id)${E}"), ("C", "c \"$d"), ("B", "$(id) \"q\" 文")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    #[test]
    fn identities_come_from_the_option_the_variable_or_the_ssh_keys() {
        let script = with_ssh_key().says("age --decrypt -i /k/other f", "A=a");
        fetch("age", &ask(&[], Some("/k/other"), Some("f")), &script).unwrap();
        for (given, used) in [("/k/mine", "/k/mine"), ("~/k", "/home/me/k")] {
            let mut script = with_ssh_key().says(&format!("age --decrypt -i {used} f"), "A=a");
            script.env.insert("KAMAL_AGE_IDENTITY", given);
            fetch("age", &ask(&[], None, Some("f")), &script).unwrap();
        }
        let mut script = Script::default().says("age --decrypt -i - f", "A=a");
        script.env.insert("KAMAL_AGE_IDENTITY", "# created\nAGE-SECRET-KEY-1XYZ");
        fetch("age", &ask(&[], None, Some("f")), &script).unwrap();
        let run = &script.runs()[0];
        assert_eq!(run.stdin.as_ref().unwrap().expose(), "# created\nAGE-SECRET-KEY-1XYZ\n");
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["A", "Z"], None, Some("db.age"));
        assert!(refused("age", &two, &with_ssh_key()).starts_with("age is not installed\nhelp: "));
        assert_eq!(
            refused("age", &two, &Script::default()),
            "Could not decrypt db.age with age: there is no identity\nhelp: KAMAL_AGE_IDENTITY names its file; without it, \
             ~/.ssh/id_ed25519 or ~/.ssh/id_rsa is used"
        );
        let line = "age --decrypt -i /home/me/.ssh/id_ed25519 db.age";
        let script = with_ssh_key().fails(line, "age: error: no identity matched any of the recipients\n");
        assert_eq!(
            refused("age", &two, &script),
            "Could not decrypt db.age with age: age: error: no identity matched any of the recipients"
        );
        assert_eq!(refused("age", &two, &with_ssh_key().says(line, "A=a\n")), "Could not find Z in db.age");
    }
}
