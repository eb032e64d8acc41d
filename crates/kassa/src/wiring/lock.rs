//! The lock of a data folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::Context;
use kassa_model::Code;

use crate::failure::Failure;

/// Held for as long as a process may write below `data_dir`.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    pub fn take(data_dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data_dir).with_context(|| format!("could not create {}", data_dir.display()))?;
        let path = data_dir.join("kassa.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.with_context(|| format!("could not open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let hint = "stop the `kassa run` or `kassa demo` that uses this folder, or give another with --data-dir";
                Err(Failure::new(Code::LakeLocked, format!("{} is in use by another kassa", data_dir.display()))
                    .hint(hint)
                    .into())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("could not lock {}", path.display())),
        }
    }

    /// Whether another kassa writes below this folder now.
    pub fn is_taken(data_dir: &Path) -> bool {
        File::open(data_dir.join("kassa.lock")).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }
}
