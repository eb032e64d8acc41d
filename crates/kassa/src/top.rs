//! `kassa top`: a running kassa, as its own HTTP API tells of it.
//!
//! ```text
//!  GET /api/v1/live ──event: live, pipeline──► heard (a thread; the latest of each) ──► view ─┬─► the terminal, until `q`
//!                                                                                          └─► one plain snapshot
//! ```

mod heard;
mod screen;
mod shapes;
#[cfg(test)]
mod tests;
mod view;

pub use self::heard::Listener;
pub use self::screen::watch;
pub use self::view::plain;
