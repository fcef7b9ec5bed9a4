//! What comments cite as `spec 9.6` stands in `docs/spec`: a section that is not there is a complaint.
//!
//! Comments of kamal-proxy cite `docs/spec/kamal-proxy.md`, all others `docs/spec/kamal.md`. A chapter with a letter, as in
//! `spec 11.A.3`, is a row of a checklist, which `parity` looks after.

use std::collections::BTreeSet;
use std::fs;

use crate::error::{Context, Result};
use crate::tidy::sources;
use crate::workspace;

/// The crate whose comments cite the specification of the proxy.
const OF_PROXY: &str = "crates/kamal-proxy/";

/// Sections that are cited and do not exist, one line each.
pub(crate) fn check() -> Result<Vec<String>> {
    let (kamal, proxy) = (sections_of("kamal")?, sections_of("kamal-proxy")?);
    let mut complaints = Vec::new();
    for path in sources(workspace())? {
        let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(workspace()).unwrap_or(&path).display().to_string();
        let (sections, specification) =
            if name.starts_with(OF_PROXY) { (&proxy, "kamal-proxy") } else { (&kamal, "kamal") };
        for (line, section) in missing(&text, sections) {
            complaints.push(format!("{name}: line {line}: docs/spec/{specification}.md has no section {section}"));
        }
    }
    Ok(complaints)
}

fn sections_of(specification: &str) -> Result<BTreeSet<String>> {
    let path = workspace().join(format!("docs/spec/{specification}.md"));
    let text = fs::read_to_string(&path).context(|| format!("reading {}", path.display()))?;
    Ok(sections(&text))
}

/// The numbers of a document's headings: `## 2.4 Cross-checks` is `2.4`.
fn sections(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let numbers = headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
    numbers.map(|number| number.trim_end_matches('.').to_owned()).filter(|number| is_number(number)).collect()
}

/// Each cited section that is not among those, with its line. `12.4.8` is the eighth point of `12.4`.
fn missing(text: &str, sections: &BTreeSet<String>) -> Vec<(usize, String)> {
    let comments = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("//"));
    let cited = comments.flat_map(|(index, line)| cited(line).into_iter().map(move |section| (index + 1, section)));
    let exists = |section: &str| {
        let mut parts = section.splitn(3, '.');
        let whole: Vec<&str> = parts.by_ref().take(2).collect();
        sections.contains(section) || sections.contains(&whole.join("."))
    };
    cited.filter(|(_, section)| !exists(section)).collect()
}

/// The sections a line cites: `spec 2.2 to 2.6, 13.8` cites three.
fn cited(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (start, mark) in line.match_indices("spec ") {
        let before = line[..start].chars().next_back();
        if before.is_some_and(char::is_alphanumeric) {
            continue;
        }
        let rest = &line[start + mark.len()..];
        let list = rest.split([')', ';']).next().unwrap_or(rest);
        for word in list.split([' ', ',']).filter(|word| !word.is_empty()) {
            match word.trim_end_matches(['.', ':', ']']) {
                "to" | "and" => {}
                number if is_number(number) => found.push(number.to_owned()),
                _ => break,
            }
        }
    }
    found
}

fn is_number(word: &str) -> bool {
    word.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_that_is_not_there_is_found_with_its_line() {
        let sections =
            sections("# 2. Configuration\n## 2.1 Loading\n### 2.2.1 deep\n## Top level (`kamal`)\n## 12.4 Facts\n");
        let text = "//! Loads it (spec 2.1).\n/// As told (spec 2, 2.1 to 2.9).\nlet spec = 7; // spec 9\n// spec 12.4.8, spec 11.A.3\n";
        assert_eq!(missing(text, &sections), [(2, "2.9".to_owned())]);
    }

    #[test]
    fn what_a_line_cites() {
        assert_eq!(cited("/// (spec 13.8, 2.2 to 2.12), 3 of them; spec 4."), ["13.8", "2.2", "2.12", "4"]);
        assert_eq!(cited("/// of the inspec 3 and RunSpec 4, spec 1.A.2"), [""; 0]);
    }
}
