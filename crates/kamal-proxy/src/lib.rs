//! The proxy port, and behind the feature  the proxy itself.
