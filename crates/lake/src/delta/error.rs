//! Why a table could not be read or committed to.

use std::error::Error;
use std::{fmt, io};

use kassa_model::star::read::ReadError;
use kassa_model::{Cause, Newer};
use kassa_pipeline::SinkError;

use crate::store::Refused;

/// Why a table could not be read or committed to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("could not reach the store")]
    Io(#[source] io::Error),
    /// The operator must change something first.
    #[error("{}", .0.what)]
    Refused(Refused),
    #[error(transparent)]
    Corrupt(Cause),
    #[error("{0} was moved on by another writer")]
    Fenced(String),
    #[error("could not encode: {0}")]
    Encode(#[source] Cause),
    /// A newer kassa, or another program with more features, has written the table.
    #[error(transparent)]
    Newer(#[from] Newer),
}

impl LogError {
    /// The data that was read is damaged or contradicts itself.
    pub fn corrupt(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt(Cause::of(source))
    }

    /// The same, with the location of the data: a file, a table.
    pub fn corrupt_at(place: impl fmt::Display, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt(Cause::at(place, source))
    }

    /// Rows could not be written as Parquet or JSON.
    pub fn encode(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Encode(Cause::of(source))
    }
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        match Refused::of(&error) {
            Some(refused) => Self::Refused(refused.clone()),
            None => Self::Io(error),
        }
    }
}

impl From<ReadError> for LogError {
    fn from(error: ReadError) -> Self {
        Self::corrupt(error)
    }
}

impl From<LogError> for SinkError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Io(cause) => SinkError::Unavailable(cause.to_string()),
            LogError::Refused(refused) => SinkError::Invalid(format!("{}: {}", refused.what, refused.fix)),
            LogError::Corrupt(cause) | LogError::Encode(cause) => SinkError::Corrupt(cause),
            LogError::Fenced(_) => SinkError::Fenced(error.to_string()),
            LogError::Newer(newer) => SinkError::Newer(newer),
        }
    }
}
