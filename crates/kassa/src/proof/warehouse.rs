//! The warehouse's part of the proof: its own recount, and a comparison with the lake row by row at positions that both have
//! reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::RecordBatch;
use kassa_lake::prove::row_hashes;
use kassa_lake::{LogError, Store, figures};
use kassa_model::finding::{Finding, Kind};
use kassa_model::star::lineage;
use kassa_model::star::read::Columns;
use kassa_model::{Partition, Positions, Shop, Table};
use kassa_pipeline::cut::before;
use kassa_warehouse::read::{Reader, Snapshot};
use kassa_warehouse::{Target, WarehouseError, derived, prove};

/// The tables whose rows are compared. (Members can come from different records in two sinks.)
const COMPARED: [Table; 6] =
    [Table::FactSales, Table::FactOrder, Table::FactPayment, Table::FactEvent, Table::FactInventory, Table::FactFxRate];

/// The name in findings.
const SINK: &str = "warehouse";

/// Rows of a partition in a table: how many, and the sum of their hashes.
type Sums = BTreeMap<Partition, (i64, u128)>;

/// The findings about the warehouse, and the number of recounted rows. `at_work`: it may lag behind the lake.
pub fn findings(store: &dyn Store, (target, shop): (&Target, &Shop), at_work: bool) -> anyhow::Result<(Vec<Finding>, i64)> {
    let recounted = prove::prove(target).context("could not prove the warehouse")?;
    let mut found = recounted.findings;
    let mut reader = Reader::open(target)?;
    let mut snapshot = reader.snapshot()?;
    let (lake, held) = (figures::accounted(store)?, snapshot.positions().clone());
    if !at_work {
        found.extend(apart(&lake, &held));
    }
    let cut: Positions = lake.iter().map(|(p, next)| (p.clone(), next.min(held.next(p)))).collect();
    // Days that retention has dropped are left out on both sides.
    let dropped = snapshot.dropped()?;
    let kept = |table, rows| dropped.leave(table, rows);
    for table in COMPARED {
        let (mut ours, mut theirs) = (Sums::new(), Sums::new());
        figures::rows_before(store, table, &cut, &mut |rows| {
            let rows = kept(table, rows).map_err(LogError::corrupt)?;
            add(&mut ours, table, &rows)
        })?;
        snapshot.each(table, &[], &mut |rows| {
            let rows = before(&rows, &cut).map_err(WarehouseError::corrupt)?;
            add(&mut theirs, table, &kept(table, rows)?).map_err(WarehouseError::corrupt)
        })?;
        found.extend(differences(table, &ours, &theirs, &cut));
    }
    found.extend(rates(&mut snapshot, shop)?);
    Ok((found, recounted.rows.values().sum()))
}

/// Compares the resolved rates with the stated ones, at the positions that the table states.
fn rates(snapshot: &mut Snapshot<'_>, shop: &Shop) -> anyhow::Result<Option<Finding>> {
    let Some(wanted) = derived::rates_as_stated(snapshot, shop)? else { return Ok(None) };
    let mut hashes = row_hashes(&wanted)?;
    let mut held = Vec::with_capacity(hashes.len());
    snapshot.each(Table::DimFxRate, &[], &mut |rows| {
        held.extend(row_hashes(&rows).map_err(WarehouseError::corrupt)?);
        Ok(())
    })?;
    hashes.sort_unstable();
    held.sort_unstable();
    let detail = || "the rates are not those that follow from fact_fx_rate".to_owned();
    Ok((hashes != held).then(|| Finding::new(Kind::Altered, SINK, Table::DimFxRate.name(), detail())))
}

fn add(sums: &mut Sums, table: Table, rows: &RecordBatch) -> Result<(), LogError> {
    let columns = Columns { table, rows };
    let (topics, numbers) = (columns.get(lineage::source_topic)?, columns.get(lineage::source_partition)?);
    let mut last: Option<Partition> = None;
    for (row, hash) in row_hashes(rows)?.into_iter().enumerate() {
        let same = last.as_ref().is_some_and(|p| *p.topic == *topics.value(row) && p.number == numbers.value(row));
        if !same {
            last = Some(Partition::new(Arc::<str>::from(topics.value(row)), numbers.value(row)));
        }
        if let Some(partition) = &last {
            let (count, sum) = sums.entry(partition.clone()).or_default();
            (*count, *sum) = (*count + 1, sum.wrapping_add(hash));
        }
    }
    Ok(())
}

fn differences(table: Table, ours: &Sums, theirs: &Sums, cut: &Positions) -> Vec<Finding> {
    let differing = cut.iter().filter(|(partition, _)| ours.get(partition) != theirs.get(partition));
    let finding = |(partition, next): (&Partition, i64)| {
        let [(ours, _), (theirs, _)] = [ours, theirs].map(|sums| sums.get(partition).copied().unwrap_or_default());
        let (kind, detail) = match ours.cmp(&theirs) {
            std::cmp::Ordering::Greater => (Kind::Missing, format!("the lake has {ours} rows, the warehouse {theirs}")),
            std::cmp::Ordering::Less => (Kind::Extra, format!("the lake has {ours} rows, the warehouse {theirs}")),
            std::cmp::Ordering::Equal => (Kind::Altered, format!("{ours} rows, of which some are not the lake's")),
        };
        Finding::new(kind, SINK, table.name(), detail).of(partition).between(0..next)
    };
    differing.map(finding).collect()
}

/// Partitions in which the positions of the two differ.
fn apart(lake: &Positions, held: &Positions) -> Vec<Finding> {
    let all: Positions = lake.iter().chain(held.iter()).map(|(partition, next)| (partition.clone(), next)).collect();
    let apart = all.iter().map(|(partition, _)| (partition, lake.next(partition), held.next(partition)));
    let finding = |(partition, lake, held): (&Partition, i64, i64)| {
        let detail = format!("the lake is at {lake}, the warehouse at {held}: `kassa run` has them meet");
        Finding::new(Kind::Position, SINK, "positions", detail).of(partition).between(lake.min(held)..lake.max(held))
    };
    apart.filter(|(_, lake, held)| lake != held).map(finding).collect()
}
