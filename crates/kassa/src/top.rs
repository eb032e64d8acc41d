//! `kassa top`: shows a running kassa through its HTTP API.
//!
//! ```text
//!  GET /api/v1/live ──event: live, pipeline──► latest (a thread; the last of each) ──► view ─┬─► the terminal, until `q`
//!                                                                                            └─► one plain snapshot
//! ```

mod latest;
mod screen;
mod shapes;
#[cfg(test)]
mod tests;
mod view;

pub use self::latest::Listener;
pub use self::screen::watch;
pub use self::view::plain;
