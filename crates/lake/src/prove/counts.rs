//! Law 1: each offset of each span is in the archive once, and is accepted, a dead letter or a duplicate, as often as the span says.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use kassa_model::{Counts, Partition, Span, Table};
use roaring::RoaringTreemap;

use super::{Prover, place};
use crate::delta::table::partition_of;
use crate::delta::{LogError, Snapshot};
use crate::letters;
use crate::read::{self, archive_folder, folder_of};
use crate::recover::scan;
use crate::star::tables_of;

fn long(rows: &RecordBatch, name: &str, row: usize) -> i64 {
    rows.column_by_name(name).map_or(0, |column| column.as_primitive::<Int64Type>().value(row))
}

fn partition(rows: &RecordBatch, topic: &str, number: &str, row: usize) -> Partition {
    let name = rows.column_by_name(topic).map_or("", |column| column.as_string::<i32>().value(row));
    Partition::new(name, long(rows, number, row))
}

impl Prover<'_> {
    pub(crate) fn counts(&mut self) -> Result<(), LogError> {
        let spans = self.spans()?;
        self.primary()?;
        self.dead_letters()?;
        for (partition, spans) in &spans {
            self.chain(partition, spans);
            self.archive(partition, spans)?;
            self.fates(partition, spans);
            self.positions(partition, spans)?;
        }
        self.strangers(&spans);
        Ok(())
    }

    fn spans(&mut self) -> Result<BTreeMap<Partition, Vec<Span>>, LogError> {
        let mut spans: BTreeMap<Partition, Vec<Span>> = BTreeMap::new();
        scan(self.store, Table::Spans, &[], &mut |rows| {
            for row in 0..rows.num_rows() {
                let partition = partition(&rows, "topic", "partition", row);
                let counts = Counts {
                    read: long(&rows, "read", row),
                    accepted: long(&rows, "accepted", row),
                    duplicates: long(&rows, "duplicates", row),
                    dead_letters: long(&rows, "dead_letters", row),
                };
                let (from, to) = (long(&rows, "from_offset", row), long(&rows, "to_offset", row));
                let span = Span { partition: partition.clone(), from, to, counts, gap: long(&rows, "gap", row) };
                spans.entry(partition).or_default().push(span);
            }
            Ok(())
        })?;
        spans.values_mut().for_each(|spans| spans.sort_by_key(|span| span.from));
        Ok(spans)
    }

    /// Spans follow each other from 0 to the accounted position, and add up.
    fn chain(&mut self, partition: &Partition, spans: &[Span]) {
        let mut at = 0;
        for span in spans {
            let range = |from: i64, to: i64| Some((partition, from, to));
            if span.from > at {
                self.find("gap", "spans", range(at, span.from), "no span accounts for these offsets".to_owned());
            } else if span.from < at {
                self.find(
                    "overlap",
                    "spans",
                    range(span.from, at.min(span.to)),
                    "two spans account for these offsets".to_owned(),
                );
            }
            if !span.counts.add_up() || span.counts.read + span.gap > span.to - span.from {
                let detail = format!("{:?} does not add up over {} offsets", span.counts, span.to - span.from);
                self.find("miscount", "spans", range(span.from, span.to), detail);
            }
            at = at.max(span.to);
            self.proof.records += span.counts.read;
            self.proof.accepted += span.counts.accepted;
            self.proof.duplicates += span.counts.duplicates;
            self.proof.dead_letters += span.counts.dead_letters;
        }
        let said = self.cut.next(partition);
        if said != at {
            let detail = format!("the position says {said}, the spans end at {at}");
            self.find("position", "spans", Some((partition, said.min(at), said.max(at))), detail);
        }
    }

    fn archive(&mut self, partition: &Partition, spans: &[Span]) -> Result<(), LogError> {
        let folder = archive_folder(&partition.topic);
        let snapshot = Snapshot::load(self.store, &folder)?;
        let end = spans.iter().map(|span| span.to).max().unwrap_or(0);
        let (mut held, mut doubled) = (RoaringTreemap::new(), RoaringTreemap::new());
        let schema = kassa_model::star::archive_schema();
        for add in snapshot.files.values() {
            read::file(self.store, &folder, add, &schema, &["partition", "offset"], &mut |rows| {
                let (numbers, offsets) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Int64Type>());
                for row in (0..rows.num_rows()).filter(|row| numbers.value(*row) == partition.number && offsets.value(*row) < end)
                {
                    if !held.insert(place(offsets.value(row))) {
                        doubled.insert(place(offsets.value(row)));
                    }
                }
                Ok(())
            })?;
        }
        self.find_offsets("double", &folder, partition, &doubled, "archived more than once");
        for span in spans {
            let have = i64::try_from(held.range_cardinality(place(span.from)..place(span.to))).unwrap_or(0);
            if have != span.counts.read {
                let mut missing = RoaringTreemap::from_iter(place(span.from)..place(span.to));
                missing -= &held;
                self.find_offsets("missing", &folder, partition, &missing, "accounted for, but not in the archive");
            }
        }
        let position =
            snapshot.txns.iter().find(|(app, _)| partition_of(app).as_ref() == Some(partition)).map_or(0, |(_, next)| *next);
        if position < end {
            let detail = format!("the archive's position {position} lies before what is accounted for");
            self.find("position", &folder, Some((partition, position, end)), detail);
        }
        Ok(())
    }

    /// Offsets with rows in the primary tables; each (offset, index) once.
    fn primary(&mut self) -> Result<(), LogError> {
        let tables: BTreeSet<Table> = self.contracts.values().map(|contract| Table::primary(*contract)).collect();
        for table in tables {
            let mut seen: HashSet<(i64, i64, i32)> = HashSet::new();
            let mut doubled: BTreeMap<Partition, RoaringTreemap> = BTreeMap::new();
            let (contracts, cut, accepted) = (self.contracts, &self.cut, &mut self.accepted);
            let columns = ["source_topic", "source_partition", "source_offset", "source_index"];
            let placeholder = matches!(table, Table::DimCustomer | Table::DimProduct);
            let wanted: Vec<&str> = columns.into_iter().chain(placeholder.then_some("is_placeholder")).collect();
            scan(self.store, table, &wanted, &mut |rows| {
                for row in 0..rows.num_rows() {
                    let partition = partition(&rows, "source_topic", "source_partition", row);
                    let offset = long(&rows, "source_offset", row);
                    let primary = contracts.get(&partition.topic).is_some_and(|contract| Table::primary(*contract) == table);
                    let written = !placeholder || !rows.column(4).as_boolean().value(row);
                    if !primary || !written || offset >= cut.next(&partition) {
                        continue;
                    }
                    let topic = kassa_model::key::hash("topic", &[&partition.topic]);
                    let index = rows.column(3).as_primitive::<Int32Type>().value(row);
                    let whole = partition.number ^ i64::from_ne_bytes(topic.to_ne_bytes());
                    if !seen.insert((whole, offset, index)) {
                        doubled.entry(partition.clone()).or_default().insert(place(offset));
                    }
                    accepted.entry(partition).or_default().insert(place(offset));
                }
                Ok(())
            })?;
            for (partition, offsets) in doubled {
                self.find_offsets("double", table.name(), &partition, &offsets, "in the table more than once");
            }
        }
        Ok(())
    }

    fn dead_letters(&mut self) -> Result<(), LogError> {
        let (rejected, cut) = (&mut self.rejected, &self.cut);
        let mut doubled: BTreeMap<Partition, RoaringTreemap> = BTreeMap::new();
        letters::each(self.store, &mut |letter| {
            let (topic, number, offset) = &letter.position;
            let partition = Partition::new(topic.clone(), *number);
            if *offset < cut.next(&partition) && !rejected.entry(partition.clone()).or_default().insert(place(*offset)) {
                doubled.entry(partition).or_default().insert(place(*offset));
            }
            true
        })?;
        for (partition, offsets) in doubled {
            self.find_offsets("double", "rejected", &partition, &offsets, "set aside more than once");
        }
        Ok(())
    }

    /// What the tables hold of each span, against what it says. A replayed dead letter counts as accepted on both sides.
    fn fates(&mut self, partition: &Partition, spans: &[Span]) {
        let accepted = self.accepted.get(partition).cloned().unwrap_or_default();
        let rejected = self.rejected.get(partition).cloned().unwrap_or_default();
        let both = &accepted & &rejected;
        self.find_offsets("double", "rejected", partition, &both, "both accepted and set aside");
        for span in spans {
            let count =
                |set: &RoaringTreemap| i64::try_from(set.range_cardinality(place(span.from)..place(span.to))).unwrap_or(0);
            let (held, aside) = (count(&accepted), count(&rejected));
            let replayed = span.counts.dead_letters - aside;
            let range = Some((partition, span.from, span.to));
            let table = self.contracts.get(&partition.topic).map_or("", |contract| Table::primary(*contract).name());
            if replayed < 0 || held != span.counts.accepted + replayed {
                let detail = format!(
                    "the span says {} accepted and {} dead letters; {table} holds {held}, rejected {aside}",
                    span.counts.accepted, span.counts.dead_letters
                );
                let kind = if held + aside < span.counts.accepted + span.counts.dead_letters { "missing" } else { "extra" };
                let table = if aside != span.counts.dead_letters && held == span.counts.accepted { "rejected" } else { table };
                self.find(kind, table, range, detail);
            }
        }
    }

    /// No table's position lies before rows that it should hold, or beyond the end.
    fn positions(&mut self, partition: &Partition, spans: &[Span]) -> Result<(), LogError> {
        let Some(contract) = self.contracts.get(&partition.topic).copied() else { return Ok(()) };
        let end = spans.iter().map(|span| span.to).max().unwrap_or(0);
        for table in tables_of(contract).filter(|table| *table != Table::Spans) {
            let snapshot = Snapshot::load(self.store, &folder_of(table))?;
            let position =
                snapshot.txns.iter().find(|(app, _)| partition_of(app).as_ref() == Some(partition)).map(|(_, next)| *next);
            let offsets = if table == Table::Rejected { self.rejected.get(partition) } else { self.accepted.get(partition) };
            let fed = table == Table::primary(contract) || table == Table::Rejected;
            let last =
                offsets.filter(|_| fed).and_then(RoaringTreemap::max).map_or(0, |last| i64::try_from(last).unwrap_or(0) + 1);
            let position = position.unwrap_or(0);
            if position < last {
                let detail = format!("the position {position} lies before rows that the table holds, up to {last}");
                self.find("position", table.name(), Some((partition, position, last)), detail);
            }
            if position > end.max(self.cut.next(partition)) && !spans.is_empty() {
                let detail = format!("the position {position} lies beyond what is accounted for, {end}");
                self.find("position", table.name(), Some((partition, end, position)), detail);
            }
        }
        Ok(())
    }

    /// Rows of partitions that no span accounts for.
    fn strangers(&mut self, spans: &BTreeMap<Partition, Vec<Span>>) {
        let strange: Vec<Partition> = self.accepted.keys().filter(|partition| !spans.contains_key(*partition)).cloned().collect();
        for partition in strange {
            self.find("extra", "spans", Some((&partition, 0, 0)), "rows of a partition that no span accounts for".to_owned());
        }
    }
}
