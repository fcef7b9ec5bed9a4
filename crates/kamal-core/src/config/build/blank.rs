//! Texts that cannot be empty: Kamal takes them as they are, and fails where they are used, or the word behind them is
//! taken for their value.

use super::super::diagnostic::Report;
use super::super::shape::check::at;
use super::super::yaml::{Kind, Node};
use super::places::{Places, values};

/// They are not there, or they say something.
const NEVER_BLANK: &Places = &[
    (&[], &["secrets_path", "x-loadbalancer"]),
    (&["ssh"], &["user", "proxy", "proxy_command"]),
    (&["builder"], &["context", "dockerfile", "driver", "provenance"]),
    (&["builder", "cache"], &["image"]),
    (&["accessories", "*"], &["port", "network"]),
    (&["proxy", "run"], RUN),
    (&["servers", "*", "proxy", "run"], RUN),
    (&["accessories", "*", "proxy", "run"], RUN),
    (&["x-cluster"], &["name", "address", "interface", "secret"]),
    (&["x-deliver"], &["address", "interface"]),
    (&["x-proxy"], POLICIES),
    (&["x-proxy", "roles", "*"], POLICIES),
    (&["x-proxy", "accessories", "*"], POLICIES),
];
const RUN: &[&str] = &["repository", "version"];
const POLICIES: &[&str] =
    &["basic_auth", "acme_directory", "acme_email", "acme_eab_kid", "acme_eab_key", "acme_dns_hook"];

/// Lists of texts, none of which may be empty.
const NEVER_HOLD_BLANK: &Places = &[
    (&[], &["volumes"]),
    (&["accessories", "*"], &["volumes"]),
    (&["ssh"], &["keys", "key_data"]),
    (&["builder"], &["arch", "secrets"]),
    (&["env"], SECRET),
    (&["env", "tags", "*"], SECRET),
    (&["servers", "*", "env"], SECRET),
    (&["accessories", "*", "env"], SECRET),
];
const SECRET: &[&str] = &["secret"];

/// Refuses them.
pub(crate) fn check(root: &Node, report: &mut Report<'_>) {
    for (path, node) in values(root, NEVER_BLANK) {
        refuse(node, &path, "remove the key, or give it a value", report);
    }
    for (path, node) in values(root, NEVER_HOLD_BLANK) {
        for (index, item) in node.list().into_iter().flatten().enumerate() {
            refuse(item, &format!("{path}/{index}"), "remove it, or give it a value", report);
        }
    }
}

fn refuse(node: &Node, path: &str, help: &str, report: &mut Report<'_>) {
    if matches!(&node.kind, Kind::Text(text) if text.trim().is_empty()) {
        report.error_with(node.span, at(path, "should not be empty"), Some(help.to_owned()));
    }
}
