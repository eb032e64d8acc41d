//! Recounts the warehouse from its own rows; its stored counters are compared, not trusted.

mod recount;

use std::collections::BTreeMap;

use kassa_model::Partition;
pub use kassa_model::finding::{Finding, Kind};

use crate::WarehouseError;
use crate::read::Reader;
use crate::url::Target;

/// The name in findings.
const SINK: &str = "warehouse";

/// The fate of a partition's records, by its spans and by its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The position.
    pub next: i64,
    pub read: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub gap: i64,
    /// Distinct offsets of rows of accepted records, plus those dropped by retention.
    pub accepted_held: i64,
    pub letters_held: i64,
    /// Replayed dead letters: their records have rows as well.
    pub letters_replayed: i64,
    /// Whether some of its facts were dropped: records with rows on several days are then counted
    /// once per day.
    pub is_dropped: bool,
}

/// Sums of one day of the ledger, in units of the columns' scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    pub lines: i64,
    /// × 10³
    pub quantity: i128,
    /// × 10⁶
    pub gross: i128,
    pub discount: i128,
    pub tax: i128,
    pub shipping: i128,
    pub net: i128,
}

/// The counts at one snapshot, and the findings.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    pub findings: Vec<Finding>,
    pub accounts: BTreeMap<Partition, Account>,
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, i64>,
    /// The ledger by `movement_date_key`, for comparison with another sink at the same positions.
    pub days: BTreeMap<i32, Day>,
}

impl Proof {
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Recounts everything at one snapshot, so a pipeline may be running.
pub fn prove(target: &Target) -> Result<Proof, WarehouseError> {
    let mut reader = Reader::open(target)?;
    let mut snapshot = reader.snapshot()?;
    let mut proof = Proof::default();
    for (partition, next) in snapshot.positions().clone().iter() {
        proof.accounts.entry(partition.clone()).or_default().next = next;
    }
    let transaction = &mut snapshot.transaction;
    recount::spans(transaction, &mut proof)?;
    recount::rows(transaction, &mut proof)?;
    recount::beyond(transaction, &mut proof)?;
    recount::letters(transaction, &mut proof)?;
    recount::doubles(transaction, &mut proof)?;
    recount::days(transaction, &mut proof)?;
    recount::current(transaction, &mut proof)?;
    recount::compare(&mut proof);
    Ok(proof)
}
