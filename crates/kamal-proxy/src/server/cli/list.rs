//! The table `list` prints (spec 1.8): always coloured, padded outside the colours.

use std::collections::BTreeMap;

use crate::server::control::protocol::ServiceDescription;

const HEADINGS: [&str; 6] = ["Service", "Host", "Path", "Target", "State", "TLS"];
const HEADING: &str = "\x1b[3;94m";
const FIRST: &str = "\x1b[1;34m";
const PLAIN: &str = "\x1b[m";
const RESET: &str = "\x1b[0m";

/// The table, one line per service in order of name.
pub(crate) fn table(services: &BTreeMap<String, ServiceDescription>) -> String {
    let rows: Vec<[&str; 6]> = services
        .iter()
        .map(|(name, service)| {
            let tls = if service.tls { "yes" } else { "no" };
            [name.as_str(), &service.host, &service.path, &service.target, &service.state, tls]
        })
        .collect();
    let mut widths = HEADINGS.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut text = line(&HEADINGS, &widths, |_| HEADING);
    for row in &rows {
        text.push_str(&line(row, &widths, |column| if column == 0 { FIRST } else { PLAIN }));
    }
    text
}

fn line(cells: &[&str; 6], widths: &[usize; 6], colour: impl Fn(usize) -> &'static str) -> String {
    let mut text = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width - cell.len() + 2);
        text.extend([colour(column), cell, RESET, &padding]);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec 11.O.221
    #[test]
    fn the_table_to_the_byte() {
        let service = ServiceDescription {
            host: "*".into(),
            path: "/".into(),
            tls: false,
            target: "127.0.0.1:3001".into(),
            state: "running".into(),
        };
        let text = table(&[("svc1".to_owned(), service)].into());
        assert_eq!(
            text,
            "\x1b[3;94mService\x1b[0m  \x1b[3;94mHost\x1b[0m  \x1b[3;94mPath\x1b[0m  \x1b[3;94mTarget\x1b[0m          \
             \x1b[3;94mState\x1b[0m    \x1b[3;94mTLS\x1b[0m  \n\
             \x1b[1;34msvc1\x1b[0m     \x1b[m*\x1b[0m     \x1b[m/\x1b[0m     \x1b[m127.0.0.1:3001\x1b[0m  \
             \x1b[mrunning\x1b[0m  \x1b[mno\x1b[0m   \n"
        );
    }
}
