//! The warehouse: the star schema and the current state in PostgreSQL.
//!
//! ```text
//!  schema/*.sql, declared.rs (columns) ─► migrate.rs   schemas dwh (star, views), ods (current state), kassa (positions, spans, dead letters); roles
//!                  views.rs     the figures' views that follow from the catalogue, replaced when their text changes
//!  Batch ─► plan.rs ─► sink.rs  one transaction: positions.rs · fill.rs: copy/ (facts) · statements.rs (dimensions) · ods.rs · sums.rs · commits.rs
//!                        └────► partitions.rs   made before rows need them, dropped when they have had their time
//!  read.rs    rows at one snapshot, all or those beyond positions (by commits.rs) ─► figures.rs, derived.rs (what follows from the facts)
//!  replay.rs  dead letters that have become good
//!  rebuild.rs empties the tables and says so, until they are filled again
//!  prove.rs   recounts what is there from its own rows
//!  examine.rs what an operator must know before it is fed
//! ```

mod commits;
mod connect;
mod copy;
mod declared;
pub mod derived;
mod error;
pub mod examine;
pub mod figures;
mod fill;
mod migrate;
mod ods;
mod partitions;
mod plan;
mod positions;
pub mod prove;
pub mod read;
pub mod rebuild;
mod replay;
mod sink;
mod statements;
mod sums;
#[cfg(test)]
mod testing;
pub mod url;
mod views;

pub use connect::connect;
pub use error::WarehouseError;
pub use migrate::{GRANTS, ROLES, migrate};
pub use partitions::drop_before;
pub use sink::{Counts, Patience, WarehouseSink};
pub use url::Target;
