//! Proxies that break connections on purpose. Each has a counter that proves that it did.

mod http;
mod tcp;

pub use http::{HttpFault, HttpProxy, HttpRequest};
pub use tcp::{LostReply, TcpProxy};

#[cfg(test)]
mod tests;
