//! Which test shows which row of a checklist: the rows are listed in a file, tests name theirs in a comment above.
//!
//! A row nobody shows and a tag that names no row are both errors, so list and tests cannot drift apart. What cannot be
//! done yet is said in the list itself; the chore fails as long as there is any, the house rules do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::print;
use crate::error::{Context, Result};
use crate::tidy::sources;
use crate::workspace;

/// The command line of Kamal.
pub const COMMAND: List = List {
    rows: "crates/kamal-cli/tests/checklist.txt",
    tests: &["crates/kamal-cli", "crates/kamal-core", "tests"],
    chapter: "1.",
};
/// The behaviour of kamal-proxy.
pub const PROXY: List =
    List { rows: "crates/kamal-proxy/tests/checklist.txt", tests: &["crates/kamal-proxy"], chapter: "11." };

/// What a comment says before it names rows.
const MARK: &str = "spec ";
/// What a line of the list says before it names rows nothing can show yet.
const OPEN: &str = "Not there yet: ";

/// A checklist and where its tests are.
#[derive(Debug, Clone, Copy)]
pub struct List {
    rows: &'static str,
    tests: &'static [&'static str],
    /// What a row's name begins with in a comment.
    chapter: &'static str,
}

/// A row as people read it: `A.1` and what it says.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: String,
    text: String,
}

/// The list.
#[derive(Debug, PartialEq, Eq)]
struct Checklist {
    rows: Vec<Row>,
    open: Vec<String>,
}

/// A test and the rows it says it shows.
#[derive(Debug, PartialEq, Eq)]
struct Tagged {
    test: String,
    rows: Vec<String>,
}

/// Prints every row of a checklist with its tests, and tells whether all is as it should be.
///
/// # Errors
///
/// When the list or a source cannot be read.
pub fn show(which: List) -> Result<bool> {
    let (list, tagged) = read(which)?;
    let tests = by_row(&tagged);
    for row in &list.rows {
        let without = if list.open.contains(&row.id) { "not there yet" } else { "-" };
        let shown = tests.get(row.id.as_str()).map_or_else(|| without.to_owned(), |tests| tests.join(", "));
        print(format_args!("{:<6} {:<88} {shown}", row.id, row.text))?;
    }
    let complaints = complaints(which.rows, &list, &tagged);
    for complaint in &complaints {
        print(complaint)?;
    }
    let shown = list.rows.iter().filter(|row| tests.contains_key(row.id.as_str())).count();
    let (rows, open) = (list.rows.len(), list.open.len());
    print(format_args!("{rows} rows, {shown} with a test, {open} not there yet; shown by {} tests", tagged.len()))?;
    Ok(complaints.is_empty() && open == 0)
}

/// Rows without a test, tags without a row.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for which in [COMMAND, PROXY] {
        let (list, tagged) = read(which)?;
        found.extend(complaints(which.rows, &list, &tagged));
    }
    Ok(found)
}

fn read(which: List) -> Result<(Checklist, Vec<Tagged>)> {
    let text = |path: &Path| fs::read_to_string(path).context(|| format!("reading {}", path.display()));
    let list = checklist(&text(&workspace().join(which.rows))?, which.chapter);
    let mut tagged = Vec::new();
    for folder in which.tests {
        let folder = workspace().join(folder);
        for path in sources(&folder)? {
            tagged.extend(tags(&module(&folder, &path), &text(&path)?, which.chapter));
        }
    }
    Ok((list, tagged))
}

/// Rows are lines that begin with a letter, a dot and a number; others are headings and comments.
fn checklist(text: &str, chapter: &str) -> Checklist {
    let row = |line: &str| {
        let (id, text) = line.split_once(' ')?;
        let (letter, number) = id.split_once('.')?;
        let is_row = letter.len() == 1 && number.parse::<u32>().is_ok();
        is_row.then(|| Row { id: id.to_owned(), text: text.to_owned() })
    };
    let open = text.lines().filter_map(|line| line.strip_prefix(OPEN)).flat_map(|tail| ids(tail, chapter)).collect();
    Checklist { rows: text.lines().filter_map(row).collect(), open }
}

/// `server/target/gate` for a file of the library, `tests/server/deploys` for one of its tests, with `::` between.
fn module(folder: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    let inside: PathBuf = inside.strip_prefix("src").map_or_else(|_| inside.clone(), Path::to_owned);
    inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("::")
}

/// The tests of a file that name rows in the comment above them.
fn tags(module: &str, text: &str, chapter: &str) -> Vec<Tagged> {
    let mut found = Vec::new();
    let (mut rows, mut is_test) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("//") {
            rows.extend(named(line, chapter));
        } else if line.starts_with("#[") {
            is_test |= line.contains("test]") || line.contains("test(");
        } else {
            let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            let name = function.and_then(|rest| rest.split('(').next());
            if let Some(name) = name.filter(|_| is_test && !rows.is_empty()) {
                found.push(Tagged { test: format!("{module}::{name}"), rows: std::mem::take(&mut rows) });
            }
            rows.clear();
            is_test = false;
        }
    }
    found
}

/// The rows a comment names.
fn named(comment: &str, chapter: &str) -> Vec<String> {
    comment.split_once(MARK).map(|(_, tail)| ids(tail, chapter)).unwrap_or_default()
}

/// The rows a text names: `11.A.1`, and `11.A.2-4` for three of them.
fn ids(text: &str, chapter: &str) -> Vec<String> {
    let mut rows = Vec::new();
    for word in text.split([',', ' ', ':', ';', ')']).filter_map(|word| word.strip_prefix(chapter)) {
        let Some((letter, numbers)) = word.trim_end_matches('.').split_once('.') else { continue };
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) => rows.extend((first..=last).map(|number| format!("{letter}.{number}"))),
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}

fn by_row(tagged: &[Tagged]) -> BTreeMap<&str, Vec<&str>> {
    let mut tests: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (row, test) in tagged.iter().flat_map(|tagged| tagged.rows.iter().map(|row| (row, &tagged.test))) {
        tests.entry(row).or_default().push(test);
    }
    tests
}

fn complaints(rows: &str, list: &Checklist, tagged: &[Tagged]) -> Vec<String> {
    let tests = by_row(tagged);
    let (mut complaints, open) = (Vec::new(), |row: &&Row| list.open.contains(&row.id));
    let unshown = list.rows.iter().filter(|row| !tests.contains_key(row.id.as_str()) && !open(row));
    complaints.extend(unshown.map(|row| format!("{rows}: no test shows {} ({})", row.id, row.text)));
    let unknown = tests.iter().filter(|(id, _)| !list.rows.iter().any(|row| row.id == **id));
    complaints.extend(unknown.map(|(id, tests)| format!("{rows}: no row {id}, named by {}", tests.join(", "))));
    let there = list.open.iter().filter(|id| tests.contains_key(id.as_str()));
    complaints.extend(there.map(|id| format!("{rows}: {id} is there by now, tests show it")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# Why.\n\nA Heading\nA.1 one\nA.2 two\nA.3 three\n";

    #[test]
    fn tags_belong_to_the_test_below_them() {
        let text = "//! spec 11.A.9\n\n/// Not a test (spec 11.A.1).\nfn helper() {}\n\n    // spec 11.A.1, 11.A.2-3: why.\n    \
                    #[tokio::test]\n    async fn shows() {}\n\n    #[test]\n    fn untagged() {}\n";
        let rows = ["A.1", "A.2", "A.3"].map(str::to_owned).to_vec();
        assert_eq!(tags("file", text, "11."), [Tagged { test: "file::shows".into(), rows }]);
    }

    #[test]
    fn a_list_hears_its_own_chapter_alone() {
        assert_eq!(ids("1.A.2, 11.B.3 and 1.C.4-5 (1.3).", "1."), ["A.2", "C.4", "C.5"]);
        assert_eq!(ids("1.A.2, 11.B.3", "11."), ["B.3"]);
    }

    #[test]
    fn gaps_and_strays_are_complaints() {
        let list = checklist(LIST, "11.");
        let tagged =
            |ids: &[&str]| vec![Tagged { test: "t".into(), rows: ids.iter().map(|id| (*id).to_owned()).collect() }];
        assert_eq!(complaints("list", &list, &tagged(&["A.1", "A.2", "A.3"])), Vec::<String>::new());
        let found = complaints("list", &list, &tagged(&["A.1", "A.2", "B.3"]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("no test shows A.3 (three)") && found[1].contains("no row B.3, named by t"));

        let list = checklist(&format!("{OPEN}11.A.2-3\n{LIST}"), "11.");
        assert_eq!(complaints("list", &list, &tagged(&["A.1"])), Vec::<String>::new());
        assert!(complaints("list", &list, &tagged(&["A.1", "A.2"]))[0].contains("A.2 is there by now"));
    }
}
