//! `kassa simulate`: only the synthetic shop, to files, a collector or Kafka.

use std::path::Path;
use std::thread;
use std::time::Instant;

use kassa_model::{Code, Currency, Shop as ShopModel, time};
use kassa_source::shop::files::Folder;
use kassa_source::shop::{Faults, Options, Shop};

use super::pace::Pace;
use crate::cli::{Simulate, Written};
use crate::failure::{Failure, without_secret};
use crate::output;

/// Monday, 6 January 2025, midnight in London: fixed, so that a seed determines everything.
pub const START: i64 = 1_736_121_600 * time::SECOND;

/// The shop of the demo and the simulation.
pub fn shop_model() -> anyhow::Result<ShopModel> {
    let currency = Currency::parse("GBP");
    let shop = currency.and_then(|currency| ShopModel::new("Harbour & Pine", "Europe/London", currency));
    shop.ok_or_else(|| anyhow::anyhow!("the time zone database has no Europe/London"))
}

pub fn shop(seed: u64, records_per_day: u64) -> anyhow::Result<Shop> {
    Ok(Shop::new(Options { seed, start: START, records_per_day, shop: shop_model()?, faults: Faults::default() })?)
}

pub fn simulate(args: &Simulate) -> anyhow::Result<()> {
    if args.to.contains("://") {
        without_secret("--to", &args.to)?;
    }
    args.registry.iter().try_for_each(|url| without_secret("--registry", url))?;
    let shop = shop(args.seed, args.per_day)?;
    let mut shop = match args.customers {
        Some(customers) => shop.with_customers(customers),
        None => shop,
    };
    let started = Instant::now();
    let mut pace = Pace::new(args.rate);
    let is_kafka = args.to.starts_with("kafka://");
    if args.format != Written::Json && !is_kafka {
        let failure = Failure::new(Code::BadParameter, format!("{} accepts only JSON", args.to));
        return Err(failure.hint("send Avro to Kafka: --to kafka://HOST:PORT").into());
    }
    if args.to.starts_with("http://") {
        super::post::to_collector(&mut shop, &args.to, args.records, &mut pace)?;
        output::json(&shop.truth())?;
    } else if is_kafka {
        super::produce::to_kafka(&mut shop, args, &mut pace)?;
        output::json(&shop.truth())?;
    } else {
        let mut folder = Folder::create(Path::new(&args.to), None)?;
        let mut record = Vec::new();
        for _ in 0..args.records {
            record.clear();
            let emitted = shop.next(&mut record);
            folder.write(emitted.contract, &record)?;
            pace.next().into_iter().for_each(thread::sleep);
        }
        folder.finish(&shop.truth())?;
    }
    say!("{} records in {:.1} s to {}", args.records, started.elapsed().as_secs_f64(), args.to);
    Ok(())
}
