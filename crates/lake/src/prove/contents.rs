//! Every accepted row follows from the archive's bytes: derived again by the same code and compared, bucket by bucket.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, BinaryArray, RecordBatch};
use kassa_model::{Amount, Contract, Headers, Partition, Rate, Records, Table, star};
use roaring::RoaringTreemap;
use xxhash_rust::xxh3::xxh3_128;

use super::{Prover, Rederive, place};
use crate::delta::{LogError, Snapshot};
use crate::read::{self, archive_folder};
use crate::recover::scan;

/// Offsets of a bucket.
const BUCKET: i64 = 256;

/// Columns that depend on what arrived before: checked within their row.
fn is_order_bound(name: &str) -> bool {
    name == "source_index" || name == "fx_rate" || name.ends_with("_reporting")
}

/// Sums of row hashes by table, partition and bucket: equal whatever the order of the rows.
type Sums = HashMap<(Table, Partition, i64), u128>;

/// The tables whose rows follow from their record alone.
fn derived(contract: Contract) -> Vec<Table> {
    let mut tables = vec![Table::primary(contract)];
    tables.extend((contract == Contract::Customer).then_some(Table::VaultCustomer));
    tables
}

impl Prover<'_> {
    pub(crate) fn contents(&mut self, derive: &mut dyn Rederive) -> Result<(), LogError> {
        let (mut held, mut told) = (Sums::new(), Sums::new());
        for table in
            Table::ALL.into_iter().filter(|table| self.contracts.values().any(|contract| derived(*contract).contains(table)))
        {
            scan(self.store, table, &[], &mut |rows| self.add(table, &rows, &mut held))?;
        }
        let topics: Vec<Arc<str>> = self.contracts.keys().cloned().collect();
        let mut letters = Vec::new();
        for topic in topics {
            self.each_archived(&topic, &mut |records| {
                letters.extend(self.unlike(&records)?);
                let rows = derive.rows(records).map_err(LogError::Corrupt)?;
                rows.iter().try_for_each(|(table, rows)| self.add(*table, &read::plain(rows)?, &mut told))
            })?;
        }
        for (partition, offset) in letters {
            let detail = "the dead letter's bytes are not those of the archive".to_owned();
            self.find("altered", "rejected", Some((&partition, offset, offset + 1)), detail);
        }
        // Of an order's nested lines those that an earlier revision had are not in the ledger, so its buckets differ lawfully.
        let keys: HashSet<_> = held.keys().chain(told.keys()).cloned().collect();
        let mut wrong: Vec<_> = keys.into_iter().filter(|key| held.get(key) != told.get(key)).collect();
        wrong.sort();
        for (table, partition, bucket) in wrong {
            let detail = "rows differ from what the archive's bytes say".to_owned();
            self.find("altered", table.name(), Some((&partition, bucket * BUCKET, (bucket + 1) * BUCKET)), detail);
        }
        self.rates()
    }

    /// Adds the hashes of the rows that stem from accepted records of the table's own topics.
    fn add(&self, table: Table, rows: &RecordBatch, sums: &mut Sums) -> Result<(), LogError> {
        let Some(topics) = rows.column_by_name("source_topic") else { return Ok(()) };
        let topics = topics.as_string::<i32>();
        let column = |name: &str| rows.column_by_name(name).map(|column| column.as_primitive::<Int64Type>());
        let Some((numbers, offsets)) = column("source_partition").zip(column("source_offset")) else { return Ok(()) };
        let placeholder = rows.column_by_name("is_placeholder").map(|column| column.as_boolean());
        let hashes = hashes(rows)?;
        let mut last: Option<(Partition, Option<&RoaringTreemap>)> = None;
        for row in 0..rows.num_rows() {
            if placeholder.is_some_and(|placeholder| placeholder.value(row)) {
                continue;
            }
            let same = last.as_ref().is_some_and(|(p, _)| *p.topic == *topics.value(row) && p.number == numbers.value(row));
            if !same {
                let partition = Partition::new(topics.value(row), numbers.value(row));
                let own = self.contracts.get(&partition.topic).is_some_and(|contract| derived(*contract).contains(&table));
                let accepted = self.accepted.get(&partition).filter(|_| own);
                last = Some((partition, accepted));
            }
            if let Some((partition, Some(accepted))) = &last
                && accepted.contains(place(offsets.value(row)))
            {
                let key = (table, partition.clone(), offsets.value(row).div_euclid(BUCKET));
                let sum = sums.entry(key).or_default();
                *sum = sum.wrapping_add(hashes[row]);
            }
        }
        Ok(())
    }

    /// The archive's records up to the cut, in runs of one partition and header.
    fn each_archived(&self, topic: &Arc<str>, take: &mut dyn FnMut(Records) -> Result<(), LogError>) -> Result<(), LogError> {
        let folder = archive_folder(topic);
        let snapshot = Snapshot::load(self.store, &folder)?;
        let schema = star::archive_schema();
        let columns = ["partition", "offset", "timestamp", "ingested_at", "key", "headers", "value"];
        for add in snapshot.files.values() {
            read::file(self.store, &folder, add, &schema, &columns, &mut |rows| {
                runs(topic, &rows).into_iter().try_for_each(|(start, length)| {
                    let records = records(topic, &rows.slice(start, length));
                    let kept = records.offsets.last().is_some_and(|last| *last < self.cut.next(&records.partition));
                    if kept { take(records) } else { Ok(()) }
                })
            })?;
        }
        Ok(())
    }

    /// Dead letters whose bytes differ from these records.
    fn unlike(&self, records: &Records) -> Result<Vec<(Partition, i64)>, LogError> {
        let Some(rejected) = self.rejected.get(&records.partition) else { return Ok(Vec::new()) };
        let (first, last) = (records.offsets.first().copied().unwrap_or(0), records.offsets.last().copied().unwrap_or(0));
        if rejected.range_cardinality(place(first)..=place(last)) == 0 {
            return Ok(Vec::new());
        }
        let at: BTreeMap<i64, usize> = records.offsets.iter().copied().zip(0..).collect();
        let mut unlike = Vec::new();
        crate::letters::each(self.store, &mut |letter| {
            let (topic, number, offset) = &letter.position;
            let own = *topic == records.partition.topic && *number == records.partition.number;
            if let Some(index) = at.get(offset).filter(|_| own)
                && records.value(*index) != letter.value
            {
                unlike.push((records.partition.clone(), *offset));
            }
            true
        })?;
        Ok(unlike)
    }

    /// Amounts in the shop's currency follow from the row's own rate, and the rate from `fact_fx_rate`.
    fn rates(&mut self) -> Result<(), LogError> {
        let mut known: HashSet<(String, i128)> = HashSet::from([(self.shop.currency.to_string(), i128::from(Rate::ONE))]);
        scan(self.store, Table::FactFxRate, &["base", "rate"], &mut |rows| {
            let (bases, rates) = (rows.column(0).as_string::<i32>(), rows.column(1).as_primitive::<Decimal128Type>());
            known.extend((0..rows.num_rows()).map(|row| (bases.value(row).to_owned(), rates.value(row))));
            Ok(())
        })?;
        let columns = [
            "currency",
            "fx_rate",
            "gross_amount",
            "discount_amount",
            "tax_amount",
            "shipping_amount",
            "net_amount",
            "gross_amount_reporting",
            "discount_amount_reporting",
            "tax_amount_reporting",
            "shipping_amount_reporting",
            "net_amount_reporting",
            "source_topic",
            "source_partition",
            "source_offset",
        ];
        let mut wrong = Vec::new();
        scan(self.store, Table::FactSales, &columns, &mut |rows| {
            let currencies = rows.column(0).as_string::<i32>();
            let amounts: Vec<_> = (1..12).map(|at| rows.column(at).as_primitive::<Decimal128Type>()).collect();
            for row in 0..rows.num_rows() {
                let cell = |at: usize| amounts[at].is_valid(row).then(|| amounts[at].value(row));
                if !follows(&cell, |rate| known.contains(&(currencies.value(row).to_owned(), rate))) {
                    let (topics, numbers) = (rows.column(12).as_string::<i32>(), rows.column(13).as_primitive::<Int64Type>());
                    let offset = rows.column(14).as_primitive::<Int64Type>().value(row);
                    wrong.push((Partition::new(topics.value(row), numbers.value(row)), offset));
                }
            }
            Ok(())
        })?;
        for (partition, offset) in wrong {
            let detail = "the amounts in the shop's currency do not follow from the row's amounts and a known rate".to_owned();
            self.find("altered", "fact_sales", Some((&partition, offset, offset + 1)), detail);
        }
        Ok(())
    }
}

/// 0 rate, 1–5 gross, discount, tax, shipping, net, 6–10 the same in the shop's currency.
fn follows(cell: &dyn Fn(usize) -> Option<i128>, known: impl Fn(i128) -> bool) -> bool {
    let net = cell(1).zip(cell(2)).map(|(gross, discount)| gross - discount) == cell(5);
    let Some(rate) = cell(0) else { return net && (6..11).all(|at| cell(at).is_none()) };
    let at = |units: Option<i128>| {
        let rate = Rate::from_scaled(rate, 9).ok()?;
        Amount::from_scaled(units?, 6).ok()?.at(rate).ok().map(|amount| i128::from(amount.0))
    };
    let converted = (1..5).all(|column| at(cell(column)) == cell(column + 5));
    net && converted && known(rate) && cell(6).zip(cell(7)).map(|(gross, discount)| gross - discount) == cell(10)
}

fn hashes(rows: &RecordBatch) -> Result<Vec<u128>, LogError> {
    let corrupt = |error: arrow_schema::ArrowError| LogError::Corrupt(error.to_string());
    let schema = rows.schema();
    let kept: Vec<usize> =
        schema.fields().iter().enumerate().filter(|(_, field)| !is_order_bound(field.name())).map(|(at, _)| at).collect();
    let rows = rows.project(&kept).map_err(corrupt)?;
    let fields = rows.schema().fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(corrupt)?;
    let encoded = converter.convert_columns(rows.columns()).map_err(corrupt)?;
    Ok(encoded.iter().map(|row| xxh3_128(row.data())).collect())
}

/// Runs of rows with one partition, rising offsets and the same headers: start and length.
fn runs(topic: &Arc<str>, rows: &RecordBatch) -> Vec<(usize, usize)> {
    debug_assert!(!topic.is_empty());
    let (numbers, offsets) = (rows.column(0).as_primitive::<Int64Type>(), rows.column(1).as_primitive::<Int64Type>());
    let headers = rows.column(5).as_string::<i32>();
    let header = |row: usize| headers.is_valid(row).then(|| headers.value(row));
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for row in 0..rows.num_rows() {
        let goes_on = row > 0
            && numbers.value(row) == numbers.value(row - 1)
            && offsets.value(row) > offsets.value(row - 1)
            && header(row) == header(row - 1);
        match runs.last_mut().filter(|_| goes_on) {
            Some((_, length)) => *length += 1,
            None => runs.push((row, 1)),
        }
    }
    runs
}

fn records(topic: &Arc<str>, rows: &RecordBatch) -> Records {
    let long = |at: usize| rows.column(at).as_primitive::<Int64Type>();
    let micros = |at: usize| rows.column(at).as_primitive::<TimestampMicrosecondType>();
    let bytes = |at: usize| -> BinaryArray { rows.column(at).as_binary::<i32>().clone() };
    let headers = rows.column(5).as_string::<i32>();
    let offsets: Vec<i64> = long(1).values().to_vec();
    Records {
        partition: Partition::new(Arc::clone(topic), long(0).values().first().copied().unwrap_or(0)),
        ingested_at: micros(3).values().to_vec(),
        timestamps: micros(2).iter().collect(),
        keys: Some(bytes(4)),
        headers: if headers.is_valid(0) { Headers::Shared(headers.value(0).into()) } else { Headers::None },
        values: bytes(6),
        next: offsets.last().map_or(0, |last| last + 1),
        offsets,
    }
}
