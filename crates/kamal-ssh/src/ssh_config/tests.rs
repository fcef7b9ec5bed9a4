//! OpenSSH client files as people have them, and what must come out for a host.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::host_key::UnknownHosts;

fn ask(text: &str, host: &str) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config"), text).unwrap();
    let asked =
        MatchSubject { host, user: None, local_user: "me", home: folder.path(), outside: &Machine, last: false };
    read(&[folder.path().join("config")], asked).unwrap()
}

#[test]
fn the_first_value_wins_and_identity_files_add_up() {
    let text = "\
# a comment
Host web web-* !web-bad
  HostName=10.0.0.1
  User \"deploy er\"   # the user
  Port = 2222
  IdentityFile ~/.ssh/one
Match host 10.0.0.* user deploy*
  ConnectTimeout 1m5
Host *
\tUser other
\tIdentityFile ~/.ssh/two
\tIdentitiesOnly yes
\tUnknownKeyword whatever
\tProxyCommand ssh -W \"%h:%p\" jump # not a comment
\tProxyJump never
\tUserKnownHostsFile /dev/null ~/.ssh/more
\tStrictHostKeyChecking accept-new
";
    let web = ask(text, "web-1");
    assert_eq!(web.host_name.as_deref(), Some("10.0.0.1"));
    assert_eq!((web.user.as_deref(), web.port), (Some("deploy er"), Some(2222)));
    assert_eq!(web.identity_files, ["~/.ssh/one", "~/.ssh/two"]);
    assert_eq!(web.connect_timeout, Some(Some(Duration::from_secs(65))));
    assert_eq!(web.proxy, Some(Proxy::Command("ssh -W \"%h:%p\" jump # not a comment".into())));
    assert_eq!(web.user_known_hosts.as_deref(), Some(&["/dev/null".to_owned(), "~/.ssh/more".to_owned()][..]));
    assert_eq!((web.unknown_hosts, web.identities_only), (Some(UnknownHosts::Accept), Some(true)));
    let bad = ask(text, "web-bad");
    assert_eq!((bad.host_name, bad.user.as_deref()), (None, Some("other")));
}

#[test]
fn sections_that_cannot_be_judged_apply_to_nobody() {
    let text = "Host app\nPort 2222\nMatch exec \"test -f x\"\nPort 9\nHostName nowhere\nMatch all\nUser u\n";
    let app = ask(text, "app");
    assert_eq!((app.port, app.host_name, app.user.as_deref()), (Some(2222), None, Some("u")));
    assert_eq!(ask("Match !host app\nPort 1\nMatch localuser me\nPort 2\n", "app").port, Some(2));
    assert_eq!(ask("Match !all\nPort 1\n", "app").port, None);
}

#[test]
fn files_are_included_where_they_are_named() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    std::fs::create_dir_all(ssh.join("config.d")).unwrap();
    std::fs::write(ssh.join("config.d/1.conf"), "Host other\nPort 1\n").unwrap();
    std::fs::write(ssh.join("config.d/2.conf"), "User included\nHost app\nPort 2\n").unwrap();
    std::fs::write(ssh.join("config.d/.hidden.conf"), "Port 99\n").unwrap();
    std::fs::write(
        ssh.join("config"),
        "Host app\nInclude config.d/*.conf missing\nPort 3\nHost x\nInclude config.d/1.conf\n",
    )
    .unwrap();
    std::fs::write(ssh.join("loop"), "Include loop\n").unwrap();
    let ask = |host, file: &str| {
        read(
            &[ssh.join(file)],
            MatchSubject { host, user: None, local_user: "me", home: home.path(), outside: &Machine, last: false },
        )
    };
    let app = ask("app", "config").unwrap();
    assert_eq!((app.port, app.user.as_deref()), (Some(2), Some("included")));
    assert_eq!(
        ask("other", "config").unwrap(),
        Settings::default(),
        "a Host line inside does not open a closed section"
    );
    let error = ask("app", "loop").unwrap_err().to_string();
    assert!(error.contains("loop:1"), "{error}");
}

#[test]
fn mistakes_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    for text in ["\nPort x\n", "\nIdentitiesOnly perhaps\n", "\nConnectTimeout soon\n"] {
        std::fs::write(&file, text).unwrap();
        let asked = MatchSubject {
            host: "h",
            user: None,
            local_user: "me",
            home: folder.path(),
            outside: &Machine,
            last: false,
        };
        let error = read(std::slice::from_ref(&file), asked).unwrap_err().to_string();
        assert!(error.contains("config:2"), "{error}");
    }
}

#[test]
fn tokens() {
    let tokens =
        Tokens { asked: "n", host: "h", port: 7, user: "r", local_user: "u", home: Path::new("/d"), alias: "k" };
    assert_eq!(tokens.expand("%h%n%p%r%u%d%%%x%"), "hn7ru/d%%x%");
    assert_eq!(tokens.path("~/.ssh/%r"), Path::new("/d/.ssh/r"));
}

#[test]
fn sections_of_the_last_reading_and_commands() {
    let text = "\
Match final host *.internal
  Port 7
  IdentityFile late
Match exec \"test %n = app && test %h = app.internal\"
  User by-command
Host app
  HostName %h.internal
  IdentityFile early
Match exec=\"test %n = app && test %h = app.internal\"
  HostKeyAlias seen
Match !exec false
  ConnectTimeout 5
Match final !exec true
  ConnectionAttempts 9
";
    let app = ask(text, "app");
    assert_eq!((app.port, app.host_key_alias.as_deref()), (Some(7), Some("seen")));
    // The host's name is known by the second reading.
    assert_eq!(app.user.as_deref(), Some("by-command"));
    assert_eq!(app.identity_files, ["early", "late"], "each once");
    assert_eq!((app.connect_timeout, app.connection_attempts), (Some(Some(Duration::from_secs(5))), None));
    let other = ask(text, "other");
    assert_eq!((other.port, other.user), (None, None));
}

#[test]
fn words_that_are_no_keyword_are_told_unless_ignored() {
    let text = "IgnoreUnknown Use*,Odd\nUseRoaming2 yes\nOdd x\nHostNmae y\nHost other\nPrt 1\nHost *\nPort 3\n";
    let settings = ask(text, "app");
    assert_eq!(settings.port, Some(3));
    let warnings: Vec<String> = settings.warnings().collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("config:4: \"hostnmae\"") && warnings[1].contains("config:6"), "{warnings:?}");
}

/// OpenSSH itself as the judge, on every keyword it prints in a form of its own.
#[test]
fn openssh_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = "\
Host a* !ab*
  Port 1
  User one
Match originalhost ab,c? user one
  HostName matched
Match host abc
  Port 2
Host \"q r\" c*
  Port=3
  HostName %h.example
Match user two
  ConnectTimeout 9
Host *
  User two
  Port 4
Match user two
  HostKeyAlias late
";
    std::fs::write(&file, text).unwrap();
    for host in ["a", "ab", "abc", "c1", "cc", "d", "A1"] {
        let run = std::process::Command::new("ssh").args(["-G", "-F"]).arg(&file).arg(host).output();
        let run = run.expect("this test needs OpenSSH's client: apt-get install openssh-client");
        let said = String::from_utf8(run.stdout).unwrap();
        let get = |keyword: &str| {
            said.lines().find_map(|line| line.strip_prefix(keyword)?.strip_prefix(' ').map(str::to_owned))
        };
        let asked = MatchSubject {
            host,
            user: None,
            local_user: "nobody",
            home: folder.path(),
            outside: &Machine,
            last: false,
        };
        let ours = read(std::slice::from_ref(&file), asked).unwrap();
        let host_name = ours.host_name.unwrap_or_else(|| host.to_owned()).replace("%h", host);
        assert_eq!(get("hostname").unwrap().to_lowercase(), host_name.to_lowercase(), "{host}: {said}");
        assert_eq!(get("port"), ours.port.map(|port| port.to_string()), "{host}");
        assert_eq!(get("user"), ours.user, "{host}");
        assert_eq!(get("hostkeyalias"), ours.host_key_alias, "{host}");
    }
}

/// Two lines in each of sixteen files would be read 65536 times.
#[test]
fn files_that_include_each_other_often_are_given_up() {
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    std::fs::create_dir(&ssh).unwrap();
    for number in 0..15 {
        std::fs::write(ssh.join(number.to_string()), format!("Include {next} {next}\n", next = number + 1)).unwrap();
    }
    std::fs::write(ssh.join("15"), "Port 1\n").unwrap();
    let asked =
        MatchSubject { host: "h", user: None, local_user: "me", home: home.path(), outside: &Machine, last: false };
    let error = read(&[ssh.join("0")], asked).unwrap_err().to_string();
    assert!(error.contains("too often"), "{error}");
    assert_eq!(read(&[ssh.join("8")], asked).unwrap().port, Some(1));
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[!*?a-z0-9,.]{0,10}",
        "%[a-zA-Z%]",
        "[\"\\\\=~$ %{}]{1,6}",
        Just("web".to_owned()),
        Just("none".to_owned()),
        Just("yes".to_owned()),
        Just("me@hop:2222,[::1]:22".to_owned()),
        Just("${HOME}/%h".to_owned()),
        "[0-9]{1,25}[smh]?",
        "\\PC{0,12}",
    ]
}

fn keyword() -> impl Strategy<Value = String> {
    let words = "host match port include user hostname proxyjump proxycommand connecttimeout identityfile identityagent \
        hostkeyalias ciphers macs kexalgorithms hostkeyalgorithms stricthostkeychecking userknownhostsfile \
        serveraliveinterval serveralivecountmax connectionattempts addressfamily ignoreunknown bindaddress \
        certificatefile forwardagent";
    let words: Vec<&str> = words.split_whitespace().collect();
    let criteria = "all final canonical host originalhost user localuser exec !host !exec !final";
    let criteria: Vec<&str> = criteria.split_whitespace().collect();
    prop_oneof![
        6 => prop::sample::select(words).prop_map(str::to_owned),
        2 => prop::sample::select(criteria).prop_map(|criterion| format!("Match {criterion}")),
        1 => prop::sample::select(vec!["== a", "== b.conf", "Include a", "Include *.conf", "Include ~/.ssh/b* a"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn hostile_files_are_read_or_refused_with_a_place(
        host in "([a-z]{1,4}@)?[a-z0-9.]{1,8}(:[1-9][0-9]{0,3})?",
        lines in prop::collection::vec((keyword(), "[ =\t]{0,2}", prop::collection::vec(word(), 0..4)), 0..16),
    ) {
        let lines: Vec<String> =
            lines.iter().map(|(keyword, blank, words)| format!("{keyword}{blank}{}", words.join(" "))).collect();
        crate::fuzzing::ssh_config(&format!("{host}\n{}", lines.join("\n")));
    }
}
