//! Events as text: Kamal's narrative, a line per step, and whatever a failing step printed.

use anstyle::{AnsiColor, Style};
use kamal_core::event::{EventKind, Outcome, Tone};

use super::Level;

/// The text of an event at a level, if it has one. Colours are stripped later where there is no terminal.
pub(super) fn text(event: &EventKind, level: Level) -> Option<String> {
    match event {
        EventKind::Say { text, tone } => {
            let shown = level > Level::Quiet || *tone == Tone::Problem;
            shown.then(|| format!("{}{text}{}\n", style(*tone).render(), style(*tone).render_reset()))
        }
        EventKind::StepStarted { host, command, .. } if level == Level::Verbose => {
            Some(format!("{} {}\n", place(host.as_deref()), dim(&format!("$ {command}"))))
        }
        EventKind::StepFinished { host, step, outcome, took } if level > Level::Quiet => {
            let mark = match outcome {
                Outcome::Ok => String::new(),
                Outcome::Ignored => dim(" (failed, which is of no matter)"),
                Outcome::Failed(why) => format!(" {}", paint(Tone::Problem, &format!("failed: {why}"))),
            };
            let quick = took.as_millis() < 5 || *outcome == Outcome::Ignored;
            let took = if quick { String::new() } else { dim(&format!(" {:.2}s", took.as_secs_f64())) };
            Some(format!("{} {step}{mark}{took}\n", place(host.as_deref())))
        }
        // A local program's output is the build's: Kamal always shows it.
        EventKind::Output { host: None, line, .. } if level > Level::Quiet => Some(format!("{} {line}\n", place(None))),
        EventKind::Output { host, line, .. } if level == Level::Verbose => {
            Some(format!("{}   {}\n", place(host.as_deref()), dim(line)))
        }
        EventKind::Connected { host, took } if level == Level::Verbose => {
            Some(format!("{} connected in {:.3}s\n", place(Some(host)), took.as_secs_f64()))
        }
        EventKind::Uploading { host, file, sent, total } if level > Level::Quiet => {
            let text = format!("{file}: {:.1} of {:.1} MB", megabytes(*sent), megabytes(*total));
            Some(format!("{} {}\n", place(Some(host)), dim(&text)))
        }
        EventKind::Pulling { host, sent } if level > Level::Quiet => {
            let text = format!("pulls the image: {:.1} MB", megabytes(*sent));
            Some(format!("{} {}\n", place(Some(host)), dim(&text)))
        }
        EventKind::Finished { took, .. } if level > Level::Quiet => {
            Some(format!("  Finished all in {:.1} seconds\n", took.as_secs_f64()))
        }
        _ => None,
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A warning, in its colour.
pub(super) fn warning(text: &str) -> String {
    paint(Tone::Warning, text)
}

fn place(host: Option<&str>) -> String {
    let style = Style::new().fg_color(Some(AnsiColor::Blue.into()));
    format!("  {}{:<14}{}", style.render(), host.unwrap_or("local"), style.render_reset())
}

fn dim(text: &str) -> String {
    let style = Style::new().dimmed();
    format!("{}{text}{}", style.render(), style.render_reset())
}

pub(super) fn paint(tone: Tone, text: &str) -> String {
    format!("{}{text}{}", style(tone).render(), style(tone).render_reset())
}

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Progress => Style::new().fg_color(Some(AnsiColor::Magenta.into())),
        Tone::Info => Style::new(),
        Tone::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Tone::Problem => Style::new().fg_color(Some(AnsiColor::Red.into())),
    }
}
