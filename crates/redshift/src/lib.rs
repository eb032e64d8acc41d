//! The lake's star schema in Amazon Redshift: COPY from the lake's own Parquet files, through the
//! Data API, each row once.
//!
//! ```text
//!  lake at positions P ─┬─► manifests, positions.csv ──────────────────────────────► bucket
//!                       └─► DROP, CREATE, COPY … MANIFEST, count (one batch per table) ► stage_<table>_<generation>_<load>
//!                                         all staged
//!                           LOCK state; generation N ─► N+1, or fail; INSERT new rows; positions = P
//!                                         (one batch, one transaction)              ► dwh.*, dwh_kassa.positions
//! ```
//!
//! The positions are in Redshift, beside the rows, and move with them. A load begins at known
//! positions and applies only on top of exactly those. After a repeated, unanswered or concurrent
//! load, the generation is read back.

mod api;
mod error;
mod export;
mod held;
mod plan;
mod port;
pub mod schema;
mod statements;
mod target;

pub use api::Credentials;
pub use error::{ExportError, LakeError};
pub use export::{Exporter, Report};
pub use port::{Column, DataFile, Extent, Lake, TableFiles};
pub use target::{Place, Target};
