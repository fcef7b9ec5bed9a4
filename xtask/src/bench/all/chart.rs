//! Bars as SVG: of each figure that has others beside it, ours first, each as long as its share of the longest.

use std::fmt::Write as _;

use super::super::figures::{Chapter, short};
use crate::figure::Figure;

const WIDTH: f64 = 720.0;
const NAMES: f64 = 230.0;
const NUMBERS: f64 = 150.0;
const BAR: f64 = 16.0;
const GAP: f64 = 5.0;
const HEAD: f64 = 24.0;

/// A chart of a chapter; `None` where nothing is compared.
pub(super) fn of(chapter: &Chapter) -> Option<String> {
    let compared: Vec<&Figure> = chapter.figures.iter().filter(|figure| !figure.beside.is_empty()).collect();
    if compared.is_empty() {
        return None;
    }
    let height: f64 = compared.iter().map(|figure| HEAD + (BAR + GAP) * (figure.beside.len() + 1) as f64 + GAP).sum();
    // Colours that can be read on white and on black, as the book has pages of both kinds.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#888\">\n"
    );
    let mut y = 0.0;
    for figure in compared {
        let longest = figure.beside.iter().map(|(_, other)| *other).fold(figure.ours, f64::max);
        // Writing to a string does not fail.
        let _ = writeln!(svg, "<text x=\"0\" y=\"{}\" font-weight=\"bold\">{}</text>", y + 16.0, escaped(&figure.what));
        y += HEAD;
        let own = [("kamal", figure.ours)].into_iter();
        for (name, number) in own.chain(figure.beside.iter().map(|(name, other)| (name.as_str(), *other))) {
            let length = if longest > 0.0 { (WIDTH - NAMES - NUMBERS) * number / longest } else { 0.0 };
            let colour = if name == "kamal" { "#2f81f7" } else { "#999" };
            let (base, end) = (y + 12.5, NAMES + length + 6.0);
            let _ =
                writeln!(svg, "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>", NAMES - 8.0, escaped(name));
            let _ = writeln!(
                svg,
                "<rect x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>"
            );
            let _ =
                writeln!(svg, "<text x=\"{end:.1}\" y=\"{base}\">{} {}</text>", short(number), escaped(&figure.unit));
            y += BAR + GAP;
        }
        y += GAP;
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        let alone = Figure::new("alone", "s", 1.0);
        let mut chapter = Chapter { title: "x".to_owned(), figures: vec![alone] };
        assert_eq!(of(&chapter), None);
        chapter.figures.push(Figure::new("a < b", "s", 1.0).beside("other", 2.0));
        let svg = of(&chapter).unwrap();
        assert!(svg.contains("a &lt; b") && !svg.contains("alone"), "{svg}");
        assert!(
            svg.contains("width=\"170.0\" height=\"16\" fill=\"#2f81f7\"") && svg.contains("width=\"340.0\""),
            "{svg}"
        );
    }
}
