//! The shared types of kassa: records, positions, spans, exact money, the nine contracts, and the
//! star schema as Arrow schemas. This crate does no IO and uses no random numbers; time comes from
//! a [`Clock`](time::Clock).

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
