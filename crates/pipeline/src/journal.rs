//! Entries added to a set since the last checkpoint, so that a checkpoint writes the additions and not the whole set.

use std::mem;

/// Bytes of new entries held between two checkpoints. Beyond this the next checkpoint writes the whole set.
const BYTES_MAX: usize = 24 << 20;

/// The part of a set that a checkpoint writes: one more piece, or a piece that replaces all earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub bytes: Vec<u8>,
    pub replaces: bool,
}

impl Piece {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && !self.replaces
    }
}

/// The new entries of one set.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    state: State,
    bytes: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There are no checkpoints.
    #[default]
    Off,
    /// `bytes` are additions to the earlier pieces.
    Adds,
    /// `bytes` are the whole set: they replace earlier pieces.
    Replaces,
    /// The next piece must be made from the whole set.
    Whole,
}

impl Journal {
    /// Starts to record. `is_saved`: the pieces of a checkpoint contain the present set.
    pub(crate) fn start(&mut self, is_saved: bool) {
        self.bytes = Vec::new();
        self.state = if is_saved { State::Adds } else { State::Whole };
    }

    #[inline]
    pub(crate) fn add<const N: usize>(&mut self, entry: [u8; N]) {
        if matches!(self.state, State::Adds | State::Replaces) {
            self.record(&entry);
        }
    }

    fn record(&mut self, entry: &[u8]) {
        if self.bytes.len() + entry.len() > BYTES_MAX {
            self.rewrite();
        } else {
            self.bytes.extend_from_slice(entry);
        }
    }

    /// The set has become empty: the contents of earlier pieces are stored elsewhere, or no longer needed.
    pub(crate) fn cleared(&mut self) {
        self.bytes.clear();
        if self.state != State::Off {
            self.state = State::Replaces;
        }
    }

    /// Entries have been removed, or a piece was not written: the next piece is made from the whole set.
    pub(crate) fn rewrite(&mut self) {
        self.bytes = Vec::new();
        if self.state != State::Off {
            self.state = State::Whole;
        }
    }

    /// The piece for a checkpoint. `dump` appends the whole set.
    pub(crate) fn cut(&mut self, dump: impl FnOnce(&mut Vec<u8>)) -> Piece {
        let mut piece = Piece { bytes: mem::take(&mut self.bytes), replaces: self.state != State::Adds };
        if matches!(self.state, State::Off | State::Whole) {
            dump(&mut piece.bytes);
        }
        if self.state != State::Off {
            self.state = State::Adds;
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies pieces as a reader of checkpoints does.
    fn apply(pieces: &[Piece]) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in pieces {
            if piece.replaces {
                all.clear();
            }
            all.extend_from_slice(&piece.bytes);
        }
        all
    }

    #[test]
    fn pieces_together_are_the_set() {
        let (mut journal, mut set, mut pieces) = (Journal::default(), vec![0_u8], Vec::new());
        journal.start(false);
        for step in 1..200_u8 {
            match step % 9 {
                3 => {
                    set.clear();
                    journal.cleared();
                }
                6 => {
                    set.retain(|entry| entry % 2 == 0);
                    journal.rewrite();
                }
                _ => {}
            }
            set.push(step);
            journal.add([step]);
            if step % 4 == 0 {
                pieces.push(journal.cut(|bytes| bytes.extend_from_slice(&set)));
                assert_eq!(apply(&pieces), set, "after step {step}");
            }
        }
        assert!(pieces.iter().any(|piece| !piece.replaces), "most pieces add");
    }

    #[test]
    fn a_journal_that_is_full_makes_the_next_piece_a_whole_one() {
        let mut journal = Journal::default();
        journal.start(true);
        for _ in 0..=BYTES_MAX / 1024 {
            journal.add([1; 1024]);
        }
        assert!(journal.bytes.is_empty());
        let piece = journal.cut(|bytes| bytes.push(7));
        assert_eq!(piece, Piece { bytes: vec![7], replaces: true });
        journal.add([8]);
        assert_eq!(journal.cut(|_| unreachable!()), Piece { bytes: vec![8], replaces: false });
    }

    #[test]
    fn nothing_is_recorded_before_the_start() {
        let mut journal = Journal::default();
        journal.add([1]);
        journal.cleared();
        assert_eq!(journal.cut(|bytes| bytes.push(2)), Piece { bytes: vec![2], replaces: true });
        assert_eq!(journal.cut(|bytes| bytes.push(3)), Piece { bytes: vec![3], replaces: true });
    }
}
