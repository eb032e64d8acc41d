//! A text about a failure, together with the error behind it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A text for people, and the underlying error, if there is one. The text contains that error's
/// text, so that a log line with one error is complete; a program gets the error itself from
/// [`Error::source`].
#[derive(Clone)]
pub struct Cause {
    text: String,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl Cause {
    /// `text` describes the error in other words than its own.
    pub fn new(text: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self { text: text.into(), source: Some(Arc::new(source)) }
    }

    /// The error's own text is enough.
    pub fn of(source: impl Error + Send + Sync + 'static) -> Self {
        Self::new(source.to_string(), source)
    }

    /// States where or on what the error occurred: `place: error`.
    pub fn at(place: impl fmt::Display, source: impl Error + Send + Sync + 'static) -> Self {
        Self::new(format!("{place}: {source}"), source)
    }

    /// Adds a place in front of the text.
    #[must_use]
    pub fn within(self, place: impl fmt::Display) -> Self {
        Self { text: format!("{place}: {}", self.text), source: self.source }
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self { text, source: None }
    }
}

impl From<&str> for Cause {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Causes are equal if their texts are.
impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cause {}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::DecimalError;

    #[test]
    fn a_cause_says_all_and_keeps_its_error() {
        let parse = DecimalError::TooPrecise(6);
        let cause = Cause::at("line 3", parse).within("prices.csv");
        assert_eq!(cause.to_string(), format!("prices.csv: line 3: {parse}"));
        let source = cause.source().and_then(|source| source.downcast_ref::<DecimalError>());
        assert_eq!(source, Some(&parse));
        assert!(Cause::from("no column").source().is_none());
    }
}
