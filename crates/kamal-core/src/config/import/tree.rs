//! The draft before it is text: YAML as people write it, a comment above whatever needs one.

use std::fmt::Write;

use super::marks::Marks;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// A number or a boolean.
    Bare(String),
    Text(String),
    List(Vec<Tree>),
    Map(Map),
}

/// A mapping.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Map(Vec<Entry>);

#[derive(Clone, Debug, PartialEq)]
struct Entry {
    key: String,
    comment: String,
    value: Tree,
}

impl Map {
    /// Adds an entry, unless its value is an empty list or mapping. One that is there already makes way.
    pub(super) fn put(&mut self, key: impl Into<String>, value: impl Into<Tree>) {
        self.put_with("", key, value);
    }

    /// Adds an entry below a comment.
    pub(super) fn put_with(&mut self, comment: &'static str, key: impl Into<String>, value: impl Into<Tree>) {
        let (key, value) = (key.into(), value.into());
        if value.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => entry.value = value,
            None => self.0.push(Entry { key, comment: comment.to_owned(), value }),
        }
    }

    /// Adds an entry, also an empty one.
    pub(super) fn keep(&mut self, key: impl Into<String>, value: Tree) {
        self.0.push(Entry { key: key.into(), comment: String::new(), value });
    }

    /// Adds an entry if there is a value.
    pub(super) fn put_some(&mut self, key: impl Into<String>, value: Option<impl Into<Tree>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        self.0.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Tree> {
        let at = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(at).value)
    }

    /// The comment above an entry, and its value.
    pub(super) fn entry(&mut self, key: &str) -> Option<(&mut String, &mut Tree)> {
        let entry = self.0.iter_mut().find(|entry| entry.key == key)?;
        Some((&mut entry.comment, &mut entry.value))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Tree)> {
        self.0.iter().map(|entry| (entry.key.as_str(), &entry.value))
    }

    /// The file: sections apart from each other, below a comment of its own.
    pub(super) fn print(&self, head: &str, marks: &Marks) -> String {
        let mut out: String = head.lines().map(|line| format!("# {line}\n")).collect();
        let mut before: Option<&Entry> = None;
        for entry in &self.0 {
            let is_small =
                |entry: &Entry| !matches!(entry.value, Tree::Map(_) | Tree::List(_)) && entry.comment.is_empty();
            // Small ones stand together.
            let together = before.is_some_and(is_small) && is_small(entry);
            if !out.is_empty() && !together {
                out.push('\n');
            }
            print_entry(entry, 0, marks, &mut out);
            before = Some(entry);
        }
        out
    }
}

impl Tree {
    fn is_empty(&self) -> bool {
        match self {
            Self::List(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Bare(_) | Self::Text(_) => false,
        }
    }

    /// Its text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Bare(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bare(value.to_string())
    }
}

impl From<u64> for Tree {
    fn from(value: u64) -> Self {
        Self::Bare(value.to_string())
    }
}

impl From<Map> for Tree {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl<T: Into<Tree>> From<Vec<T>> for Tree {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

fn print_entry(entry: &Entry, depth: usize, marks: &Marks, out: &mut String) {
    let indent = "  ".repeat(depth);
    for line in entry.comment.lines() {
        let _ = writeln!(out, "{}", format!("{indent}# {line}").trim_end());
    }
    let _ = write!(out, "{indent}{}:", marks.yaml(&entry.key));
    print_value(&entry.value, depth + 1, marks, out);
}

/// What stands behind a key, or a list's dash.
fn print_value(value: &Tree, depth: usize, marks: &Marks, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Tree::Bare(text) => {
            let _ = writeln!(out, " {}", marks.bare(text));
        }
        Tree::Text(text) => {
            let _ = writeln!(out, " {}", marks.yaml(text));
        }
        value if value.is_empty() => {
            let _ = writeln!(out, " {}", if matches!(value, Tree::Map(_)) { "{}" } else { "[]" });
        }
        Tree::List(items) => {
            out.push('\n');
            for item in items {
                let _ = write!(out, "{indent}-");
                match item {
                    Tree::Map(map) => print_item(map, depth, marks, out),
                    item => print_value(item, depth + 1, marks, out),
                }
            }
        }
        Tree::Map(map) => {
            out.push('\n');
            for entry in &map.0 {
                print_entry(entry, depth, marks, out);
            }
        }
    }
}

/// A mapping in a list, its first key behind the dash.
fn print_item(map: &Map, depth: usize, marks: &Marks, out: &mut String) {
    let mut text = String::new();
    for entry in &map.0 {
        print_entry(entry, depth + 1, marks, &mut text);
    }
    let _ = write!(out, " {}", text.trim_start());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_reads_as_if_written_by_hand() {
        let mut web = Map::default();
        web.put("hosts", vec!["192.0.2.1"]);
        web.put("options", Map::default());
        let mut servers = Map::default();
        servers.put_with("The primary role.", "web", web);
        let mut tagged = Map::default();
        tagged.put("192.0.2.2", vec!["spare"]);
        servers.put("jobs", Tree::List(vec![tagged.into(), Tree::from("192.0.2.3")]));
        let mut root = Map::default();
        root.put("service", "shop");
        root.put("image", "acme/shop");
        root.put("servers", servers);
        root.put("retain_containers", 3);
        let text = "# Made of x.\n\nservice: shop\nimage: acme/shop\n\nservers:\n  # The primary role.\n  web:\n    hosts:\n      \
                    - 192.0.2.1\n  jobs:\n    - 192.0.2.2:\n        - spare\n    - 192.0.2.3\n\n\
                    retain_containers: 3\n";
        assert_eq!(root.print("Made of x.", &Marks::default()), text);
    }
}
