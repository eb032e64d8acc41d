//! Checks that cost follows what is new: the same shop at growing sizes, each with a tenth as many customers as records, and the
//! cost to start, run, query, prove, hand over partitions and refresh PostgreSQL at each size. A size with wrong output gives no
//! figures.
//!
//! Three parts, each with its own input: `collector` (a year through the collector's log), `rebalance` (the same through Kafka, with two
//! workers), `refresh` (through Kafka into PostgreSQL, up to ten million records). Bars are compared at the largest size, and the
//! command fails if one is not met.

mod bars;
mod collector;
mod command;
mod rebalance;
mod refresh;

use anyhow::ensure;

const DAYS: u64 = 365;
/// PostgreSQL is filled with at most this many records.
const REFRESH_MAX: u64 = 10_000_000;

/// The cost of one size, as far as it was measured.
#[derive(Debug)]
struct Size {
    records: u64,
    collector: Option<collector::Cost>,
    rebalance: Option<rebalance::Cost>,
    refresh: Option<refresh::Cost>,
}

/// The arguments of `kassa simulate` for a year of this many records.
#[derive(Debug, Clone, Copy)]
struct Year {
    records: u64,
}

impl Year {
    fn customers(self) -> u64 {
        (self.records / 10).max(1)
    }

    /// Without the list of customers, which is sent on the first day.
    fn per_day(self) -> u64 {
        ((self.records - self.customers().min(self.records)) / DAYS).max(1)
    }

    fn args(self) -> [String; 6] {
        let [records, customers, per_day] = [self.records, self.customers(), self.per_day()].map(|count| count.to_string());
        ["--records".to_owned(), records, "--customers".to_owned(), customers, "--per-day".to_owned(), per_day]
    }
}

/// `sizes`: numbers of records, separated by commas. `parts`: the parts to run; none: all.
pub(crate) fn run(sizes: &str, parts: &[String]) -> anyhow::Result<()> {
    let kassa = std::env::current_exe()?.with_file_name("kassa");
    ensure!(kassa.is_file(), "{} is not there: build it first", kassa.display());
    let known = ["collector", "rebalance", "refresh"];
    let unknown = parts.iter().find(|part| !known.contains(&part.as_str()));
    ensure!(unknown.is_none(), "there is no part {unknown:?}; the parts: {}", known.join(", "));
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut sizes = sizes.split(',').map(|size| size.trim().parse::<u64>()).collect::<Result<Vec<_>, _>>()?;
    sizes.sort_unstable();
    sizes.dedup();
    let mut measured = Vec::new();
    for records in sizes {
        eprintln!("{records} records");
        let year = Year { records };
        let collector = wanted("collector").then(|| collector::measure(&kassa, year)).transpose()?;
        let rebalance = wanted("rebalance").then(|| rebalance::measure(&kassa, year)).transpose()?;
        let is_small = records <= REFRESH_MAX;
        let refresh = (wanted("refresh") && is_small).then(|| refresh::measure(&kassa, year)).transpose()?;
        measured.push(Size { records, collector, rebalance, refresh });
    }
    bars::tell(&measured)
}

#[expect(clippy::as_conversions, reason = "for people, of far fewer than 2^52 records or bytes")]
fn float(count: u64) -> f64 {
    count as f64
}
