//! Bodies on their way through the proxy: streamed by default, kept whole only where the service asks for it.

pub(crate) mod buffer;
pub(crate) mod patience;
pub(crate) mod request;
pub(crate) mod response;
