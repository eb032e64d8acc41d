//! The members of dimensions that have been written.

use std::io::{self, BufRead};

use kassa_model::key::{Checked, Keyring};
use kassa_model::short::same;
use kassa_model::{Key, Table};

use super::collision::{Collision, Witness};
use super::keys::Keys;
use crate::journal::{Journal, Piece};

/// The members already written, each with bits of its natural key that are independent of its key: 16 to 20 bytes a member.
#[derive(Debug, Default)]
pub struct Members {
    /// Indexed by the table's number in [`Table::ALL`].
    known: [Keys; Table::ALL.len()],
    /// The last member of each small table: nearly every record names it again, and comparing is cheaper than hashing.
    last: [Last; Table::ALL.len()],
    /// The members added since the last checkpoint.
    journal: Journal,
    /// Those that the present record has added.
    added: Vec<(Table, Key)>,
    /// In a proof, where no collision is an error.
    witness: Option<Witness>,
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
    /// The key of the member of `kind` with this natural key, and whether this is its first sight.
    pub fn meet(&mut self, keyring: &Keyring, table: Table, kind: &str, natural: &[&str]) -> Result<(Key, bool), Collision> {
        if natural.last().is_none_or(|part| part.is_empty()) {
            return Ok((Key::UNKNOWN, false));
        }
        let last = &self.last[table as usize];
        if last.is(natural) {
            return Ok((last.key, false));
        }
        let member = keyring.checked(kind, natural);
        let is_new = self.is_new(table, member)?;
        self.last[table as usize].set(member.key, natural);
        Ok((member.key, is_new))
    }

    /// Whether this is the first sight of the member.
    pub fn is_new(&mut self, table: Table, member: Checked) -> Result<bool, Collision> {
        let Checked { key, check } = member;
        if key == Key::UNKNOWN {
            return Ok(false);
        }
        if let Some(witness) = &mut self.witness {
            witness.see(table, member);
        }
        match self.known[table as usize].add(key.stored(), check) {
            None => {
                self.journal.add(to_bytes(table as usize, key.stored(), check));
                self.added.push((table, key));
                Ok(true)
            }
            Some(held) if [check, UNCHECKED].contains(&*held) => {
                *held = check;
                Ok(false)
            }
            Some(_) if self.witness.is_some() => Ok(false),
            Some(_) => Err(Collision { table, key }),
        }
    }

    /// Takes note of a member that a sink holds. Of two with one key the first stays.
    pub fn recall(&mut self, table: Table, Checked { key, check }: Checked) {
        if key == Key::UNKNOWN {
            return;
        }
        match self.known[table as usize].add(key.stored(), check) {
            None => self.journal.add(to_bytes(table as usize, key.stored(), check)),
            Some(held) if *held == UNCHECKED => *held = check,
            Some(_) => {}
        }
    }

    /// What is added from here on belongs to another record.
    pub(crate) fn begin_record(&mut self) {
        self.added.clear();
    }

    /// Removes the members that the present record has added: it is a dead letter.
    #[cold]
    pub(crate) fn undo_record(&mut self) {
        for (table, key) in std::mem::take(&mut self.added) {
            self.known[table as usize].remove(key.stored());
        }
        self.last.fill_with(Last::default);
        self.journal.rewrite();
    }

    /// From here on records are judged each by itself: a collision is noted and is no error.
    pub(crate) fn witness(&mut self) -> &mut Witness {
        self.witness.get_or_insert_default()
    }

    /// Fetches from memory what [`is_new`](Self::is_new) will ask of these keys, many at once.
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

    /// Takes note of a member whose natural key is not known any more: the first record that names its key is taken for right.
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

/// In place of the check of a natural key that is not known.
const UNCHECKED: u32 = Checked::NONE;

#[cfg(test)]
mod tests;
