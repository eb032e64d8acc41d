//! The input of the seeded runs: two partitioned topics with duplicates, skipped offsets and
//! malformed records; and the expected results.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int64Type};
use arrow_array::{BinaryArray, RecordBatch};
use kassa_lake::read;
use kassa_model::{Contract, Headers, Partition, Records, Table};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Format, Stage, Stream};
use kassa_sim::{Rng, batches};
use serde_json::json;

/// 2026-01-05 12:00 UTC.
const INGESTED_AT: i64 = 1_767_614_400_000_000;

pub(crate) const TOPICS: [(&str, Contract); 2] = [("lines", Contract::OrderLine), ("payments", Contract::Payment)];

pub(crate) fn contracts() -> HashMap<Arc<str>, Contract> {
    TOPICS.iter().map(|(topic, contract)| (Arc::from(*topic), *contract)).collect()
}

/// A stage without any state.
pub(crate) fn stage() -> Stage {
    stage_of(Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 1 }).unwrap())
}

/// A stage with this index.
pub(crate) fn stage_of(index: Index) -> Stage {
    let stream = |(topic, contract): (&str, Contract)| {
        (Arc::<str>::from(topic), Stream::new(topic, contract, Format::Json, None, 1 << 20))
    };
    Stage::new(&batches::shop(), batches::KEYS, index, TOPICS.map(stream))
}

/// One partition in its source.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) partition: Partition,
    /// Offsets and values. Some offsets are skipped, as with Kafka's markers.
    records: Vec<(i64, String)>,
    /// The current start of the log: retention moves it forward.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Ranges that retention deleted before anybody had read them.
    lost: Vec<(i64, i64)>,
    /// How often retention deleted records that every sink had.
    pub(crate) dropped: u64,
}

/// The key of a record's row, and its amount in millionths; `None` for a malformed record.
fn meaning(value: &str) -> Option<(String, i128)> {
    let record: serde_json::Value = serde_json::from_str(value).ok()?;
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let hundredths = |name: &str| text(name).replace('.', "").parse::<i128>().unwrap();
    Some(match record.get("payment_id") {
        Some(_) => (format!("{}/{}", text("payment_id"), text("kind")), hundredths("amount") * 10_000),
        None => {
            let quantity: i128 = text("quantity").parse().unwrap();
            (format!("{}/{}/sale", text("order_id"), text("line_id")), quantity * hundredths("unit_price") * 10_000)
        }
    })
}

fn value(topic: &str, id: usize, rng: &mut Rng) -> String {
    let amount = format!("{}.{:02}", rng.below(90), rng.below(100));
    let at = format!("2026-01-0{}T1{}:00:00Z", 1 + id % 5, id % 10);
    let record = if topic == "payments" {
        json!({"event_id": format!("p{id}"), "occurred_at": at, "payment_id": format!("pay{id}"), "order_id": format!("o{}", id / 3),
            "kind": "capture", "amount": amount, "currency": "GBP"})
    } else {
        json!({"event_id": format!("l{id}"), "occurred_at": at, "order_id": format!("o{}", id / 3), "line_id": id.to_string(),
            "product_id": format!("p{}", id % 7), "quantity": (1 + id % 4).to_string(), "unit_price": amount, "currency": "GBP",
            "customer_id": format!("c{}", id % 11)})
    };
    record.to_string()
}

/// The partitions of both topics. If allowed, duplicates cross partitions.
pub(crate) fn logs(rng: &mut Rng, may_cross: bool) -> Vec<Log> {
    let mut logs = Vec::new();
    for (topic, _) in TOPICS {
        let partitions = 1 + rng.below(3);
        let log = |number| Log {
            partition: Partition::new(topic, i64::try_from(number).unwrap()),
            records: Vec::new(),
            start: 0,
            end: 0,
            lost: Vec::new(),
            dropped: 0,
        };
        let mut own: Vec<Log> = (0..partitions).map(log).collect();
        let mut sent: Vec<(usize, String)> = Vec::new();
        for id in 0..20 + rng.below(60) {
            let mut at = rng.below(partitions);
            let record = match rng.below(20) {
                0 => "{".to_owned(),
                1..=4 if !sent.is_empty() => {
                    let (first, record) = sent[rng.below(sent.len())].clone();
                    at = if may_cross { at } else { first };
                    record
                }
                _ => {
                    let record = value(topic, id, rng);
                    sent.push((at, record.clone()));
                    record
                }
            };
            let log = &mut own[at];
            log.end += i64::from(rng.below(12) == 0);
            log.records.push((log.end, record));
            log.end += 1;
        }
        logs.extend(own);
    }
    logs
}

impl Log {
    /// Reads at most `most` records from a position. The next position may be beyond skipped
    /// offsets.
    pub(crate) fn read(&self, from: i64, most: usize) -> Option<Records> {
        let first = self.records.partition_point(|(offset, _)| *offset < from);
        let records = &self.records[first..self.records.len().min(first + most)];
        let next = records.last()?.0 + 1;
        Some(Records {
            partition: self.partition.clone(),
            offsets: records.iter().map(|(offset, _)| *offset).collect(),
            ingested_at: records.iter().map(|(offset, _)| INGESTED_AT + offset).collect(),
            timestamps: vec![None; records.len()],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from_iter_values(records.iter().map(|(_, value)| value)),
            next,
        })
    }

    /// Retention deletes records before `to`; nobody has read beyond `from`.
    pub(crate) fn expire(&mut self, from: i64, to: i64) {
        self.lost.push((from, to));
        self.start = to;
    }

    /// Retention deletes records that every sink has.
    pub(crate) fn drop_before(&mut self, next: i64) {
        if next > self.start {
            (self.start, self.dropped) = (next, self.dropped + 1);
        }
    }

    pub(crate) fn lost(&self) -> i64 {
        self.lost.iter().map(|(from, to)| to - from).sum()
    }
}

/// The expected contents of the sinks: keys and amounts by table.
pub(crate) fn truth(logs: &[Log]) -> BTreeMap<String, i128> {
    let there = |log: &Log, offset: i64| log.lost.iter().all(|(from, to)| !(*from..*to).contains(&offset));
    let records = logs.iter().flat_map(|log| log.records.iter().filter(|(offset, _)| there(log, *offset)));
    records.filter_map(|(_, value)| meaning(value)).collect()
}

/// The positions of the records with a key.
pub(crate) fn places(logs: &[Log], key: &str) -> Vec<(Partition, i64)> {
    let of = |log: &Log| {
        let records = log.records.iter().filter(|(_, value)| meaning(value).is_some_and(|(of, _)| of == key));
        records.map(|(offset, _)| (log.partition.clone(), *offset)).collect::<Vec<_>>()
    };
    logs.iter().flat_map(of).collect()
}

/// The key columns of a fact, and its amount column.
fn columns(table: Table) -> Option<(&'static [&'static str], &'static str)> {
    match table {
        Table::FactSales => Some((&["order_id", "line_id", "movement"], "net_amount")),
        Table::FactPayment => Some((&["payment_id", "kind"], "amount")),
        _ => None,
    }
}

/// The keys of a fact's rows, with their records.
pub(crate) fn identity(table: Table, rows: &RecordBatch) -> Vec<(String, (Partition, i64))> {
    let keys = amounts(table, rows).into_iter().map(|(key, _)| key);
    let Some(rows) = columns(table).map(|_| read::plain(rows).unwrap()) else { return Vec::new() };
    let topics = rows.column_by_name("source_topic").unwrap().as_string::<i32>();
    let number = |name: &str, row: usize| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>().value(row);
    let place = |row| (Partition::new(topics.value(row), number("source_partition", row)), number("source_offset", row));
    keys.enumerate().map(|(row, key)| (key, place(row))).collect()
}

/// The keys of a fact's rows, with their amounts.
pub(crate) fn amounts(table: Table, rows: &RecordBatch) -> Vec<(String, i128)> {
    let Some((key, amount)) = columns(table) else { return Vec::new() };
    let rows = read::plain(rows).unwrap();
    let texts: Vec<_> = key.iter().map(|name| rows.column_by_name(name).unwrap().as_string::<i32>()).collect();
    let amount = rows.column_by_name(amount).unwrap().as_primitive::<Decimal128Type>();
    let of = |row| (texts.iter().map(|text| text.value(row)).collect::<Vec<_>>().join("/"), amount.value(row));
    (0..rows.num_rows()).map(of).collect()
}
