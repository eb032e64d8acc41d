//! The shared types of kassa: records, positions, spans, exact money, the nine contracts, and the
//! star schema as Arrow schemas. This crate does no IO and uses no random numbers, and takes
//! the time from a [`Clock`](time::Clock). Two exceptions serve the program:
//! [`SystemClock`](time::SystemClock) reads the machine's clock, and [`crash`] ends the process at a
//! crash point that a test has set.

pub mod cause;
pub mod code;
pub mod contract;
pub mod country;
pub mod crash;
pub mod currency;
pub mod decimal;
pub mod finding;
pub mod format;
pub mod key;
pub mod movement;
pub mod nearest;
pub mod nesting;
pub mod newer;
pub mod position;
pub mod printable;
pub mod reason;
pub mod record;
pub mod secret;
pub mod shop;
pub mod short;
pub mod star;
pub mod time;

pub use cause::Cause;
pub use code::Code;
pub use contract::Contract;
pub use currency::Currency;
pub use decimal::{Amount, Quantity, Rate};
pub use format::Format;
pub use key::Key;
pub use movement::Movement;
pub use newer::Newer;
pub use position::{Counts, Fate, Partition, Positions, Span};
pub use reason::{DeadLetter, Reason};
pub use record::{Headers, Records};
pub use secret::Secret;
pub use shop::Shop;
pub use star::Table;
