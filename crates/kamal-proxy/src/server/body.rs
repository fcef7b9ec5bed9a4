//! Bodies on their way through the proxy: streamed by default, kept whole only where the service asks for it.

pub(crate) mod buffer;
pub(crate) mod client;
pub(crate) mod held;
pub(crate) mod http2;
pub(crate) mod patience;
#[cfg(feature = "http3")]
pub(crate) mod quic;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod upload;
