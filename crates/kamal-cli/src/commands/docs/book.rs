//! The book, chapter by chapter, as it lies in `docs/book`. What is generated of tables is generated when it is asked for.

use kamal_core::{config::docs, diagnosis};

use super::commands;

/// Chapters people wrote.
const WRITTEN: [(&str, &str); 18] = [
    ("introduction", include_str!("../../book/introduction.md")),
    ("first-deploy", include_str!("../../book/first-deploy.md")),
    ("from-kamal", include_str!("../../book/from-kamal.md")),
    ("from-compose", include_str!("../../book/from-compose.md")),
    ("from-capistrano", include_str!("../../book/from-capistrano.md")),
    ("day-by-day", include_str!("../../book/day-by-day.md")),
    ("secrets", include_str!("../../book/secrets.md")),
    ("hosts", include_str!("../../book/hosts.md")),
    ("recipes", include_str!("../../book/recipes.md")),
    ("programs", include_str!("../../book/programs.md")),
    ("troubleshooting", include_str!("../../book/troubleshooting.md")),
    ("how-it-works", include_str!("../../book/how-it-works.md")),
    ("scale", include_str!("../../book/scale.md")),
    ("reliability", include_str!("../../book/reliability.md")),
    ("performance", include_str!("../../book/performance.md")),
    ("security", include_str!("../../book/security.md")),
    ("threats", include_str!("../../book/threats.md")),
    ("embedding", include_str!("../../book/embedding.md")),
];

/// A chapter's name, and what makes it.
type Made = (&'static str, fn() -> String);

/// Chapters made of tables.
const GENERATED: [Made; 3] = [("commands", commands::chapter), ("keys", docs::reference), ("causes", causes)];

/// The names of all chapters.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    WRITTEN.iter().map(|(name, _)| *name).chain(GENERATED.iter().map(|(name, _)| *name))
}

/// A chapter, in Markdown.
pub(super) fn chapter(name: &str) -> Option<String> {
    let written = WRITTEN.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
    written.or_else(|| GENERATED.iter().find(|(known, _)| *known == name).map(|(_, make)| make()))
}

/// Why containers do not become healthy, by the table the diagnosis goes by.
fn causes() -> String {
    format!(
        "# Why a container did not become healthy\n\nA deploy that fails says why, host by host: what was seen of the container, the \
         last lines of its log, and the one change that would help. What it comes to is the first of these causes whose signs are \
         there. Names in braces stand for what was seen.\n\n{}",
        diagnosis::table_as_markdown()
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn the_book_has_every_chapter_as_it_is_made() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/book/src");
        for (name, make) in GENERATED {
            let there = fs::read_to_string(folder.join(format!("{name}.md"))).unwrap_or_default();
            assert!(there == make(), "docs/book/src/{name}.md is not what its table says: run `cargo xtask book`");
        }
        let summary = fs::read_to_string(folder.join("SUMMARY.md")).unwrap();
        let files = fs::read_dir(&folder).unwrap().map(Result::unwrap).filter(|entry| !entry.path().is_dir());
        for entry in files {
            let file = entry.file_name().into_string().unwrap();
            let name = file.trim_end_matches(".md");
            assert!(file == "SUMMARY.md" || names().any(|known| known == name), "{file} is not shown by `kamal docs`");
            assert!(file == "SUMMARY.md" || summary.contains(&format!("({file})")), "{file} is not in SUMMARY.md");
        }
    }

    #[test]
    fn a_name_is_of_a_section_or_of_a_chapter() {
        assert!(names().all(|name| !docs::sections().contains(&name)));
        assert!(chapter("commands").unwrap().contains("\n### kamal app exec\n"));
        assert!(chapter("causes").unwrap().contains("`loopback_only`"));
    }
}
