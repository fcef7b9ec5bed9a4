//! A browser and curl, asking for a deployed app over every version of HTTP.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use kamal_tests::{
    app::App,
    rig::{self, rig},
};

/// A certificate of its own for a name: its files, and what Chromium calls its key.
struct Certificate {
    files: [PathBuf; 2],
    key_hash: String,
}

impl Certificate {
    fn new(folder: &Path, name: &str) -> Self {
        fs::create_dir_all(folder).unwrap();
        let files = ["certificate.pem", "key.pem"].map(|file| folder.join(file));
        let [certificate, key] = files.each_ref().map(|file| file.display());
        let script = format!(
            "openssl req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN={name} \
             -addext subjectAltName=DNS:{name} -out {certificate} -keyout {key} 2>/dev/null && \
             openssl pkey -in {key} -pubout -outform der | openssl dgst -sha256 -binary | base64"
        );
        let made = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(made.status.success(), "{}", rig::text(&made));
        Self { files, key_hash: String::from_utf8(made.stdout).unwrap().trim().to_owned() }
    }
}

/// Whatever becomes of the test, the next one on this host finds no proxy with options it has not asked for.
struct CleanAfterwards<'a>(&'a App);

impl Drop for CleanAfterwards<'_> {
    fn drop(&mut self) {
        rig().clean(self.0.host().number);
    }
}

/// What Chromium makes of a page, once its scripts have run.
fn browsed(app: &App, certificate: &Certificate, options: &[String]) -> String {
    let profile = app.project.folder().with_file_name("browser");
    drop(fs::remove_dir_all(&profile));
    let name = format!("{}.test", app.service);
    let mut chromium = Command::new("timeout");
    chromium.args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]);
    chromium.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    // There may be little shared memory in containers.
    chromium.arg("--disable-dev-shm-usage").arg(format!("--user-data-dir={}", profile.display()));
    chromium.arg(format!("--host-resolver-rules=MAP {name} {}", app.host().address));
    chromium.arg(format!("--ignore-certificate-errors-spki-list={}", certificate.key_hash)).args(options);
    let output = chromium.arg("--dump-dom").arg(format!("https://{name}/protocol")).output().unwrap();
    assert!(output.status.success(), "{}", rig::text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn curl(app: &App, arguments: &[&str]) -> Output {
    let name = format!("{}.test", app.service);
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--insecure", "--max-time", "20", "--resolve"]);
    curl.arg(format!("{name}:443:{}", app.host().address)).args(arguments).arg(format!("https://{name}/up"));
    curl.output().unwrap()
}

#[test]
fn browsers_and_curl_over_every_version_of_http() {
    let app = App::on_one("e2e-clients");
    rig().clean(app.host().number);
    let _clean = CleanAfterwards(&app);
    let certificate = Certificate::new(&app.project.folder().with_file_name("tls"), "e2e-clients.test");
    let [public, private] = certificate.files.each_ref().map(|file| file.display());
    let secrets =
        format!("REGISTRY_PASSWORD=demo\nAPI_KEY=s3cret\nCERTIFICATE=$(cat {public})\nKEY=$(cat {private})\n");
    app.project.write(".kamal/secrets", &secrets).unwrap();
    app.edit("proxy: {", "proxy: {ssl: {certificate_pem: CERTIFICATE, private_key_pem: KEY}, run: {http3: true}, ");
    app.ok(&["setup"]);

    let said = |protocol: &str| format!("Fetched over <b id=\"protocol\">{protocol}</b>.");
    let page = browsed(&app, &certificate, &[]);
    assert!(page.contains(&said("h2")), "{page}");
    let quic = "--origin-to-force-quic-on=e2e-clients.test:443".to_owned();
    let page = browsed(&app, &certificate, &[quic]);
    assert!(page.contains(&said("h3")), "{page}");

    // More than is sent before anybody waits for an answer.
    let upload = app.project.folder().with_file_name("upload");
    fs::write(&upload, vec![b'x'; 2_000_000]).unwrap();
    let upload = upload.display().to_string();
    for version in ["--http1.1", "--http2"] {
        for more in [
            &[][..],
            &["--head"],
            &["--data-binary", "small"],
            &["--upload-file", &upload],
            &["--upload-file", &upload, "--header", "Expect:"],
        ] {
            let wanted = [&[version, "--write-out", "%{http_code} %{http_version}"], more].concat();
            let output = curl(&app, &wanted);
            let said = rig::text(&output);
            let number = version.trim_start_matches("--http");
            assert!(output.status.success() && said.ends_with(&format!("200 {number}")), "{wanted:?}: {said}");
        }
    }
}
