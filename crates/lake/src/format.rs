//! The format number of the whole lake, in `_kassa/format`. It rises when a change cannot be stated
//! per table.
//!
//! Added and retired columns do not change the format: see [`crate::delta::schema`].

use std::io;

use kassa_model::Newer;

use crate::delta::LogError;
use crate::store::Store;

/// The format that this program writes; also the newest that it can use.
pub const FORMAT: u32 = 2;

/// The first format whose lakes have a secret, `_kassa/key`: an older program would make other keys.
const KEYED: u32 = 2;

const FILE: &str = "_kassa/format";

/// The number in the lake. `None`: there is none, as in lakes of version 0.1, whose format is 1.
fn stated(store: &dyn Store) -> Result<Option<u32>, LogError> {
    let bytes = match store.get(FILE) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| LogError::Corrupt(format!("{FILE} does not hold a number").into()))
}

/// Refuses a lake whose format is newer than this program's.
pub fn check(store: &dyn Store) -> Result<(), LogError> {
    match stated(store)? {
        Some(found) if found > FORMAT => Err(newer(found).into()),
        _ => Ok(()),
    }
}

/// Writes the format of a lake that has no tables yet. A writer must call this before its first
/// commit.
pub fn state(store: &dyn Store) -> Result<(), LogError> {
    if stated(store)?.is_some() || !is_new(store)? {
        return check(store);
    }
    // Another writer may create the same lake at the same time: its number counts.
    if store.put_new(FILE, format!("{FORMAT}\n").as_bytes())? { Ok(()) } else { check(store) }
}

/// Whether the lake has no tables yet.
pub fn is_new(store: &dyn Store) -> Result<bool, LogError> {
    Ok(store.list("DWH")?.is_empty() && store.list("topics")?.is_empty())
}

/// Whether the keys in the lake are made with its secret.
pub(crate) fn needs_key(store: &dyn Store) -> Result<bool, LogError> {
    Ok(stated(store)?.is_some_and(|found| found >= KEYED))
}

/// States the present format of a lake whose rows are made anew.
pub(crate) fn raise(store: &dyn Store) -> Result<(), LogError> {
    if stated(store)?.is_none_or(|found| found < FORMAT) {
        store.put(FILE, format!("{FORMAT}\n").as_bytes())?;
    }
    Ok(())
}

fn newer(found: u32) -> Newer {
    Newer { place: "the lake".to_owned(), found: format!("format {found} ({FILE})"), known: format!("formats up to {FORMAT}") }
}

#[cfg(test)]
mod tests;
