//! Google Secret Manager, by `gcloud` (spec 3.4). One run per secret, which is all `gcloud` can do.

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde_json::Value;

use super::error::gather;
use super::program::{Output, Program, Programs, Tool};
use super::reading::{json, read, said};
use super::{Ask, Found, Session, Vendor, VendorError};
use crate::secret::Secret;

const GCLOUD: Tool = Tool { program: "gcloud", name: "gcloud CLI", site: "https://cloud.google.com/sdk/docs/install" };

/// gcloud writes bytes in the alphabet for URLs; Kamal reads them in the other and loses characters.
const BYTES: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) const VENDOR: Vendor = Vendor {
    names: &["gcp", "gcp_secret_manager"],
    about: "Google Secret Manager, by `gcloud`; --account default or USER[|SERVICE-ACCOUNT], --from PROJECT, NAME[/VERSION]",
    needs_account: true,
    login,
    fetch,
};

#[derive(Deserialize)]
struct Answer {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    data: String,
}

/// A version of a secret of a project.
struct Place<'p> {
    project: &'p str,
    name: &'p str,
    version: &'p str,
}

fn login(programs: &dyn Programs, _ask: &Ask<'_>) -> Result<Session, VendorError> {
    if logged_in(programs)? {
        return Ok(None);
    }
    let login = GCLOUD.run(programs, &GCLOUD.asking(["auth", "login"]))?;
    if logged_in(programs)? {
        return Ok(None);
    }
    Err(VendorError::NotLoggedIn {
        message: "could not login to gcloud".to_owned(),
        said: said(&login),
        help: "run `gcloud auth login`".to_owned(),
    })
}

fn logged_in(programs: &dyn Programs) -> Result<bool, VendorError> {
    let output = GCLOUD.run(programs, &GCLOUD.with(["auth", "list", "--format=json"]))?;
    let output = read(output, "could not login to gcloud")?;
    Ok(!json::<Vec<Value>>(&GCLOUD, &output)?.is_empty())
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let paths = ask.prefixed();
    if paths.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from Google Secret Manager"));
    }
    let places: Vec<Place<'_>> = paths.iter().map(|path| place(path)).collect();
    let runs: Vec<Program> = places.iter().map(|place| access(place, ask.account())).collect();
    let outputs = GCLOUD.run_all(programs, &runs)?;
    Ok(gather(places.iter().zip(outputs).map(|(place, output)| answer(place, output)))?.into_iter().collect())
}

fn place(path: &str) -> Place<'_> {
    let mut parts = path.split('/');
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(name) => Place { project: first, name, version: parts.next().unwrap_or("latest") },
        None => Place { project: "default", name: first, version: "latest" },
    }
}

fn access(Place { project, name, version }: &Place<'_>, account: &str) -> Program {
    let (user, service_account) = match account.split_once('|') {
        Some((user, service_account)) => (user, Some(service_account)),
        None => (account, None),
    };
    let mut run = GCLOUD.with(["secrets", "versions", "access", version]);
    run.args.push(format!("--secret={name}"));
    if *project != "default" {
        run.args.push(format!("--project={project}"));
    }
    if user != "default" {
        run.args.push(format!("--account={user}"));
    }
    run.args.extend(service_account.map(|account| format!("--impersonate-service-account={account}")));
    run.args.push("--format=json".to_owned());
    run
}

fn answer(Place { project, name, .. }: &Place<'_>, output: Output) -> Result<(String, Secret), VendorError> {
    let output = read(output, format!("Could not read {project}/{name} from Google Secret Manager"))?;
    let data = json::<Answer>(&GCLOUD, &output)?.payload.data.replace('+', "-").replace('/', "_");
    let text = BYTES.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        VendorError::missing(format!("{project}/{name}: Google Secret Manager holds bytes that are no text"))
    })?;
    Ok((format!("{project}/{name}"), Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, refused, shown};
    use super::*;

    fn open() -> Script {
        Script::default().says("gcloud auth list --format=json", r#"[{"account":"me@example.com","status":"ACTIVE"}]"#)
    }

    fn payload(text: &str, bytes: &GeneralPurpose) -> String {
        format!(
            r#"{{"name":"projects/1/secrets/A/versions/1","payload":{{"data":"{}","dataCrc32c":"1"}}}}"#,
            bytes.encode(text)
        )
    }

    #[test]
    fn versions_projects_and_accounts_have_their_options() {
        let standard = &base64::engine::general_purpose::STANDARD;
        let script = open()
            .says("gcloud secrets versions access latest --secret=A --format=json", &payload(ODD, &BYTES))
            .says("gcloud secrets versions access 3 --secret=B --project=p --format=json", &payload("??>>ü", standard));
        let found = fetch("gcp", &ask(&["A", "p/B/3"], Some("default"), None), &script).unwrap();
        assert_eq!(shown(&found), [("default/A", ODD), ("p/B", "??>>ü")].map(|(n, v)| (n.to_owned(), v.to_owned())));
        let script = open().says(
            "gcloud secrets versions access latest --secret=A --project=p --account=me@x.org \
             --impersonate-service-account=a@x.org,b@x.org --format=json",
            &payload("a", &BYTES),
        );
        fetch("gcp", &ask(&["A"], Some("me@x.org|a@x.org,b@x.org"), Some("p")), &script).unwrap();
    }

    #[test]
    fn bytes_in_both_alphabets_are_read() {
        // ☾ and ☿ end in the two characters the alphabets differ in.
        for data in ["4pi-4pi_", "4pi+4pi/"] {
            let script = open().says(
                "gcloud secrets versions access latest --secret=A --format=json",
                &format!(r#"{{"payload":{{"data":"{data}"}}}}"#),
            );
            let found = fetch("gcp", &ask(&["A"], Some("default"), None), &script).unwrap();
            assert_eq!(found["default/A"].expose(), "☾☿");
        }
    }

    #[test]
    fn failures_say_what_to_do() {
        let one = ask(&["A", "B"], Some("default"), Some("p"));
        assert!(refused("gcp", &one, &Script::default()).starts_with("gcloud CLI is not installed\nhelp: "));
        let script = Script::default().says("gcloud auth list --format=json", "[]").fails("gcloud auth login", "");
        assert_eq!(refused("gcp", &one, &script), "could not login to gcloud\nhelp: run `gcloud auth login`");
        let script = open()
            .says("gcloud secrets versions access latest --secret=A --project=p --format=json", &payload("a", &BYTES))
            .fails(
                "gcloud secrets versions access latest --secret=B --project=p --format=json",
                "ERROR: (gcloud.secrets.versions.access) NOT_FOUND: Secret [projects/1/secrets/B] not found",
            );
        assert_eq!(
            refused("gcp", &one, &script),
            "Could not read p/B from Google Secret Manager: ERROR: (gcloud.secrets.versions.access) NOT_FOUND: Secret \
             [projects/1/secrets/B] not found"
        );
    }
}
