//! Mistakes in a mapping and their positions.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::tokenizer::{Location, Span};

/// A mistake in a mapping's SQL. Line and column count from 1, within the SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MappingError {
    pub message: String,
    pub line: usize,
    pub column: usize,
    pub hint: Option<String>,
}

impl MappingError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), line: 1, column: 1, hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An empty span, for which the parser has no position, leaves the position at the start.
    pub(crate) fn at(mut self, span: Span) -> Self {
        let Location { line, column } = span.start;
        if line > 0 {
            self.line = usize::try_from(line).unwrap_or(1);
            self.column = usize::try_from(column).unwrap_or(1);
        }
        self
    }

    /// The engine's message, on one line.
    pub(crate) fn of(error: &DataFusionError) -> Self {
        let words = error.strip_backtrace();
        let own = ["Error during planning: ", "Arrow error: "].iter().find_map(|prefix| words.strip_prefix(prefix));
        let words = own.unwrap_or(&words);
        let error = Self::new(words.split('\n').map(str::trim).collect::<Vec<_>>().join(" "));
        if words.contains("Cannot coerce arithmetic") {
            error.hint("CAST the texts to DECIMAL(18, 6) or BIGINT first")
        } else {
            error
        }
    }
}
