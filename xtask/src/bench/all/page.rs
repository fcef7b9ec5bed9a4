//! The book's chapter of figures, with a chart where others stand beside ours, and the table it is made of.

use std::{fmt::Write as _, fs};

use super::{
    super::figures::{Chapter, short},
    chart,
};
use crate::{
    error::{Context, Result},
    figure::{Bound, Figure},
    workspace,
};

const PAGE: &str = "docs/book/src/performance.md";
const TABLE: &str = "docs/performance.tsv";
const CHARTS: &str = "docs/book/src/performance";

/// Writes page, table and charts; returns where the page is.
pub(super) fn write(chapters: &[Chapter], machine: &str) -> Result<&'static str> {
    let put = |path: &str, text: &str| {
        let path = workspace().join(path);
        fs::write(&path, text).context(|| format!("writing {}", path.display()))
    };
    let charts = workspace().join(CHARTS);
    if charts.exists() {
        fs::remove_dir_all(&charts).context(|| format!("emptying {}", charts.display()))?;
    }
    fs::create_dir_all(&charts).context(|| format!("creating {}", charts.display()))?;
    for (number, chapter) in chapters.iter().enumerate() {
        if let Some(chart) = chart::of(chapter) {
            put(&format!("{CHARTS}/{}.svg", number + 1), &chart)?;
        }
    }
    put(TABLE, &table(chapters, machine))?;
    put(PAGE, &page(chapters, machine))?;
    Ok(PAGE)
}

fn table(chapters: &[Chapter], machine: &str) -> String {
    let mut text = format!("# {machine}\n# what\tunit\tours\tto reach\tothers\n");
    for chapter in chapters {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# {}", chapter.title);
        chapter.figures.iter().for_each(|figure| text.extend([&figure.line(), "\n"]));
    }
    text
}

fn page(chapters: &[Chapter], machine: &str) -> String {
    let mut text = format!(
        "# What it costs\n\n`cargo xtask bench all` measured this in one run, and writes this page; each figure stands beside what \
         did the same in the same run. On another machine all of them are others.\n\nMeasured on {machine}.\n"
    );
    for (number, chapter) in chapters.iter().enumerate() {
        let _ = write!(text, "\n## {}\n\n", chapter.title);
        if chart::of(chapter).is_some() {
            let _ = write!(text, "![{}](performance/{}.svg)\n\n", chapter.title, number + 1);
        }
        text.push_str("| what | ours | others | to reach |\n| --- | --- | --- | --- |\n");
        chapter.figures.iter().for_each(|figure| text.push_str(&row(figure)));
    }
    text
}

fn row(figure: &Figure) -> String {
    let others = figure.beside.iter().map(|(name, other)| format!("{name} {}", short(*other))).collect::<Vec<_>>();
    let bound = figure.bound.map_or_else(String::new, |bound| {
        let (word, number) = match bound {
            Bound::AtMost(most) => ("at most", most),
            Bound::AtLeast(least) => ("at least", least),
        };
        let verdict = if figure.reached() { "" } else { " (**missed**)" };
        format!("{word} {}{verdict}", short(number))
    });
    let ours = format!("{} {}", short(figure.ours), figure.unit);
    format!("| {} | {} | {} | {bound} |\n", figure.what, ours.trim_end(), others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chapter_is_a_table() {
        let figures = vec![
            Figure::new("requests", "requests/s", 61082.0).beside("nginx", 56369.0).at_least(56369.0),
            Figure::new("idle", "KiB", 2.5).at_most(2.0),
        ];
        let chapters = [Chapter { title: "The proxy".to_owned(), figures }];
        let page = page(&chapters, "2 × a machine");
        assert!(
            page.contains("Measured on 2 × a machine.\n\n## The proxy\n\n![The proxy](performance/1.svg)\n"),
            "{page}"
        );
        assert!(page.contains("| requests | 61082 requests/s | nginx 56369 | at least 56369 |\n"), "{page}");
        assert!(page.ends_with("| idle | 2.50 KiB |  | at most 2.00 (**missed**) |\n"), "{page}");
        let table = table(&chapters, "2 × a machine");
        let read: Vec<_> = table.lines().filter(|line| !line.starts_with('#')).map(Figure::read).collect();
        assert_eq!(read, chapters[0].figures.iter().cloned().map(Some).collect::<Vec<_>>());
    }
}
