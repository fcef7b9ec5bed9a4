//! `.dockerignore`: which files of a context docker leaves out, by docker's own rules.

/// The patterns of a file, the last that fits a path deciding.
#[derive(Debug, Default)]
pub(super) struct Ignored(Vec<Pattern>);

#[derive(Debug)]
struct Pattern {
    /// Begins with `!`: takes back what patterns before it left out.
    keeps: bool,
    text: Vec<char>,
}

impl Ignored {
    /// Reads a file.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().filter(|line| !line.starts_with('#'));
        let pattern = |line: &str| {
            let line = line.trim();
            let (keeps, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest.trim()));
            let text = cleaned(line);
            (!text.is_empty()).then(|| Pattern { keeps, text: text.chars().collect() })
        };
        Self(lines.filter_map(pattern).collect())
    }

    /// Whether a path, relative to the context, is left out. A folder's files are as the folder is.
    pub(super) fn leaves_out(&self, path: &str) -> bool {
        let path: Vec<char> = path.chars().collect();
        let ends = path.iter().enumerate().filter(|(_, c)| **c == '/').map(|(at, _)| at).chain([path.len()]);
        let ends: Vec<usize> = ends.collect();
        let fits = |pattern: &&Pattern| ends.iter().any(|end| fits(&pattern.text, &path[..*end]));
        self.0.iter().rfind(fits).is_some_and(|pattern| !pattern.keeps)
    }
}

/// A pattern without what means nothing in it: `./`, doubled slashes, those at its ends.
fn cleaned(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn fits(pattern: &[char], path: &[char]) -> bool {
    let first = |fits: &dyn Fn(char) -> bool| path.first().is_some_and(|c| *c != '/' && fits(*c));
    match pattern {
        [] => path.is_empty(),
        ['*', '*', rest @ ..] => {
            let rest = rest.strip_prefix(&['/']).unwrap_or(rest);
            let below = path.iter().enumerate().filter(|(_, c)| **c == '/').map(|(at, _)| at + 1);
            rest.is_empty() || [0].into_iter().chain(below).any(|at| fits(rest, &path[at..]))
        }
        ['*', rest @ ..] => {
            let within = path.iter().position(|c| *c == '/').unwrap_or(path.len());
            (0..=within).any(|at| fits(rest, &path[at..]))
        }
        ['?', rest @ ..] => first(&|_| true) && fits(rest, &path[1..]),
        ['\\', literal, rest @ ..] => path.first() == Some(literal) && fits(rest, &path[1..]),
        ['[', class @ ..] if closing(class).is_some() => {
            let (class, rest) = class.split_at(closing(class).unwrap_or_default());
            first(&|c| in_class(class, c)) && fits(&rest[1..], &path[1..])
        }
        [literal, rest @ ..] => path.first() == Some(literal) && fits(rest, &path[1..]),
    }
}

/// Where a class ends. A bracket that comes first, or after a backslash, is one of its characters.
fn closing(class: &[char]) -> Option<usize> {
    let mut at = usize::from(class.first() == Some(&'^'));
    let begin = at;
    loop {
        match class.get(at)? {
            ']' if at > begin => return Some(at),
            '\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn in_class(class: &[char], c: char) -> bool {
    let (negated, mut class) = class.strip_prefix(&['^']).map_or((false, class), |rest| (true, rest));
    let mut found = false;
    loop {
        let (range, rest) = match class {
            [] => break,
            ['\\', one, rest @ ..] => ((*one, *one), rest),
            [low, '-', high, rest @ ..] => ((*low, *high), rest),
            [one, rest @ ..] => ((*one, *one), rest),
        };
        found |= (range.0..=range.1).contains(&c);
        class = rest;
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_left_out_as_docker_does() {
        for (file, out, kept) in [
            ("", &[][..], &["a", "a/b"][..]),
            ("node_modules\n", &["node_modules", "node_modules/a/b"], &["a/node_modules", "node_modules2"]),
            ("**/node_modules", &["node_modules/x", "a/node_modules/x", "a/b/node_modules"], &["a/xnode_modules"]),
            ("*.log\r\n\n# *.txt\n", &["a.log"], &["d/a.log", "a.txt"]),
            ("**/*.log", &["a.log", "d/e/a.log"], &["a.logs"]),
            ("*/tmp*", &["a/tmp", "a/tmpx/b"], &["tmp", "a/b/tmp"]),
            ("tmp?", &["tmpa", "tmpa/b"], &["tmp", "tmp/a"]),
            ("*\n!src\n", &["a", "b/src"], &["src", "src/main.rs"]),
            ("src\n!src/a\nsrc/a/b", &["src/c", "src/a/b"], &["src/a", "src/a/c"]),
            ("  /./log//  \n", &["log/x"], &["a/log"]),
            ("[a-c]x\n[^d]y\n", &["bx", "ey"], &["dx", "dy", "[a-c]x"]),
            ("a\\*b", &["a*b"], &["axb"]),
            ("doc/**", &["doc/a", "doc/a/b"], &["docs/a"]),
            ("a[", &["a["], &["a"]),
            ("**", &["a", "a/b"], &[]),
        ] {
            let ignored = Ignored::parse(file);
            assert!(out.iter().all(|path| ignored.leaves_out(path)), "{file:?}: {out:?}");
            assert!(kept.iter().all(|path| !ignored.leaves_out(path)), "{file:?}: {kept:?}");
        }
    }
}
