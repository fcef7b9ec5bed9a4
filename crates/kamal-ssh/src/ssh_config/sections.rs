//! Which sections of a file hold for a host: `Host` patterns and the criteria of `Match`.

use super::{MatchSubject, Settings, Tokens};
use crate::pattern::matches;

/// True when one of the patterns fits and no pattern with `!` does.
pub(super) fn list_matches(patterns: &[String], subject: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, subject) => return false,
            Some(_) => {}
            None => found |= matches(pattern, subject),
        }
    }
    found
}

/// True when all criteria of a `Match` hold. One that cannot be judged holds for nobody.
pub(super) fn match_matches(words: &[String], asked: MatchSubject<'_>, settings: &mut Settings) -> bool {
    let mut words = words.iter();
    let mut any = false;
    while let Some(word) = words.next() {
        any = true;
        let (negated, criterion) = word.strip_prefix('!').map_or((false, word.as_str()), |word| (true, word));
        let (criterion, joined) =
            criterion.split_once('=').map_or((criterion, None), |(word, list)| (word, Some(list)));
        let criterion = criterion.to_ascii_lowercase();
        let holds = match criterion.as_str() {
            "all" => true,
            // Without `CanonicalizeHostname`, which is not done here, both hold on the last reading alone.
            "final" | "canonical" => {
                settings.wants_last |= criterion == "final";
                asked.last
            }
            _ => {
                let Some(list) = joined.or_else(|| words.next().map(String::as_str)) else { return false };
                match judge(&criterion, list, asked, settings) {
                    Some(holds) => holds,
                    None => return false,
                }
            }
        };
        if holds == negated {
            return false;
        }
    }
    any
}

fn judge(criterion: &str, list: &str, asked: MatchSubject<'_>, settings: &Settings) -> Option<bool> {
    let user = asked.user.or(settings.user.as_deref()).unwrap_or(asked.local_user);
    let host = settings.host_name.as_deref().map_or_else(
        || asked.host.to_owned(),
        |name| {
            // Only `%h` has a meaning in a host's name.
            name.replace("%h", asked.host)
        },
    );
    let subject = match criterion {
        "host" => host.as_str(),
        "originalhost" => asked.host,
        "user" => user,
        "localuser" => asked.local_user,
        "exec" => {
            let port = settings.port.unwrap_or(22);
            let tokens = Tokens {
                asked: asked.host,
                host: &host,
                port,
                user,
                local_user: asked.local_user,
                home: asked.home,
                alias: settings.host_key_alias.as_deref().unwrap_or(asked.host),
            };
            return Some(asked.outside.succeeds(&tokens.expand(list)));
        }
        _ => return None,
    };
    let patterns: Vec<String> = list.to_ascii_lowercase().split(',').map(str::to_owned).collect();
    Some(list_matches(&patterns, &subject.to_ascii_lowercase()))
}
