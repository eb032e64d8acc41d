//! The proof: recounts archive, tables, dead letters and spans from their own contents, and derives every row again from the
//! archive's bytes. No counter that the pipeline keeps is believed.
//!
//! ```text
//!  spans ──► ranges ─┬─ archive: each offset once          ─┬─► derived again ─► equal, bucket by bucket, to the tables' rows
//!                    ├─ primary tables: accepted            ├─► positions, files, keys, rates
//!                    └─ rejected: dead letters              ┘
//!  facts at the positions of fact_session ─► sessions anew ─► equal; the shop's calendar ─► dim_date, dim_time
//! ```

mod contents;
mod counts;
mod derived;
mod files;
mod keys;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kassa_model::{Contract, Partition, Positions, Records, Shop, Table};
use roaring::RoaringTreemap;
use serde::Serialize;

use crate::delta::LogError;
use crate::figures::accounted;
use crate::store::Store;

/// Something that is not as it must be. Offsets are half open; what does not apply is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: &'static str,
    pub sink: &'static str,
    pub table: String,
    pub topic: Option<String>,
    pub partition: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub detail: String,
}

/// What was recounted, and what was found wrong.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Proof {
    pub ok: bool,
    pub findings: Vec<Finding>,
    pub records: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub rows: i64,
}

/// What the collector's log holds of a partition, and what is wrong with its files.
#[derive(Debug, Clone)]
pub struct LogState {
    pub partition: Partition,
    pub next: i64,
}

/// Derives rows from records by the pipeline's own code, whether or not they are duplicates.
pub trait Rederive {
    fn rows(&mut self, records: Records) -> Result<Vec<(Table, arrow_array::RecordBatch)>, String>;
}

/// Findings beyond this are not listed.
const FINDINGS: usize = 1_000;

/// A proof under way.
pub(crate) struct Prover<'p> {
    pub(crate) store: &'p dyn Store,
    pub(crate) shop: &'p Shop,
    pub(crate) contracts: &'p HashMap<Arc<str>, Contract>,
    pub(crate) cut: Positions,
    pub(crate) proof: Proof,
    /// Offsets with rows in the primary table, by partition.
    pub(crate) accepted: BTreeMap<Partition, RoaringTreemap>,
    pub(crate) rejected: BTreeMap<Partition, RoaringTreemap>,
}

/// Proves the lake at the positions that its spans account for; rows of a commit under way are passed over.
pub fn prove(
    store: &dyn Store,
    shop: &Shop,
    contracts: &HashMap<Arc<str>, Contract>,
    log: &[LogState],
    derive: &mut dyn Rederive,
) -> Result<Proof, LogError> {
    let cut = accounted(store)?;
    let (accepted, rejected) = (BTreeMap::new(), BTreeMap::new());
    let mut prover = Prover { store, shop, contracts, cut, proof: Proof::default(), accepted, rejected };
    // A damaged file is named first; what cannot be read cannot be counted.
    if prover.files()? {
        prover.counts()?;
        prover.keys()?;
        prover.contents(derive)?;
        prover.derived()?;
    }
    prover.log(log);
    let mut proof = prover.proof;
    proof.ok = proof.findings.is_empty();
    Ok(proof)
}

impl Prover<'_> {
    pub(crate) fn find(&mut self, kind: &'static str, table: &str, range: Option<(&Partition, i64, i64)>, detail: String) {
        if self.proof.findings.len() >= FINDINGS {
            return;
        }
        let sink = if table.starts_with("topics/") {
            "archive"
        } else if table == "log" {
            "log"
        } else {
            "lake"
        };
        self.proof.findings.push(Finding {
            kind,
            sink,
            table: table.to_owned(),
            topic: range.map(|(partition, ..)| partition.topic.to_string()),
            partition: range.map(|(partition, ..)| partition.number.to_string()),
            from: range.map(|(_, from, _)| from.to_string()),
            to: range.map(|(_, _, to)| to.to_string()),
            detail,
        });
    }

    fn log(&mut self, log: &[LogState]) {
        for state in log {
            let held = self.cut.next(&state.partition);
            if state.next < held {
                let detail = format!("the log ends at {}, but {held} records were read from it", state.next);
                self.find("log_cut", "log", Some((&state.partition, state.next, held)), detail);
            }
        }
    }

    /// The ranges of offsets of a set, as findings.
    pub(crate) fn find_offsets(
        &mut self,
        kind: &'static str,
        table: &str,
        partition: &Partition,
        offsets: &RoaringTreemap,
        detail: &str,
    ) {
        let (mut from, mut to) = (None::<u64>, 0);
        for offset in offsets {
            if from.is_some() && offset == to {
                to += 1;
                continue;
            }
            if let Some(start) = from {
                self.find_range(kind, table, partition, start, to, detail);
            }
            (from, to) = (Some(offset), offset + 1);
        }
        if let Some(start) = from {
            self.find_range(kind, table, partition, start, to, detail);
        }
    }

    fn find_range(&mut self, kind: &'static str, table: &str, partition: &Partition, from: u64, to: u64, detail: &str) {
        let signed = |offset: u64| i64::try_from(offset).unwrap_or(i64::MAX);
        self.find(kind, table, Some((partition, signed(from), signed(to))), detail.to_owned());
    }
}

/// A non-negative offset as the sets hold it.
pub(crate) fn place(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
