//! The form of deploy.yml as a table: every key with its type and its meaning (spec 2.2 to 2.12). The check of types
//! and unknown keys walks it, the JSON schema is printed from it, so the two cannot disagree.

pub(crate) mod check;
pub(crate) mod keys;
pub(crate) mod suggest;

/// What may stand below a key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text, symbol, number or boolean.
    Text,
    /// An integer.
    Int,
    /// A boolean.
    Bool,
    /// A list of texts.
    TextList,
    /// A text or a list of texts.
    TextOrList,
    /// A mapping whose contents are not looked into (docker options).
    AnyMap,
    /// The same, its values being texts whatever they look like (build arguments).
    Values,
    /// A mapping of texts.
    TextMap,
    /// Hosts with their tags.
    Hosts,
    /// A boolean or a mapping.
    BoolOrMap,
    /// A boolean, a text or a list of texts.
    SshConfig,
    /// A list of texts or mappings with these keys.
    Paths(&'static [Key]),
    /// A mapping with these keys.
    Section(&'static [Key]),
    /// A mapping that is checked on its own; the keys are for the schema.
    Apart(Apart),
}

/// The sections whose check is more than a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// A list of hosts, or roles by name.
    Servers,
    /// `env`, with tags only in the root.
    Env,
    /// `proxy` as a mapping.
    Proxy,
    /// `proxy` of a role: a boolean or a mapping.
    RoleProxy,
    /// A registry.
    Registry,
    /// A registry's user name or password.
    Credential,
    /// `builder`.
    Builder,
    /// Accessories by name.
    Accessories,
    /// `boot`.
    Boot,
    /// `logging`.
    Logging,
    /// `output`.
    Output,
    /// `ssh`.
    Ssh,
    /// `sshkit`.
    SshKit,
    /// Aliases by name.
    Aliases,
    /// `hooks_output`.
    HooksOutput,
    /// `x-proxy`, unless it is somebody's own.
    XProxy,
    /// `x-release`.
    XRelease,
    /// `x-boot`.
    XBoot,
    /// `x-guard`.
    XGuard,
    /// `x-cluster`.
    XCluster,
    /// `x-deliver`.
    XDeliver,
    /// `x-ssh`, unless it is somebody's own.
    XSsh,
    /// The `roles` and `accessories` of `x-proxy`, by name.
    PoliciesByName,
}

/// A key of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What it does, for people who write it: shown by editors through the schema.
    pub(crate) doc: &'static str,
}

/// A row of a table of keys.
pub(crate) const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, shape, doc }
}
