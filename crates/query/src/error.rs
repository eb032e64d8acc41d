//! Why a query gave no rows.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use kassa_lake::LogError;
use kassa_model::Cause;

/// Why a query gave no rows.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    #[error(transparent)]
    Refused(Cause),
    /// It needs more memory, or room on disk, than it may use.
    #[error(transparent)]
    Memory(Cause),
    /// Its text is too long or nests too deeply.
    #[error(transparent)]
    Nesting(Cause),
    #[error(transparent)]
    Lake(#[from] LogError),
}

impl From<DataFusionError> for SqlError {
    fn from(error: DataFusionError) -> Self {
        let words = error.strip_backtrace();
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Memory(Cause::new(words, error)),
            DataFusionError::SQL(parser, _) if matches!(parser.as_ref(), ParserError::RecursionLimitExceeded) => {
                Self::Nesting(Cause::new("the SQL nests too deeply: the limit of the parser is 50 levels", error))
            }
            _ if is_too_large(&words) => Self::Memory(Cause::new(words, error)),
            _ => Self::Refused(Cause::new(words, error)),
        }
    }
}

/// Functions that check their result first have no other error for one that no array can hold, or that the system gives no memory for; files of
/// spilled rows have none for their limit.
fn is_too_large(words: &str) -> bool {
    const WORDS: &[&str] = &[
        "failed to allocate",
        "too large",
        "size overflow",
        "Offset overflow",
        "exceeds the maximum value for offset",
        "exceeds maximum array size",
        "exceeded the allowable limit",
    ];
    WORDS.iter().any(|part| words.contains(part))
}
