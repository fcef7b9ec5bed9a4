//! What is to be seen of a container that did not come up: one script that asks the host, and how its answers are read.
//! Neither proxy's image has a shell, so the host makes the request the proxy made; it reaches containers by their address.

use jiff::Timestamp;
use kamal_core::{
    diagnosis::{Answer, Evidence, HealthCommand, Listener, Probe, Response},
    naming,
    query::Stop,
    shell::escape::word,
    state::ContainerState,
};
use serde::Deserialize;

use crate::{clues, render::stop_timeout, sections};

const SCRIPT: &str = include_str!("post_mortem.sh");

/// What docker writes where a container never ended.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Programs that make the request, and the statuses they end with where there was no connection, and where time was up.
const ASKERS: [(&str, i32, i32); 3] = [("curl", 7, 28), ("bash", 7, 124), ("nc", 1, 124)];

/// The script. It stops the container in the end, if it is to be stopped.
pub(crate) fn text(container: &str, probe: Option<&Probe>, stop: Option<Stop>) -> String {
    let name = word(container);
    let (port, path, timeout) =
        probe.map_or((String::new(), "/", 0), |probe| (probe.port.to_string(), probe.path.as_str(), probe.timeout));
    let script = SCRIPT.replace("@network@", naming::NETWORK);
    let stop =
        stop.map(|Stop { timeout }| format!("docker stop{} {name} >/dev/null 2>&1 || true\n", stop_timeout(timeout)));
    format!("c={name} port={port} path={} timeout={timeout}\n{script}{}", word(path), stop.unwrap_or_default())
}

/// Docker's `.State`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    status: String,
    exit_code: i32,
    #[serde(rename = "OOMKilled")]
    out_of_memory: bool,
    error: String,
    started_at: String,
    finished_at: String,
    #[serde(default)]
    health: Option<Health>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Health {
    status: String,
    #[serde(default)]
    log: Option<Vec<HealthRun>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HealthRun {
    exit_code: i32,
    output: String,
}

/// Reads what the script printed.
pub(crate) fn read(printed: &str) -> Evidence {
    let of =
        |name: &'static str| sections::of(printed).filter(move |(section, _)| *section == name).map(|(_, line)| line);
    let number = |name| of(name).find_map(|line| line.trim().parse::<u64>().ok());
    let mut evidence = Evidence {
        restarts: number("restarts").unwrap_or_default(),
        disk_free: of("disk").find_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok()).map(kilobytes),
        memory_free: number("memory").map(kilobytes),
        listeners: listeners(of("listening")),
        answer: answer(&of("answer").map(plain).collect::<Vec<_>>(), of("asked").next()),
        ..Evidence::default()
    };
    let now = number("now").and_then(|seconds| i64::try_from(seconds).ok());
    let since = |time: Timestamp| now.and_then(|now| u64::try_from(now - time.as_second()).ok());
    let mut last = None;
    for line in of("log").map(plain) {
        let (time, text) = timed(line);
        last = time.or(last);
        evidence.log.push(text.to_owned());
    }
    evidence.silent = last.and_then(since);
    if let Some(state) = of("state").find_map(|line| serde_json::from_str::<State>(line).ok()) {
        let networks: Option<serde_json::Value> = of("state").nth(1).and_then(|line| serde_json::from_str(line).ok());
        // One on the host's network is not on the proxy's either, but reached all the same.
        let on_network =
            |networks: &serde_json::Value| networks.get(naming::NETWORK).or(networks.get("host")).is_some();
        evidence.on_network = networks.as_ref().filter(|networks| networks.is_object()).map(on_network);
        evidence.ran = ran(&state, now);
        evidence.state = ContainerState::parse(&state.status);
        (evidence.exit_code, evidence.out_of_memory) = (state.exit_code, state.out_of_memory);
        evidence.health = state.health.and_then(|health| {
            let last = health.log.unwrap_or_default().pop()?;
            Some(HealthCommand { status: health.status, exit_code: last.exit_code, output: last.output })
        });
        evidence.error = state.error;
    }
    let body = if let Answer::Response(response) = &evidence.answer { response.body.as_str() } else { "" };
    let said = body.lines().chain(evidence.log.iter().map(String::as_str)).chain(evidence.error.lines());
    evidence.clues = clues::of(said.collect::<Vec<_>>().into_iter());
    evidence
}

/// For how many seconds a container has run, or had run.
fn ran(state: &State, now: Option<i64>) -> Option<u64> {
    let time = |text: &str| text.parse::<Timestamp>().ok().filter(|_| text != NEVER).map(Timestamp::as_second);
    let began = time(&state.started_at)?;
    let ended = if state.status == "running" { now } else { time(&state.finished_at).or(now) };
    u64::try_from(ended? - began).ok()
}

/// A line without the blank that keeps it apart from the script's own.
fn plain(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

fn kilobytes(number: u64) -> u64 {
    number.saturating_mul(1024)
}

/// A line of a log and the time docker put in front of it.
fn timed(line: &str) -> (Option<Timestamp>, &str) {
    let parted = line.split_once(' ').unwrap_or((line, ""));
    parted.0.parse().map_or((None, line), |time| (Some(time), parted.1))
}

/// Sockets that listen, as the kernel lists them: an address in hexadecimal digits, a port.
pub(crate) fn listeners<'l>(lines: impl Iterator<Item = &'l str>) -> Option<Vec<Listener>> {
    let (mut seen, mut all) = (false, Vec::new());
    for line in lines {
        seen |= line == "seen";
        let Some((address, port)) = line.split_once(':') else { continue };
        let Ok(port) = u16::from_str_radix(port, 16) else { continue };
        all.push(Listener { port, loopback: is_loopback(address) });
    }
    // On the loopback and elsewhere is not the loopback alone.
    all.sort_unstable();
    all.dedup_by_key(|listener| listener.port);
    seen.then_some(all)
}

/// Whether an address is one of the loopback's: 127.0.0.0/8 with its bytes reversed, ::1, or the former in the latter's
/// clothes.
fn is_loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        _ => {
            address == "00000000000000000000000001000000"
                || address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F")
        }
    }
}

/// What came back, and what it was asked with.
fn answer(lines: &[&str], asked: Option<&str>) -> Answer {
    let asked = asked.and_then(|line| line.split_once(' '));
    let Some((program, status)) = asked.and_then(|(program, status)| Some((program, status.parse::<i32>().ok()?)))
    else {
        return Answer::NotAsked;
    };
    if let Some(response) = response(lines) {
        return Answer::Response(response);
    }
    let known = ASKERS.iter().find(|(name, ..)| *name == program);
    match known {
        Some((_, refused, _)) if status == *refused => Answer::Refused,
        Some((_, _, late)) if status == *late => Answer::Silent,
        _ => Answer::NotHttp,
    }
}

fn response(lines: &[&str]) -> Option<Response> {
    let mut lines = lines.iter().map(|line| line.trim_end_matches('\r'));
    let status = lines.next()?.strip_prefix("HTTP/")?.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response { status, ..Response::default() };
    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        response.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    response.body = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
    Some(response)
}

#[cfg(test)]
mod tests {
    use kamal_core::diagnosis::ClueKind;

    use super::*;

    const PRINTED: &str = "== listening\nseen\n0100007F:0BB8\nseen\n00000000000000000000000000000000:0050\n\
        00000000000000000000000001000000:0050\n0000000000000000FFFF00000100007F:1F90\n== answer\n HTTP/1.1 403 Forbidden\r\n \
        Content-Type: text/html\r\n \r\n <p>\n == state\n Blocked hosts: 1a2b:80\n\n== asked\ncurl 0\n== now\n1767225660\n== state\n\
        {\"Status\":\"running\",\"Running\":true,\"Pid\":7,\"ExitCode\":0,\"OOMKilled\":false,\"Error\":\"\",\
        \"StartedAt\":\"2026-01-01T00:00:10.5Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\",\
        \"Health\":{\"Status\":\"unhealthy\",\"Log\":[{\"ExitCode\":0,\"Output\":\"\"},{\"ExitCode\":7,\"Output\":\"curl: no\"}]}}\n\
        {\"kamal\":{\"IPAddress\":\"172.18.0.3\"}}\n== restarts\n2\n== disk\n/dev/vda1 10255636 3333333 512000 36% /\n\
        == memory\n2048\n== log\n 2026-01-01T00:00:55.1Z listening\n 2026-01-01T00:00:57Z connect ECONNREFUSED\n";

    #[test]
    fn reads_a_whole_answer() {
        let found = read(PRINTED);
        assert_eq!(found.state, Some(ContainerState::Running));
        assert_eq!((found.restarts, found.ran, found.silent), (2, Some(50), Some(3)));
        assert_eq!((found.disk_free, found.memory_free), (Some(512_000 * 1024), Some(2048 * 1024)));
        let listeners: Vec<_> = found.listeners.unwrap().iter().map(|one| (one.port, one.loopback)).collect();
        assert_eq!(listeners, [(80, false), (3000, true), (8080, true)]);
        let Answer::Response(response) = &found.answer else { panic!("{:?}", found.answer) };
        assert_eq!((response.status, response.header("content-type")), (403, Some("text/html")));
        assert_eq!(response.body, "<p>\n== state\nBlocked hosts: 1a2b:80");
        assert_eq!(found.on_network, Some(true));
        assert_eq!(found.health.unwrap().output, "curl: no");
        assert_eq!(found.log, ["listening", "connect ECONNREFUSED"]);
        let kinds: Vec<ClueKind> = found.clues.iter().map(|clue| clue.kind).collect();
        assert_eq!(kinds, [ClueKind::Network, ClueKind::Host]);
    }

    #[test]
    fn what_came_of_the_request_is_told_apart() {
        for (asked, found) in [
            ("curl 7", Answer::Refused),
            ("curl 28", Answer::Silent),
            ("curl 52", Answer::NotHttp),
            ("bash 7", Answer::Refused),
            ("bash 124", Answer::Silent),
            ("bash 0", Answer::NotHttp),
            ("nc 1", Answer::Refused),
            ("", Answer::NotAsked),
        ] {
            assert_eq!(answer(&[], Some(asked)), found, "{asked}");
        }
        let refused = PRINTED.replace("{\"kamal\":", "{\"bridge\":").replace("\nseen\n", "\n");
        assert_eq!(read(&refused).on_network, Some(false));
        assert_eq!(read("").state, None);
        assert_eq!(read("== listening\n\n").listeners, None, "nobody could look");
    }
}
