//! Pages for errors the proxy itself answers with (spec 8.5).
//!
//! A service may bring pages of its own; what they lack comes from the default pages, and what those lack is one line.

mod context;
mod template;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use http::StatusCode;

use self::template::Template;

const DEFAULT: &str = include_str!("error_pages/default.html");

/// Pages read from a directory, by status code.
#[derive(Debug)]
pub(crate) struct Pages(HashMap<u16, Template>);

/// The directory holds no usable pages. The cause is for the log; clients are told no more than this.
#[derive(Debug, thiserror::Error)]
#[error("unable to load error pages")]
pub(crate) struct PagesError(pub(crate) String);

impl Pages {
    /// Reads every `*.html` directly inside a directory; those named by a status code are pages.
    pub(crate) fn load(directory: &Path) -> Result<Self, PagesError> {
        let failed = |what: &Path, why: &dyn std::fmt::Display| PagesError(format!("{}: {why}", what.display()));
        let within = fs::canonicalize(directory).map_err(|error| failed(directory, &error))?;
        let mut pages = HashMap::new();
        let mut found = false;
        for entry in fs::read_dir(directory).map_err(|error| failed(directory, &error))? {
            let path = entry.map_err(|error| failed(directory, &error))?.path();
            if path.extension().is_none_or(|extension| extension != "html") {
                continue;
            }
            // Nobody should get to see what a page merely leads to, nor is it waited for what is no file.
            let real = fs::canonicalize(&path).map_err(|error| failed(&path, &error))?;
            if !real.is_file() || !real.starts_with(&within) {
                return Err(failed(&path, &"is not a file of that folder"));
            }
            found = true;
            let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
            let template = Template::parse(&text).map_err(|error| failed(&path, &error))?;
            if let Some(code) = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok()) {
                pages.insert(code, template);
            }
        }
        if found { Ok(Self(pages)) } else { Err(failed(directory, &"no *.html files")) }
    }
}

/// The page for a status; the message is what `stop --message` said.
pub(crate) fn render(own: Option<&Pages>, status: StatusCode, message: Option<&str>) -> String {
    if let Some(page) = own.and_then(|pages| pages.0.get(&status.as_u16())) {
        return page.render(message);
    }
    let Some((name, generic)) = known(status) else {
        return format!("<h1>{} {}</h1>", status.as_u16(), reason(status));
    };
    let message = message.filter(|message| !message.is_empty());
    let text = message.map_or_else(|| generic.to_owned(), context::text);
    DEFAULT.replace("{code}", status.as_str()).replace("{name}", name).replace("{text}", &text)
}

fn known(status: StatusCode) -> Option<(&'static str, &'static str)> {
    Some(match status.as_u16() {
        404 => ("Not Found", "There is nothing at this address."),
        413 => ("Content Too Large", "What was sent is larger than this site accepts."),
        502 => ("Bad Gateway", "The site did not give a valid answer. Please try again in a moment."),
        503 => {
            ("Service Temporarily Unavailable", "The site is not available right now. Please try again in a moment.")
        }
        504 => ("Gateway Timeout", "The site took too long to answer. Please try again in a moment."),
        _ => return None,
    })
}

/// The reason phrase as Go has it.
pub(crate) fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        413 => "Request Entity Too Large",
        418 => "I'm a teapot",
        _ => status.canonical_reason().unwrap_or(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn page(own: Option<&Pages>, code: u16, message: Option<&str>) -> String {
        render(own, StatusCode::from_u16(code).unwrap(), message)
    }

    // spec 11.G.119-121
    #[test]
    fn default_pages() {
        assert!(page(None, 404, None).contains("Not Found"));
        let stopped = page(None, 503, Some("Back <soon>"));
        assert!(stopped.contains("Service Temporarily Unavailable") && stopped.contains("Back &lt;soon&gt;"));
        assert_eq!(page(None, 418, None), "<h1>418 I'm a teapot</h1>");
        assert_eq!(page(None, 400, None), "<h1>400 Bad Request</h1>");
    }

    // spec 11.G.123-125
    #[test]
    fn own_pages_come_first_and_what_they_lack_is_filled_in() {
        let files = directory(&[("404.html", "mine{{ if .Message }}: {{ .Message }}{{ end }}"), ("x.css", "{{")]);
        let pages = Pages::load(files.path()).unwrap();
        assert_eq!(page(Some(&pages), 404, None), "mine");
        assert!(page(Some(&pages), 503, Some("later")).contains("later"));
        assert_eq!(page(Some(&pages), 418, None), "<h1>418 I'm a teapot</h1>");
    }

    // spec 11.G.126, 11.G.127
    #[test]
    fn directories_without_usable_pages_are_refused() {
        for files in [directory(&[("404.html", "{{ if .Message }}")]), directory(&[("readme.txt", "x")])] {
            assert_eq!(Pages::load(files.path()).unwrap_err().to_string(), "unable to load error pages");
        }
        assert!(Pages::load(Path::new("/does/not/exist")).is_err());
        let (files, outside) = (directory(&[("error.html", "mine")]), directory(&[("secret", "secret")]));
        std::os::unix::fs::symlink("error.html", files.path().join("404.html")).unwrap();
        assert_eq!(page(Some(&Pages::load(files.path()).unwrap()), 404, None), "mine", "within the folder");
        std::os::unix::fs::symlink(outside.path().join("secret"), files.path().join("502.html")).unwrap();
        assert!(Pages::load(files.path()).unwrap_err().0.ends_with("502.html: is not a file of that folder"));
        let files = directory(&[("404.html", "mine")]);
        let _socket = std::os::unix::net::UnixListener::bind(files.path().join("502.html")).unwrap();
        assert!(Pages::load(files.path()).is_err());
    }
}
