//! The flags of `kamal-proxy deploy`: one table of what the command's side writes and the proxy's side reads.

/// What a flag takes, with its default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing, or a truth value behind `=`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A duration as Go writes it.
    Seconds(u32),
    /// Any text.
    Str(&'static str),
    /// Texts, of which each use adds some.
    List,
}

/// One flag of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// Without its dashes.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The line of `--help` about it.
    pub help: &'static str,
}

impl AsRef<str> for Flag {
    fn as_ref(&self) -> &str {
        self.name
    }
}

macro_rules! table {
    ($($constant:ident = $name:literal, $kind:expr, $help:literal;)*) => {
        $(#[doc = concat!("`--", $name, "`; what it does is in [`Flag::help`].")]
        pub const $constant: Flag = Flag { name: $name, kind: $kind, help: $help };)*

        /// All of them by name, as `--help` shows them.
        pub const ALL: &[Flag] = &[$($constant),*];
    };
}

table! {
    ALLOW_ADDRESS = "allow-address", Kind::List, "Let in only clients of these addresses or networks (403 for others)";
    BASIC_AUTH_ENV = "basic-auth-env", Kind::Str(""),
        "Ask for a password; users are lines of this environment variable of the server";
    BASIC_AUTH_FILE = "basic-auth-file", Kind::Str(""),
        "Ask for a password; users are lines of this file, as htpasswd -B writes it";
    BUFFER_MEMORY = "buffer-memory", Kind::Int(1024 * 1024), "Max size of memory buffer";
    BUFFER_REQUESTS = "buffer-requests", Kind::Bool(false), "Buffer requests before forwarding to target";
    BUFFER_RESPONSES = "buffer-responses", Kind::Bool(false), "Buffer responses before forwarding to client";
    CANONICAL_HOST = "canonical-host", Kind::Str(""), "Redirect all requests to this host (e.g., force root or www)";
    CLIENT_IP_HEADER = "client-ip-header", Kind::Str(""),
        "Request header containing the original client IP; used to populate X-Forwarded-For when present";
    COMPRESS = "compress", Kind::Bool(false), "Compress responses for clients that accept zstd, br or gzip";
    COMPRESS_MIN_SIZE = "compress-min-size", Kind::Int(1024), "With --compress, leave shorter responses as they are";
    COMPRESS_TYPE = "compress-type", Kind::List,
        "With --compress, media type(s) to compress besides text, JSON, XML and the like";
    DENY_ADDRESS = "deny-address", Kind::List, "Turn away clients of these addresses or networks (403)";
    DEPLOY_TIMEOUT = "deploy-timeout", Kind::Seconds(30), "Maximum time to wait for the new target to become healthy";
    DRAIN_TIMEOUT = "drain-timeout", Kind::Seconds(30),
        "Maximum time to allow existing connections to drain before removing old target";
    EJECT_AFTER = "eject-after", Kind::Int(0),
        "Leave a target alone after this many failed requests in a row, until it is healthy";
    ERROR_PAGES = "error-pages", Kind::Str(""), "Path to custom error pages";
    EXCLUDE_METRICS_PATH = "exclude-metrics-path", Kind::List,
        "Request path(s) to exclude from Prometheus metrics (may be specified multiple times)";
    FORCE = "force", Kind::Bool(false), "Skip health checks and force deployment";
    FORWARD_HEADERS = "forward-headers", Kind::Bool(false),
        "Forward X-Forwarded headers to target (default false if TLS enabled; otherwise true)";
    HEALTH_CHECK_HOST = "health-check-host", Kind::Str(""), "Host header to send with health check requests";
    HEALTH_CHECK_INTERVAL = "health-check-interval", Kind::Seconds(1), "Interval between health checks";
    HEALTH_CHECK_PATH = "health-check-path", Kind::Str("/up"), "Path to check for health";
    HEALTH_CHECK_PORT = "health-check-port", Kind::Int(0), "Port to check for health (default matches target port)";
    HEALTH_CHECK_TIMEOUT = "health-check-timeout", Kind::Seconds(5), "Time each health check must complete in";
    HOST = "host", Kind::List, "Host(s) to serve this target on (empty for wildcard)";
    LOG_REQUEST_HEADER = "log-request-header", Kind::List,
        "Additional request header to log (may be specified multiple times)";
    LOG_RESPONSE_HEADER = "log-response-header", Kind::List,
        "Additional response header to log (may be specified multiple times)";
    MAX_REQUEST_BODY = "max-request-body", Kind::Int(0),
        "Max size of request body when buffering (default of 0 means unlimited)";
    MAX_RESPONSE_BODY = "max-response-body", Kind::Int(0),
        "Max size of response body when buffering (default of 0 means unlimited)";
    PATH_PREFIX = "path-prefix", Kind::List, "Deploy the service below the specified path(s)";
    PEER = "peer", Kind::List,
        "Another host's kamal-proxy that serves this service too, and takes its part of the requests (host or host:port)";
    PEER_NAME = "peer-name", Kind::Str(""), "The name other hosts' proxies know this one by (with --peer-secret-file)";
    PEER_SECRET_FILE = "peer-secret-file", Kind::Str(""),
        "Share certificates with --peer, one of all ordering; they are sealed with the secret in this file, which all have";
    RATE_LIMIT = "rate-limit", Kind::Str(""), "Requests per client, such as 10/s, 100/m or 1000/h (429 for more)";
    RATE_LIMIT_BURST = "rate-limit-burst", Kind::Int(0),
        "With --rate-limit, requests at once (default those of one second)";
    READ_TARGET = "read-target", Kind::List, "Read-only target host(s) to deploy";
    READ_TARGET_WEBSOCKETS = "read-target-websockets", Kind::Bool(false),
        "Route WebSocket traffic to read targets, when available";
    REDIRECT = "redirect", Kind::List,
        "Redirect, such as /old=/new, /blog/*=https://blog.example.com/* or www.example.com=https://example.com";
    SCOPE_COOKIE_PATHS = "scope-cookie-paths", Kind::Bool(false), "Scope cookie paths to match path prefix";
    STICKY = "sticky", Kind::Bool(false), "Let clients keep to the target that answered them first";
    STRIP_PATH_PREFIX = "strip-path-prefix", Kind::Bool(true),
        "With --path-prefix, strip prefix from request before forwarding";
    TARGET = "target", Kind::List, "Target host(s) to deploy";
    TARGET_EACH_ADDRESS = "target-each-address", Kind::Bool(false),
        "Take each address a target's name stands for as a target of its own, and look again every second";
    TARGET_H2C = "target-h2c", Kind::Bool(false), "Speak HTTP/2 without TLS with the target, as gRPC servers do";
    TARGET_TIMEOUT = "target-timeout", Kind::Seconds(30),
        "Maximum time to wait for the target server to respond when serving requests";
    TLS = "tls", Kind::Bool(false), "Configure TLS for this target (requires a non-empty host)";
    TLS_ACME_CACHE_PATH = "tls-acme-cache-path", Kind::Str(""), "Location to store ACME assets";
    TLS_ACME_DIRECTORY = "tls-acme-directory", Kind::Str(""),
        "Directory URL of an ACME authority other than Let's Encrypt";
    TLS_ACME_DNS_HOOK = "tls-acme-dns-hook", Kind::Str(""),
        "Prove hosts in the DNS, which allows wildcards, with this program: PROGRAM present|cleanup RECORD VALUE";
    TLS_ACME_EAB_KEY_FILE = "tls-acme-eab-key-file", Kind::Str(""),
        "File with the key of --tls-acme-eab-kid, in base64url";
    TLS_ACME_EAB_KID = "tls-acme-eab-kid", Kind::Str(""), "External account the ACME authority asks for";
    TLS_ACME_EMAIL = "tls-acme-email", Kind::Str(""), "Address the ACME authority may write to";
    TLS_CERTIFICATE_PATH = "tls-certificate-path", Kind::Str(""), "Configure custom TLS certificate path (PEM format)";
    TLS_ON_DEMAND_URL = "tls-on-demand-url", Kind::Str(""),
        "Will make an HTTP request to the given URL, asking whether a host is allowed to have a certificate issued";
    TLS_PRIVATE_KEY_PATH = "tls-private-key-path", Kind::Str(""), "Configure custom TLS private key path (PEM format)";
    TLS_REDIRECT = "tls-redirect", Kind::Bool(true), "Redirect HTTP traffic to HTTPS";
    TLS_STAGING = "tls-staging", Kind::Bool(false),
        "Use Let's Encrypt staging environment for certificate provisioning";
    TRUSTED_PROXY = "trusted-proxy", Kind::List,
        "Believe X-Forwarded-For of these addresses or networks, for the flags about addresses and rates";
    WRITER_AFFINITY_TIMEOUT = "writer-affinity-timeout", Kind::Seconds(1),
        "Time after a write before read requests will be routed to readers";
}
