//! The refusal of data that a newer program has written.

/// Something is in a format that this program does not support.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} has {found}; this kassa supports {known}")]
pub struct Newer {
    /// A table, a file, a database.
    pub place: String,
    pub found: String,
    pub known: String,
}

impl Newer {
    /// How to fix it.
    pub const FIX: &str = "run the kassa version that wrote it, or a newer one";
}
