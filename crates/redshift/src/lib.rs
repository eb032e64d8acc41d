//! The lake's star schema in Amazon Redshift: COPY from the lake's own Parquet files, through the Data API, each row once.
//!
//! ```text
//!  lake at positions P ─┬─► manifests, positions.csv ──────────────────────────────► bucket
//!                       └─► DROP, CREATE, COPY … MANIFEST, count   (a table a batch) ► stage_<table>_<generation>_<load>
//!                                         all staged
//!                           LOCK state; generation N ─► N+1, or fail; INSERT what is not held yet; positions = P
//!                                         (one batch, one transaction)              ► dwh.*, dwh_kassa.positions
//! ```
//!
//! Positions lie in Redshift, beside the rows, and move with them. A load is cut from known positions and applies only on top of
//! exactly those: what was done twice, answered never or done by another exporter is settled by reading the generation back.

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
