//! Rows per CPU-second of a commit, compared with a raw binary COPY of the same rows, encoded
//! beforehand, into the same table.
//!
//! `cargo test --release -p kassa-warehouse speed -- --ignored --nocapture`

use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use kassa_model::Table;
use kassa_pipeline::{Batch, Sink};
use serde_json::json;

use crate::copy::write::copy;
use crate::statements::column_list;
use crate::testing::{Feed, Warehouse};

const BATCH: i64 = 5_000;
const BATCHES: i64 = 40;
/// Batches of a commit.
const COMMIT: usize = 8;

fn lines() -> Vec<Arc<Batch>> {
    let mut feed = Feed::new();
    let record = |n: i64| {
        json!({"event_id": format!("e{n}"), "occurred_at": format!("2026-01-0{}T{:02}:{:02}:00Z", 1 + n * 4 / (BATCH * BATCHES), n / 60 % 24, n % 60),
            "order_id": format!("{}", 100_000 + n / 4), "line_id": format!("{}", n % 4), "product_id": format!("p{}", n * 7919 % 4000),
            "customer_id": format!("c{}", n / 4 * 31 % 20_000), "quantity": format!("{}", 1 + n % 5), "unit_price": format!("{}.{:02}", 1 + n % 300, n % 100),
            "tax": "1.23", "currency": "GBP", "channel": "web", "session_id": format!("s{}", n / 9), "shipping_address": {"country": "GB", "city": "London"}})
        .to_string()
    };
    batches(&mut feed, "order_line", record)
}

fn events() -> Vec<Arc<Batch>> {
    let mut feed = Feed::new();
    let record = |n: i64| {
        json!({"event_id": format!("e{n}"), "occurred_at": format!("2026-01-0{}T{:02}:{:02}:00Z", 1 + n * 4 / (BATCH * BATCHES), n / 60 % 24, n % 60),
            "type": (["page_viewed", "product_viewed", "product_added"][usize::try_from(n % 3).unwrap()]), "product_id": format!("p{}", n * 7919 % 4000),
            "customer_id": format!("c{}", n / 9 * 31 % 20_000), "session_id": format!("s{}", n / 9), "url": format!("https://shop.example/p/{n}"),
            "channel": "web", "device": "phone", "country": "GB", "position": n % 40})
        .to_string()
    };
    batches(&mut feed, "event", record)
}

fn batches(feed: &mut Feed, topic: &str, record: impl Fn(i64) -> String) -> Vec<Arc<Batch>> {
    (0..BATCHES)
        .map(|nth| {
            let values: Vec<String> = (nth * BATCH..(nth + 1) * BATCH).map(&record).collect();
            feed.batch(topic, 0, nth * BATCH, &values)
        })
        .collect()
}

/// CPU-seconds of a process.
fn cpu_of(stat: &str) -> f64 {
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn ours() -> f64 {
    cpu_of(&fs::read_to_string("/proc/self/stat").unwrap())
}

/// Of the server and all its children, including those that have exited.
fn servers(pid: u32) -> f64 {
    let mut sum = 0.0;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit(')').next().unwrap().split_whitespace().nth(1).map(str::to_owned);
        if entry.file_name().to_str() == Some(&pid.to_string()) || parent == Some(pid.to_string()) {
            sum += cpu_of(&stat);
        }
    }
    sum
}

/// CPU-seconds: ours and the server's.
fn measured(warehouse: &Warehouse, work: impl FnOnce()) -> (f64, f64, f64) {
    let pid = warehouse.server.pid().unwrap();
    let (before, since) = ((ours(), servers(pid)), Instant::now());
    work();
    let wall = since.elapsed().as_secs_f64();
    (ours() - before.0, servers(pid) - before.1, wall)
}

#[test]
#[ignore = "a measurement: run it alone, in release"]
fn speed_beside_raw_copy() {
    let warehouse = Warehouse::new();
    for (table, batches) in [(Table::FactSales, lines()), (Table::FactEvent, events())] {
        let rows = BATCH * BATCHES;
        let commits: Vec<&[Arc<Batch>]> = batches.chunks(COMMIT).collect();
        let encoded: Vec<Vec<u8>> = commits
            .iter()
            .map(|commit| {
                let rows: Vec<_> = commit.iter().filter_map(|batch| batch.whole().rows(table)).collect();
                let mut bytes = Vec::new();
                copy(&rows, None, |chunk| {
                    bytes.extend_from_slice(chunk);
                    Ok(())
                })
                .unwrap();
                bytes
            })
            .collect();
        let mut best: [Option<(f64, f64, f64)>; 2] = [None, None];
        for _ in 0..3 {
            let mut client = crate::connect(&warehouse.target("postgres")).unwrap();
            let mut sink = warehouse.sink();
            // The partitions exist for both.
            sink.commit(&batches).unwrap();
            drop(sink);
            warehouse.clear();
            let sql = format!("COPY dwh.{} ({}) FROM STDIN BINARY", table.name(), column_list(&table.schema()));
            let raw = measured(&warehouse, || {
                for bytes in &encoded {
                    let mut transaction = client.transaction().unwrap();
                    let mut writer = transaction.copy_in(&sql).unwrap();
                    for chunk in bytes.chunks(256 * 1024) {
                        writer.write_all(chunk).unwrap();
                        writer.flush().unwrap();
                    }
                    writer.finish().unwrap();
                    transaction.commit().unwrap();
                }
            });
            assert_eq!(warehouse.count(&format!("dwh.{}", table.name())), rows);
            warehouse.clear();
            let mut sink = warehouse.sink();
            let whole = measured(&warehouse, || commits.iter().for_each(|commit| sink.commit(commit).unwrap()));
            let proof = crate::prove::prove(&warehouse.target("postgres")).unwrap();
            assert!(proof.is_ok() && proof.rows[table.name()] == rows, "{:?}", proof.findings);
            warehouse.clear();
            for (best, run) in best.iter_mut().zip([raw, whole]) {
                *best = best.filter(|best| best.0 + best.1 <= run.0 + run.1).or(Some(run));
            }
        }
        let [raw, whole] = best.map(Option::unwrap);
        for (name, (ours, server, wall)) in [("raw COPY", raw), ("commit", whole)] {
            let rate = rows as f64 / (ours + server);
            println!(
                "{:<12}{name:<10}{rate:>9.0} rows per CPU-second (ours {ours:.2} s, server {server:.2} s, wall {wall:.2} s)",
                table.name()
            );
        }
        println!("{:<12}commit reaches {:.0} % of raw COPY", table.name(), 100.0 * (raw.0 + raw.1) / (whole.0 + whole.1));
    }
}
