//! Each vendor with three secrets, as its program was recorded to answer, and what it says when nobody is logged in
//! and when a secret is not there.

use serde_json::{Value, json};

use crate::bench::{Answer, to};

/// Values with everything in them that has ever broken a deploy.
pub(crate) const VALUES: [&str; 3] = [
    "it's \"q\" \\ $HOME ${X} $(id) `id` )(\nline 2\t#! %s",
    "文中 é ÿ \u{1f600} <&>",
    "{\"json\": [\"in $json\", {\"deep\": \"\\\"\"}]}",
];

/// A vendor.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) adapter: &'static str,
    /// `--account`, `--from` and names.
    pub(crate) ask: &'static [&'static str],
    pub(crate) program: &'static str,
    /// What the program answers on a machine where all is well.
    pub(crate) answers: Vec<Answer>,
    /// The names the three values come under.
    pub(crate) names: [&'static str; 3],
    /// The first line when the program is not there.
    pub(crate) not_installed: &'static str,
    /// What it answers to somebody who is not logged in, and what is said of that.
    pub(crate) stranger: (Vec<Answer>, &'static str),
    /// What it answers when a secret is not there, and what is said of that.
    pub(crate) lacking: (Vec<Answer>, &'static str),
}

fn with(base: &[Answer], more: Answer) -> Vec<Answer> {
    [base, &[more]].concat()
}

pub(crate) fn onepassword() -> Case {
    let args = ["item", "get", "My Item", "--vault", "My Vault", "--format", "json", "--account", "team"];
    let get = || to(&[&args[..], &["--fields", "label=A,label=db.B,label=C"]].concat()).meets("op");
    let field = |label: &str, path: &str, value: &str| {
        json!({
            "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "section": {"id": "cccccccccccccccccccccccccc", "label": "db"},
            "type": "CONCEALED", "label": label, "value": value, "reference": format!("op://My Vault/My Item/{path}"),
        })
    };
    let fields = json!([field("A", "A", VALUES[0]), field("B", "db/B", VALUES[1]), field("C", "C", VALUES[2])]);
    let login = [to(&["account", "get", "--account", "team"]).says(&"{}")];
    Case {
        adapter: "1password",
        ask: &["--account", "team", "--from", "op://My Vault/My Item", "A", "db/B", "C"],
        program: "op",
        answers: with(&login, get().says(&fields)),
        names: ["My Vault/My Item/A", "My Vault/My Item/db/B", "My Vault/My Item/C"],
        not_installed: "1Password CLI is not installed",
        stranger: (
            vec![
                to(&["account", "get", "--account", "team"]).fails(1, "[ERROR] found no accounts"),
                to(&["signin", "--account", "team", "--force", "--raw"]).fails(1, "[ERROR] no account found\n"),
            ],
            // What a program says while it may ask is on the terminal.
            "[ERROR] no account found\n  ERROR Failed to login to 1Password\nhelp: run `op signin --account team`, or `op \
             account add` if op does not know the account",
        ),
        lacking: (
            with(&login, get().fails(1, "[ERROR] 2026/11/24 \"C\" isn't a field in the \"My Item\" item\n")),
            "Could not read A, db.B, C from My Item in the My Vault 1Password vault: [ERROR] 2026/11/24 \"C\" isn't a \
             field in the \"My Item\" item",
        ),
    }
}

pub(crate) fn lastpass() -> Case {
    let show = || to(&["show", "Folder/A", "Folder/B b", "Folder/C", "--json"]).meets("lpass");
    let item = |name: &str, value: &str| {
        json!({
            "id": "1234567891234567891", "name": name, "fullname": format!("Folder/{name}"), "username": "",
            "password": value, "last_modified_gmt": "1724926054", "last_touch": "1724926639", "group": "Folder",
            "url": "", "note": "",
        })
    };
    let login = [to(&["status", "--color", "never"]).says(&"Logged in as me@example.com.\n")];
    Case {
        adapter: "lastpass",
        ask: &["--account", "me@example.com", "--from", "Folder", "A", "B b", "C"],
        program: "lpass",
        answers: with(
            &login,
            show().says(&json!([item("A", VALUES[0]), item("B b", VALUES[1]), item("C", VALUES[2])])),
        ),
        names: ["Folder/A", "Folder/B b", "Folder/C"],
        not_installed: "LastPass CLI is not installed",
        stranger: (
            vec![
                to(&["status", "--color", "never"]).says(&"Not logged in.\n").fails(1, ""),
                to(&["login", "me@example.com"]).fails(1, ""),
            ],
            "Failed to login to LastPass\nhelp: run `lpass login me@example.com`",
        ),
        lacking: (
            with(&login, show().says(&json!([item("A", VALUES[0])]))),
            "Could not find Folder/B b, Folder/C in LastPass",
        ),
    }
}

pub(crate) fn bitwarden() -> Case {
    const KEY: (&str, &str) = ("BW_SESSION", "k3y+/==");
    let status = |status: &str| json!({"serverUrl": null, "lastSync": "2024-09-04T10:11:12.433Z", "status": status});
    let locked = || to(&["status"]).says(&status("locked"));
    let login = [
        locked(),
        to(&["unlock", "--raw"]).says(&format!("{}\n", KEY.1)),
        to(&["status"]).says(&status("unlocked")).if_env(KEY.0, KEY.1),
        to(&["sync"]).says(&"Syncing complete.").if_env(KEY.0, KEY.1),
    ];
    let get = |item: &str| to(&["get", "item", item]).if_env(KEY.0, KEY.1).meets("bw");
    let field = |name: &str, value: &str| json!({"name": name, "value": value, "type": 1, "linkedId": null});
    let password = get("A").says(&json!({
        "object": "item", "type": 1, "name": "A", "notes": null, "fields": [],
        "login": {"uris": [], "username": null, "password": VALUES[0], "totp": null},
    }));
    let fields = json!({"object": "item", "type": 2, "fields": [field("B", VALUES[1]), field("C", VALUES[2])]});
    Case {
        adapter: "bitwarden",
        ask: &["--account", "me@example.com", "A", "My Item/B", "My Item/C"],
        program: "bw",
        answers: [&login[..], &[password.clone(), get("My Item").says(&fields)]].concat(),
        names: ["A", "My Item/B", "My Item/C"],
        not_installed: "Bitwarden CLI is not installed",
        stranger: (
            vec![locked(), to(&["unlock", "--raw"]).fails(1, "Invalid master password.\n")],
            "Invalid master password.\n  ERROR Failed to login to and unlock Bitwarden\nhelp: run `bw login \
             me@example.com`, then `export BW_SESSION=\"$(bw unlock --raw)\"`",
        ),
        lacking: (
            [&login[..], &[password, get("My Item").says(&json!({"fields": [field("B", VALUES[1])]}))]].concat(),
            "Could not find field C in item My Item in Bitwarden",
        ),
    }
}

pub(crate) fn bitwarden_sm() -> Case {
    let login = [to(&["project", "list"]).says(&"[]")];
    let list = || to(&["secret", "list", "p-1"]).meets("bws");
    let item = |key: &str, value: &str| {
        json!({
            "object": "secret", "id": "e1", "organizationId": "o", "projectId": "p-1", "key": key, "value": value,
            "note": "", "creationDate": "2024-01-01T00:00:00Z", "revisionDate": "2024-01-01T00:00:00Z",
        })
    };
    Case {
        adapter: "bitwarden-sm",
        ask: &["--from", "p-1", "A", "B", "C"],
        program: "bws",
        answers: with(&login, list().says(&json!([item("A", VALUES[0]), item("B", VALUES[1]), item("C", VALUES[2])]))),
        names: ["A", "B", "C"],
        not_installed: "Bitwarden Secrets Manager CLI is not installed",
        stranger: (
            vec![to(&["project", "list"]).fails(1, "Error: Missing access token")],
            "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?: Error: Missing access \
             token\nhelp: set BWS_ACCESS_TOKEN to the access token of a machine account",
        ),
        lacking: (
            with(&login, list().says(&json!([item("A", VALUES[0]), item("B", VALUES[1])]))),
            "Could not find C in project p-1 in Bitwarden Secrets Manager",
        ),
    }
}

/// Runs of `aws` that both of its stores have in common.
fn aws_stranger(get: Answer) -> Vec<Answer> {
    let said = "\nError loading SSO Token: Token for prod does not exist\n";
    vec![
        get.fails(255, said),
        to(&["sts", "get-caller-identity", "--profile", "prod", "--output", "json"]).fails(255, said),
    ]
}

pub(crate) fn aws_secrets_manager() -> Case {
    let verb = ["secretsmanager", "batch-get-secret-value", "--secret-id-list", "app/A", "app/B", "app/C"];
    let get = || to(&[&verb[..], &["--profile", "prod", "--output", "json"]].concat()).meets("aws");
    let item = |name: &str, text: &str| {
        json!({
            "ARN": "arn:aws:secretsmanager:us-east-1:aaaaaaaaaaaa:secret:secret", "Name": name, "VersionId": "v",
            "SecretString": text, "VersionStages": ["AWSCURRENT"], "CreatedDate": "2024-01-01T00:00:00.000000",
        })
    };
    // JSON objects are taken apart, so the third is the JSON of a text.
    let third = Value::from(VALUES[2]).to_string();
    let items = json!([item("app/A", VALUES[0]), item("app/B", VALUES[1]), item("app/C", &third)]);
    let refusal = json!({
        "SecretId": "app/C", "ErrorCode": "ResourceNotFoundException",
        "Message": "Secrets Manager can't find the specified secret.",
    });
    Case {
        adapter: "aws_secrets_manager",
        ask: &["--account", "prod", "--from", "app", "A", "B", "C"],
        program: "aws",
        answers: vec![get().says(&json!({"SecretValues": items, "Errors": []}))],
        names: ["app/A", "app/B", "app/C"],
        not_installed: "AWS CLI is not installed",
        stranger: (
            aws_stranger(get()),
            "Could not read [\"app/A\", \"app/B\", \"app/C\"] from AWS Secrets Manager: Error loading SSO Token: Token for \
             prod does not exist\nhelp: run `aws sso login --profile prod`, or `aws configure --profile prod` for access keys",
        ),
        lacking: (
            vec![get().says(&json!({"SecretValues": [], "Errors": [refusal]}))],
            "app/C: Secrets Manager can't find the specified secret.",
        ),
    }
}

pub(crate) fn aws_ssm_parameter_store() -> Case {
    let verb = ["ssm", "get-parameters", "--names", "/app/A", "/app/B", "/app/C", "--with-decryption"];
    let get = || to(&[&verb[..], &["--profile", "prod", "--output", "json"]].concat()).meets("ssm");
    let item = |name: &str, value: &str| {
        json!({
            "Name": name, "Type": "SecureString", "Value": value, "Version": 1, "LastModifiedDate": 1_724_926_054.5,
            "ARN": "arn:aws:ssm:us-east-1:aaaaaaaaaaaa:parameter/app/A", "DataType": "text",
        })
    };
    let items = json!([item("/app/C", VALUES[2]), item("/app/A", VALUES[0]), item("/app/B", VALUES[1])]);
    Case {
        adapter: "aws_ssm_parameter_store",
        ask: &["--account", "prod", "--from", "/app", "A", "B", "C"],
        program: "aws",
        answers: vec![get().says(&json!({"Parameters": items, "InvalidParameters": []}))],
        names: ["/app/A", "/app/B", "/app/C"],
        not_installed: "AWS CLI is not installed",
        stranger: (
            aws_stranger(get()),
            "Could not read [\"/app/A\", \"/app/B\", \"/app/C\"] from the AWS SSM parameter store: Error loading SSO Token: \
             Token for prod does not exist\nhelp: run `aws sso login --profile prod`, or `aws configure --profile prod` for \
             access keys",
        ),
        lacking: (
            vec![
                get().says(
                    &json!({"Parameters": [item("/app/A", VALUES[0])], "InvalidParameters": ["/app/B", "/app/C"]}),
                ),
            ],
            "Could not find /app/B, /app/C in the AWS SSM parameter store",
        ),
    }
}

pub(crate) fn doppler() -> Case {
    let login = [to(&["me", "--json"]).says(&"{}")];
    let get = || to(&["secrets", "get", "A", "B", "C", "--json", "-p", "my app", "-c", "prd"]).meets("doppler");
    let item = |value: &str| json!({"computed": value, "computedVisibility": "unmasked", "note": ""});
    Case {
        adapter: "doppler",
        ask: &["--from", "my app/prd", "A", "B", "C"],
        program: "doppler",
        answers: with(&login, get().says(&json!({"A": item(VALUES[0]), "B": item(VALUES[1]), "C": item(VALUES[2])}))),
        names: ["A", "B", "C"],
        not_installed: "Doppler CLI is not installed",
        stranger: (
            vec![to(&["me", "--json"]).fails(1, "token invalid"), to(&["login", "-y"]).fails(1, "")],
            "Failed to login to Doppler\nhelp: run `doppler login`, or set DOPPLER_TOKEN",
        ),
        lacking: (
            with(&login, get().fails(1, "Doppler Error: Could not find requested secret: C\n")),
            "Could not read [\"A\", \"B\", \"C\"] from Doppler: Doppler Error: Could not find requested secret: C",
        ),
    }
}

pub(crate) fn gcp() -> Case {
    use base64::{Engine, engine::general_purpose::URL_SAFE};
    let login = [to(&["auth", "list", "--format=json"]).says(&json!([{"account": "me@x.org", "status": "ACTIVE"}]))];
    let get = |name: &str| {
        let secret = format!("--secret={name}");
        let options = ["--project=p-1", "--account=me@x.org", "--impersonate-service-account=a@x.org", "--format=json"];
        to(&[&["secrets", "versions", "access", "latest", &secret], &options[..]].concat()).meets("gcloud")
    };
    let payload = |value: &str| json!({"name": "projects/1/secrets/A/versions/1", "payload": {"data": URL_SAFE.encode(value), "dataCrc32c": "1"}});
    let two = [get("A").says(&payload(VALUES[0])), get("B").says(&payload(VALUES[1]))];
    Case {
        adapter: "gcp",
        ask: &["--account", "me@x.org|a@x.org", "--from", "p-1", "A", "B", "C"],
        program: "gcloud",
        answers: [&login[..], &two, &[get("C").says(&payload(VALUES[2]))]].concat(),
        names: ["p-1/A", "p-1/B", "p-1/C"],
        not_installed: "gcloud CLI is not installed",
        stranger: (
            vec![to(&["auth", "list", "--format=json"]).says(&"[]"), to(&["auth", "login"]).fails(1, "")],
            "could not login to gcloud\nhelp: run `gcloud auth login`",
        ),
        lacking: (
            [
                &login[..],
                &two,
                &[get("C").fails(1, "ERROR: (gcloud.secrets.versions.access) NOT_FOUND: Secret [C] not found")],
            ]
            .concat(),
            "Could not read p-1/C from Google Secret Manager: ERROR: (gcloud.secrets.versions.access) NOT_FOUND: Secret [C] \
             not found",
        ),
    }
}

pub(crate) fn passbolt() -> Case {
    let login = [
        to(&["verify"]),
        to(&["list", "folders", "--filter", "Name == \"my \\\"app\\\"\"", "--json"])
            .says(&json!([{"id": "f-1", "folder_parent_id": "", "name": "my \"app\""}])),
    ];
    let filter = ["A", "B", "C"].map(|name| format!("(Name == \"{name}\" && FolderParentID == \"f-1\")")).join(" || ");
    let list = || {
        let columns = ["--folder", "f-1", "--column", "name", "--column", "password", "--json"];
        to(&[&["list", "resources", "--filter", &filter], &columns[..]].concat()).meets("passbolt")
    };
    let item = |name: &str, value: &str| {
        json!({
            "id": "4c116996-f6d0-4342-9572-0d676f75b3ac", "folder_parent_id": "f-1", "name": name, "username": "",
            "uri": "", "password": value, "description": "", "created_timestamp": "2025-02-21T06:04:29Z",
        })
    };
    Case {
        adapter: "passbolt",
        ask: &["--from", "my \"app\"", "A", "B", "C"],
        program: "passbolt",
        answers: with(&login, list().says(&json!([item("A", VALUES[0]), item("B", VALUES[1]), item("C", VALUES[2])]))),
        names: ["A", "B", "C"],
        not_installed: "Passbolt CLI is not installed",
        stranger: (
            vec![to(&["verify"]).fails(1, "Error: serverAddress is not defined")],
            "Failed to login to Passbolt: Error: serverAddress is not defined\nhelp: run `passbolt configure` with \
             --serverAddress, --userPrivateKeyFile and --userPassword, then `passbolt verify`",
        ),
        lacking: (
            with(&login, list().says(&json!([item("A", VALUES[0])]))),
            "Could not find the following secrets in Passbolt: B, C",
        ),
    }
}

pub(crate) fn enpass() -> Case {
    let show = || to(&["-json", "-vault", "/my vault", "show", "Db", "Web"]).meets("enpass-cli");
    let item = |title: &str, label: &str, value: &str| json!({"category": "computer", "label": label, "login": "", "password": value, "title": title, "type": "password"});
    Case {
        adapter: "enpass",
        ask: &["--from", "/my vault", "Db/A", "Db/B", "Web"],
        program: "enpass-cli",
        answers: vec![show().says(&json!([
            item("Db", "A", VALUES[0]),
            item("Db", "B", VALUES[1]),
            item("Web", "", VALUES[2])
        ]))],
        names: ["Db/A", "Db/B", "Web"],
        not_installed: "Enpass CLI is not installed",
        stranger: (
            vec![show().fails(1, "ERRO could not unlock vault\n")],
            "ERRO could not unlock vault\n  ERROR Could not read [\"Db/A\", \"Db/B\", \"Web\"] from Enpass",
        ),
        lacking: (vec![show().says(&json!([item("Db", "A", VALUES[0])]))], "Could not find Db/B, Web in Enpass"),
    }
}

pub(crate) fn vault() -> Case {
    let get = || to(&["kv", "get", "-format=json", "-namespace=team", "secret/my app"]).meets("vault");
    let data = json!({
        "request_id": "r", "lease_id": "", "lease_duration": 0, "renewable": false, "warnings": null,
        "data": {
            "data": {"A": VALUES[0], "B": VALUES[1], "C": VALUES[2], "OTHER": "x"},
            "metadata": {"created_time": "2022-06-15T20:14:17.107852Z", "destroyed": false, "version": 1},
        },
    });
    let token = || to(&["token", "lookup", "-format=json", "-namespace=team"]);
    let denied = "Error making API request.\n\nURL: GET http://v/v1/x\nCode: 403. Errors:\n\n* permission denied\n";
    Case {
        adapter: "vault",
        ask: &["--account", "team", "--from", "secret/my app", "A", "B", "C"],
        program: "vault",
        answers: vec![get().says(&data)],
        names: ["secret/my app/A", "secret/my app/B", "secret/my app/C"],
        not_installed: "Vault CLI is not installed",
        stranger: (
            vec![get().fails(2, denied), token().fails(2, denied)],
            "Could not read secret/my app from Vault: Error making API request.\nURL: GET http://v/v1/x\nCode: 403. \
             Errors:\n* permission denied\nhelp: run `vault login`, or set VAULT_TOKEN; VAULT_ADDR says where Vault is",
        ),
        lacking: (
            vec![get().fails(2, "No value found at secret/data/my app\n"), token().says(&"{}")],
            "Could not read secret/my app from Vault: No value found at secret/data/my app",
        ),
    }
}

pub(crate) fn infisical() -> Case {
    let export =
        || to(&["export", "--format=json", "--projectId=p-1", "--env=prod", "--path=/my folder"]).meets("infisical");
    let item = |key: &str, value: &str| {
        json!({
            "key": key, "workspace": "p-1", "value": value, "type": "shared", "_id": "1", "secretPath": "/my folder",
            "tags": [], "comment": "", "Etag": "", "skipMultilineEncoding": false,
        })
    };
    Case {
        adapter: "infisical",
        ask: &["--from", "p-1/prod/my folder", "A", "B", "C"],
        program: "infisical",
        answers: vec![export().says(&json!([item("A", VALUES[0]), item("B", VALUES[1]), item("C", VALUES[2])]))],
        names: ["A", "B", "C"],
        not_installed: "Infisical CLI is not installed",
        stranger: (
            vec![export().fails(
                1,
                "error: we couldn't find your logged in details, try running [infisical login] then try again",
            )],
            "Could not read A, B, C from Infisical: error: we couldn't find your logged in details, try running [infisical \
             login] then try again\nhelp: run `infisical login`, or set INFISICAL_TOKEN",
        ),
        lacking: (vec![export().says(&json!([item("A", VALUES[0])]))], "Could not find B, C in Infisical"),
    }
}

pub(crate) fn sops() -> Case {
    let decrypt = || to(&["decrypt", "--output-type", "json", "config/my secrets.yaml"]).meets("sops");
    let no_key = "Failed to get the data key required to decrypt the SOPS file.\n\nGroup 0: FAILED\n";
    Case {
        adapter: "sops",
        ask: &["--from", "config/my secrets.yaml", "A", "db/B", "db/C"],
        program: "sops",
        answers: vec![decrypt().says(&json!({"A": VALUES[0], "db": {"B": VALUES[1], "C": VALUES[2], "port": 5432}}))],
        names: ["A", "db/B", "db/C"],
        not_installed: "sops is not installed",
        stranger: (
            vec![decrypt().fails(128, no_key)],
            "Could not decrypt config/my secrets.yaml with sops: Failed to get the data key required to decrypt the SOPS \
             file.\nGroup 0: FAILED\nhelp: no key of this machine opens it: SOPS_AGE_KEY_FILE names a file with age keys, \
             cloud keys want a login there (`aws sso login`, `gcloud auth login`), PGP keys the secret key in gpg",
        ),
        lacking: (
            vec![decrypt().says(&json!({"A": VALUES[0]}))],
            "Could not find db/B, db/C in config/my secrets.yaml",
        ),
    }
}

pub(crate) fn age() -> Case {
    let decrypt = || to(&["--decrypt", "-i", "/my key", "config/my secrets.age"]).meets("age");
    Case {
        adapter: "age",
        ask: &["--account", "/my key", "--from", "config/my secrets.age", "A", "B", "C"],
        program: "age",
        answers: vec![decrypt().says(&json!({"A": VALUES[0], "B": VALUES[1], "C": VALUES[2]}))],
        names: ["A", "B", "C"],
        not_installed: "age is not installed",
        stranger: (
            vec![decrypt().fails(
                1,
                "age: error: no identity matched any of the recipients\nage: report unexpected or unhelpful errors\n",
            )],
            "Could not decrypt config/my secrets.age with age: age: error: no identity matched any of the recipients\nage: \
             report unexpected or unhelpful errors",
        ),
        lacking: (vec![decrypt().says(&json!({"A": VALUES[0]}))], "Could not find B, C in config/my secrets.age"),
    }
}
