//! The state file: what is deployed, kept for the next start (spec 2.4, 2.5).
//!
//! The format is Go's, so either proxy reads what the other wrote. The file is replaced as a whole, so that a crash
//! leaves the old or the new one; and an element that cannot be read or restored is kept as it is rather than lost.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::options::{ServiceOptions, TargetOptions};
use super::pause::PauseState;
use super::rollout::Split;

/// One service.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    pub(crate) name: String,
    pub(crate) options: ServiceOptions,
    pub(crate) target_options: TargetOptions,
    pub(crate) active_targets: Option<Vec<String>>,
    pub(crate) active_readers: Option<Vec<String>>,
    /// `None` when there is no rollout.
    pub(crate) rollout_targets: Option<Vec<String>>,
    pub(crate) rollout_readers: Option<Vec<String>>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) pause_controller: PauseState,
    pub(crate) rollout_controller: Option<Split>,
    #[serde(flatten, skip_serializing)]
    pub(crate) legacy: Legacy,
}

/// Fields older versions wrote, used where the new ones are empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Legacy {
    active_target: Option<String>,
    rollout_target: Option<String>,
    hosts: Option<Vec<String>>,
    path_prefixes: Option<Vec<String>>,
}

/// One of the elements of a file, as it stands there.
pub(crate) type Element = Box<RawValue>;

/// What a file held.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) services: Vec<(Saved, Element)>,
    /// Elements that are not services, with the reason.
    pub(crate) broken: Vec<(Element, String)>,
}

impl Saved {
    /// Moves what legacy fields hold to where it belongs now.
    fn modernised(mut self) -> Self {
        let legacy = std::mem::take(&mut self.legacy);
        let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        let single = |text: Option<String>| text.filter(|text| !text.is_empty()).map(|text| vec![text]);
        if is_empty(&self.active_targets) {
            self.active_targets = single(legacy.active_target).or(self.active_targets);
        }
        if is_empty(&self.rollout_targets) {
            self.rollout_targets = single(legacy.rollout_target).or(self.rollout_targets);
        }
        if self.options.hosts.is_empty() {
            self.options.hosts = legacy.hosts.unwrap_or_default();
        }
        if self.options.path_prefixes.is_empty() {
            self.options.path_prefixes = legacy.path_prefixes.unwrap_or_default();
        }
        self
    }
}

/// Reads a file; `Ok(None)` when there is none. A file that is not JSON is set aside, so that the next save does not
/// destroy what may be left in it.
pub(crate) fn load(path: &Path) -> io::Result<Option<Loaded>> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let elements: Vec<Element> = serde_json::from_slice(&text).inspect_err(|_| {
        // The error that matters is the one being returned.
        let _ = fs::copy(path, with_suffix(path, ".invalid"));
    })?;
    Ok(Some(sort(elements)))
}

/// The name an element says, whatever else is wrong with it.
pub(crate) fn name(element: &Element) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    serde_json::from_str::<Named>(element.get()).ok().map(|named| named.name)
}

/// Tells services from elements that are none.
pub(crate) fn sort(elements: Vec<Element>) -> Loaded {
    let mut loaded = Loaded::default();
    for element in elements {
        match serde_json::from_str::<Saved>(element.get()) {
            Ok(saved) if !saved.name.is_empty() => loaded.services.push((saved.modernised(), element)),
            Ok(_) => loaded.broken.push((element, "the service has no name".into())),
            Err(error) => loaded.broken.push((element, error.to_string())),
        }
    }
    loaded
}

/// Replaces a file by one that holds these services and elements, on disk when this returns.
pub(crate) fn save(path: &Path, services: &[Saved], kept: &[Element]) -> io::Result<()> {
    let mut elements = services.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    elements.extend(kept.iter().map(|element| element.get().to_owned()));
    let text = escaped_as_go_does(&format!("[{}]\n", elements.join(",")));

    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let temporary = with_suffix(path, ".new");
    // Not through a link somebody may have put there.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    File::open(directory)?.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// These characters only ever stand inside strings, so replacing them in the whole text is right.
fn escaped_as_go_does(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            _ => out.push(c),
        }
    }
    out
}

fn null_is_default<'de, D: Deserializer<'de>>(from: D) -> Result<PauseState, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Go's kamal-proxy writes it, but for the order of elements.
    const GO: &str = concat!(
        r#"[{"name":"svc1","options":{"hosts":[""],"path_prefixes":["/"],"tls_enabled":false,"tls_certificate_path":"","#,
        r#""tls_private_key_path":"","tls_on_demand_url":"","tls_redirect":true,"canonical_host":"","acme_directory":"","#,
        r#""acme_cache_path":"/home/kamal-proxy/.config/kamal-proxy/certs","error_page_path":"","strip_prefix":true,"#,
        r#""writer_affinity_timeout":1000000000,"read_targets_accept_websockets":false,"exclude_metrics_paths":null,"#,
        r#""client_ip_header":""},"target_options":{"health_check_config":{"path":"/up","port":0,"interval":1000000000,"#,
        r#""timeout":5000000000,"host":""},"response_timeout":30000000000,"buffer_requests":false,"#,
        r#""buffer_responses":false,"max_memory_buffer_size":1048576,"max_request_body_size":0,"#,
        r#""max_response_body_size":0,"log_request_headers":null,"log_response_headers":null,"forward_headers":true,"#,
        r#""scope_cookie_paths":false},"active_targets":["127.0.0.1:3001"],"active_readers":[],"#,
        r#""rollout_targets":null,"rollout_readers":null,"pause_controller":{"state":2,"#,
        r#""stop_message":"Back \u003csoon\u003e","fail_after":0},"rollout_controller":{"percentage":20,"#,
        r#""percentage_split_point":858993459,"allowlist":["first"]}}]"#,
        "\n"
    );

    // spec 11.C.58, 11.O.223
    #[test]
    fn what_go_wrote_is_written_again_to_the_letter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub/kamal-proxy.state");
        assert!(load(&path).unwrap().is_none());
        fs::create_dir(directory.path().join("sub")).unwrap();
        fs::write(&path, GO).unwrap();
        let services: Vec<_> = load(&path).unwrap().unwrap().services.into_iter().map(|(saved, _)| saved).collect();
        assert_eq!(services[0].pause_controller.state().name(), "stopped");
        save(&path, &services, &[]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), GO);
    }

    // spec 11.C.59
    #[test]
    fn the_legacy_format_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let text = r#"[{"name":"a","hosts":["example.com"],"path_prefixes":null,"active_target":"web:80","rollout_target":"",
            "target_options":{"response_timeout":3000000000}}]"#;
        fs::write(&path, text).unwrap();
        let loaded = load(&path).unwrap().unwrap();
        let (saved, _) = &loaded.services[0];
        assert_eq!(saved.options.hosts, ["example.com"]);
        assert_eq!(saved.active_targets, Some(vec!["web:80".into()]));
        assert_eq!(saved.rollout_targets, None);
        assert_eq!(saved.target_options.response_timeout.to_string(), "3s");
    }

    #[test]
    fn a_broken_element_loses_nothing_and_a_broken_file_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        fs::write(&path, r#"[{"name":5},{"name":"a"},{}]"#).unwrap();
        let loaded = load(&path).unwrap().unwrap();
        assert_eq!((loaded.services.len(), loaded.broken.len()), (1, 2));

        // So does one nobody can read to its end.
        let deep = format!(r#"{{"name":"deep","x":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
        fs::write(&path, format!(r#"[{deep},{{"name":"a"}}]"#)).unwrap();
        let loaded = load(&path).unwrap().unwrap();
        let (element, _) = &loaded.broken[0];
        assert_eq!((loaded.services[0].0.name.as_str(), name(element).as_deref()), ("a", Some("deep")));
        save(&path, &[], std::slice::from_ref(element)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("[{deep}]\n"));

        // Nor is anything written through a link.
        let elsewhere = directory.path().join("elsewhere");
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, with_suffix(&path, ".new")).unwrap();
        save(&path, &[], &[]).unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");

        fs::write(&path, "[{").unwrap();
        assert!(load(&path).is_err());
        assert_eq!(fs::read_to_string(with_suffix(&path, ".invalid")).unwrap(), "[{");
    }
}
