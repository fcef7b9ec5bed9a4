//! What each library shows to programs that embed it, item by item, as a file beside its sources: a change to it is seen in
//! review. A `pub` that nobody outside can reach is a warning of the compiler's (`unreachable_pub`), so that every one in
//! the sources counts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    command::note,
    error::{Context, Result},
    tidy, workspace,
};

const LIBRARIES: [&str; 5] =
    ["crates/kamal-core", "crates/kamal-ssh", "crates/kamal-docker", "crates/kamal-proxy", "crates/kamal"];

/// Writes the lists.
///
/// # Errors
///
/// When a source cannot be read, or a list not be written.
pub fn write() -> Result<()> {
    for library in LIBRARIES {
        let items = items(library)?;
        let file = list(library);
        fs::write(&file, text(&items)).context(|| format!("writing {}", file.display()))?;
        note(format_args!("wrote {library}/surface.txt: {} public items", items.len()));
    }
    Ok(())
}

/// A complaint for each list that is not what [`write()`] would write.
///
/// # Errors
///
/// When a source cannot be read.
pub(crate) fn check() -> Result<Vec<String>> {
    let complaint =
        "what the crate shows has changed; if that is meant, run `cargo xtask surface`, and see the difference";
    let mut complaints = Vec::new();
    for library in LIBRARIES {
        if fs::read_to_string(list(library)).unwrap_or_default() != text(&items(library)?) {
            complaints.push(format!("{library}/surface.txt: {complaint}"));
        }
    }
    Ok(complaints)
}

/// Where a library's list is.
fn list(library: &str) -> PathBuf {
    workspace().join(library).join("surface.txt")
}

fn text(items: &[String]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

fn items(library: &str) -> Result<Vec<String>> {
    let root = workspace().join(library).join("src");
    let mut found = Vec::new();
    for path in tidy::sources(&root)? {
        let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
        let module = module(path.strip_prefix(&root).unwrap_or(&path));
        found.extend(public(&text).into_iter().map(|item| format!("{module}: {item}")));
    }
    found.sort();
    Ok(found)
}

/// `a/b.rs` as `a::b`.
fn module(path: &Path) -> String {
    let parts: Vec<_> = path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.join("::")
}

/// The public items of a source, each with what it belongs to, without tests.
fn public(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut owner = String::new();
    let mut import: Option<String> = None;
    for line in text.lines().take(tidy::production_lines(text)) {
        if let Some(open) = &mut import {
            open.push_str(line.trim());
            if line.ends_with(';') {
                found.extend(import.take());
            }
            continue;
        }
        if let Some(name) = owner_of(line) {
            owner = name.to_owned();
        }
        let Some(item) = line.trim_start().strip_prefix("pub ") else { continue };
        if item.starts_with("use ") && !item.ends_with(';') {
            import = Some(item.to_owned());
        } else if item.starts_with("use ") {
            found.push(item.to_owned());
        } else if line.starts_with(' ') {
            found.push(format!("{owner}::{}", head(item)));
        } else {
            found.push(head(item).to_owned());
        }
    }
    found
}

/// What lines below belong to: the type of an `impl`, or the item that begins here.
fn owner_of(line: &str) -> Option<&str> {
    let after = |rest: &'_ str| rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    if let Some(rest) = line.strip_prefix("impl") {
        let rest = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.trim_start() };
        let of = rest.split_once(" for ").map_or(rest, |(_, of)| of);
        return Some(&of[..after(of)]);
    }
    let item = line.strip_prefix("pub ")?;
    let rest = ["struct ", "enum ", "trait "].iter().find_map(|kind| item.strip_prefix(kind))?;
    Some(&rest[..after(rest)])
}

/// An item without its parameters and its body: `fn parse`, `name`.
fn head(item: &str) -> &str {
    let end = item.find(['(', '<', ':', '=', '{', ';', ',']).unwrap_or(item.len());
    item[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_item_is_listed_with_its_owner() {
        let text = "//! Why.\npub mod a;\npub use a::{\n    B,\n    C,\n};\npub struct S<'a> {\n    /// Doc.\n    \
            pub field: &'a str,\n    own: u8,\n}\n\nimpl<'a> S<'a> {\n    pub const fn f(&self) -> u8 {}\n    \
            pub(crate) fn g() {}\n}\n\nimpl std::fmt::Display for S<'_> {}\n\npub const X: u8 = 1;\n\
            #[cfg(test)]\nmod tests {\n    pub fn no() {}\n}\n";
        let expected =
            ["mod a", "use a::{B,C,};", "struct S", "S::field", "S::const fn f", "const X"].map(str::to_owned);
        assert_eq!(public(text), expected);
    }

    #[test]
    fn the_lists_are_fresh() {
        assert_eq!(check().unwrap(), [""; 0]);
    }
}
