//! Which Delta tables this program can read and write, by the protocol that a table states.

use kassa_model::Newer;

use super::action::Protocol;

/// The versions that kassa's own tables state.
pub const READER: i32 = 1;
pub const WRITER: i32 = 2;

/// From these versions on, a table lists the features that it needs, and the version alone is not
/// enough.
const READER_WITH_FEATURES: i32 = 3;
const WRITER_WITH_FEATURES: i32 = 7;

/// The writer features that version 2 implies.
const WRITER_FEATURES: [&str; 2] = ["appendOnly", "invariants"];

impl Protocol {
    /// The protocol of a table that kassa creates.
    pub fn ours() -> Self {
        Self { min_reader_version: READER, min_writer_version: WRITER, reader_features: None, writer_features: None }
    }

    /// Refuses a table whose data this program would interpret wrongly.
    pub fn may_read(&self, table: &str) -> Result<(), Newer> {
        let unknown = unknown(self.reader_features.as_deref(), &[]);
        match self.min_reader_version {
            ..=READER => Ok(()),
            READER_WITH_FEATURES if unknown.is_empty() => Ok(()),
            version => Err(newer(table, "reader", version, &unknown, READER)),
        }
    }

    /// Refuses a table whose writer rules this program would break.
    pub fn may_write(&self, table: &str) -> Result<(), Newer> {
        self.may_read(table)?;
        let unknown = unknown(self.writer_features.as_deref(), &WRITER_FEATURES);
        match self.min_writer_version {
            ..=WRITER => Ok(()),
            WRITER_WITH_FEATURES if unknown.is_empty() => Ok(()),
            version => Err(newer(table, "writer", version, &unknown, WRITER)),
        }
    }
}

fn unknown<'f>(features: Option<&'f [String]>, known: &[&str]) -> Vec<&'f str> {
    features.unwrap_or_default().iter().map(String::as_str).filter(|name| !known.contains(name)).collect()
}

fn newer(table: &str, role: &str, version: i32, features: &[&str], known: i32) -> Newer {
    let features = if features.is_empty() { String::new() } else { format!(" ({})", features.join(", ")) };
    Newer {
        place: format!("the table {table}"),
        found: format!("Delta {role} version {version}{features}"),
        known: format!("{role} version {known}"),
    }
}

#[cfg(test)]
mod tests;
