//! `docker login` without a secret in its arguments, on hosts and locally (spec 9.2). It leaves what Kamal's
//! `docker login -u USER -p PASSWORD` leaves.
//!
//! docker reads a password from standard input, but a user's name from its arguments only. Where that is a secret, too,
//! the credentials are put into a copy of docker's configuration (or into the credential helper it names), and docker is
//! asked to log in with what it finds there: it has the registry check them and writes its configuration as ever. Only
//! then the copy becomes the configuration.

use kamal_core::{
    config::model::{Registry, SecretOr},
    keyring::Keyring,
    ports::SecretError,
    secret::Secret,
    shell::{Text, escape::word},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::credentials;

/// Makes the copy's content out of the configuration and the entry.
const MERGE: &str = include_str!("login.awk");

/// Runs in a subshell, where these are set: `key` and `server` as docker calls the registry, and `kamal_*`.
const WITH_STORED: &str = r#"
umask 077
folder=${DOCKER_CONFIG:-$HOME/.docker}
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) && copy=$(mktemp -d "$folder/.kamal-login.XXXXXX") || exit
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' HUP INT TERM
config=$folder/config.json
[ ! -h "$config" ] || config=$(readlink -f "$config")
cat >"$copy/entry" <<KAMAL_ENTRY
$entry
KAMAL_ENTRY
before=$config
[ -e "$before" ] || before=/dev/null
export kamal_key kamal_helper="$copy/helper"
awk "$merge" "$copy/entry" "$before" >"$copy/config.json" || { echo "cannot understand $config" >&2; exit 1; }
if [ -s "$copy/helper" ]; then
  "docker-credential-$(cat "$copy/helper")" store <<KAMAL_STORED || exit
$stored
KAMAL_STORED
  told=$(docker login ${server:+"$server"} 2>&1 </dev/null >/dev/null) && exit
else
  [ ! -d "$folder/contexts" ] || ln -s "$folder/contexts" "$copy/contexts"
  told=$(DOCKER_CONFIG=$copy docker login ${server:+"$server"} 2>&1 </dev/null >/dev/null) &&
    mv -f "$copy/config.json" "$config" && exit
fi
printf '%s\n' "$told" | sed '/non.TTY/d' >&2
exit 1"#;

/// Shell text that logs in, unless docker holds these very credentials already: a login asks the registry over the
/// network each time.
pub(crate) fn text(registry: &Registry, secrets: &Keyring) -> Result<Text, SecretError> {
    let (user, password) = credentials::resolve(registry, secrets)?;
    let (server, key) = (registry.server.as_deref().unwrap_or_default(), credentials::config_key(registry));
    // As docker writes it.
    let auth = Secret::new(format!("\"auth\": \"{}\"", credentials::auth(&user, &password).expose()));
    let mut text = Text::from(format!(
        "case \"$(cat \"${{DOCKER_CONFIG:-$HOME/.docker}}/config.json\" 2>/dev/null)\" in *{}*'",
        word(&format!("\"{key}\""))
    ));
    text.push_secret(auth.clone()).push("'*) ;; *) ");
    if let Some(SecretOr::Secret(_)) = registry.username {
        let entry = Zeroizing::new(format!("{{{}}}", auth.expose()));
        let stored = json!({ "ServerURL": key, "Username": user.expose(), "Secret": password.expose() });
        let stored = Zeroizing::new(stored.to_string());
        text.push(&format!("(kamal_key={} server={} merge={}\nentry=", word(&key), word(server), word(MERGE)));
        text.push_secret(Secret::new(word(&entry))).push("\nstored=").push_secret(Secret::new(word(&stored)));
        text.push(WITH_STORED).push("\n)\n;; esac");
    } else {
        let server = if server.is_empty() { String::new() } else { format!("{} ", word(server)) };
        text.push(&format!("docker login {server}--username {}", word(user.expose())));
        text.push(" --password-stdin >/dev/null <<'KAMAL_PASSWORD'\n");
        text.push_secret(password).push("\nKAMAL_PASSWORD\n;; esac");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        path::Path,
        process::{Command, Stdio},
    };

    use super::*;

    /// A user's name and a password nothing may take for syntax.
    fn keyring() -> Keyring {
        [("USER", Secret::new("us\"er$")), ("PASSWORD", Secret::new("p4ss\\ 'w`rd"))].into_iter().collect()
    }

    /// What docker's client does with stored credentials: it has them checked and writes its configuration anew.
    const DOCKER: &str = r#"#!/bin/sh
echo "docker $*" >>"$LOG"
config=${DOCKER_CONFIG:-$HOME/.docker}/config.json
case $* in *--password-stdin*) cat >>"$LOG"; exit;; esac
[ ! -e "$HOME/refuse" ] || { echo unauthorized >&2; echo "Error: Cannot perform an interactive login from a non TTY device" >&2; exit 1; }
[ -e "$HOME/helper.json" ] || cat "$config" >>"$LOG"
"#;

    const HELPER: &str = "#!/bin/sh\necho \"helper $*\" >>\"$LOG\"\ncat >\"$HOME/helper.json\"\n";

    fn program(path: &Path, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs the text where docker's configuration is this; returns its status, what it complained of, and the log.
    fn login(home: &Path, before: Option<&str>, username: SecretOr) -> (bool, String, String) {
        fs::create_dir_all(home.join(".docker")).unwrap();
        if let Some(before) = before {
            fs::write(home.join(".docker/config.json"), before).unwrap();
        }
        program(&home.join("docker"), DOCKER);
        program(&home.join("docker-credential-safe"), HELPER);
        let server = Some("r.example:5000".to_owned());
        let registry =
            Registry { server, username: Some(username), password: Some(SecretOr::Secret("PASSWORD".into())) };
        let text = text(&registry, &keyring()).unwrap();
        let path = format!("{}:{}", home.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell.env("HOME", home).env("LOG", home.join("log")).env("PATH", path).env_remove("DOCKER_CONFIG");
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(text.expose().as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        let log = fs::read_to_string(home.join("log")).unwrap_or_default();
        (output.status.success(), String::from_utf8(output.stderr).unwrap(), log)
    }

    fn secret() -> SecretOr {
        SecretOr::Secret("USER".to_owned())
    }

    fn config(home: &Path) -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(home.join(".docker/config.json")).unwrap()).unwrap()
    }

    fn auth() -> String {
        credentials::auth(&Secret::new("us\"er$"), &Secret::new("p4ss\\ 'w`rd")).expose().to_owned()
    }

    #[test]
    fn a_secret_username_gets_into_the_configuration_and_into_no_argument() {
        let other = r#""other": {"auth": "a}\"b", "x": [1, {"r.example:5000": 2}]}"#;
        let cases = [
            (None, json!({})),
            (Some("{}".to_owned()), json!({})),
            (
                Some(r#"{"HttpHeaders": {"a": "b"}, "n": null}"#.to_owned()),
                json!({"HttpHeaders": {"a": "b"}, "n": null}),
            ),
            (Some(r#"{"auths": {}, "b": [1, 2]}"#.to_owned()), json!({"b": [1, 2]})),
            (Some(format!("{{\n\t\"auths\": {{\n\t\t{other}\n\t}}\n}}")), json!({})),
            (Some(format!(r#"{{"auths": {{"r.example:5000": {{"auth": "b2xk"}}, {other}}}}}"#)), json!({})),
            (Some(format!(r#"{{"auths":{{{other},"r.example:5000":{{}}}},"z":{{}}}}"#)), json!({"z": {}})),
        ];
        for (before, rest) in cases {
            let home = tempfile::tempdir().unwrap();
            let (ok, complaint, log) = login(home.path(), before.as_deref(), secret());
            assert!(ok, "{before:?}: {complaint}");
            assert!(log.starts_with("docker login r.example:5000\n"), "{log}");
            let mut after = config(home.path());
            assert_eq!(after["auths"]["r.example:5000"], json!({ "auth": auth() }), "{before:?}");
            if before.as_ref().is_some_and(|before| before.contains("other")) {
                let kept = json!({"auth": "a}\"b", "x": [1, {"r.example:5000": 2}]});
                assert_eq!(after["auths"]["other"], kept);
            }
            after.as_object_mut().unwrap().remove("auths");
            assert_eq!(after, rest);
            let left: Vec<_> = fs::read_dir(home.path().join(".docker")).unwrap().flatten().collect();
            assert_eq!(left.len(), 1, "{left:?}");
            // The second time docker knows the credentials.
            let (ok, _, again) = login(home.path(), None, secret());
            assert!(ok, "{before:?}");
            assert_eq!(again, log, "{before:?}");
        }
    }

    #[test]
    fn a_refused_login_leaves_the_configuration_as_it_was() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("refuse"), "").unwrap();
        let before = r#"{"auths":{"r.example:5000":{"auth":"b2xk"}}}"#;
        let (ok, complaint, _) = login(home.path(), Some(before), secret());
        assert!(!ok);
        assert_eq!(complaint, "unauthorized\n");
        assert_eq!(config(home.path())["auths"]["r.example:5000"]["auth"], "b2xk");
        let (ok, complaint, _) = login(home.path(), Some("{\"auths\": {"), secret());
        assert!(!ok && complaint.contains("cannot understand"), "{complaint}");
    }

    #[test]
    fn a_credential_helper_gets_them_where_one_is_configured() {
        for before in
            [r#"{"credsStore": "safe"}"#, r#"{"credsStore":"no","credHelpers":{"x":"y","r.example:5000":"safe"}}"#]
        {
            let home = tempfile::tempdir().unwrap();
            let (ok, complaint, log) = login(home.path(), Some(before), secret());
            assert!(ok, "{complaint}");
            assert_eq!(log, "helper store\ndocker login r.example:5000\n");
            let stored = fs::read_to_string(home.path().join("helper.json")).unwrap();
            let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
            let expected = json!({"ServerURL": "r.example:5000", "Username": "us\"er$", "Secret": "p4ss\\ 'w`rd"});
            assert_eq!(stored, expected);
            assert_eq!(config(home.path()), serde_json::from_str::<serde_json::Value>(before).unwrap());
        }
    }

    #[test]
    fn a_username_in_clear_is_an_argument_and_the_password_is_not() {
        let home = tempfile::tempdir().unwrap();
        let (ok, complaint, log) = login(home.path(), None, SecretOr::Literal("a b".to_owned()));
        assert!(ok, "{complaint}");
        assert_eq!(log, "docker login r.example:5000 --username a b --password-stdin\np4ss\\ 'w`rd\n");
    }
}
