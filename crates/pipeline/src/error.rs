//! Why the stage failed.

use crate::dedupe::IndexError;
use crate::ports::{MapperError, SchemasError};

/// kassa failed, whatever the record contains.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("no stream reads the topic `{0}`")]
    UnknownTopic(String),
    #[error(transparent)]
    Mapper(#[from] MapperError),
    #[error("could not build rows")]
    Rows(#[from] arrow_schema::ArrowError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Schemas(#[from] SchemasError),
}
