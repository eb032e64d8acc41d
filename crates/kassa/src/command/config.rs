//! `kassa config`: the effective configuration, and its schema.

use crate::cli::{ConfigShow, Place};
use crate::{output, settings};

pub fn show(args: &ConfigShow) -> anyhow::Result<()> {
    let place: &Place = &args.place;
    let (_, origins) = settings::load(place, Vec::new())?;
    let rows: Vec<Vec<String>> = origins
        .iter()
        .map(|(key, entry)| {
            let mut row = vec![key.to_owned(), entry.value.to_string()];
            if args.origin {
                row.push(entry.origin.to_string());
            }
            row
        })
        .collect();
    let header: &[&str] = if args.origin { &["key", "value", "origin"] } else { &["key", "value"] };
    output::table(header, &rows, args.format)
}

pub fn schema() -> anyhow::Result<()> {
    output::json(&kassa_config::schema())
}
