//! A checkpoint in progress: its pieces are written first. The manifest names them once every sink has committed their contents.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use kassa_analytics::Figures;
use kassa_lake::figures::follow;
use kassa_lake::{LogError, Store};
use kassa_model::time::Calendar;
use kassa_model::{Positions, Table, crash};
use kassa_pipeline::dedupe::{IndexError, KeysCut};
use kassa_pipeline::{Piece, Stage};

use super::Place;
use super::desk::{Desk, StageCut};
use super::manifest::{self, KeysNames, Manifest};
use super::pieces::{Counted, Name, Pieces};
use crate::memory::is_ahead;
use crate::{Known, Tally};

/// A set with this many pieces is merged into one.
const PIECES_MAX: usize = 64;

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("could not write a file of the checkpoint")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("could not read the lake")]
    Lake(#[from] LogError),
    #[error("could not start the thread of the checkpoints, or it panicked")]
    Thread,
}

/// The live figures as they are now, and their positions.
pub type Snapshot = Box<dyn Fn() -> (Figures, Positions) + Send>;

/// The positions that each sink with the star schema has committed of the partitions that this process reads.
pub type Committed = Box<dyn Fn() -> Vec<Positions> + Send>;

/// The inputs of a checkpoint.
pub struct Parts {
    pub place: Arc<Place>,
    pub desk: Arc<Desk>,
    pub store: Arc<dyn Store>,
    pub figures: Snapshot,
    /// The positions of the figures.
    pub figures_at: Box<dyn Fn() -> Positions + Send>,
    pub committed: Committed,
    /// The counts from the lake's spans and dead letters, and their positions.
    pub tally: (Tally, Positions),
    pub calendar: Calendar,
    /// The lake's commit interval.
    pub commit_interval: Duration,
}

/// Writes the parts of one checkpoint after the other.
#[derive(Debug)]
pub struct Drafts {
    parts: Parts,
    accounted: follow::Accounts,
    accounts: follow::Follower,
}

/// A checkpoint on disk that no manifest names yet.
#[derive(Debug)]
pub struct Draft {
    manifest: Manifest,
    figures_at: Positions,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Drafts {
    pub fn new(parts: Parts) -> Self {
        let accounts = follow::Follower::new([(Table::Spans, &[][..]), (Table::Rejected, &[][..])]);
        Self { parts, accounted: follow::Accounts::default(), accounts }
    }

    pub(super) fn desk(&self) -> &Desk {
        &self.parts.desk
    }

    pub(super) fn commit_interval(&self) -> Duration {
        self.parts.commit_interval
    }

    /// Whether the last checkpoint contains all of this already.
    pub(super) fn is_saved(&self, cut: &StageCut) -> bool {
        let is_empty = cut.index.adds_nothing() && cut.members.is_empty();
        is_empty
            && self.parts.desk.manifest().is_some_and(|saved| {
                saved.known() == cut.known && manifest::positions(&saved.figures_at) == (self.parts.figures_at)()
            })
    }

    /// Writes the additions as pieces.
    pub fn write(&mut self, cut: &StageCut) -> Result<Draft, WriteError> {
        let before = self.parts.desk.manifest();
        let pieces = self.parts.place.pieces.clone();
        let mut next = Numbers { pieces: &pieces, next: before.as_ref().map_or(1, |before| before.next_piece) };
        cut.index.sync()?;
        let (figures, figures_at) = (self.parts.figures)();
        let figures = next.write(&mut |file| postcard::to_io(&figures, file).map(drop).map_err(io::Error::other))?;
        self.count()?;
        let (tally, tally_at) = &self.parts.tally;
        let tally = next.write(&mut |file| postcard::to_io(tally, file).map(drop).map_err(io::Error::other))?;
        let places = next.bytes(&cut.index.places)?;
        let (held, members) = before.map(|before| (before.keys, before.members)).unwrap_or_default();
        let mut keys = |cut: &KeysCut| -> io::Result<KeysNames> {
            let table = held.iter().find(|held| held.window == cut.window).map(|held| held.table.clone());
            let table = next.add(table.unwrap_or_default(), &cut.table)?;
            Ok(KeysNames { window: cut.window, floor: cut.floor, runs: cut.runs(), table })
        };
        let keys = cut.index.keys.iter().map(&mut keys).collect::<io::Result<_>>()?;
        let members = next.add(members, &cut.members)?;
        crash::point("checkpoint.after_pieces");
        let manifest = Manifest {
            setting: self.parts.place.setting,
            next_piece: next.next,
            index_at: manifest::saved(&cut.known.index),
            members_at: manifest::saved(&cut.known.members),
            places,
            last_run: cut.index.last_id,
            keys,
            members,
            figures_at: manifest::saved(&figures_at),
            figures,
            tally_at: manifest::saved(tally_at),
            tally,
        };
        Ok(Draft { manifest, figures_at })
    }

    /// Adds the spans and dead letters that the lake has committed since.
    fn count(&mut self) -> Result<(), LogError> {
        let to = self.accounted.now(self.parts.store.as_ref())?;
        let Parts { tally: (tally, from), calendar, store, .. } = &mut self.parts;
        self.accounts.rows(store.as_ref(), (&*from, &to), &mut |table, rows| tally.add(table, &rows, calendar))?;
        *from = to;
        Ok(())
    }

    /// Whether every sink has committed what the draft contains.
    pub(super) fn has_committed(&mut self, cut: &StageCut, draft: &Draft) -> Result<bool, WriteError> {
        if (self.parts.committed)().iter().any(|committed| is_ahead(&cut.read, committed)) {
            return Ok(false);
        }
        let accounted = self.accounted.now(self.parts.store.as_ref())?;
        let parts = [&cut.known.index, &cut.known.members, &draft.figures_at];
        Ok(!parts.into_iter().any(|positions| is_ahead(positions, &accounted)))
    }

    /// Writes the manifest that names the draft and replaces the one before. `false`: a sink has not committed all of it, or the
    /// stage was restarted meanwhile.
    pub fn publish(&mut self, cut: &StageCut, draft: &Draft) -> Result<bool, WriteError> {
        if !self.has_committed(cut, draft)? {
            return Ok(false);
        }
        let pieces = &self.parts.place.pieces;
        self.parts.desk.publish(cut, draft.manifest.clone(), |manifest| {
            crash::point("checkpoint.before_manifest");
            manifest.write(pieces)?;
            crash::point("checkpoint.after_manifest");
            Ok(pieces.keep(manifest.names())?)
        })
    }

    /// Writes and publishes a last checkpoint, of a stage whose records are all committed. `false`: a sink has not committed all
    /// of it.
    pub fn finish(&mut self, (stage, known, read): (&mut Stage, &Known, &Positions)) -> Result<bool, WriteError> {
        self.desk().want();
        self.desk().serve(stage, known, read);
        let Some(cut) = self.desk().take() else { return Ok(false) };
        let draft = self.write(&cut)?;
        self.publish(&cut, &draft)
    }
}

/// Numbers the pieces.
struct Numbers<'p> {
    pieces: &'p Pieces,
    next: u64,
}

impl Numbers<'_> {
    fn write(&mut self, fill: &mut dyn FnMut(&mut Counted) -> io::Result<()>) -> io::Result<Name> {
        self.next += 1;
        self.pieces.write(self.next - 1, fill)
    }

    fn bytes(&mut self, bytes: &[u8]) -> io::Result<Name> {
        self.write(&mut |file| io::Write::write_all(file, bytes))
    }

    /// Adds a piece to a set. If the set has many pieces, they are merged into one.
    fn add(&mut self, mut held: Vec<Name>, piece: &Piece) -> io::Result<Vec<Name>> {
        if piece.replaces {
            held.clear();
        }
        if held.len() >= PIECES_MAX {
            held = vec![self.merged(&held)?];
        }
        if !piece.bytes.is_empty() {
            held.push(self.bytes(&piece.bytes)?);
        }
        Ok(held)
    }

    /// Merges several pieces into one.
    fn merged(&mut self, names: &[Name]) -> io::Result<Name> {
        let pieces = self.pieces;
        self.write(&mut |file| {
            names.iter().try_for_each(|name| {
                let mut piece = pieces.open(name).map_err(io::Error::other)?;
                io::copy(&mut piece, file).map(drop)
            })
        })
    }
}
