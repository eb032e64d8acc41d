//! `kassa simulate`: the synthetic shop alone, to files, a collector or Kafka.

use std::path::Path;
use std::time::Instant;

use kassa_model::{Currency, Shop as ShopModel, time};
use kassa_source::shop::files::Folder;
use kassa_source::shop::{Faults, Options, Shop};

use crate::cli::Simulate;
use crate::output;

/// Monday, 6 January 2025, midnight in London: fixed, so that a seed says everything.
pub const START: i64 = 1_736_121_600 * time::SECOND;

/// The shop that the demo and the simulation run.
pub fn shop_model() -> anyhow::Result<ShopModel> {
    let currency = Currency::parse("GBP");
    let shop = currency.and_then(|currency| ShopModel::new("Harbour & Pine", "Europe/London", currency));
    shop.ok_or_else(|| anyhow::anyhow!("the time zone database has no Europe/London"))
}

pub fn shop(seed: u64, records_per_day: u64) -> anyhow::Result<Shop> {
    Ok(Shop::new(Options { seed, start: START, records_per_day, shop: shop_model()?, faults: Faults::default() })?)
}

pub fn simulate(args: &Simulate) -> anyhow::Result<()> {
    let mut shop = shop(args.seed, args.per_day)?;
    let started = Instant::now();
    if args.to.starts_with("http://") {
        super::post::to_collector(&mut shop, &args.to, args.records)?;
        output::json(&shop.truth())?;
    } else if args.to.starts_with("kafka://") {
        super::produce::to_kafka(&mut shop, &args.to, args.records)?;
        output::json(&shop.truth())?;
    } else {
        let mut folder = Folder::create(Path::new(&args.to), None)?;
        let mut record = Vec::new();
        for _ in 0..args.records {
            record.clear();
            let emitted = shop.next(&mut record);
            folder.write(emitted.contract, &record)?;
        }
        folder.finish(&shop.truth())?;
    }
    eprintln!("{} records in {:.1} s to {}", args.records, started.elapsed().as_secs_f64(), args.to);
    Ok(())
}
