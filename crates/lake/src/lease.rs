//! A reader's lease: while it is held, maintenance deletes no data file, so that a long read sees
//! one version until its end.
//!
//! It is a shared lock on a file in the lake's folder. If a reader dies, its lock ends with the
//! process.
//!
//! A bucket has no lease, because nothing shows whether a reader is active. There every file stays
//! for as long as the longest lease.

use std::fs::{File, TryLockError};
use std::io;

use crate::store::Store;

const FILE: &str = ".readers";

/// Held for as long as a reader needs the files that it has listed.
#[derive(Debug)]
pub struct Lease(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl Lease {
    /// Takes a shared lock. Without a lake, or with a lake that cannot be written to, there is
    /// nothing to protect.
    pub fn take(store: &dyn Store) -> io::Result<Self> {
        let Some(path) = store.lock_file(FILE) else { return Ok(Self(None)) };
        match File::options().create(true).truncate(false).write(true).open(&path) {
            Ok(file) => file.lock_shared().map(|()| Self(Some(file))),
            Err(error) if is_nothing_to_protect(error.kind()) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

fn is_nothing_to_protect(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem};
    matches!(kind, NotFound | PermissionDenied | ReadOnlyFilesystem)
}

/// Runs `work` if no reader holds a lease, and blocks new leases meanwhile. `None`: a lease exists,
/// or this cannot be known.
pub(crate) fn without_readers<T>(store: &dyn Store, work: impl FnOnce() -> T) -> io::Result<Option<T>> {
    let Some(path) = store.lock_file(FILE) else { return Ok(None) };
    let file = match File::options().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(work())),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(work())),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
