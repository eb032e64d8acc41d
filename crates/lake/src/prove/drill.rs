//! Where sums differ: finds the offsets and the kind of difference.

use std::collections::{HashMap, HashSet};

use kassa_model::Table;
use kassa_pipeline::Stage;

use super::finding::{Kind, Site};
use super::held::Lineage;
use super::letters::{Places, REJECTED};
use super::parts::at;
use super::sums::{Bucket, Lane, bucket};
use super::{Prover, SourceLog};
use crate::delta::LogError;

/// The limit of inspected buckets; further ones are only reported as different.
const BUCKETS: usize = 512;

/// Hashes of stored and of derived rows.
type Sides = (Vec<u128>, Vec<u128>);

#[derive(Debug)]
pub(super) struct Drill {
    wanted: HashSet<Bucket>,
    /// Partition and number, for all lanes.
    places: HashSet<(u32, i64)>,
    rows: HashMap<(Lane, u32, i64), Sides>,
}

impl Drill {
    fn new(wanted: &[Bucket]) -> Self {
        let places = wanted.iter().map(|(_, part, number)| (*part, *number)).collect();
        Self { wanted: wanted.iter().copied().collect(), places, rows: HashMap::new() }
    }

    /// Whether some row of this record differs in a nearby bucket.
    pub(super) fn wants(&self, part: u32, offset: i64) -> bool {
        let (_, part, number) = bucket(Lane::Log, part, offset);
        self.places.contains(&(part, number))
    }

    fn side(&mut self, lane: Lane, part: u32, offset: i64) -> Option<&mut Sides> {
        let wanted = self.wanted.contains(&bucket(lane, part, offset));
        wanted.then(|| self.rows.entry((lane, part, offset)).or_default())
    }

    fn held(&mut self, lane: Lane, part: u32, offset: i64, hash: u128) {
        if let Some((held, _)) = self.side(lane, part, offset) {
            held.push(hash);
        }
    }

    pub(super) fn derived(&mut self, lane: Lane, part: u32, offset: i64, hash: u128) {
        if let Some((_, derived)) = self.side(lane, part, offset) {
            derived.push(hash);
        }
    }
}

impl Prover<'_> {
    pub(super) fn drill(&mut self, log: &mut dyn SourceLog, stage: &mut Stage) -> Result<(), LogError> {
        let unequal = self.sums.unequal();
        let (near, far) = unequal.split_at(unequal.len().min(BUCKETS));
        for (lane, part, number) in far {
            let site = site_of(*lane);
            let offsets = number * 1024..(number + 1) * 1024;
            let detail = "some rows of these offsets differ from their records".to_owned();
            self.findings.push(site.at(Kind::Altered, &self.parts[*part].partition, offsets, detail));
        }
        if near.is_empty() {
            return Ok(());
        }
        self.drill = Some(Drill::new(near));
        let lanes: HashSet<Lane> = near.iter().map(|(lane, ..)| *lane).collect();
        for lane in lanes {
            match lane {
                Lane::Log => self.drill_log(log)?,
                Lane::Table(table) => self.drill_table(table)?,
            }
        }
        self.derive(stage)?;
        let rows = self.drill.take().map(|drill| drill.rows).unwrap_or_default();
        for ((lane, part, offset), (held, derived)) in rows {
            self.differ(lane, part, offset, held, derived);
        }
        Ok(())
    }

    fn drill_log(&mut self, log: &mut dyn SourceLog) -> Result<(), LogError> {
        for state in self.log.clone() {
            let part = self.parts.number(&state.partition.topic, state.partition.number);
            self.logged(log, &state.partition, state.first, &mut |prover, offset, hash| {
                prover.drill_held(Lane::Log, part, offset, hash);
            })?;
        }
        Ok(())
    }

    fn drill_table(&mut self, table: Table) -> Result<(), LogError> {
        self.scan(table, &[], &mut |prover, rows| {
            let hashes = prover.hashes(table, &rows, &mut |_, _| true)?;
            let places = if table == Table::Rejected {
                Places::new(&rows)?
            } else {
                let Lineage { topics, numbers, offsets, .. } = Lineage::new(table, &rows)?;
                Places { topics, numbers, offsets }
            };
            for (row, hash) in hashes.into_iter().enumerate() {
                let part = prover.parts.number(places.topics.value(row), places.numbers.value(row));
                let offset = places.offsets.value(row);
                let apart = table == Table::Rejected
                    && (prover.conflicts.contains_key(&(part, offset))
                        || prover.mapped_letters.contains_key(&(part, offset))
                        || prover.parts[part].replayed.contains(at(offset)));
                if !apart && prover.parts[part].is_comparable(offset) {
                    prover.drill_held(Lane::Table(table), part, offset, hash);
                }
            }
            Ok(())
        })
    }

    fn drill_held(&mut self, lane: Lane, part: u32, offset: i64, hash: u128) {
        if let Some(drill) = &mut self.drill {
            drill.held(lane, part, offset, hash);
        }
    }

    fn differ(&mut self, lane: Lane, part: u32, offset: i64, held: Vec<u128>, derived: Vec<u128>) {
        let (surplus, deficit) = (less(&held, &derived), less(&derived, &held));
        let (kind, detail) = match (surplus.is_empty(), deficit.is_empty(), lane) {
            (true, true, _) => return,
            // If only one side exists, the archive lacks the record or has it twice, which is
            // reported elsewhere.
            (_, _, Lane::Log) if held.is_empty() || derived.is_empty() => return,
            (_, _, Lane::Log) => (Kind::Altered, "the bytes differ from those in the source"),
            (false, false, _) => (Kind::Altered, "the row differs from its record"),
            (true, false, _) => (Kind::Missing, "the record has no row"),
            (false, true, _) if surplus.iter().all(|hash| derived.contains(hash)) => {
                (Kind::Double, "the row is there more than once")
            }
            (false, true, lane) if site_of(lane) == REJECTED => (Kind::Altered, "the record is valid, but has a dead letter"),
            (false, true, _) => (Kind::Extra, "no such row follows from the record"),
        };
        self.findings.mark(kind, site_of(lane), part, offset, detail);
    }
}

fn site_of(lane: Lane) -> Site {
    match lane {
        Lane::Log => Site::Archive,
        Lane::Table(table) => Site::Table(table),
    }
}

/// The elements that `one` has more often than `other`.
fn less(one: &[u128], other: &[u128]) -> Vec<u128> {
    let mut left = other.to_vec();
    let mut more = Vec::new();
    for hash in one {
        match left.iter().position(|held| held == hash) {
            Some(at) => drop(left.swap_remove(at)),
            None => more.push(*hash),
        }
    }
    more
}
