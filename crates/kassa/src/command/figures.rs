//! `kassa figures`: one figure from the lake or the warehouse, or the catalogue.

use std::path::Path;
use std::sync::Arc;

use kassa_analytics::sql::{self, Dialect, Spark};
use kassa_analytics::{Figures, Query};
use kassa_config::Config;
use kassa_lake::Store;
use kassa_lake::store::Measured;
use kassa_model::{Cause, Code, Partition, Positions};
use kassa_warehouse::read::Reader;
use serde_json::Value;

use crate::cli::{self, Engine, Format};
use crate::failure::Failure;
use crate::wiring::Lake;
use crate::{output, settings, warehouse};

pub fn figures(args: &cli::Figures) -> anyhow::Result<()> {
    let Some(name) = &args.name else { return catalogue(args.format) };
    let (from, source) = parse_from(&args.from)?;
    let query = Query::parse(name, args.by.as_deref(), from, args.to.as_deref(), args.basis.as_deref())
        .map_err(|error| Failure::of(Code::UnknownFigure, error).hint("`kassa figures` lists all figures and groupings"))?;
    let config = settings::reading(&args.place)?;
    if let Some(engine) = args.query {
        return output::print(&written(&query, engine, &config.shop.zone_name)?);
    }
    let lake = Lake::of(&config)?;
    let at = args.at.as_deref().map(positions_of).transpose()?;
    let mut empty = Figures::asked(&config.shop, &query);
    empty.set_now(lake.clock.now());
    let store = Measured::new(Arc::clone(&lake.store));
    let (figures, positions) = match source {
        Source::Lake => {
            let rebuilt = lake.rebuilt()?;
            let answered = of_lake(&store, empty, at)?;
            lake.refuse_rebuilt(rebuilt)?;
            answered
        }
        Source::Warehouse => of_warehouse(&config, empty, at)?,
    };
    if args.verbose && source == Source::Lake {
        output::bytes_read(lake.store.as_ref(), store.read())?;
    }
    let answer = figures.answer(&query).map_err(|error| Failure::of(Code::UnknownFigure, error))?;
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
    say!(
        "{} · {} · {}{basis} · as of {}",
        answer.figure,
        answer.currency,
        answer.time_zone,
        kassa_model::time::format(lake.clock.now())
    );
    for left_out in &answer.unconverted {
        say!(
            "note: {} rows in {} are excluded from money: there is no rate to {} for their day",
            left_out.rows,
            left_out.currency,
            answer.currency
        );
    }
    Ok(())
}

/// Where the rows are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Lake,
    Warehouse,
}

/// The first day and the source, from the values of `--from`.
fn parse_from(from: &[String]) -> anyhow::Result<(Option<&str>, Source)> {
    let (mut day, mut source) = (None, Source::Lake);
    for given in from {
        match given.as_str() {
            "lake" => source = Source::Lake,
            "warehouse" => source = Source::Warehouse,
            other if day.is_none() => day = Some(other),
            other => {
                let failure = Failure::new(Code::BadParameter, format!("--from was given twice: {other}"));
                return Err(failure.hint("give one day, and in addition `lake` or `warehouse`").into());
            }
        }
    }
    Ok((day, source))
}

/// The positions in an answer of `--format json`, or a file with only the positions.
fn positions_of(path: &Path) -> anyhow::Result<Positions> {
    let wrong = |what: Cause| {
        let failure = Failure::new(Code::BadParameter, what.within(path.display()));
        failure.hint("--at needs the `positions` of an answer of `kassa figures --format json`")
    };
    let text = kassa_config::read_bounded(path).map_err(|error| wrong(Cause::of(error)))?;
    let answer: Value = serde_json::from_slice(&text).map_err(|error| wrong(Cause::of(error)))?;
    let positions = answer.get("positions").unwrap_or(&answer).as_array().ok_or_else(|| wrong("no positions".into()))?;
    let place = |place: &Value| {
        let number = |word: &str| place.get(word)?.as_str()?.parse().ok();
        Some((Partition::new(place.get("topic")?.as_str()?, number("partition")?), number("next")?))
    };
    positions
        .iter()
        .map(place)
        .collect::<Option<Positions>>()
        .ok_or_else(|| wrong("a position without topic, partition or next".into()).into())
}

/// The requested positions, or all existing ones. Tables that do not exist yet have no rows.
fn cut(there: Positions, wanted: Option<Positions>) -> anyhow::Result<Positions> {
    let Some(wanted) = wanted else { return Ok(there) };
    if let Some((partition, next)) = wanted.iter().find(|(partition, next)| there.next(partition) < *next) {
        let committed = there.next(partition);
        let what = format!("{}/{} is committed up to {committed}, not yet up to {next}", partition.topic, partition.number);
        return Err(Failure::new(Code::BadParameter, what).hint("try again when it has caught up").into());
    }
    Ok(wanted)
}

fn of_lake(store: &dyn Store, empty: Figures, wanted: Option<Positions>) -> anyhow::Result<(Figures, Positions)> {
    let cut = cut(kassa_lake::figures::accounted(store)?, wanted)?;
    Ok((kassa_lake::figures::figures_before(store, empty, &cut)?, cut))
}

fn of_warehouse(config: &Config, empty: Figures, wanted: Option<Positions>) -> anyhow::Result<(Figures, Positions)> {
    let mut reader = Reader::open(&warehouse::required(config)?)?;
    let mut snapshot = reader.snapshot()?;
    if let Some(day) = snapshot.dropped()?.until() {
        say!("note: retention has dropped facts before {day} from the warehouse: earlier days are only in the lake");
    }
    if wanted.is_none() {
        let figures = kassa_warehouse::figures::of(&mut snapshot, empty)?;
        return Ok((figures, snapshot.positions().clone()));
    }
    let cut = cut(snapshot.positions().clone(), wanted)?;
    Ok((kassa_warehouse::figures::figures_before(&mut snapshot, empty, &cut)?, cut))
}

/// The query of a figure. A figure that is computed by code has one for its first grouping on its first basis, in the SQL of the lake.
fn written(query: &Query, engine: Engine, zone: &str) -> Result<String, Failure> {
    let Query { figure, by, basis, .. } = query;
    let dialect: &dyn Dialect = match engine {
        Engine::Lake => &sql::Lake::new(zone),
        Engine::Spark => &Spark::new(zone),
    };
    let is_first = figure.groupings.first() == Some(by) && figure.bases.first() == basis.as_ref();
    let own = || (engine == Engine::Lake && is_first).then(|| figure.sql());
    figure.rows_in(dialect, basis.unwrap_or_default(), *by).or_else(own).ok_or_else(|| {
        let first = figure.groupings.first().map_or("total", |by| by.name());
        Failure::new(Code::UnknownFigure, format!("{} has no such query: it is not a sum of the ledger", figure.name))
            .hint(format!("`kassa figures {} --by {first} --query lake` prints the query that it has", figure.name))
    })
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
