//! Paths as texts, in Ruby's way.

/// `File.join`.
pub(super) fn join(parts: &[String]) -> String {
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index == 0 {
            out.push_str(part);
            continue;
        }
        let ends = out.ends_with('/');
        match (ends, part.strip_prefix('/')) {
            (true, Some(rest)) => out.push_str(rest.trim_start_matches('/')),
            (false, None) => {
                out.push('/');
                out.push_str(part);
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// `File.basename`.
pub(super) fn basename(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() && !path.is_empty() {
        return "/";
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// A file's name without an ending; `.*` means any.
pub(super) fn without_ending<'a>(name: &'a str, ending: &str) -> &'a str {
    let found = if ending == ".*" { extname(name) } else { ending };
    name.strip_suffix(found).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

/// `File.dirname`.
pub(super) fn dirname(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        Some(0) => "/",
        Some(at) => trimmed[..at].trim_end_matches('/'),
        None if path.starts_with('/') => "/",
        None => ".",
    }
}

/// `File.extname`.
pub(super) fn extname(path: &str) -> &str {
    let name = basename(path);
    let bare = name.trim_start_matches('.');
    match bare.rfind('.') {
        Some(at) if at > 0 && at + 1 < bare.len() => &bare[at..],
        _ => "",
    }
}

/// `File.expand_path`, with the folder to begin in, and the home folder.
pub(super) fn expand(path: &str, folder: &str, home: &str) -> String {
    let from_home = |rest: &str| join(&[home.to_owned(), rest.to_owned()]);
    let full = match path.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => from_home(rest),
        _ if path.starts_with('/') => path.to_owned(),
        _ => format!("{folder}/{path}"),
    };
    clean(&full)
}

/// A path without `.`, `..` and doubled slashes.
pub(super) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            ".." if absolute => {}
            part => kept.push(part),
        }
    }
    match (absolute, kept.is_empty()) {
        (true, _) => format!("/{}", kept.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => kept.join("/"),
    }
}

/// How to get to a path from a folder, both clean.
pub(super) fn relative(path: &str, folder: &str) -> String {
    let parts =
        |path: &str| path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
    let (path, folder): (Vec<String>, Vec<String>) = (parts(path), parts(folder));
    let common = path.iter().zip(&folder).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..".to_owned(), folder.len() - common);
    let all: Vec<String> = up.chain(path[common..].iter().cloned()).collect();
    if all.is_empty() { ".".to_owned() } else { all.join("/") }
}
