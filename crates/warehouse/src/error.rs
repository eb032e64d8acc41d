//! PostgreSQL's errors by SQLSTATE class, and what the caller should do.

use std::error::Error;

use kassa_model::star::read::ReadError;
use kassa_model::{Cause, Newer};
use kassa_pipeline::SinkError;
use postgres::error::SqlState;

/// Why an operation on the warehouse failed.
#[derive(Debug, thiserror::Error)]
pub enum WarehouseError {
    /// It does not answer, or is full: the request may be retried.
    #[error("could not reach the warehouse: {0}")]
    Unavailable(String),
    /// The operator must change something first.
    #[error("{0}")]
    Invalid(String),
    /// Its contents contradict the new rows.
    #[error("corrupt: {0}")]
    Corrupt(#[source] Cause),
    /// Another process has moved the positions.
    #[error("fenced: {0}")]
    Fenced(String),
    /// It contains less than it had acknowledged.
    #[error("gone back: {0}")]
    Rewound(String),
    /// A newer kassa has migrated it.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// A rebuild has marked it and is not complete.
    #[error("{0}")]
    Rebuilding(String),
}

impl From<WarehouseError> for SinkError {
    fn from(error: WarehouseError) -> Self {
        match error {
            WarehouseError::Unavailable(what) => SinkError::Unavailable(what),
            WarehouseError::Invalid(what) => SinkError::Invalid(what),
            WarehouseError::Corrupt(what) => SinkError::Corrupt(what),
            WarehouseError::Fenced(what) => SinkError::Fenced(what),
            WarehouseError::Rewound(what) => SinkError::Rewound(what),
            WarehouseError::Newer(newer) => SinkError::Newer(newer),
            WarehouseError::Rebuilding(what) => SinkError::Rebuilding(what),
        }
    }
}

impl From<ReadError> for WarehouseError {
    fn from(error: ReadError) -> Self {
        WarehouseError::corrupt(error)
    }
}

impl From<postgres::Error> for WarehouseError {
    fn from(error: postgres::Error) -> Self {
        of(&error)
    }
}

pub(crate) fn of(error: &postgres::Error) -> WarehouseError {
    match class(error) {
        Class::Passing => WarehouseError::Unavailable(words(error)),
        Class::Operator(fix) => WarehouseError::Invalid(format!("{}. {fix}", words(error))),
        Class::Contradiction => WarehouseError::Corrupt(words(error).into()),
    }
}

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Retry the whole transaction.
    Passing,
    /// An operator must do this.
    Operator(&'static str),
    Contradiction,
}

/// An error without a SQLSTATE is a broken connection.
pub(crate) fn class(error: &postgres::Error) -> Class {
    match error.code() {
        Some(state) => class_of(state),
        None => broken(&words(error)),
    }
}

fn broken(words: &str) -> Class {
    if words.contains("TLS") || words.contains("certificate") {
        return Class::Operator(
            "Give the authority that signed the server's certificate as `sslrootcert`, and the host by the name that the certificate has",
        );
    }
    if words.contains("password missing") || words.contains("unsupported authentication") {
        return Class::Operator("Give the password of the role");
    }
    Class::Passing
}

fn class_of(state: &SqlState) -> Class {
    const RIGHTS: &str = "Grant the login the role kassa_ingest, or run the warehouse's grants again (docs/how-to/postgresql.md)";
    const SCHEMA: &str = "The schema is not the one of this kassa: migrate the warehouse first (docs/how-to/postgresql.md)";
    match state.code() {
        // A role may not write to a standby: it will become the primary, or another host will.
        "25006" => Class::Passing,
        // No partition for the row: it was dropped after the check.
        "23514" => Class::Passing,
        // A lock that was not free in time, or a statement that took too long.
        "55P03" | "57014" => Class::Passing,
        "42501" => Class::Operator(RIGHTS),
        "3D000" => Class::Operator("Create the database, or name another one in the URL"),
        // Two clients created the same partition.
        "42P07" | "42P17" => Class::Passing,
        code => match &code[..2] {
            // Connection, deadlock or serialization, resources (disk, memory, connections), operator, system.
            "08" | "40" | "53" | "57" | "58" => Class::Passing,
            "28" => Class::Operator("Check user and password in the warehouse's URL, and pg_hba.conf on the server"),
            "42" | "3F" => Class::Operator(SCHEMA),
            _ => Class::Contradiction,
        },
    }
}

/// PostgreSQL's whole error: message, detail (which contains the keys of a duplicate) and SQLSTATE.
pub(crate) fn words(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        let detail = said.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail} [{}]", said.message(), said.code().code());
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words = format!("{words}: {inner_words}");
        }
        cause = inner.source();
    }
    words
}

impl WarehouseError {
    /// The rows that were read, or are to be added, contradict themselves.
    pub fn corrupt(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt(Cause::of(source))
    }

    /// Adds the place of the error.
    pub(crate) fn at(self, place: &str) -> Self {
        match self {
            WarehouseError::Unavailable(what) => WarehouseError::Unavailable(format!("{place}: {what}")),
            WarehouseError::Invalid(what) => WarehouseError::Invalid(format!("{place}: {what}")),
            WarehouseError::Corrupt(cause) => WarehouseError::Corrupt(cause.within(place)),
            other => other,
        }
    }
}
