//! Proofs that somebody types. sshd asks for them through accounts and PAM of the machine, which a test must leave
//! alone; so the server is one of our own.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
};

use kamal_core::ports::{Ssh as _, TransportErrorKind as Kind};
use kamal_ssh::{Connector, Options, QuestionKind};
use russh::{
    MethodKind, MethodSet,
    server::{Auth, Config, Handler, Response, VerifiedPublicKey},
};
use tokio::net::TcpListener;

use crate::{scripted_attendant::ScriptedAttendant, server::keygen};

/// What the server asks for, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    /// A word and then a code.
    Keyboard,
    Password,
    /// Any key, and a code besides.
    KeyAndKeyboard,
}

#[derive(Clone)]
struct Gate {
    wants: Wants,
    has_key: bool,
    rounds: usize,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Gate {
    fn no(&self, partial_success: bool) -> Auth {
        let method = match self.wants {
            Wants::Password => MethodKind::Password,
            Wants::KeyAndKeyboard if !self.has_key => MethodKind::PublicKey,
            Wants::Keyboard | Wants::KeyAndKeyboard => MethodKind::KeyboardInteractive,
        };
        Auth::Reject { proceed_with_methods: Some(MethodSet::from(&[method][..])), partial_success }
    }
}

impl Handler for Gate {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        Ok(self.no(false))
    }

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.has_key = self.wants == Wants::KeyAndKeyboard;
        Ok(self.no(self.has_key))
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        self.seen.lock().unwrap().push(password.to_owned());
        Ok(if password == "right" { Auth::Accept } else { self.no(false) })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let answers: Vec<String> =
            response.into_iter().flatten().map(|answer| String::from_utf8(answer.to_vec()).unwrap()).collect();
        self.seen.lock().unwrap().extend(answers.iter().cloned());
        self.rounds += 1;
        let ask = |text: &'static str, echo| Auth::Partial {
            name: Cow::Borrowed("Vault"),
            instructions: Cow::Borrowed("\u{1b}[2Jspeak, friend"),
            prompts: Cow::Owned(vec![(Cow::Borrowed(text), echo)]),
        };
        Ok(match (self.rounds, answers.first().map(String::as_str)) {
            (1, _) => ask("Word: ", false),
            (2, Some("right")) => ask("Code: ", true),
            (3, Some("123")) => Auth::Accept,
            _ => {
                self.rounds = 0;
                self.no(false)
            }
        })
    }
}

/// Starts the server; its port and what was answered to it.
async fn gate(wants: Wants) -> (u16, Arc<Mutex<Vec<String>>>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("host_key");
    keygen(&["-t", "ed25519", "-f", &file.display().to_string()]);
    let key = russh::keys::load_secret_key(&file, None).unwrap();
    let config =
        Arc::new(Config { keys: vec![key], auth_rejection_time: std::time::Duration::ZERO, ..Config::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let gate = Gate { wants, has_key: false, rounds: 0, seen: seen.clone() };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (config, gate) = (config.clone(), gate.clone());
            tokio::spawn(async move {
                if let Ok(session) = russh::server::run_stream(config, stream, gate).await {
                    let _ = session.await;
                }
            });
        }
    });
    (port, seen)
}

async fn login(port: u16, person: Option<Arc<ScriptedAttendant>>, keys: &[&std::path::Path]) -> Result<(), Kind> {
    let home = tempfile::tempdir().unwrap();
    let mut options = Options::new(home.path());
    options.accept_new = true;
    options.keys = keys.iter().map(|key| key.to_path_buf()).collect();
    if let Some(person) = person {
        options.attendant = Some(person);
    }
    let host = format!("me@127.0.0.1:{port}").parse().unwrap();
    Connector::new(options).connect(&host).await.map(drop).map_err(|error| error.kind)
}

#[tokio::test]
async fn a_server_that_asks_questions_is_answered() {
    let (port, seen) = gate(Wants::Keyboard).await;
    let person = ScriptedAttendant::saying(&["wrong", "right", "123"]);
    login(port, Some(person.clone()), &[]).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["wrong", "right", "123"]);
    assert_eq!(person.kinds(), [QuestionKind::Hidden, QuestionKind::Hidden, QuestionKind::Shown]);
    let first = person.asked.lock().unwrap()[0].text.clone();
    assert!(first.contains("speak, friend") && first.ends_with("(me@127.0.0.1) Word: "), "{first:?}");
    assert!(!first.contains('\u{1b}'), "a server moves no cursor: {first:?}");
}

#[tokio::test]
async fn a_password_is_asked_for_three_times() {
    let (port, seen) = gate(Wants::Password).await;
    login(port, Some(ScriptedAttendant::saying(&["one", "two", "right"])), &[]).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["one", "two", "right"]);
    let error = login(port, Some(ScriptedAttendant::saying(&["1", "2", "3", "right"])), &[]).await.unwrap_err();
    assert!(matches!(error, Kind::Authentication(_)), "{error:?}");
}

#[tokio::test]
async fn a_key_and_a_code_besides() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("id");
    keygen(&["-t", "ed25519", "-f", &key.display().to_string()]);
    let (port, _) = gate(Wants::KeyAndKeyboard).await;
    login(port, Some(ScriptedAttendant::saying(&["right", "123"])), &[&key]).await.unwrap();
    let error = login(port, Some(ScriptedAttendant::saying(&[])), &[&key]).await.unwrap_err().to_string();
    assert!(error.contains("asks for a further one"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_no_reason_to_wait() {
    for wants in [Wants::Keyboard, Wants::Password] {
        let (port, seen) = gate(wants).await;
        for person in [None, Some(ScriptedAttendant::saying(&[]))] {
            let error = login(port, person, &[]).await.unwrap_err();
            assert!(matches!(error, Kind::Authentication(_)), "{error:?}");
        }
        assert!(seen.lock().unwrap().is_empty());
    }
}
