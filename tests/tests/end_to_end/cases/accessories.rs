//! Cases about accessories.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use kamal_tests::{app::App, case::IMAGES, rig::text};

use super::{Cases, on_host};

#[test]
fn files_and_drift() {
    let app = App::of_case("17-modes-of-accessory-files", 1);
    let mut cases = Cases::default();
    cases.case("reports/17-modes-of-accessory-files", || {
        app.fails(&["setup"]).says(&["config/deploy.yml:14", "private.key"]);
        assert_eq!(on_host(&app, "docker ps -aq"), "");
        app.edit("mode: 0640", "mode: \"0640\"");
        app.ok(&["setup"]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (home, folder) = (&app.host().home, app.project.folder());
        assert_eq!(mode(&home.join("app-db/app/x.conf")), 0o640);
        assert_eq!(mode(&home.join("app-db/app/private.key")), mode(&folder.join("private.key")));
    });
    cases.case("reports/38-accessory-drift-in-setup", || {
        app.takes_case("38-accessory-drift-in-setup");
        app.ok(&["setup"]);
        let uploaded = app.host().home.join("app-side/etc/users");
        let before = fs::read_to_string(&uploaded).unwrap();
        app.project.write("users", "others\n").unwrap();
        app.edit(IMAGES[0], IMAGES[1]);
        let said = app.ok(&["setup"]);
        let lines: Vec<&str> =
            said.lines().filter(|line| line.contains("app-side") && line.contains(" runs ")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        for piece in [IMAGES[0], IMAGES[1], "kamal accessory reboot side"] {
            assert!(lines[0].contains(piece), "{}", lines[0]);
        }
        assert_eq!(fs::read_to_string(&uploaded).unwrap(), before, "nothing is uploaded");
        app.ok(&["accessory", "reboot", "side"]);
        assert_eq!(fs::read_to_string(&uploaded).unwrap(), "others\n");
        assert!(!app.ok(&["setup"]).contains("kamal accessory reboot side"));
    });
    cases.end();
}

/// Makes a certificate for a name into two secrets.
fn certificate(app: &App, name: &str, secrets: [&str; 2]) {
    let folder = app.project.folder().with_file_name("tls");
    fs::create_dir_all(&folder).unwrap();
    let files = ["certificate", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}"), "-out"])
        .arg(&files[0])
        .arg("-keyout")
        .arg(&files[1])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let path = app.project.folder().join(".kamal/secrets");
    let mut lines = fs::read_to_string(&path).unwrap();
    for (secret, file) in secrets.iter().zip(&files) {
        lines.push_str(&format!("{secret}=$(cat {})\n", file.display()));
    }
    fs::write(path, lines).unwrap();
}

#[test]
fn certificates() {
    let app = App::of_case("30-certificates-of-two-accessories", 1);
    let mut cases = Cases::default();
    let names = ["a.test", "b.test"];
    certificate(&app, names[0], ["CA", "KA"]);
    certificate(&app, names[1], ["CB", "KB"]);
    app.release();
    let shown = |name: &str| {
        let address = format!("{}:443", app.host().address);
        let mut client = Command::new("openssl");
        client.args(["s_client", "-servername", name, "-connect", &address]).stdin(std::process::Stdio::null());
        text(&client.output().unwrap())
    };
    let check = || {
        for name in names {
            let shown = shown(name);
            assert!(shown.replace(' ', "").contains(&format!("subject=CN={name}")), "{name}:\n{shown}");
        }
    };
    cases.case("reports/30-certificates-of-two-accessories", || {
        app.ok(&["setup"]);
        check();
        app.ok(&["proxy", "reboot", "-y"]);
        check();
        let listed = on_host(&app, &format!("find {} -name key.pem", app.host().home.join(".kamal/proxy").display()));
        let keys: Vec<&Path> = listed.lines().map(Path::new).collect();
        assert_eq!(keys.len(), 2, "{listed}");
        assert_ne!(keys[0].parent(), keys[1].parent(), "each has a folder of its own");
        for key in keys {
            let mode = fs::metadata(key).unwrap().permissions().mode() & 0o777;
            assert!(mode == 0o600 || mode == 0o640, "{}: {mode:o}", key.display());
        }
    });
    cases.end();
}
