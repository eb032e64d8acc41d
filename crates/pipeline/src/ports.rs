//! The traits that other crates implement for the pipeline: sinks, schema registries and mappings.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::{Cause, Newer, Positions};

use crate::{Batch, Gap};

/// Why a sink failed, by what the caller must do.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The store did not answer or is full: try again later.
    #[error("could not reach the store: {0}")]
    Unavailable(String),
    /// Another process has moved the positions: stop, because this worker no longer owns the partition.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The store has lost acknowledged rows and positions, as after a failover: read again from [`Sink::positions`], without the
    /// state of later records.
    #[error("gone back: {0}")]
    Rewound(String),
    /// The operator must change something first.
    #[error("{0}")]
    Invalid(String),
    /// The store contradicts itself: stop, and keep it for examination.
    #[error("corrupt: {0}")]
    Corrupt(#[source] Cause),
    /// A newer kassa has written the store: stop, this version cannot add to it.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A rebuild of the store is not complete: stop, only the rebuild may use it.
    #[error("{0}")]
    Rebuilding(String),
}

impl From<Gap> for SinkError {
    fn from(gap: Gap) -> Self {
        Self::Corrupt(Cause::of(gap))
    }
}

/// Stores rows and their positions, in one atomic commit.
pub trait Sink: fmt::Debug + Send {
    fn name(&self) -> &'static str;

    /// The next offset to read, as committed. A partition that is absent has committed nothing.
    fn positions(&self) -> Positions;

    /// Commits the rows of the batches at or beyond this sink's positions, and moves the positions.
    ///
    /// Rows before them have been committed already and are left out, so that a repeated batch changes nothing.
    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError>;

    /// Moves the positions of tables without recent rows. Called when idle and before the end.
    fn settle(&mut self) -> Result<(), SinkError>;
}

/// A schema as stored in its registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaText {
    pub text: Arc<str>,
    /// The schemas that it refers to, directly or indirectly: each once, and before those that refer to it.
    pub references: Vec<Arc<str>>,
}

/// The registry did not answer: the schemas are unknown, so no record may be decided on.
#[derive(Debug, thiserror::Error)]
#[error("could not ask the schema registry for schema {id}: {why}")]
pub struct SchemasError {
    pub id: i32,
    #[source]
    pub why: Cause,
}

/// Looks up the schemas of Avro records, by the id in each record.
///
/// Called once for each id while its plan is cached, and for an unknown id once per run of records.
pub trait Schemas: fmt::Debug + Send {
    /// `None`: the registry has answered that it has no such schema.
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError>;
}

/// The result of a mapping: columns named like the contract's fields, one row per input row.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub columns: RecordBatch,
    /// Rows that the mapping could not compute: row, output field, message. Their cells in `columns` are to be ignored.
    pub failed: Vec<(usize, String, String)>,
}

/// The mapping itself does not work, whatever the record: the operator must correct it.
#[derive(Debug, thiserror::Error)]
#[error("mapping failed: {0}")]
pub struct MapperError(#[source] pub Cause);

/// Turns input columns into the contract's columns.
pub trait Mapper: fmt::Debug + Send {
    /// The names of the input columns it reads, all texts: CSV columns, JSON keys, or dotted paths into nested JSON.
    fn inputs(&self) -> &[String];

    /// `input` has the columns of [`inputs`](Self::inputs) and then those of [`pseudo_columns`](crate::extract::pseudo_columns).
    fn map(&self, input: &RecordBatch) -> Result<Mapped, MapperError>;
}
