//! Every port of the pipeline: what a sink and a mapping must be able to do.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::{Cause, Newer, Positions};

use crate::{Batch, Gap};

/// What a sink's failure asks of its caller.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The store did not answer or is full: try again later.
    #[error("could not reach the store: {0}")]
    Unavailable(String),
    /// Somebody else has moved the positions on: stop, this worker has lost its place.
    #[error("fenced: {0}")]
    Fenced(String),
    /// The store has gone back behind what it had acknowledged, rows and positions together, as after a failover: read again from
    /// [`Sink::positions`], with nothing remembered of what comes after them.
    #[error("gone back: {0}")]
    Rewound(String),
    /// The operator must change something first.
    #[error("{0}")]
    Invalid(String),
    /// What the store holds contradicts itself: stop, and keep the evidence.
    #[error("corrupt: {0}")]
    Corrupt(#[source] Cause),
    /// A newer kassa has written the store: stop, this one cannot add to it.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A rebuild of the store has not ended: stop, only the rebuild may use it.
    #[error("{0}")]
    Rebuilding(String),
}

impl From<Gap> for SinkError {
    fn from(gap: Gap) -> Self {
        Self::Corrupt(Cause::of(gap))
    }
}

/// Keeps rows and the positions that they lead to, in one atomic commit.
pub trait Sink: fmt::Debug + Send {
    fn name(&self) -> &'static str;

    /// The next offset to read, by what is committed. A partition that is absent has committed nothing.
    fn positions(&self) -> Positions;

    /// Commits the rows of the batches that lie at or beyond this sink's positions, and moves the positions on.
    ///
    /// What lies before them has been committed already and is left out, so that a repeated batch changes nothing.
    fn commit(&mut self, batches: &[Arc<Batch>]) -> Result<(), SinkError>;

    /// Moves on the positions of parts that got no rows lately. Called when idle and before the end.
    fn settle(&mut self) -> Result<(), SinkError>;
}

/// A schema as its registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaText {
    pub text: Arc<str>,
    /// The schemas that it refers to, and those that they refer to: each before those that name it, and once.
    pub references: Vec<Arc<str>>,
}

/// The registry could not be asked: what its schemas are is not known, and no record may be judged by that.
#[derive(Debug, thiserror::Error)]
#[error("could not ask the schema registry for schema {id}: {why}")]
pub struct SchemasError {
    pub id: i32,
    #[source]
    pub why: Cause,
}

/// Where the schemas of Avro records are looked up, by the id that is in each record.
///
/// Asked once for each id while its plan is kept, and for an unknown id once a run of records.
pub trait Schemas: fmt::Debug + Send {
    /// `None`: the registry has answered that it knows no such schema.
    fn schema(&mut self, id: i32) -> Result<Option<SchemaText>, SchemasError>;
}

/// Rows of a mapping: columns named like the contract's fields, one row for each row of the input.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub columns: RecordBatch,
    /// Rows that the mapping could not compute: row, output field, words. Their cells in `columns` are to be ignored.
    pub failed: Vec<(usize, String, String)>,
}

/// The mapping itself does not work, whatever the record: the operator must mend it.
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
