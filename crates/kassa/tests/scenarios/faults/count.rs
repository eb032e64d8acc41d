//! Compares the contents of a run's stores with what was sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use kassa_lake::delta::Snapshot;
use kassa_lake::read::folder_of;
use kassa_lake::{Folder, figures, recover};
use kassa_model::{Partition, Positions, Table};
use kassa_warehouse::Target;
use kassa_warehouse::read::Reader;

use super::run::{Kind, Run};
use crate::harness::until;
use crate::whole_way::millionths;

impl Run<'_> {
    /// The folder of the lake, as the server keeps it.
    pub(crate) fn lake(&self) -> Folder {
        Folder::new(match self.kind {
            Kind::Folder => self.shop.data().join("lake"),
            Kind::Bucket | Kind::Avro => self.prefix(),
        })
    }

    pub(crate) fn prefix(&self) -> PathBuf {
        self.servers.s3.folder_of(crate::s3::BUCKET).join(&self.database)
    }

    /// How far the lake accounts, and the warehouse.
    pub(crate) fn positions(&self) -> (Positions, Positions) {
        let lake = figures::accounted(&self.lake()).expect("the lake");
        let target = Target::parse(&self.servers.postgres.url("postgres", &self.database), None).expect("a target");
        let mut reader = Reader::open(&target).expect("the warehouse");
        let warehouse = reader.snapshot().expect("a snapshot").positions().clone();
        (lake, warehouse)
    }

    /// The records that the source has lost, by the lake's spans.
    fn gaps(&self) -> i64 {
        let mut sum = 0;
        recover::scan(&self.lake(), Table::Spans, &["gap"], &mut |rows| {
            sum += rows.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
            Ok(())
        })
        .expect("the spans");
        sum
    }

    fn lines_in_lake(&self) -> usize {
        let files = Snapshot::load(&self.lake(), &folder_of(Table::FactSales)).expect("the lake").files;
        files.values().map(|file| usize::try_from(file.rows().expect("a count")).expect("a count")).sum()
    }

    pub(crate) fn lines_in_warehouse(&self) -> usize {
        let rows = self.servers.client(&self.database).query_one("SELECT count(*) FROM dwh.fact_sales", &[]).expect("a count");
        usize::try_from(rows.get::<_, i64>(0)).expect("a count")
    }

    /// Waits until both stores hold all that was sent.
    pub(crate) fn until_all_is_there(&self) {
        let all = self.truth().len();
        until("all that was sent, in the warehouse", || self.lines_in_warehouse() >= all);
        until("all that was sent, in the lake", || self.lines_in_lake() >= all);
    }

    /// Waits until the warehouse holds more than it did.
    pub(crate) fn until_more_than(&self, before: usize) {
        until("more in the warehouse", || self.lines_in_warehouse() > before);
    }

    /// The faults are over: everything is read to its end and counted.
    pub(crate) fn check(&mut self) {
        self.servers.to_s3.clear();
        self.catch_up();
        // A killed worker stays a member until its session ends, and its partitions are not read until then.
        for _ in 0..5 {
            if self.may_cross || self.lines_in_warehouse() >= self.truth().len() {
                break;
            }
            self.catch_up();
        }
        self.equals();
        let proof = self.ok(&["prove"]);
        assert!(!proof.is_empty());
        assert_eq!(self.gaps(), self.lost, "what the source lost is recorded, and nothing else");
    }

    fn equals(&mut self) {
        let truth = self.truth();
        let sum: i128 =
            truth.iter().map(|number| amount_of(*number)).map(|(quantity, price)| i128::from(quantity * price) * 10_000).sum();
        for store in ["lake", "warehouse"] {
            let answer = self.ok(&["figures", "net_sales", "--from", store, "--format", "json"]);
            let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(millionths(answer["rows"][0]["value"].as_str().unwrap_or("0")), sum, "net sales from the {store}");
        }
        let mut lake: BTreeMap<u64, usize> = BTreeMap::new();
        recover::scan(&self.lake(), Table::FactSales, &["line_id"], &mut |rows| {
            let lines = rows.column(0).as_string::<i32>().iter().flatten();
            lines.for_each(|line| *lake.entry(line.parse().expect("a number")).or_default() += 1);
            Ok(())
        })
        .expect("the lake");
        each_once("the lake", &lake, &truth);
        let mut warehouse: BTreeMap<u64, usize> = BTreeMap::new();
        for row in self.servers.client(&self.database).query("SELECT line_id FROM dwh.fact_sales", &[]).expect("rows") {
            *warehouse.entry(row.get::<_, &str>(0).parse().expect("a number")).or_default() += 1;
        }
        each_once("the warehouse", &warehouse, &truth);
    }

    /// The partitions of the run's topic that the lake knows, with their numbers over all incarnations.
    pub(crate) fn known(&self) -> Vec<Partition> {
        self.positions().0.iter().map(|(partition, _)| partition.clone()).collect()
    }
}

/// Quantity and price in hundredths.
pub(crate) fn amount_of(number: u64) -> (u64, u64) {
    (1 + number % 5, 100 + number * 37 % 9_000)
}

fn each_once(store: &str, held: &BTreeMap<u64, usize>, truth: &BTreeSet<u64>) {
    let doubled: Vec<_> = held.iter().filter(|(_, times)| **times > 1).take(5).collect();
    let lost: Vec<_> = truth.iter().filter(|number| !held.contains_key(number)).take(5).collect();
    let strange: Vec<_> = held.keys().filter(|number| !truth.contains(number)).take(5).collect();
    let counts = (held.len(), truth.len());
    assert!(
        doubled.is_empty() && lost.is_empty() && strange.is_empty(),
        "{store}: doubled {doubled:?}, lost {lost:?}, never sent {strange:?} {counts:?}"
    );
}
