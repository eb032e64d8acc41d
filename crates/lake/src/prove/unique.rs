//! No business key is in a money table twice, whichever partition it came by.

use std::collections::HashMap;

use kassa_model::Table;

use super::Prover;
use super::finding::{Kind, Site};
use super::pending::Known;
use crate::delta::LogError;

/// Keys held at once; where there are more, the tables are read several times.
const KEYS: i64 = 4_000_000;

impl Prover<'_> {
    pub(super) fn unique(&mut self) -> Result<(), LogError> {
        let rows: i64 = [Table::FactSales, Table::FactOrder, Table::FactPayment]
            .iter()
            .filter_map(|table| self.tables.get(table))
            .flat_map(|snapshot| snapshot.files.values())
            .filter_map(crate::delta::Add::rows)
            .sum();
        let slices = u64::try_from(rows * 2 / KEYS + 1).unwrap_or(1);
        for slice in 0..slices {
            self.unique_in(slice, slices)?;
        }
        Ok(())
    }

    fn unique_in(&mut self, slice: u64, slices: u64) -> Result<(), LogError> {
        let mut keys: Vec<(u64, u32, i64)> = Vec::new();
        self.each_known(&mut |prover, known| {
            if prover.is_money(known) {
                let own = known.keys.held().iter().filter(|key| *key % slices == slice);
                keys.extend(own.map(|key| (*key, known.part, known.offset)));
            }
        })?;
        keys.sort_unstable();
        keys.dedup();
        let doubled: HashMap<u64, (u32, i64)> =
            keys.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| (pair[0].0, (pair[0].1, pair[0].2))).collect();
        drop(keys);
        if doubled.is_empty() {
            return Ok(());
        }
        self.each_known(&mut |prover, known| {
            if prover.is_money(known) && known.keys.held().iter().any(|key| doubled.contains_key(key)) {
                let detail = "another record of the same id was accepted too";
                prover.findings.mark(Kind::Double, Site::Table(known.table), known.part, known.offset, detail);
            }
        })
    }

    fn is_money(&self, known: Known) -> bool {
        known.contract.is_money() && known.offset < self.parts[known.part].cut
    }
}
