//! AWS Secrets Manager, by `aws` (spec 3.4). One run for every twenty names, which is what the service takes at once.

use base64::Engine;
use serde::Deserialize;
use serde_json::Value;

use super::ask::listed;
use super::aws::{AWS, aws, failed};
use super::error::gather;
use super::program::{Output, Program, Programs};
use super::reading::{json, plain};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

/// The most names of one request (BatchGetSecretValue, `SecretIdList`).
const AT_ONCE: usize = 20;

pub(super) const VENDOR: Vendor = Vendor {
    names: &["aws_secrets_manager", "aws-secrets-manager"],
    about: "AWS Secrets Manager, by `aws`; --account PROFILE, --from PREFIX; JSON gives NAME/KEY each",
    needs_account: false,
    login: no_login,
    fetch,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    secret_values: Vec<Item>,
    #[serde(default)]
    errors: Vec<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    name: String,
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    #[serde(default)]
    secret_id: String,
    #[serde(default)]
    message: String,
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    let names = ask.prefixed();
    if names.is_empty() {
        return Err(VendorError::usage("No secrets given to fetch from AWS Secrets Manager"));
    }
    let parts: Vec<&[String]> = names.chunks(AT_ONCE).collect();
    let runs: Vec<Program> = parts.iter().map(|part| get(part, ask)).collect();
    let outputs = AWS.run_all(programs, &runs)?;
    let found = gather(parts.iter().zip(outputs).map(|(part, output)| answer(programs, ask, part, &output)))?;
    Ok(found.into_iter().flatten().collect())
}

fn get(names: &[String], ask: &Ask<'_>) -> Program {
    let verb = ["secretsmanager", "batch-get-secret-value", "--secret-id-list"].map(str::to_owned);
    aws(verb.into_iter().chain(names.iter().cloned()), ask)
}

fn answer(programs: &dyn Programs, ask: &Ask<'_>, names: &[String], output: &Output) -> Result<Found, VendorError> {
    if !output.succeeded() {
        let message = format!("Could not read {} from AWS Secrets Manager", listed(names));
        return Err(failed(programs, ask, output, message));
    }
    let answer: Answer = json(&AWS, output)?;
    if !answer.errors.is_empty() {
        let told = answer.errors.iter().map(|refusal| format!("{}: {}", refusal.secret_id, refusal.message));
        return Err(VendorError::missing(told.collect::<Vec<_>>().join(" ")));
    }
    let mut found = Found::new();
    for item in answer.secret_values {
        let text = item.secret_string.or_else(|| binary(item.secret_binary.as_deref()?)).ok_or_else(|| {
            VendorError::missing(format!("{}: AWS Secrets Manager holds bytes that are no text", item.name))
        })?;
        match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => {
                found.extend(fields.into_iter().map(|(key, value)| (format!("{}/{key}", item.name), plain(value))));
            }
            Ok(value) => drop(found.insert(item.name, plain(value))),
            Err(_) => drop(found.insert(item.name, Secret::new(text))),
        }
    }
    Ok(found)
}

fn binary(text: &str) -> Option<String> {
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn item(name: &str, text: &str) -> String {
        format!(
            r#"{{"ARN":"arn:aws:x","Name":"{name}","VersionId":"v","SecretString":{},"VersionStages":["AWSCURRENT"]}}"#,
            quoted(text)
        )
    }

    fn answer(items: &[String]) -> String {
        format!(r#"{{"SecretValues":[{}],"Errors":[]}}"#, items.join(","))
    }

    #[test]
    fn json_is_taken_apart_and_all_else_is_left_alone() {
        let object = format!(r#"{{"PORT":5432,"NONE":null,"PW":{},"DEEP":{{"a":[1,true]}}}}"#, quoted(ODD));
        let items = [item("p/obj", &object), item("p/raw", ODD), item("p/num", "5432"), item("p/str", r#""s""#)];
        let binary = r#"{"Name":"p/bin","SecretBinary":"YsO8Cg=="}"#.to_owned();
        let script = Script::default().says(
            "aws secretsmanager batch-get-secret-value --secret-id-list p/obj p/raw p/num p/str p/bin --profile prod --output json",
            &answer(&[items.as_slice(), &[binary]].concat()),
        );
        let names = ["obj", "raw", "num", "str", "bin"];
        let found = fetch("aws_secrets_manager", &ask(&names, Some("prod"), Some("p")), &script).unwrap();
        let expected = [
            ("p/obj/PORT", "5432"),
            ("p/obj/NONE", "null"),
            ("p/obj/PW", ODD),
            ("p/obj/DEEP", r#"{"a":[1,true]}"#),
            ("p/raw", ODD),
            ("p/num", "5432"),
            ("p/str", "s"),
            ("p/bin", "bü\n"),
        ];
        assert_eq!(shown(&found), expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn twenty_names_make_a_run() {
        let names: Vec<String> = (1..=21).map(|n| format!("s{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let line = |names: &[&str]| {
            format!("aws secretsmanager batch-get-secret-value --secret-id-list {} --output json", names.join(" "))
        };
        let script = Script::default()
            .says(&line(&names[..20]), &answer(&names[..20].iter().map(|name| item(name, "x")).collect::<Vec<_>>()))
            .says(&line(&names[20..]), &answer(&[item("s21", "x")]));
        assert_eq!(fetch("aws-secrets-manager", &ask(&names, None, None), &script).unwrap().len(), 21);
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["a", "b"], Some("prod"), None);
        assert!(
            refused("aws_secrets_manager", &two, &Script::default()).starts_with("AWS CLI is not installed\nhelp: ")
        );
        let line = "aws secretsmanager batch-get-secret-value --secret-id-list a b --profile prod --output json";
        let who = "aws sts get-caller-identity --profile prod --output json";
        let script =
            Script::default().fails(line, "\nError loading SSO Token: Token for prod does not exist\n").fails(who, "");
        assert_eq!(
            refused("aws_secrets_manager", &two, &script),
            "Could not read [\"a\", \"b\"] from AWS Secrets Manager: Error loading SSO Token: Token for prod does not exist\n\
             help: run `aws sso login --profile prod`, or `aws configure --profile prod` for access keys"
        );
        let script = Script::default().fails(line, "An error occurred (AccessDeniedException)").says(who, "{}");
        assert_eq!(
            refused("aws_secrets_manager", &two, &script),
            "Could not read [\"a\", \"b\"] from AWS Secrets Manager: An error occurred (AccessDeniedException)"
        );
        let errors = r#"{"SecretValues":[],"Errors":[{"SecretId":"a","ErrorCode":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."},{"SecretId":"b","ErrorCode":"ResourceNotFoundException","Message":"Secrets Manager can't find the specified secret."}]}"#;
        assert_eq!(
            refused("aws_secrets_manager", &two, &Script::default().says(line, errors)),
            "a: Secrets Manager can't find the specified secret. b: Secrets Manager can't find the specified secret."
        );
    }
}
