//! The proof: recounts archive, tables, dead letters and spans from their own contents, and derives
//! every row again from the archive's bytes. It trusts none of the pipeline's counters.
//!
//! ```text
//!  files ─► spans ─► archive's offsets ─► rows of every table ─┐
//!  source's log    ─► archive's bytes ─► each record derived ──┴─► equal, 1,024 offsets at a time; where not, offset by offset
//!                                                              └─► duplicates, conflicts, repeated lines: there is a first
//!  facts at the positions of fact_session and dim_fx_rate ─► sessions, rates derived ─► equal; the shop's calendar ─► dim_date, dim_time
//! ```
//!
//! Memory: one bit per offset, one sum per 1,024 offsets of a table, about 50 bytes per dimension
//! member. Rows are streamed; keys that must be unique are sorted in temporary files if there are
//! many. Every row is read a fixed number of times, except for sessions (see `derived`) and for the
//! targets of duplicates and repeated lines (see `pending`).
//!
//! A proof since a day reads only the files that may contain rows of that day's records and later
//! ones (see `since`).

mod archive;
mod derive;
mod derived;
mod drill;
mod files;
mod finding;
mod hash;
mod held;
mod keys;
mod letters;
mod parts;
mod pending;
mod progress;
mod scan;
mod since;
mod spans;
mod spill;
mod sums;
#[cfg(test)]
mod tests;
mod unique;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use kassa_model::key::Keyring;
use kassa_model::{Cause, Contract, Partition, Positions, Records, Shop, Table};
use kassa_pipeline::Stage;
use kassa_pipeline::dimensions::Collision;
use serde::Serialize;

pub use finding::{Finding, Kind};
pub use progress::{Progress, Silent};
pub use since::{Covered, Lost, Since};

/// A hash of each row over all its columns. The same row has the same hash in every sink.
pub fn row_hashes(rows: &RecordBatch) -> Result<Vec<u128>, LogError> {
    hash::rows(rows, &[])
}

use crate::delta::{LogError, Snapshot, schema};
use crate::lease::Lease;
use crate::read;
use crate::star::table_spec;
use crate::store::Store;
use drill::Drill;
use finding::{Findings, Site};
use keys::Members;
use letters::Conflicts;
use parts::Parts;
use pending::Pending;
use progress::Reads;
use sums::Sums;

/// The counts and the findings.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    pub ok: bool,
    pub findings: Vec<Finding>,
    /// The number of findings beyond the first thousand.
    pub left_out: usize,
    pub records: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub rows: i64,
    /// What the source lost before it was read, by commit.
    pub lost: Vec<Lost>,
    /// Systems that could not be asked: nothing is known of them.
    pub not_compared: Vec<NotCompared>,
    /// The range of the proof, if it is not everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// A system that could not be asked, and why. That is no finding about its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// `kafka`, or the name of a sink.
    pub system: &'static str,
    pub code: &'static str,
    pub why: String,
    pub fix: Option<String>,
}

/// The offsets of a partition that a source has: half open.
#[derive(Debug, Clone)]
pub struct LogState {
    pub partition: Partition,
    pub first: i64,
    pub next: i64,
}

/// The records that the source (the collector's log, or Kafka) still has, of those that were read.
pub trait SourceLog {
    /// The bounds of each partition, and the damage found at or beyond these positions.
    fn states(&mut self, from: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), Cause>;

    /// Passes on the readable records of a range of offsets; records beyond it may follow.
    fn read(&mut self, partition: &Partition, range: Range<i64>, take: &mut dyn FnMut(&Records)) -> Result<(), Cause>;
}

/// No source: the lake's own tables alone are proven.
#[derive(Debug)]
pub struct NoLog;

impl SourceLog for NoLog {
    fn states(&mut self, _: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), Cause> {
        Ok((Vec::new(), Vec::new()))
    }

    fn read(&mut self, _: &Partition, _: Range<i64>, _: &mut dyn FnMut(&Records)) -> Result<(), Cause> {
        Ok(())
    }
}

/// The subject of a proof.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'p> {
    pub store: &'p dyn Store,
    pub shop: &'p Shop,
    /// By topic.
    pub contracts: &'p HashMap<Arc<str>, Contract>,
    /// Whether a pipeline may be running: then a sink may be behind another one.
    pub at_work: bool,
    /// Whether the source is Kafka, whose offsets have gaps.
    pub is_sparse: bool,
    /// The first day (UTC, such as 2026-01-31) whose ingested records are proven. `None`: all days.
    pub since: Option<&'p str>,
    pub progress: &'p dyn Progress,
}

/// Proves the lake at the positions that its spans account for; rows of a commit in progress are
/// ignored. `stage` must have an empty memory.
pub fn prove(subject: Subject<'_>, log: &mut dyn SourceLog, stage: &mut Stage) -> Result<Proof, LogError> {
    // Replaced files are not deleted while this is held, so all tables are read at the versions of
    // one moment.
    let _lease = Lease::take(subject.store)?;
    let mut prover = Prover::new(subject, *stage.keyring())?;
    let mapped = |topic: &&Arc<str>| stage.stream(topic).is_some_and(|stream| stream.mapper.is_some());
    prover.mapped = subject.contracts.keys().filter(mapped).cloned().collect();
    prover.step("files", Reads::AsNeeded);
    if let Some(day) = subject.since {
        prover.begin(day)?;
    }
    prover.files();
    if prover.spans()? {
        prover.step("source", Reads::AsNeeded);
        prover.log(log)?;
        prover.step("archive", Reads::Archive);
        prover.archive()?;
        prover.step("rows", Reads::Tables);
        prover.held()?;
        prover.step("records", Reads::Archive);
        prover.derive(stage)?;
        prover.step("keys", Reads::AsNeeded);
        prover.settle()?;
        prover.unique()?;
        prover.members()?;
        prover.step("differences", Reads::AsNeeded);
        prover.drill(log, stage)?;
        prover.fates();
        prover.positions();
        if subject.since.is_none() {
            prover.step("sessions", Reads::AsNeeded);
            prover.follows()?;
        }
    }
    Ok(prover.finish())
}

/// A proof in progress.
struct Prover<'p> {
    subject: Subject<'p>,
    keyring: Keyring,
    store: &'p dyn Store,
    contracts: &'p HashMap<Arc<str>, Contract>,
    tables: BTreeMap<Table, Arc<Snapshot>>,
    /// The columns of each table that its older rows lack.
    added: BTreeMap<Table, Vec<String>>,
    archives: BTreeMap<Arc<str>, Arc<Snapshot>>,
    /// Unreadable data files: reported once, then skipped.
    unreadable: HashSet<String>,
    /// The start of the proof in each partition; `None`: the start of everything.
    since: Option<Arc<Positions>>,
    /// Files without rows of the range that had to be read.
    older_files: HashSet<String>,
    proof: Proof,
    findings: Findings,
    parts: Parts,
    sums: Sums,
    pending: Pending,
    conflicts: Conflicts,
    /// Dead letters of shared keys, and what they say.
    collisions: Vec<(u32, i64, Option<Collision>)>,
    /// Topics with a mapping, and the hashes of their letters' records: a corrected mapping may
    /// decide these differently.
    mapped: HashSet<Arc<str>>,
    mapped_letters: HashMap<(u32, i64), u128>,
    members: Members,
    log: Vec<LogState>,
    /// Set once the sums are known to differ.
    drill: Option<Drill>,
}

impl<'p> Prover<'p> {
    fn new(subject: Subject<'p>, keyring: Keyring) -> Result<Self, LogError> {
        let mut prover = Self {
            subject,
            keyring,
            store: subject.store,
            contracts: subject.contracts,
            tables: BTreeMap::new(),
            added: BTreeMap::new(),
            archives: BTreeMap::new(),
            unreadable: HashSet::new(),
            since: None,
            older_files: HashSet::new(),
            proof: Proof::default(),
            findings: Findings::default(),
            parts: Parts::default(),
            sums: Sums::default(),
            pending: Pending::default(),
            conflicts: Conflicts::default(),
            collisions: Vec::new(),
            mapped: HashSet::new(),
            mapped_letters: HashMap::new(),
            members: Members::default(),
            log: Vec::new(),
            drill: None,
        };
        prover.load()?;
        Ok(prover)
    }

    /// Loads the newest version of each table; spans first, because the other tables already
    /// contain what they account for.
    fn load(&mut self) -> Result<(), LogError> {
        for table in Table::ALL.into_iter().rev() {
            if let Some(snapshot) = self.snapshot(Site::Table(table), &read::folder_of(table))? {
                let added = snapshot.metadata.as_ref().map(|held| schema::added(held, &table_spec(table)));
                match added.transpose() {
                    Ok(added) => self.added.extend(added.map(|added| (table, added))),
                    Err(LogError::Corrupt(what)) => {
                        self.findings.push(Site::Table(table).in_folder(
                            Kind::LogDamaged,
                            &read::folder_of(table),
                            what.to_string(),
                        ));
                    }
                    Err(error) => return Err(error),
                }
                self.tables.insert(table, Arc::new(snapshot));
            }
        }
        for name in self.store.list("topics")? {
            let topic: Arc<str> = name.into();
            if let Some(snapshot) = self.snapshot(Site::Archive, &read::archive_folder(&topic))? {
                self.archives.insert(topic, Arc::new(snapshot));
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, site: Site, folder: &str) -> Result<Option<Snapshot>, LogError> {
        match Snapshot::load(self.store, folder) {
            Ok(snapshot) => Ok(snapshot.version.is_some().then_some(snapshot)),
            Err(LogError::Corrupt(what)) => {
                self.findings.push(site.in_folder(Kind::LogDamaged, folder, what.to_string()));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn contract(&self, part: u32) -> Option<Contract> {
        self.contracts.get(&self.parts[part].partition.topic).copied()
    }

    fn finish(self) -> Proof {
        let since = self.covered();
        let (findings, left_out) = self.findings.finish(&self.parts);
        Proof { ok: findings.is_empty(), findings, left_out, since, ..self.proof }
    }
}

/// The positions of a table.
fn positions(snapshot: &Snapshot) -> Positions {
    let txns = snapshot.txns.iter();
    txns.filter_map(|(app, version)| Some((crate::delta::table::partition_of(app)?, *version))).collect()
}
