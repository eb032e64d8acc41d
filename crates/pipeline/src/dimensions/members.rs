//! The members of dimensions that have been written.

use std::io::{self, BufRead};

use kassa_model::short::same;
use kassa_model::{Key, Table};

use super::keys::Keys;
use crate::journal::{Journal, Piece};
use crate::validate::{look_at, mix};

/// Two members have the same key: their rows would be added up together.
#[derive(Debug, Clone, thiserror::Error)]
#[error("two members of {table} have the key {key}: `{natural}` and one seen before")]
pub struct Collision {
    pub table: &'static str,
    pub key: i64,
    pub natural: String,
}

/// The members already written, each with a second hash of its natural key: 16 to 20 bytes per member.
#[derive(Debug, Default)]
pub struct Members {
    /// Indexed by the table's number in [`Table::ALL`].
    known: [Keys; Table::ALL.len()],
    /// The last member of each small table: nearly every record names it again, and comparing is cheaper than hashing.
    last: [Last; Table::ALL.len()],
    /// The members added since the last checkpoint.
    journal: Journal,
}

/// The size of a member in a checkpoint: its table's number in [`Table::ALL`], its key, the second hash.
const SAVED: usize = 13;

fn to_bytes(table: usize, key: i64, check: u32) -> [u8; SAVED] {
    let mut bytes = [0; SAVED];
    bytes[0] = u8::try_from(table).unwrap_or(u8::MAX);
    bytes[1..9].copy_from_slice(&key.to_le_bytes());
    bytes[9..].copy_from_slice(&check.to_le_bytes());
    bytes
}

#[derive(Debug, Default)]
struct Last {
    key: Key,
    natural: String,
    /// Where each part of the natural key ends.
    ends: Vec<usize>,
}

impl Last {
    fn is(&self, natural: &[&str]) -> bool {
        if let ([only], 1) = (natural, self.ends.len()) {
            return same(self.natural.as_bytes(), only.as_bytes());
        }
        let mut start = 0;
        self.ends.len() == natural.len()
            && self.ends.iter().zip(natural).all(|(end, part)| {
                let same = same(&self.natural.as_bytes()[start..*end], part.as_bytes());
                start = *end;
                same
            })
    }

    fn set(&mut self, key: Key, natural: &[&str]) {
        self.key = key;
        self.natural.clear();
        self.ends.clear();
        for part in natural {
            self.natural.push_str(part);
            self.ends.push(self.natural.len());
        }
    }
}

impl Members {
    /// The key of the member of `kind` with this natural key, and whether it is new.
    pub fn meet(&mut self, table: Table, kind: &str, natural: &[&str]) -> Result<(Key, bool), Collision> {
        if natural.last().is_none_or(|part| part.is_empty()) {
            return Ok((Key::UNKNOWN, false));
        }
        let last = &self.last[table as usize];
        if last.is(natural) {
            return Ok((last.key, false));
        }
        let key = Key::of(kind, natural);
        let is_new = self.is_new(table, key, natural)?;
        self.last[table as usize].set(key, natural);
        Ok((key, is_new))
    }

    /// Whether the member is new.
    pub fn is_new(&mut self, table: Table, key: Key, natural: &[&str]) -> Result<bool, Collision> {
        if key == Key::UNKNOWN {
            return Ok(false);
        }
        let check = check(natural);
        match self.known[table as usize].add(key.stored(), check) {
            None => {
                self.journal.add(to_bytes(table as usize, key.stored(), check));
                Ok(true)
            }
            Some(held) if [check, UNCHECKED].contains(&*held) => {
                *held = check;
                Ok(false)
            }
            Some(_) => Err(Collision { table: table.name(), key: key.stored(), natural: natural.join("/") }),
        }
    }

    /// Prefetches the memory that [`is_new`](Self::is_new) reads for these keys.
    pub fn warm(&self, table: Table, keys: impl Iterator<Item = Key>) {
        std::hint::black_box(self.known[table as usize].warm(keys.map(Key::stored)));
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.known.iter().map(Keys::size).sum()
    }

    pub fn len(&self) -> usize {
        self.known.iter().map(Keys::len).sum()
    }

    /// Adds a member by key only; the collision check is skipped until its natural key is seen.
    pub fn remember(&mut self, table: Table, key: Key) {
        if key != Key::UNKNOWN && self.known[table as usize].add(key.stored(), UNCHECKED).is_none() {
            self.journal.add(to_bytes(table as usize, key.stored(), UNCHECKED));
        }
    }

    /// Starts to record additions, for checkpoints. `is_saved`: a checkpoint contains all present members.
    pub fn record(&mut self, is_saved: bool) {
        self.journal.start(is_saved);
    }

    /// Makes the next cut a complete one.
    pub fn rewrite(&mut self) {
        self.journal.rewrite();
    }

    /// The members that a checkpoint adds to earlier ones.
    pub fn cut(&mut self) -> Piece {
        let count = self.len();
        let Self { known, journal, .. } = self;
        journal.cut(|bytes| {
            bytes.reserve_exact(count * SAVED);
            for (table, members) in known.iter().enumerate() {
                members.iter().for_each(|(key, check)| bytes.extend_from_slice(&to_bytes(table, key, check)));
            }
        })
    }

    /// Loads a piece that [`cut`](Self::cut) made, or several in sequence.
    ///
    /// # Errors
    /// If the piece cannot be read to its end, or is invalid.
    pub fn load(&mut self, mut piece: impl BufRead) -> io::Result<()> {
        let mut member = [0; SAVED];
        while !piece.fill_buf()?.is_empty() {
            piece.read_exact(&mut member)?;
            let [table, key @ .., c0, c1, c2, c3] = member;
            let (key, check) = (i64::from_le_bytes(key), u32::from_le_bytes([c0, c1, c2, c3]));
            let known = self.known.get_mut(usize::from(table)).ok_or(io::ErrorKind::InvalidData)?;
            if key != Key::UNKNOWN.stored()
                && let Some(held) = known.add(key, check)
            {
                *held = check;
            }
        }
        Ok(())
    }

    /// Removes all members.
    pub fn clear(&mut self) {
        self.known.iter_mut().for_each(Keys::clear);
        self.last.fill_with(Last::default);
        self.journal.rewrite();
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// In place of the hash of an unknown natural key.
const UNCHECKED: u32 = 0;

/// A second hash of a natural key, independent of its key.
fn check(natural: &[&str]) -> u32 {
    let mut state = 0_u64;
    for part in natural {
        state = mix(state, look_at(part.as_bytes()).0);
    }
    let hash = (state ^ (state >> 32)).to_le_bytes();
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]).max(UNCHECKED + 1)
}

#[cfg(test)]
mod tests;
