//! Errors that pass by themselves: a store or a source that does not answer now, or a full disk.

use std::error::Error;
use std::io;

use kassa_engine::MemoryError;
use kassa_kafka::registry::RegistryError;
use kassa_kafka::{ErrorKind, KafkaError};
use kassa_lake::{LogError, Refused};
use kassa_model::Code;
use kassa_pipeline::SinkError;
use kassa_warehouse::WarehouseError;
use rustix::io::Errno;

use crate::failure::Failure;

/// Whether the same request may work later although nobody has changed the configuration or the data. A refusal (a wrong password, a
/// bucket that does not exist), a newer format and damaged data never do.
pub fn is_away(error: &anyhow::Error) -> bool {
    error.chain().find_map(passes).unwrap_or(false)
}

/// `None`: the cause behind it decides.
fn passes(cause: &(dyn Error + 'static)) -> Option<bool> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(matches!(failure.code, Code::StoreUnreachable | Code::SourceUnreachable));
    }
    if let Some(error) = cause.downcast_ref::<SinkError>() {
        return Some(matches!(error, SinkError::Unavailable(_)));
    }
    if let Some(error) = cause.downcast_ref::<WarehouseError>() {
        return Some(matches!(error, WarehouseError::Unavailable(_)));
    }
    if let Some(error) = cause.downcast_ref::<LogError>() {
        return Some(matches!(error, LogError::Io(error) if io_passes(error)));
    }
    if let Some(error) = cause.downcast_ref::<KafkaError>() {
        return Some(error.kind() == ErrorKind::Unavailable);
    }
    if let Some(error) = cause.downcast_ref::<MemoryError>() {
        return match error {
            MemoryError::Lake(error) => passes(error),
            MemoryError::Warehouse(error) => passes(error),
        };
    }
    match cause.downcast_ref::<RegistryError>() {
        Some(RegistryError::Unavailable { .. }) => return Some(true),
        // A snapshot is an object of the lake's store.
        Some(RegistryError::Snapshot { .. }) | None => {}
        Some(_) => return Some(false),
    }
    cause.downcast_ref::<io::Error>().map(io_passes)
}

fn io_passes(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    // Too many open files, of the process or of the machine.
    let descriptors = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    let kinds = [
        Kind::TimedOut,
        Kind::StorageFull,
        Kind::QuotaExceeded,
        Kind::ConnectionRefused,
        Kind::ConnectionReset,
        Kind::ConnectionAborted,
        Kind::BrokenPipe,
        Kind::HostUnreachable,
        Kind::NetworkUnreachable,
        Kind::NetworkDown,
        Kind::ResourceBusy,
        Kind::Interrupted,
    ];
    let is_of_descriptors = error.raw_os_error().is_some_and(|code| descriptors.contains(&code));
    Refused::of(error).is_none() && (kinds.contains(&error.kind()) || is_of_descriptors)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use kassa_model::Cause;

    use super::*;

    fn io(kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, "so it is")
    }

    fn opened<E: Error + Send + Sync + 'static>(error: E) -> anyhow::Error {
        Err::<(), E>(error).context("could not open it").unwrap_err()
    }

    #[test]
    fn what_does_not_answer_is_away() {
        let registry = RegistryError::Unavailable { url: "http://localhost:8081".to_owned(), why: "refused".into() };
        let snapshot = RegistryError::Snapshot { doing: "read", id: 1, why: Cause::of(io(io::ErrorKind::TimedOut)) };
        let kafka = || KafkaError::Unavailable { at: "localhost:9092".to_owned(), why: "refused".to_owned() };
        for error in [
            opened(LogError::from(io(io::ErrorKind::TimedOut))),
            opened(LogError::from(io(io::ErrorKind::StorageFull))),
            opened(LogError::from(io::Error::from(Errno::MFILE))),
            opened(SinkError::Unavailable("connection refused".to_owned())),
            opened(WarehouseError::Unavailable("connection refused".to_owned())),
            opened(MemoryError::Lake(LogError::from(io(io::ErrorKind::TimedOut)))),
            opened(MemoryError::Warehouse(SinkError::Unavailable("connection refused".to_owned()))),
            opened(registry),
            opened(snapshot),
            opened(kafka()),
            opened(Failure::of(Code::SourceUnreachable, kafka())),
        ] {
            assert!(is_away(&error), "{error:?}");
        }
    }

    #[test]
    fn what_a_person_must_change_is_not_away() {
        let refused = |what: &str| LogError::Refused(Refused { what: what.to_owned(), fix: "fix the keys".to_owned() });
        let missing = LogError::corrupt_at("DWH/spans/1.parquet", io(io::ErrorKind::TimedOut));
        let credentials = RegistryError::Credentials { url: String::new(), identity: String::new(), status: 401 };
        for error in [
            opened(LogError::from(io(io::ErrorKind::NotADirectory))),
            opened(LogError::from(io(io::ErrorKind::PermissionDenied))),
            opened(refused("the bucket does not exist")),
            opened(missing),
            opened(SinkError::Invalid("password authentication failed [28P01]".to_owned())),
            opened(WarehouseError::Invalid("password authentication failed [28P01]".to_owned())),
            opened(KafkaError::UnknownTopic { at: String::new(), topic: "orders".to_owned() }),
            opened(credentials),
            opened(Failure::new(Code::Rebuilding, "a rebuild has not ended")),
            anyhow::anyhow!("something else"),
        ] {
            assert!(!is_away(&error), "{error:?}");
        }
    }
}
