use std::error::Error;

use kassa_model::Cause;

/// Why the lake, or its bucket, failed during an export.
pub type LakeError = Box<dyn Error + Send + Sync>;

/// Why an export did not finish. Redshift then has its old contents or the whole load, never a
/// part.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The operator must change something first.
    #[error("{what}")]
    Refused { what: String, fix: String },
    /// The request may have been carried out, and may be retried.
    #[error("could not reach {place}: {why}")]
    Unavailable { place: String, why: String },
    #[error("{name} failed in Redshift: {why}")]
    Statement { name: String, why: String },
    #[error("other exporters moved Redshift on, {0} times in a row")]
    Fenced(usize),
    #[error("could not read the lake")]
    Lake(#[source] LakeError),
    #[error("could not prepare the export: {0}")]
    Encode(#[source] Cause),
}

impl From<LakeError> for ExportError {
    fn from(error: LakeError) -> Self {
        Self::Lake(error)
    }
}

impl From<serde_json::Error> for ExportError {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(Cause::of(error))
    }
}

impl From<std::io::Error> for ExportError {
    fn from(error: std::io::Error) -> Self {
        Self::Encode(Cause::of(error))
    }
}
