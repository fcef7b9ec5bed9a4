//! What somebody at the terminal answers: keyboard-interactive (one-time passwords, PAM) and passwords, in OpenSSH's
//! order.

use kamal_core::secret::Secret;
use russh::{MethodKind, client::KeyboardInteractiveAuthResponse as Reply};

use super::{Attempt, Over};
use crate::{attendant::QuestionKind, connector::Dialer, target::Target, trace::Stage};

/// How often a password is asked for, as in OpenSSH.
const MOST_PASSWORDS: usize = 3;

/// How many rounds of questions a server may put.
const MOST_ROUNDS: usize = 20;

/// Tries what needs somebody, if the server takes it and there is somebody.
pub(super) async fn answer(attempt: &mut Attempt<'_>, dialer: &Dialer, target: &Target) -> Result<(), Over> {
    if !dialer.desk.attended() {
        return Ok(());
    }
    let who = format!("{}@{}", target.user, target.host);
    for _ in 0..MOST_PASSWORDS {
        if !(target.keyboard && takes(attempt, MethodKind::KeyboardInteractive)) {
            break;
        }
        if !keyboard(attempt, dialer, &who).await? {
            break;
        }
    }
    for _ in 0..MOST_PASSWORDS {
        if !(target.password && takes(attempt, MethodKind::Password)) {
            break;
        }
        let Some(password) = dialer.desk.ask(QuestionKind::Hidden, format!("{who}'s password: ")).await else { break };
        let answer = attempt.handle.authenticate_password(attempt.user, password.expose()).await;
        judged(attempt, "password", answer)?;
    }
    Ok(())
}

fn takes(attempt: &Attempt<'_>, method: MethodKind) -> bool {
    attempt.allowed.as_ref().is_some_and(|allowed| allowed.contains(&method))
}

/// One conversation; true when it is worth another.
async fn keyboard(attempt: &mut Attempt<'_>, dialer: &Dialer, who: &str) -> Result<bool, Over> {
    let mut asked = false;
    let mut reply = attempt.handle.authenticate_keyboard_interactive_start(attempt.user, None).await;
    for _ in 0..MOST_ROUNDS {
        let (name, instructions, prompts) = match reply {
            Ok(Reply::InfoRequest { name, instructions, prompts }) => (name, instructions, prompts),
            Ok(Reply::Success) => {
                return judged(attempt, "keyboard-interactive", Ok(russh::client::AuthResult::Success)).map(|()| false);
            }
            Ok(Reply::Failure { remaining_methods, partial_success }) => {
                let answer = russh::client::AuthResult::Failure { remaining_methods, partial_success };
                judged(attempt, "keyboard-interactive", Ok(answer))?;
                return Ok(asked && !partial_success);
            }
            Err(error) => return judged(attempt, "keyboard-interactive", Err(error)).map(|()| false),
        };
        let mut introduction = [name, instructions].into_iter().filter(|text| !text.is_empty());
        let mut answers: Vec<Secret> = Vec::new();
        for prompt in prompts {
            asked = true;
            let kind = if prompt.echo { QuestionKind::Shown } else { QuestionKind::Hidden };
            // Once, before the first question. What the server writes must not move the cursor.
            let before: Vec<String> = introduction.by_ref().map(|text| printable(&text)).collect();
            let text = format!(
                "{}({who}) {}",
                before.iter().map(|text| format!("{text}\n")).collect::<String>(),
                printable(&prompt.prompt)
            );
            let Some(answer) = dialer.desk.ask(kind, text).await else { return Ok(false) };
            answers.push(answer);
        }
        let answers = answers.iter().map(|answer| answer.expose().to_owned()).collect();
        reply = attempt.handle.authenticate_keyboard_interactive_respond(answers).await;
    }
    Ok(false)
}

fn judged(
    attempt: &mut Attempt<'_>,
    method: &str,
    answer: Result<russh::client::AuthResult, russh::Error>,
) -> Result<(), Over> {
    let name = format!("{method}, as typed");
    if let Ok(russh::client::AuthResult::Success) = answer {
        attempt.trace.note(Stage::Login, || format!("{name}: accepted"));
        return Err(Over::Accepted);
    }
    match attempt.judge(answer, Some(name)) {
        // That the server takes no keys has been known before.
        Err(Over::Refused) | Ok(()) => Ok(()),
        // Nobody wants to type the same again.
        Err(Over::Full) => Err(Over::Refused),
        Err(over) => Err(over),
    }
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || *c == '\n').collect()
}
