//! The number of records per second that the synthetic shop generates on one core: `cargo run -p
//! kassa-source --release --example shop_speed [RECORDS]`.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use kassa_model::{Currency, Shop as Home, time};
use kassa_source::shop::{Faults, Options, STREAMS, Shop};

fn main() -> Result<(), Box<dyn Error>> {
    let records: u64 = std::env::args().nth(1).map_or(Ok(3_000_000), |text| text.parse())?;
    let currency = Currency::parse("GBP").ok_or("no such currency")?;
    let shop = Home::new("Harbour & Pine", "Europe/London", currency).ok_or("no such zone")?;
    let start = time::parse("2026-01-05T00:00:00Z", &shop.zone)?;
    let mut shop = Shop::new(Options { seed: 42, start, records_per_day: 500_000, shop, faults: Faults::default() })?;
    let (mut bytes, mut record, began) = (0_u64, Vec::new(), Instant::now());
    for _ in 0..records {
        record.clear();
        shop.next(&mut record);
        bytes += record.len() as u64;
    }
    let seconds = began.elapsed().as_secs_f64();
    let (truth, mut out) = (shop.truth(), std::io::stdout().lock());
    writeln!(
        out,
        "{:.0} records/s, {:.0} MB/s, {} bytes per record",
        records as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        bytes / records
    )?;
    let [sessions, orders, delayed, agenda] = shop.held();
    writeln!(out, "in memory: {sessions} sessions, {orders} orders, {delayed} delayed copies, {agenda} pending actions")?;
    for (stream, _) in STREAMS {
        let produced = truth.streams.get(stream).map_or(0, |counts| counts.produced);
        writeln!(out, "{stream:12} {produced:9} {:.2} %", produced as f64 * 100.0 / records as f64)?;
    }
    writeln!(out, "{}", serde_json::to_string_pretty(&truth.figures)?)?;
    Ok(())
}
