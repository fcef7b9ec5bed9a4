//! `docker login` without a secret in its arguments, on hosts and locally (spec 9.2). It leaves what Kamal's
//! `docker login -u USER -p PASSWORD` leaves.
//!
//! docker reads a password from standard input, but a user's name from its arguments only. So docker is asked to log in
//! with what it finds in a folder of our own: it has the registry check that. Only then the login is put where docker
//! keeps it: into its configuration, which is read before and renamed into its place, or with the credential helper that
//! is named there.

use kamal_core::{
    config::model::Registry,
    keyring::Keyring,
    ports::{Login, RenderError, SecretError},
    secret::Secret,
    shell::{Text, escape::word},
    step::{LOGIN_OVERTAKEN, LoginPlace},
};

use crate::{
    config_file::ConfigFile,
    credentials::{Account, hex},
};

/// Prints docker's configuration; nothing where there is none.
pub(crate) const READ: &str = "(config=${DOCKER_CONFIG:-$HOME/.docker}/config.json\n\
    if [ -d \"$config\" ]; then echo \"$config is a folder; move it away, so that docker can keep its logins there\" >&2; exit 1; fi\n\
    [ ! -e \"$config\" ] || cat \"$config\")";

/// Prints what is known of logins without telling any: a digest of each entry that docker finds in its configuration, and
/// which helpers it asks instead.
pub(crate) const OBSERVE: &str = "t=$(2>/dev/null tr -d '\\n\\t ' <\"${DOCKER_CONFIG:-$HOME/.docker}/config.json\") && {\n\
    printf '%s' \"$t\" | grep -oE '\"credsStore\":\"[^\"]*\"|\"credHelpers\":\\{[^}]*\\}'\n\
    printf '%s' \"$t\" | grep -oE '\"[^\"]*\":\\{\"auth\":\"[^\"]*\"\\}' | while read -r e; do printf '%s' \"$e\" | sha256sum; done; }";

/// What it takes to log in where that was printed.
pub(crate) fn needed(registry: &Registry, secrets: &Keyring, known: &[String]) -> Result<Login, SecretError> {
    let account = Account::of(registry, secrets)?;
    let helpers: Vec<&str> = known.iter().map(String::as_str).filter(|line| line.starts_with('"')).collect();
    // What cannot be read here is told when the file is.
    let helpers = ConfigFile::parse(&format!("{{{}}}", helpers.join(","))).ok();
    if let Some(helper) = helpers.as_ref().and_then(|helpers| helpers.helper(&account.key)) {
        return Ok(Login::At(LoginPlace::Helper(helper.to_owned())));
    }
    let digest = account.digest();
    let held = known.iter().any(|line| line.split(' ').next() == Some(digest.as_str()));
    Ok(if held { Login::Held } else { Login::Unread })
}

/// Shell text that logs in.
pub(crate) fn text(registry: &Registry, secrets: &Keyring, place: Option<&LoginPlace>) -> Result<Text, RenderError> {
    let missing = |source| RenderError::Secret { source, needed_by: "registry".to_owned() };
    let account = Account::of(registry, secrets).map_err(missing)?;
    match place {
        Some(LoginPlace::Helper(helper)) => Ok(with_helper(&account, helper)),
        Some(LoginPlace::File(before)) => into_file(&account, before),
        _ => Err(RenderError::DockerConfig(format!("what docker holds for {} was not read", account.key))),
    }
}

/// Puts a login into docker's configuration as it was read, or with the helper that this names.
fn into_file(account: &Account, before: &Secret) -> Result<Text, RenderError> {
    let config = ConfigFile::parse(before.expose()).map_err(|error| RenderError::DockerConfig(error.to_string()))?;
    let mut text = Text::from("(umask 077\nfolder=${DOCKER_CONFIG:-$HOME/.docker}\n");
    text.push(PLACE);
    // Whoever changed it meanwhile must not lose what was changed.
    text.push(&format!(
        "[ \"$(cat \"$config\" 2>/dev/null | {{ sha256sum 2>/dev/null || shasum -a 256; }} | cut -d ' ' -f 1)\" = {} ] || {{ echo \"$config was changed \
         by somebody else at the same time\" >&2; exit {LOGIN_OVERTAKEN}; }}\n",
        hex(&hmac_sha256::Hash::hash(before.expose().as_bytes()))
    ));
    document(&mut text, "$copy/config.json", config.clone().with_own(account).text());
    document(&mut text, "$copy/new", config.clone().with(account).text());
    text.push(&ask(account));
    if let Some(helper) = config.helper(&account.key) {
        store(&mut text, account, helper);
    }
    text.push("mv -f \"$copy/new\" \"$config\")");
    Ok(text)
}

/// Gives a login to a credential helper, unless it keeps it already.
fn with_helper(account: &Account, helper: &str) -> Text {
    let mut text = Text::from("(umask 077\nfolder=${DOCKER_CONFIG:-$HOME/.docker}\n");
    let program = word(&format!("docker-credential-{helper}"));
    text.push(&format!(
        "kept=$(printf '%s' {} | {program} get 2>/dev/null | tr -d '\\n\\t ')\ncase $kept in ",
        word(&account.key)
    ));
    let stored: String = account.stored().expose().split(['\n', '\t', ' ']).collect();
    text.push_secret(Secret::new(word(&stored))).push(") exit 0;; esac\n");
    text.push(PLACE);
    let own = ConfigFile::parse("").map(|config| config.with_own(account).text());
    document(&mut text, "$copy/config.json", own.unwrap_or_else(|_| Secret::new("{}")));
    text.push(&ask(account));
    store(&mut text, account, helper);
    text.push(":)");
    text
}

/// Where docker's configuration really is, in `config`, and a folder beside it for what is being made, in `copy`.
const PLACE: &str = r#"unkept() { echo "docker's logins cannot be kept in $folder: let this user write there, or set DOCKER_CONFIG to another folder" >&2; exit 1; }
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || unkept
config=$folder/config.json
[ ! -h "$config" ] || config=$(readlink -f "$config") || unkept
copy=$(mktemp -d "${config%/*}/.kamal-login.XXXXXX") || unkept
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' HUP INT TERM
[ ! -d "$folder/contexts" ] || ln -s "$folder/contexts" "$copy/contexts"
"#;

/// Has the registry check what is in the copy. Docker Hub must not be asked for a login in a browser when it does not take
/// it.
pub(crate) fn ask(account: &Account) -> String {
    let server = if account.server.is_empty() { String::new() } else { format!(" {}", word(&account.server)) };
    format!(
        "told=$(DOCKER_CONFIG=$copy DOCKER_CLI_DISABLE_OAUTH_LOGIN=1 docker login{server} 2>&1 </dev/null >/dev/null) || \
         {{ s=$?; printf '%s\\n' \"$told\" | sed '/non.TTY/d' >&2; exit $s; }}\n"
    )
}

/// Gives the login to a helper, which complains on its standard output.
fn store(text: &mut Text, account: &Account, helper: &str) {
    let program = word(&format!("docker-credential-{helper}"));
    document(text, "$copy/stored", account.stored());
    text.push(&format!(
        "told=$({program} store 2>&1 <\"$copy/stored\") || {{ s=$?; printf '%s\\n' {program}\" does not keep the login: \
         $told\" >&2; exit $s; }}\n"
    ));
}

/// Writes a file in a here document.
pub(crate) fn document(text: &mut Text, path: &str, content: Secret) {
    text.push(&format!("cat >\"{path}\" <<'KAMAL_CONFIG' || exit\n"));
    text.push_secret(content).push("\nKAMAL_CONFIG\n");
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write as _,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
        process::{Command, Output, Stdio},
    };

    use kamal_core::config::model::SecretOr;
    use serde_json::{Value, json};

    use super::*;

    const SERVER: &str = "r.example:5000";

    /// A user's name and a password nothing may take for syntax.
    fn keyring() -> Keyring {
        [("USER", Secret::new("us\"er$")), ("PASSWORD", Secret::new("p4ss\\ 'w`rd"))].into_iter().collect()
    }

    fn registry() -> Registry {
        let secret = |key: &str| Some(SecretOr::Secret(key.to_owned()));
        let server = Some(SERVER.to_owned());
        Registry { server, username: secret("USER"), password: secret("PASSWORD") }
    }

    fn account() -> Account {
        Account::of(&registry(), &keyring()).unwrap()
    }

    /// What docker's client does with stored credentials: it has them checked and writes its configuration anew.
    const DOCKER: &str = r#"#!/bin/sh
[ -n "$DOCKER_CLI_DISABLE_OAUTH_LOGIN" ] || exit 1
echo "docker $*" >>"$LOG"
[ ! -e "$HOME/refuse" ] || { echo unauthorized >&2; echo "Error: Cannot perform an interactive login from a non TTY device" >&2; exit 1; }
[ ! -e "$HOME/meddle" ] || sh "$HOME/meddle"
cat "$DOCKER_CONFIG/config.json" >"$HOME/asked.json"
echo '{}' >"$DOCKER_CONFIG/config.json"
"#;

    const HELPER: &str = r#"#!/bin/sh
echo "helper $*" >>"$LOG"
[ ! -e "$HOME/sealed" ] || { echo "not implemented"; exit 1; }
case $1 in
store) cat >"$HOME/helper.json";;
get) [ "$(cat)" = r.example:5000 ] && cat "$HOME/helper.json";;
esac
"#;

    /// A user of docker's with a home folder.
    struct User(tempfile::TempDir);

    impl User {
        fn new(before: Option<&str>) -> Self {
            let user = Self(tempfile::tempdir().unwrap());
            for (name, text) in [("docker", DOCKER), ("docker-credential-safe", HELPER)] {
                fs::write(user.home().join(name), text).unwrap();
                fs::set_permissions(user.home().join(name), fs::Permissions::from_mode(0o755)).unwrap();
            }
            if let Some(before) = before {
                fs::create_dir(user.home().join(".docker")).unwrap();
                fs::write(user.home().join(".docker/config.json"), before).unwrap();
            }
            user
        }

        fn home(&self) -> &Path {
            self.0.path()
        }

        fn sh(&self, text: &str) -> Output {
            let path = format!("{}:{}", self.home().display(), std::env::var("PATH").unwrap());
            let mut shell = Command::new("sh");
            shell.env("HOME", self.home()).env("LOG", self.home().join("log")).env("PATH", path);
            shell.env_remove("DOCKER_CONFIG").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut shell = shell.spawn().unwrap();
            shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            shell.wait_with_output().unwrap()
        }

        fn read(&self, prelude: &str) -> Output {
            self.sh(&format!("{prelude}{READ}"))
        }

        /// Logs in as the engine does; what the shell is told before comes first.
        fn log_in(&self, prelude: &str) -> Result<(), (i32, String)> {
            let found = self.read(prelude);
            assert!(found.status.success(), "{found:?}");
            let place = LoginPlace::File(Secret::new(String::from_utf8(found.stdout).unwrap()));
            let text = text(&registry(), &keyring(), Some(&place)).map_err(|error| (0, error.to_string()))?;
            self.run(prelude, &text)
        }

        fn run(&self, prelude: &str, text: &Text) -> Result<(), (i32, String)> {
            let ended = self.sh(&format!("{prelude}{}", &*text.expose()));
            let said = String::from_utf8(ended.stderr).unwrap();
            if ended.status.success() { Ok(()) } else { Err((ended.status.code().unwrap(), said)) }
        }

        fn known(&self) -> Vec<String> {
            String::from_utf8(self.sh(OBSERVE).stdout).unwrap().lines().map(str::to_owned).collect()
        }

        fn needed(&self) -> Login {
            needed(&registry(), &keyring(), &self.known()).unwrap()
        }

        fn json(&self, path: &str) -> Value {
            serde_json::from_str(&fs::read_to_string(self.home().join(path)).unwrap()).unwrap()
        }

        fn log(&self) -> String {
            fs::read_to_string(self.home().join("log")).unwrap_or_default()
        }

        fn mode(&self, path: &str) -> u32 {
            fs::metadata(self.home().join(path)).unwrap().permissions().mode() & 0o777
        }

        /// What is left beside docker's configuration.
        fn left(&self, folder: &str) -> Vec<String> {
            let entries = fs::read_dir(self.home().join(folder)).unwrap().flatten();
            let names = entries.map(|entry| entry.file_name().into_string().unwrap());
            names.filter(|name| name != "config.json").collect()
        }
    }

    #[test]
    fn a_login_is_checked_and_put_among_what_is_there_and_is_known_then() {
        for before in [None, Some(""), Some(r#"{"auths":{"other":{"auth":"b2xk"}},"x":1}"#)] {
            let user = User::new(before);
            assert_eq!(user.needed(), Login::Unread);
            user.log_in("").unwrap();
            assert_eq!(user.log(), format!("docker login {SERVER}\n"));
            assert_eq!(user.json("asked.json")["auths"][SERVER], json!({ "auth": account().auth().expose() }));
            let after = user.json(".docker/config.json");
            assert_eq!(after["auths"][SERVER], json!({ "auth": account().auth().expose() }));
            if before.is_some_and(|before| before.contains("other")) {
                assert_eq!((&after["auths"]["other"]["auth"], &after["x"]), (&json!("b2xk"), &json!(1)));
            }
            assert_eq!((user.mode(".docker/config.json"), user.left(".docker")), (0o600, Vec::new()));
            assert_eq!(user.needed(), Login::Held);
        }
    }

    #[test]
    fn what_is_known_of_logins_tells_none_and_is_of_one_registry_and_one_account() {
        let auth = account().auth().expose().to_owned();
        for (config, held) in [
            (format!("{{\"auths\": {{\n\t\"{SERVER}\": {{ \"auth\": \"{auth}\" }}}}}}"), true),
            (
                format!(
                    "{{\"auths\":{{\"a\":{{}},\"{SERVER}\":{{\"auth\":\"{auth}\"}}}},\"credHelpers\":{{\"a\":\"b\"}}}}"
                ),
                true,
            ),
            (format!("{{\"auths\":{{\"other\":{{\"auth\":\"{auth}\"}},\"{SERVER}\":{{\"auth\":\"b2xk\"}}}}}}"), false),
            (format!("{{\"auths\":{{\"{SERVER}\":{{\"auth\":\"{auth}\",\"identitytoken\":\"t\"}}}}}}"), false),
            (format!("{{\"auths\":{{\"{SERVER}\":{{}}}}}}"), false),
        ] {
            let user = User::new(Some(&config));
            assert_eq!(user.needed() == Login::Held, held, "{config}");
            assert!(!user.known().concat().contains(&auth), "{config}");
        }
        assert_eq!(User::new(None).known(), [""; 0]);
    }

    #[test]
    fn a_login_that_is_refused_or_cannot_be_put_down_changes_nothing() {
        let before = r#"{"auths":{"r.example:5000":{"auth":"b2xk"}}}"#;
        let user = User::new(Some(before));
        fs::write(user.home().join("refuse"), "").unwrap();
        assert_eq!(user.log_in(""), Err((1, "unauthorized\n".to_owned())));
        assert_eq!(fs::read_to_string(user.home().join(".docker/config.json")).unwrap(), before);
        assert!(user.left(".docker").is_empty());

        let user = User::new(Some("{\"auths\": {"));
        let (_, said) = user.log_in("").unwrap_err();
        assert!(said.contains("no JSON (line 1, column 11); put it right, or move it away"), "{said}");

        let user = User::new(None);
        fs::create_dir_all(user.home().join(".docker/config.json")).unwrap();
        let said = user.read("");
        assert!(!said.status.success());
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains(".docker/config.json is a folder; move it away"), "{said}");

        // Nobody, root included, makes a folder in a file: as good as a home folder that cannot be written to.
        let user = User::new(None);
        fs::write(user.home().join("full"), "").unwrap();
        let (status, said) = user.log_in("export DOCKER_CONFIG=$HOME/full/docker\n").unwrap_err();
        assert!(status == 1 && said.contains("/full/docker: let this user write there"), "{said}");
    }

    #[test]
    fn the_file_a_link_leads_to_is_the_one_and_so_is_that_of_another_folder() {
        let user = User::new(None);
        fs::create_dir_all(user.home().join("kept")).unwrap();
        fs::write(user.home().join("kept/docker.json"), "{\"x\":1}").unwrap();
        fs::create_dir(user.home().join(".docker")).unwrap();
        symlink("../kept/docker.json", user.home().join(".docker/config.json")).unwrap();
        user.log_in("").unwrap();
        assert!(fs::symlink_metadata(user.home().join(".docker/config.json")).unwrap().is_symlink());
        let after = user.json("kept/docker.json");
        assert!(after["x"] == 1 && after["auths"][SERVER].is_object(), "{after}");
        assert_eq!((user.mode("kept/docker.json"), user.left("kept")), (0o600, vec!["docker.json".to_owned()]));

        let user = User::new(Some("{}"));
        user.log_in("export DOCKER_CONFIG=$HOME/own/docker\n").unwrap();
        assert!(user.json("own/docker/config.json")["auths"][SERVER].is_object());
        assert_eq!(user.json(".docker/config.json"), json!({}));
    }

    #[test]
    fn what_somebody_else_changes_meanwhile_is_not_lost() {
        let user = User::new(Some("{}"));
        let read = String::from_utf8(user.read("").stdout).unwrap();
        fs::write(user.home().join(".docker/config.json"), r#"{"auths":{"other":{"auth":"bmV3"}}}"#).unwrap();
        let text = text(&registry(), &keyring(), Some(&LoginPlace::File(Secret::new(read)))).unwrap();
        let (status, said) = user.run("", &text).unwrap_err();
        assert!(status == LOGIN_OVERTAKEN && said.contains("was changed by somebody else"), "{said}");
        user.log_in("").unwrap();
        let after = user.json(".docker/config.json");
        assert!(after["auths"]["other"].is_object() && after["auths"][SERVER].is_object(), "{after}");
    }

    #[test]
    fn a_credential_helper_is_given_what_the_registry_took() {
        let stored = json!({"ServerURL": SERVER, "Username": "us\"er$", "Secret": "p4ss\\ 'w`rd"});
        for before in
            [r#"{"credsStore": "safe"}"#, r#"{"credsStore":"no","credHelpers":{"x":"y","r.example:5000":"safe"}}"#]
        {
            // As it was observed, and as it was read.
            let user = User::new(Some(before));
            let Login::At(place) = user.needed() else { panic!("{before}") };
            assert_eq!(place, LoginPlace::Helper("safe".to_owned()));
            let text = text(&registry(), &keyring(), Some(&place)).unwrap();
            user.run("", &text).unwrap();
            assert_eq!(user.log(), format!("helper get\ndocker login {SERVER}\nhelper store\n"));
            assert_eq!(user.json("helper.json"), stored);
            assert_eq!(fs::read_to_string(user.home().join(".docker/config.json")).unwrap(), before);
            // What it keeps already is not asked about.
            user.run("", &text).unwrap();
            assert!(user.log().ends_with("store\nhelper get\n"), "{}", user.log());

            let user = User::new(Some(before));
            user.log_in("").unwrap();
            assert_eq!(user.log(), format!("docker login {SERVER}\nhelper store\n"));
            assert_eq!(user.json("helper.json"), stored);
            let mut after = user.json(".docker/config.json");
            assert_eq!(after.as_object_mut().unwrap().remove("auths"), Some(json!({ SERVER: {} })));
            assert_eq!(after, serde_json::from_str::<Value>(before).unwrap());

            fs::write(user.home().join("sealed"), "").unwrap();
            let (_, said) = user.log_in("").unwrap_err();
            assert_eq!(said, "docker-credential-safe does not keep the login: not implemented\n");
        }
    }

    #[test]
    fn no_text_shows_credentials() {
        let texts = [LoginPlace::File(Secret::new("")), LoginPlace::Helper("safe".to_owned())]
            .map(|place| text(&registry(), &keyring(), Some(&place)).unwrap().to_string());
        for text in texts {
            assert!(!text.contains("w`rd") && !text.contains(account().auth().expose()), "{text}");
        }
    }
}
