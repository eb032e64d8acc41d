//! The proof: recounts archive, tables, dead letters and spans from their own contents, and derives every row again from the
//! archive's bytes. No counter that the pipeline keeps is believed.
//!
//! ```text
//!  files ─► spans ─► archive's offsets ─► rows of every table ─┐
//!  source's log    ─► archive's bytes ─► each record derived ──┴─► equal, 1,024 offsets at a time; where not, offset by offset
//!                                                              └─► duplicates, conflicts, repeated lines: there is a first
//!  facts at the positions of fact_session and dim_fx_rate ─► sessions and rates anew ─► equal; the shop's calendar ─► dim_date, dim_time
//! ```
//!
//! In memory: a bit for each offset, a sum for every 1,024 offsets of a table, some 50 bytes for each dimension member. Rows pass by, and the
//! keys that must be unique are sorted in temporary files where there are many. Every row is read a fixed number of times, but for sessions
//! (see `derived`) and what duplicates and repeated lines refer to (see `pending`).
//!
//! A proof since a day reads only the files that may hold rows of the records from that day on (see `since`).

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
use kassa_model::{Contract, Partition, Positions, Records, Shop, Table};
use kassa_pipeline::Stage;
use serde::Serialize;

pub use finding::{Finding, Kind};
pub use progress::{Progress, Silent};
pub use since::{Covered, Since};

/// A hash for each row over all its columns, equal in every sink that holds the row.
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

/// What was recounted, and what was found wrong.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    pub ok: bool,
    pub findings: Vec<Finding>,
    /// Findings beyond the first thousand.
    pub left_out: usize,
    pub records: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub rows: i64,
    /// What the proof covers, if not everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// What a source holds of a partition: half open.
#[derive(Debug, Clone)]
pub struct LogState {
    pub partition: Partition,
    pub first: i64,
    pub next: i64,
}

/// What the source still holds of what was read: the collector's log, or Kafka.
pub trait SourceLog {
    /// Each partition's bounds, and what is wrong with its bytes at or beyond these positions.
    fn states(&mut self, from: &Positions) -> Result<(Vec<LogState>, Vec<Finding>), String>;

    /// Hands over the records of a range of offsets that can be read; those behind it may come too.
    fn read(&mut self, partition: &Partition, range: Range<i64>, take: &mut dyn FnMut(&Records)) -> Result<(), String>;
}

/// What a proof is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'p> {
    pub store: &'p dyn Store,
    pub shop: &'p Shop,
    /// Of the topics.
    pub contracts: &'p HashMap<Arc<str>, Contract>,
    /// Whether a pipeline may be writing: then a sink may lag behind another.
    pub at_work: bool,
    /// Whether the source is Kafka, which leaves out offsets.
    pub is_sparse: bool,
    /// The first day (UTC, such as 2026-01-31) whose ingested records are proven. `None`: all.
    pub since: Option<&'p str>,
    pub progress: &'p dyn Progress,
}

/// Proves the lake at the positions that its spans account for; rows of a commit under way are passed over. `stage` is one
/// without memory.
pub fn prove(subject: Subject<'_>, log: &mut dyn SourceLog, stage: &mut Stage) -> Result<Proof, LogError> {
    // Replaced files stay for as long as this is held: all tables are read at the versions that were the newest together.
    let _lease = Lease::take(subject.store)?;
    let mut prover = Prover::new(subject)?;
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

/// A proof under way.
struct Prover<'p> {
    subject: Subject<'p>,
    store: &'p dyn Store,
    contracts: &'p HashMap<Arc<str>, Contract>,
    tables: BTreeMap<Table, Arc<Snapshot>>,
    /// The columns of each table that its older rows lack.
    added: BTreeMap<Table, Vec<String>>,
    archives: BTreeMap<Arc<str>, Arc<Snapshot>>,
    /// Data files that cannot be read: named once, then passed over.
    unreadable: HashSet<String>,
    /// Where the proof begins in each partition; `None`: at the start of everything.
    since: Option<Arc<Positions>>,
    /// Files without rows from there on that were read all the same.
    older_files: HashSet<String>,
    proof: Proof,
    findings: Findings,
    parts: Parts,
    sums: Sums,
    pending: Pending,
    conflicts: Conflicts,
    /// Topics with a mapping, and the hashes of their letters' records: a mended mapping judges letters anew, lawfully.
    mapped: HashSet<Arc<str>>,
    mapped_letters: HashMap<(u32, i64), u128>,
    members: Members,
    log: Vec<LogState>,
    /// At work once the sums are known to differ.
    drill: Option<Drill>,
}

impl<'p> Prover<'p> {
    fn new(subject: Subject<'p>) -> Result<Self, LogError> {
        let mut prover = Self {
            subject,
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
            mapped: HashSet::new(),
            mapped_letters: HashMap::new(),
            members: Members::default(),
            log: Vec::new(),
            drill: None,
        };
        prover.load()?;
        Ok(prover)
    }

    /// The newest version of each table; the spans' first, since what they account for is in the others already.
    fn load(&mut self) -> Result<(), LogError> {
        for table in Table::ALL.into_iter().rev() {
            if let Some(snapshot) = self.snapshot(Site::Table(table), &read::folder_of(table))? {
                let added = snapshot.metadata.as_ref().map(|held| schema::added(held, &table_spec(table)));
                match added.transpose() {
                    Ok(added) => self.added.extend(added.map(|added| (table, added))),
                    Err(LogError::Corrupt(what)) => {
                        self.findings.push(Site::Table(table).in_folder(Kind::LogDamaged, &read::folder_of(table), what));
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
                self.findings.push(site.in_folder(Kind::LogDamaged, folder, what));
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
