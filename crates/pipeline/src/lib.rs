//! From records to batches: decode → map → validate → dedupe → shape, synchronous and columnar.
//!
//! ```text
//!  Records ──decode──► Payload ──validate──► Event ──dedupe──► accepted ──shape──► Batch {span, rows}
//!     │  (JSON, Avro, CSV, Debezium;            │                  │
//!     │   or by a SQL mapping)                  │                  │
//!     └────────── not decodable ────────────────┴── not valid ─────┴── conflict ──► dead letter, with its bytes
//! ```
//!
//! Bad data is data: the contents of a record never cause an error. `Err` means that kassa failed.

pub mod batch;
mod canonical;
pub mod columns;
pub mod csv;
pub mod cut;
mod debezium;
pub mod decode;
pub mod dedupe;
pub mod dimensions;
mod error;
pub mod event;
pub mod extract;
mod formats;
mod journal;
pub mod letter;
pub mod ports;
pub mod shape;
mod spans;
pub mod stage;
mod stream;
pub mod validate;

pub use batch::{Batch, Gap, Slice};
pub use error::StageError;
pub use journal::Piece;
pub use kassa_model::Format;
pub use ports::{Mapped, Mapper, MapperError, SchemaText, Schemas, SchemasError, Sink, SinkError};
pub use spans::Spans;
pub use stage::{Stage, Stream};
