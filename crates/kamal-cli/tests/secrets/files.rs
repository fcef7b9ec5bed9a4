//! Encrypted secrets files: with the real age, which .ci/run installs, and with a stand-in for sops.

use std::fs;

use crate::bench::{Bench, real_path, run, to};

const SOPS: &str = "A=ENC[AES256_GCM,data:p9o=,iv:x=,tag:y==,type:str]\nsops_lastmodified=2024-01-01T00:00:00Z\n\
                    sops_mac=ENC[AES256_GCM,data:z=,iv:x=,tag:y==,type:str]\nsops_version=3.9.0\n";

/// Encrypts a text into a file of the project.
fn encrypt(bench: &Bench, recipient: &[&str], name: &str, text: &str) {
    let plain = bench.path("plain").display().to_string();
    fs::write(&plain, text).unwrap();
    run(&bench.project(), "age", &[recipient, &["-o", name, &plain]].concat());
    fs::remove_file(plain).unwrap();
}

/// A new identity's file, and its recipient.
fn identity(bench: &Bench) -> (String, String) {
    let file = bench.path("identity").display().to_string();
    run(&bench.project(), "age-keygen", &["-o", &file]);
    let recipient = run(&bench.project(), "age-keygen", &["-y", &file]);
    (file, recipient.trim().to_owned())
}

/// All files below the project and the home folder, with what is in them.
fn files(bench: &Bench) -> Vec<(String, Vec<u8>)> {
    let folders = ["project/.kamal", "project", "home"].map(|folder| bench.path(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[test]
fn age_files_are_read_like_any_other_and_leave_nothing_behind() {
    let bench = Bench::new().with_secrets("A=plain\nOWN=own\n");
    let (identity, recipient) = identity(&bench);
    let text = "A=encrypted wins\nB=\"two\nlines\"\nC=$(printf x)$B\n";
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.age", text);
    encrypt(&bench, &["-a", "-r", &recipient], ".kamal/secrets-common.age", "COMMON='文 $c'\nA=common\n");
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.staging.age", "A=staging\n");
    let before = files(&bench);
    let bench = bench.with_env("KAMAL_AGE_IDENTITY", &identity);
    let ran = bench.kamal_on(&real_path(), &["secrets", "print"]);
    assert_eq!(ran.ok(), "COMMON=文 $c\nA=encrypted wins\nOWN=own\nB=two\nlines\nC=xtwo\nlines\n");
    assert_eq!(files(&bench), before);
}

#[test]
fn a_destination_has_its_own_age_file() {
    let bench = Bench::new();
    let (identity, recipient) = identity(&bench);
    fs::write(bench.project().join("config/deploy.staging.yml"), "{}\n").unwrap();
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.age", "A=plain\n");
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.staging.age", "A=staging\n");
    let bench = bench.with_env("KAMAL_AGE_IDENTITY", &identity);
    assert_eq!(bench.kamal_on(&real_path(), &["secrets", "print", "-d", "staging"]).ok(), "A=staging\n");
}

#[test]
fn the_identity_may_be_in_the_variable_itself_or_an_ssh_key() {
    let bench = Bench::new();
    let (file, recipient) = identity(&bench);
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.age", "A=a\n");
    let bench = bench.with_env("KAMAL_AGE_IDENTITY", &fs::read_to_string(&file).unwrap());
    assert_eq!(bench.kamal_on(&real_path(), &["secrets", "print"]).ok(), "A=a\n");

    let bench = Bench::new();
    let key = bench.path("home/.ssh/id_ed25519").display().to_string();
    fs::create_dir(bench.path("home/.ssh")).unwrap();
    run(&bench.project(), "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &key]);
    encrypt(&bench, &["-R", &format!("{key}.pub")], ".kamal/secrets.age", "A=by ssh key\n");
    assert_eq!(bench.kamal_on(&real_path(), &["secrets", "print"]).ok(), "A=by ssh key\n");
    encrypt(&bench, &["-R", &format!("{key}.pub")], "db.age", "{\"db\":{\"pw\":\"p\\\"w\"}}");
    let ran = bench.kamal_on(&real_path(), &["secrets", "fetch", "-a", "age", "--from", "db.age", "db/pw"]);
    assert_eq!(ran.ok(), "{\"db/pw\":\"p\\\"w\"}\n");
}

#[test]
fn what_cannot_be_decrypted_says_why() {
    let bench = Bench::new();
    let (file, recipient) = identity(&bench);
    encrypt(&bench, &["-r", &recipient], ".kamal/secrets.age", "A=a\n");
    let ran = bench.kamal_on(&real_path(), &["secrets", "print"]);
    let expected =
        "Could not decrypt .kamal/secrets.age with age: there is no identity\nhelp: KAMAL_AGE_IDENTITY names";
    assert!(ran.refused().starts_with(expected), "{}", ran.stderr);

    fs::remove_file(&file).unwrap();
    run(&bench.project(), "age-keygen", &["-o", &file]);
    let bench = bench.with_env("KAMAL_AGE_IDENTITY", &file);
    let ran = bench.kamal_on(&real_path(), &["secrets", "print"]);
    let expected =
        "Could not decrypt .kamal/secrets.age with age: age: error: no identity matched any of the recipients";
    assert!(ran.refused().starts_with(expected), "{}", ran.stderr);

    let ran = bench.kamal(&["secrets", "print"]);
    assert!(ran.refused().starts_with("age is not installed\nhelp: there is no program `age`"), "{}", ran.stderr);

    fs::write(bench.project().join(".kamal/secrets.age"), "A=forgotten\n").unwrap();
    assert!(
        bench
            .kamal(&["secrets", "print"])
            .refused()
            .starts_with(".kamal/secrets.age is not encrypted with age\nhelp: ")
    );
}

#[test]
fn sops_files_in_dotenv_form_are_read_under_each_of_their_names() {
    for name in [".kamal/secrets", ".kamal/secrets.sops", ".kamal/secrets.sops.env", ".kamal/secrets-common.sops.env"] {
        let bench = Bench::new();
        fs::write(bench.project().join(name), SOPS).unwrap();
        let decrypt = to(&["decrypt", "--input-type", "dotenv", "--output-type", "dotenv", name]);
        bench.program("sops", &[decrypt.says(&"A='it is $A'\nB=$A!\nC=\"q\\\"文\"\n")]);
        assert_eq!(bench.kamal(&["secrets", "print"]).ok(), "A=it is $A\nB=it is $A!\nC=q\"文\n", "{name}");
    }
}

#[test]
fn nothing_is_decrypted_for_a_command_that_needs_no_secret() {
    let bench = Bench::new().with_env("VERSION", "1");
    fs::write(bench.project().join(".kamal/secrets"), SOPS).unwrap();
    bench.program("sops", &[]);
    bench.kamal(&["config"]).ok();
    assert!(bench.ran().is_empty(), "{:?}", bench.ran());
}
