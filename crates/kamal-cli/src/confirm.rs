//! Asking before something that cannot be taken back (spec 1.4).

use std::io::{self, BufRead, Write};

use crate::output;

/// Asks until the answer is `y` or `N`. Nothing, and the end of the input, mean `N`; then it says so. `aside` keeps
/// standard output for data.
pub(crate) fn confirm(question: &str, aside: bool) -> bool {
    let mut input = io::stdin().lock();
    let agreed = if aside {
        ask(question, &mut input, &mut io::stderr().lock())
    } else {
        ask(question, &mut input, &mut io::stdout().lock())
    };
    if !agreed {
        let red = anstyle::Style::new().fg_color(Some(anstyle::AnsiColor::Red.into()));
        let text = format!("{}Aborted{}", red.render(), red.render_reset());
        if aside { output::complain(&text) } else { output::line(&text) }
    }
    agreed
}

/// A question nobody can read, and an answer nobody can give, are no consent.
fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> bool {
    loop {
        let mut line = String::new();
        let asked = write!(output, "{question} [y, N] (N) ").and_then(|()| output.flush());
        if asked.is_err() || input.read_line(&mut line).unwrap_or(0) == 0 {
            return false;
        }
        match line.trim() {
            "y" => return true,
            "" | "N" => return false,
            _ if writeln!(output, "Your response must be one of: [y, N]. Please try again.").is_err() => return false,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_y_is_consent() {
        for (input, agreed, asked) in
            [("y\n", true, 1), ("\n", false, 1), ("N\n", false, 1), ("", false, 1), ("Y\nyes\ny\n", true, 3)]
        {
            let mut output = Vec::new();
            assert_eq!(ask("Sure?", &mut input.as_bytes(), &mut output), agreed, "{input:?}");
            let output = String::from_utf8(output).unwrap();
            assert_eq!(output.matches("Sure? [y, N] (N) ").count(), asked, "{output}");
        }
    }
}
