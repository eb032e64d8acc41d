//! `kassa figures`: one figure by what the lake holds, or the catalogue.

use kassa_analytics::Query;
use kassa_model::Code;

use crate::cli::{Figures, Format};
use crate::failure::Failure;
use crate::wiring::Lake;
use crate::{output, settings};

pub fn figures(args: &Figures) -> anyhow::Result<()> {
    let Some(name) = &args.name else { return catalogue(args.format) };
    let query = Query::parse(name, args.by.as_deref(), args.from.as_deref(), args.to.as_deref(), args.basis.as_deref()).map_err(
        |error| Failure::new(Code::UnknownFigure, error.to_string()).hint("`kassa figures` lists all figures and groupings"),
    )?;
    let config = settings::reading(&args.place)?;
    let lake = Lake::of(&config)?;
    let (figures, positions) = kassa_lake::figures::figures(lake.store.as_ref(), &config.shop)?;
    let answer = figures.answer(&query).map_err(|error| Failure::new(Code::UnknownFigure, error.to_string()))?;
    if args.format == Format::Json {
        return output::json(&kassa_server::render(&answer, &positions, lake.clock.now()));
    }
    let rows: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| vec![row.key.clone(), row.label.clone(), row.value.clone().unwrap_or_else(|| "–".to_owned())])
        .collect();
    let labelled = answer.rows.iter().any(|row| row.label != row.key);
    if labelled {
        output::table(&["key", "label", "value"], &rows, args.format)?;
    } else {
        let rows: Vec<Vec<String>> = rows.into_iter().map(|row| vec![row[0].clone(), row[2].clone()]).collect();
        output::table(&["key", "value"], &rows, args.format)?;
    }
    let basis = answer.basis.map_or(String::new(), |basis| format!(" · by day of {}", basis.name()));
    eprintln!(
        "{} · {} · {}{basis} · as of {}",
        answer.figure,
        answer.currency,
        answer.time_zone,
        kassa_model::time::format(lake.clock.now())
    );
    for left_out in &answer.unconverted {
        eprintln!(
            "note: {} rows in {} are left out of money: no rate to {} is known for their day",
            left_out.rows, left_out.currency, answer.currency
        );
    }
    Ok(())
}

fn catalogue(format: Format) -> anyhow::Result<()> {
    let catalogue = kassa_analytics::catalogue();
    if format == Format::Json {
        return output::json(&catalogue);
    }
    let rows: Vec<Vec<String>> =
        catalogue.iter().map(|figure| vec![figure.name.to_owned(), figure.title.to_owned(), figure.formula.to_owned()]).collect();
    output::table(&["figure", "title", "formula"], &rows, format)
}
