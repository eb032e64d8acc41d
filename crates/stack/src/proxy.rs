//! Proxies that break connections on purpose, each with a counter that proves that they did.

mod http;
mod tcp;

pub use http::{HttpFault, HttpProxy, HttpRequest};
pub use tcp::{LostReply, TcpProxy};

#[cfg(test)]
mod tests;
