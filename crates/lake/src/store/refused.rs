//! A store's permanent refusal: the operator must change something first.

use std::fmt;
use std::io;

/// A refusal that no retry changes: its cause and its fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub what: String,
    pub fix: String,
}

impl Refused {
    /// The refusal in an error of a store, if any.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    pub(crate) fn error(what: impl Into<String>, fix: impl Into<String>) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, Self { what: what.into(), fix: fix.into() })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refused {}
