//! Compares every expected figure with the lake's and the live one.

use anyhow::Context;
use kassa_analytics::{Answer, Query};
use kassa_config::Config;
use kassa_source::shop::Truth;
use serde_json::{Map, Value};

use crate::cli::Format;
use crate::output;
use crate::server::Service;

/// Expected values that are not figures: parts of `total_sales` and of `payments`.
const PARTS: [&str; 4] = ["tax", "shipping", "payments_captured", "payments_refunded"];

/// An expected value, and the query for it.
struct Claim {
    name: String,
    query: Query,
    /// The row of the answer, if it has several.
    key: Option<String>,
    expected: String,
}

/// Prints for every expected value whether lake and live figures equal it. Returns whether all do.
pub(super) fn verdict(service: &Service, config: &Config, truth: &Truth) -> anyhow::Result<bool> {
    let (lake, _) =
        kassa_lake::figures::figures(service.lake().context("the lake was never open")?.store.as_ref(), &config.shop)?;
    let of = |claim: &Claim| -> anyhow::Result<[String; 2]> {
        Ok([value(&lake.answer(&claim.query)?, claim), value(&service.live(&claim.query)?, claim)])
    };
    let (truth_of, mut rows, mut same) = (serde_json::to_value(truth)?, Vec::new(), true);
    for claim in claims("", part(&truth_of, "figures")?, [None, None])? {
        same &= hold(&mut rows, &claim.name, &claim.expected, of(&claim)?);
    }
    for (part_name, title, basis) in [("by_day", "by day", "movement"), ("by_order_day", "by day of order", "order")] {
        let (mut all, mut found) = (0, [0, 0]);
        for (day, figures) in part(&truth_of, part_name)? {
            let figures = figures.as_object().context("the truth of a day has no figures")?;
            for claim in claims(&format!("{day} "), figures, [Some(day), Some(basis)])? {
                let held = of(&claim)?;
                all += 1;
                let equal = held.each_ref().map(|held| equal(held, &claim.expected));
                found = [0, 1].map(|at: usize| found[at] + i32::from(equal[at]));
                if equal != [true, true] {
                    same &= hold(&mut rows, &claim.name, &claim.expected, held);
                }
            }
        }
        same &= hold(&mut rows, title, &format!("{all} values"), found.map(|found| format!("{found} values")));
    }
    let counts = service.counts();
    for (name, expected, held) in [
        ("produced", truth.produced, counts.read),
        ("accepted", truth.accepted, counts.accepted),
        ("duplicates", truth.duplicates, counts.duplicates),
        ("malformed", truth.malformed, counts.dead_letters),
    ] {
        same &= hold(&mut rows, name, &expected.to_string(), [held.to_string(), held.to_string()]);
    }
    output::table(&["figure", "truth", "lake", "live", "verdict"], &rows, Format::Table)?;
    say!("{}", if same { "every figure is equal" } else { "FIGURES DIFFER" });
    Ok(same)
}

fn part<'t>(truth: &'t Value, name: &str) -> anyhow::Result<&'t Map<String, Value>> {
    truth[name].as_object().with_context(|| format!("the truth has no {name}"))
}

/// The expected values of the figures, for one day and basis if given.
fn claims(prefix: &str, figures: &Map<String, Value>, [day, basis]: [Option<&str>; 2]) -> anyhow::Result<Vec<Claim>> {
    let mut all = Vec::new();
    for (figure, value) in figures.iter().filter(|(name, _)| !PARTS.contains(&name.as_str())) {
        let query = Query::parse(figure, None, day, day, basis)?;
        let name = format!("{prefix}{figure}");
        match value {
            Value::Object(steps) => all.extend(steps.iter().map(|(step, value)| Claim {
                name: format!("{name} {step}"),
                query: query.clone(),
                key: Some(step.clone()),
                expected: text(value),
            })),
            value => all.push(Claim { name, query, key: None, expected: text(value) }),
        }
    }
    Ok(all)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn value(answer: &Answer, claim: &Claim) -> String {
    let row = answer.rows.iter().find(|row| claim.key.as_ref().is_none_or(|key| row.key == *key));
    row.and_then(|row| row.value.clone()).unwrap_or_default()
}

fn hold(rows: &mut Vec<Vec<String>>, name: &str, expected: &str, [lake, live]: [String; 2]) -> bool {
    let same = equal(&lake, expected) && equal(&live, expected);
    let word = if same { "equal" } else { "DIFFERENT" };
    rows.push(vec![name.to_owned(), expected.to_owned(), lake, live, word.to_owned()]);
    same
}

/// Whether two decimals are equal, ignoring trailing zeros.
fn equal(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        if text == "-0" { "0".to_owned() } else { text.to_owned() }
    };
    plain(one) == plain(other)
}
