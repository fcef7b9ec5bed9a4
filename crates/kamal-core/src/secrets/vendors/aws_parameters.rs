//! AWS Systems Manager's parameter store, by `aws`; Kamal has none. One run for every ten names, which is what the
//! service takes at once; without names, one for all below `--from`.

use serde::Deserialize;

use super::ask::listed;
use super::aws::{AWS, aws, failed};
use super::error::gather;
use super::program::{Output, Program, Programs};
use super::reading::{blank, json, value};
use super::{Ask, Found, Session, Vendor, VendorError, no_login};
use crate::secret::Secret;

/// The most names of one request (GetParameters, `Names`).
const AT_ONCE: usize = 10;

pub(super) const VENDOR: Vendor = Vendor {
    names: &["aws_ssm_parameter_store", "aws-ssm-parameter-store", "aws_ssm", "ssm"],
    about: "AWS SSM parameter store, by `aws`; --account PROFILE, --from /PATH; without names all below the path",
    needs_account: false,
    login: no_login,
    fetch,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    parameters: Vec<Parameter>,
    #[serde(default)]
    invalid_parameters: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    name: String,
    #[serde(default = "blank", deserialize_with = "value")]
    value: Secret,
}

fn fetch(programs: &dyn Programs, ask: &Ask<'_>, _session: &Session) -> Result<Found, VendorError> {
    // The service refuses a name given twice.
    let mut names: Vec<String> = Vec::new();
    for name in ask.prefixed() {
        let name = name.replace("//", "/");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let parts: Vec<&[String]> = names.chunks(AT_ONCE).collect();
    let runs: Vec<Program> = match (parts.as_slice(), ask.from) {
        ([], None) => {
            let message =
                "No secrets given to fetch from the AWS SSM parameter store\nhelp: name some, or a path with --from";
            return Err(VendorError::usage(message));
        }
        ([], Some(path)) => vec![below(path, ask)],
        (parts, _) => parts.iter().map(|part| get(part, ask)).collect(),
    };
    let outputs = AWS.run_all(programs, &runs)?;
    let found = gather(outputs.iter().map(|output| answer(programs, ask, &names, output)))?;
    let mut found: Found = found.into_iter().flatten().collect();
    // The service answers in an order of its own.
    let place = |name: &str| names.iter().position(|wanted| wanted == name).unwrap_or(usize::MAX);
    found.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
    Ok(found)
}

fn get(names: &[String], ask: &Ask<'_>) -> Program {
    let verb = ["ssm", "get-parameters", "--names"].map(str::to_owned);
    aws(verb.into_iter().chain(names.iter().cloned()).chain(["--with-decryption".to_owned()]), ask)
}

fn below(path: &str, ask: &Ask<'_>) -> Program {
    aws(["ssm", "get-parameters-by-path", "--path", path, "--recursive", "--with-decryption"].map(str::to_owned), ask)
}

fn answer(programs: &dyn Programs, ask: &Ask<'_>, names: &[String], output: &Output) -> Result<Found, VendorError> {
    if !output.succeeded() {
        let what = if names.is_empty() { ask.from.unwrap_or_default().to_owned() } else { listed(names) };
        let message = format!("Could not read {what} from the AWS SSM parameter store");
        return Err(failed(programs, ask, output, message));
    }
    let answer: Answer = json(&AWS, output)?;
    if answer.invalid_parameters.is_empty() {
        Ok(answer.parameters.into_iter().map(|parameter| (parameter.name, parameter.value)).collect())
    } else {
        let missing = answer.invalid_parameters.join(", ");
        Err(VendorError::missing(format!("Could not find {missing} in the AWS SSM parameter store")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ODD, Script, ask, fetch, quoted, refused, shown};

    fn parameter(name: &str, value: &str) -> String {
        format!(
            r#"{{"Name":"{name}","Type":"SecureString","Value":{},"Version":1,"ARN":"arn:aws:x","DataType":"text"}}"#,
            quoted(value)
        )
    }

    fn answer(parameters: &[String]) -> String {
        format!(r#"{{"Parameters":[{}],"InvalidParameters":[]}}"#, parameters.join(","))
    }

    #[test]
    fn names_below_a_path_come_in_one_run_and_in_their_order() {
        let script = Script::default().says(
            "aws ssm get-parameters --names /app/B /app/A --with-decryption --profile prod --output json",
            &answer(&[parameter("/app/A", ODD), parameter("/app/B", "b")]),
        );
        let found =
            fetch("aws_ssm_parameter_store", &ask(&["B", "A", "B"], Some("prod"), Some("/app/")), &script).unwrap();
        assert_eq!(shown(&found), [("/app/B", "b"), ("/app/A", ODD)].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn a_path_alone_gives_all_below_it() {
        let script = Script::default().says(
            "aws ssm get-parameters-by-path --path /app --recursive --with-decryption --output json",
            &format!(r#"{{"Parameters":[{},{}]}}"#, parameter("/app/A", "a"), parameter("/app/db/B", "b")),
        );
        let found = fetch("aws-ssm-parameter-store", &ask(&[], None, Some("/app")), &script).unwrap();
        assert_eq!(shown(&found), [("/app/A", "a"), ("/app/db/B", "b")].map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn ten_names_make_a_run() {
        let names: Vec<String> = (1..=12).map(|n| format!("n{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut script = Script::default();
        for part in names.chunks(10) {
            let line = format!("aws ssm get-parameters --names {} --with-decryption --output json", part.join(" "));
            script = script.says(&line, &answer(&part.iter().map(|name| parameter(name, "x")).collect::<Vec<_>>()));
        }
        let found = fetch("aws_ssm", &ask(&names, None, None), &script).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), names);
    }

    #[test]
    fn failures_say_what_to_do() {
        let two = ask(&["a", "b"], None, None);
        assert!(refused("ssm", &two, &Script::default()).starts_with("AWS CLI is not installed\nhelp: "));
        let line = "aws ssm get-parameters --names a b --with-decryption --output json";
        let script = Script::default()
            .fails(line, "Unable to locate credentials. You can configure credentials by running \"aws configure\".")
            .fails("aws sts get-caller-identity --output json", "");
        let error = refused("ssm", &two, &script);
        assert!(
            error.starts_with("Could not read [\"a\", \"b\"] from the AWS SSM parameter store: Unable to locate"),
            "{error}"
        );
        assert!(error.ends_with("\nhelp: run `aws sso login`, or `aws configure` for access keys"), "{error}");
        let lacking = format!(r#"{{"Parameters":[{}],"InvalidParameters":["b"]}}"#, parameter("a", "a"));
        assert_eq!(
            refused("ssm", &two, &Script::default().says(line, &lacking)),
            "Could not find b in the AWS SSM parameter store"
        );
    }
}
