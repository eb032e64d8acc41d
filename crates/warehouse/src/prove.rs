//! Recounts the warehouse from its own rows: no counter that a commit kept is believed before rows bear it out.

mod recount;

use std::collections::BTreeMap;

use kassa_model::Partition;
use serde::Serialize;

use crate::WarehouseError;
use crate::read::Reader;
use crate::url::Target;

/// One contradiction. Offsets are half open; what does not apply is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `gap`, `overlap`, `double`, `miscount`, `missing`, `extra` or `position`.
    pub kind: &'static str,
    /// `warehouse`.
    pub sink: &'static str,
    pub table: &'static str,
    pub topic: Option<String>,
    pub partition: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub detail: String,
}

impl Finding {
    fn new(kind: &'static str, table: &'static str, detail: String) -> Self {
        Self { kind, sink: "warehouse", table, topic: None, partition: None, from: None, to: None, detail }
    }

    fn at(kind: &'static str, table: &'static str, partition: &Partition, detail: String) -> Self {
        let (topic, number) = (partition.topic.to_string(), partition.number.to_string());
        Self { topic: Some(topic), partition: Some(number), ..Self::new(kind, table, detail) }
    }

    fn between(self, from: i64, to: i64) -> Self {
        Self { from: Some(from.to_string()), to: Some(to.to_string()), ..self }
    }
}

/// What became of a partition's records, by its spans and by the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The position.
    pub next: i64,
    pub read: i64,
    pub accepted: i64,
    pub duplicates: i64,
    pub dead_letters: i64,
    pub gap: i64,
    /// Distinct offsets of rows that stand for accepted records, and those that retention dropped.
    pub accepted_held: i64,
    pub letters_held: i64,
    /// Dead letters that were replayed: their records have rows too.
    pub letters_replayed: i64,
    /// Whether facts of it were dropped: records with rows on several days are then counted once a day.
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

/// What was recounted at one snapshot, and what was found wrong.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    pub findings: Vec<Finding>,
    pub accounts: BTreeMap<Partition, Account>,
    /// Rows of each table.
    pub rows: BTreeMap<&'static str, i64>,
    /// Of the ledger, by `movement_date_key`: to be compared with another sink's at the same positions.
    pub days: BTreeMap<i32, Day>,
}

impl Proof {
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }
}

/// Recounts everything. Rows are read at one snapshot, so a pipeline may be at work.
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
