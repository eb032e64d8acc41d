//! Checks that no business key occurs twice in a money table, in whichever partitions.

use std::collections::HashSet;

use kassa_model::Table;

use super::Prover;
use super::finding::{Kind, Site};
use super::pending::Known;
use super::spill::{Entry, Spill};
use crate::delta::LogError;

/// Keys that are sorted in memory at once.
const KEYS: i64 = 4_000_000;

/// The maximum number of recorded keys with several records: each leads to a finding, and far fewer findings are listed.
const DOUBLED: usize = 100_000;

impl Prover<'_> {
    pub(super) fn unique(&mut self) -> Result<(), LogError> {
        let rows: i64 = [Table::FactSales, Table::FactOrder, Table::FactPayment]
            .iter()
            .filter_map(|table| self.tables.get(table))
            .flat_map(|snapshot| snapshot.files.values())
            .filter_map(crate::delta::Add::rows)
            .sum();
        let slices = usize::try_from(rows * 2 / KEYS + 1).unwrap_or(1);
        let mut spill = Spill::new(&self.store.scratch(), slices)?;
        self.each_known(&mut |prover, known| {
            if prover.is_money(known) {
                for key in known.keys.held() {
                    spill.add((key.short(), known.part, known.offset))?;
                }
            }
            Ok(())
        })?;
        let mut doubled = HashSet::new();
        spill.each_slice(&mut |entries| add_doubled(&mut doubled, entries))?;
        if doubled.is_empty() {
            return Ok(());
        }
        self.each_known(&mut |prover, known| {
            if prover.is_money(known) && known.keys.held().iter().any(|key| doubled.contains(&key.short())) {
                let detail = "another record of the same id was accepted too";
                prover.findings.mark(Kind::Double, Site::Table(known.table), known.part, known.offset, detail);
            }
            Ok(())
        })
    }

    fn is_money(&self, known: Known) -> bool {
        known.contract.is_money() && known.offset < self.parts[known.part].cut
    }
}

/// Records the keys with several records.
fn add_doubled(doubled: &mut HashSet<u64>, mut entries: Vec<Entry>) {
    entries.sort_unstable();
    entries.dedup();
    let pairs = entries.windows(2).filter(|pair| pair[0].0 == pair[1].0);
    let room = DOUBLED.saturating_sub(doubled.len());
    doubled.extend(pairs.take(room).map(|pair| pair[0].0));
}
