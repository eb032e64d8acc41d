//! The table of each size's cost, in Markdown, with a verdict for each bar.

use std::io::Write as _;

use anyhow::ensure;

use super::{Size, collector, float, rebalance, refresh};

/// The limit of a value.
#[derive(Debug, Clone, Copy)]
enum Bar {
    /// At the largest size.
    AtMost(f64),
    /// The largest size relative to the smallest.
    Times(f64),
}

struct Row {
    what: &'static str,
    value: fn(&Size) -> Option<f64>,
    digits: usize,
    bars: &'static [Bar],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    NotMet,
    /// It cannot be decided with the sizes that were run.
    Open,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::NotMet => "NOT MET",
            Self::Open => "open",
        }
    }
}

impl Bar {
    fn words(self) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most}"),
            Self::Times(most) => format!("≤ {most} × the smallest size"),
        }
    }

    /// `values`: for the sizes that have one, the smallest size first.
    fn verdict(self, values: &[f64]) -> Verdict {
        let is_met = match (self, values) {
            (Self::AtMost(most), [.., last]) => *last <= most,
            (Self::Times(most), [first, .., last]) => *last <= most * first,
            _ => return Verdict::Open,
        };
        if is_met { Verdict::Met } else { Verdict::NotMet }
    }
}

/// A row without a bar is only for information.
fn rows() -> Vec<Row> {
    use Bar::{AtMost, Times};
    vec![
        row("start to ready after a clean stop, s", |size| Some(of(size)?.after_stop), 2, &[AtMost(2.0), Times(1.3)]),
        row("start to ready after kill -9, s", |size| Some(of(size)?.after_kill), 2, &[AtMost(2.0), Times(1.3)]),
        row(
            "rebalance after a clean stop: assigned to first commit, s",
            |size| Some(moved(size)?.after_stop.seconds),
            2,
            &[AtMost(2.0)],
        ),
        row("the same from the stop on, s", |size| Some(moved(size)?.after_stop.whole), 2, &[]),
        row(
            "rebalance after kill -9: assigned to first commit, s",
            |size| Some(moved(size)?.after_kill.seconds),
            2,
            &[AtMost(2.0)],
        ),
        row("peak memory of `run`, MiB", |size| Some(mib(of(size)?.peak_kib)), 0, &[AtMost(512.0)]),
        row(
            "greatest memory after 10 M records against that up to there",
            |size| of(size)?.growth_beyond_ten_million(size.records),
            2,
            &[AtMost(1.1)],
        ),
        row("CPU a record, µs", |size| Some(of(size)?.cpu / float(size.records) * 1e6), 2, &[Times(1.05)]),
        row("a day's net sales, s", |size| Some(of(size)?.net_sales.seconds), 2, &[AtMost(0.3)]),
        row(
            "a day's net sales, % of the lake's bytes",
            |size| Some(percent(of(size)?, of(size)?.net_sales.bytes)),
            2,
            &[AtMost(2.0)],
        ),
        row("a day's conversion, s", |size| Some(of(size)?.conversion.seconds), 2, &[AtMost(0.3)]),
        row(
            "a day's conversion, % of the lake's bytes",
            |size| Some(percent(of(size)?, of(size)?.conversion.bytes)),
            2,
            &[AtMost(2.0)],
        ),
        row("PostgreSQL's refresh after one new order, ms", |size| Some(refreshed(size)?.milliseconds), 1, &[Times(2.0)]),
        row("the same, pages read", |size| Some(float(refreshed(size)?.pages)), 0, &[Times(2.0)]),
        row("the same, rows written", |size| Some(float(refreshed(size)?.rows)), 0, &[Times(2.0)]),
        row("`prove`, s", |size| Some(of(size)?.prove.seconds), 1, &[]),
        row("`prove`, µs a record", |size| Some(of(size)?.prove.seconds / float(size.records) * 1e6), 2, &[Times(1.2)]),
        row("`prove`, peak memory, MiB", |size| Some(mib(of(size)?.prove.peak_kib)), 0, &[AtMost(512.0)]),
        row("`prove --since` the last day, s", |size| Some(moved(size)?.prove_since.seconds), 2, &[AtMost(5.0)]),
        row("`prove --since` the last day, peak memory, MiB", |size| Some(mib(moved(size)?.prove_since.peak_kib)), 0, &[]),
        row("state: bytes a money key", |size| Some(of(size)?.bytes_a_money_key()), 2, &[AtMost(24.0)]),
        row("state: money keys, MB", |size| Some(float(of(size)?.state.money_keys) / 1e6), 1, &[]),
        row("state: event keys, MB", |size| Some(float(of(size)?.state.event_keys) / 1e6), 1, &[]),
        row(
            "state: members and figures, MB",
            |size| Some(float(of(size)?.state.members + of(size)?.state.figures) / 1e6),
            1,
            &[],
        ),
        row("state: the rest, MB", |size| Some(float(of(size)?.state.rest) / 1e6), 1, &[]),
        row("lake on disk, MB", |size| Some(float(of(size)?.lake) / 1e6), 1, &[]),
    ]
}

fn row(what: &'static str, value: fn(&Size) -> Option<f64>, digits: usize, bars: &'static [Bar]) -> Row {
    Row { what, value, digits, bars }
}

fn of(size: &Size) -> Option<&collector::Cost> {
    size.collector.as_ref()
}

fn moved(size: &Size) -> Option<&rebalance::Cost> {
    size.rebalance.as_ref()
}

fn refreshed(size: &Size) -> Option<&refresh::Cost> {
    size.refresh.as_ref()
}

fn mib(kib: u64) -> f64 {
    float(kib) / 1_024.0
}

fn percent(cost: &collector::Cost, bytes: u64) -> f64 {
    100.0 * float(bytes) / float(cost.lake.max(1))
}

/// Prints the tables on stdout; fails if a bar is not met.
pub(super) fn tell(sizes: &[Size]) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let head: Vec<String> = sizes.iter().map(|size| thousands(size.records)).collect();
    let between = " | ";
    writeln!(out, "| records | {} | bar | verdict |\n|---|{}---|---|", head.join(between), "---|".repeat(sizes.len()))?;
    let mut unmet = Vec::new();
    for row in rows() {
        let values: Vec<Option<f64>> = sizes.iter().map(row.value).collect();
        let told: Vec<f64> = values.iter().copied().flatten().collect();
        if told.is_empty() {
            continue;
        }
        let verdicts: Vec<Verdict> = row.bars.iter().map(|bar| bar.verdict(&told)).collect();
        let words = |verdicts: &[Verdict]| verdicts.iter().map(|verdict| verdict.words()).collect::<Vec<_>>().join(", ");
        let bars: Vec<String> = row.bars.iter().map(|bar| bar.words()).collect();
        let digits = row.digits;
        let cells = values.iter().map(|value| value.map_or("–".to_owned(), |value| format!("{value:.digits$}")));
        let cells = cells.collect::<Vec<_>>().join(between);
        writeln!(out, "| {} | {cells} | {} | {} |", row.what, bars.join(", "), words(&verdicts))?;
        if verdicts.contains(&Verdict::NotMet) {
            unmet.push(row.what);
        }
    }
    tell_memory(&mut out, sizes)?;
    ensure!(unmet.is_empty(), "{} bars are NOT MET: {}", unmet.len(), unmet.join("; "));
    Ok(())
}

/// Memory while the input is read.
fn tell_memory(out: &mut dyn std::io::Write, sizes: &[Size]) -> anyhow::Result<()> {
    if sizes.iter().all(|size| size.collector.is_none()) {
        return Ok(());
    }
    let tenths: Vec<String> = (1..=10).map(|tenth| format!("{} %", tenth * 10)).collect();
    writeln!(out, "\n| greatest memory in each tenth of the input, MiB | {} |\n|---|{}", tenths.join(" | "), "---|".repeat(10))?;
    for size in sizes {
        let Some(cost) = &size.collector else { continue };
        let cells: Vec<String> = cost.tenths_kib.iter().map(|kib| format!("{:.0}", mib(*kib))).collect();
        writeln!(out, "| {} | {} |", thousands(size.records), cells.join(" | "))?;
    }
    Ok(())
}

/// 10,000,000.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_compared_at_the_largest_size_and_open_where_one_size_cannot_tell() {
        for (bar, values, wanted) in [
            (Bar::AtMost(2.0), vec![9.0, 2.0], Verdict::Met),
            (Bar::AtMost(2.0), vec![1.0, 2.1], Verdict::NotMet),
            (Bar::AtMost(2.0), vec![], Verdict::Open),
            (Bar::Times(1.3), vec![1.0, 5.0, 1.3], Verdict::Met),
            (Bar::Times(1.3), vec![1.0, 1.0, 1.4], Verdict::NotMet),
            (Bar::Times(1.3), vec![1.0], Verdict::Open),
        ] {
            assert_eq!(bar.verdict(&values), wanted, "{bar:?} {values:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_groups_of_three() {
        assert_eq!([7, 1_000, 50_000_000].map(thousands), ["7", "1,000", "50,000,000"]);
    }
}
