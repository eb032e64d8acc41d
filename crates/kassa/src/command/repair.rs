//! `kassa repair`: lets a damaged log of the collector go on. The damaged bytes are kept aside, and what is lost is recorded.

use anyhow::Context;
use kassa_config::Config;
use kassa_engine::Held as _;
use kassa_lake::archive::read::Archived;
use kassa_lake::figures;
use kassa_model::Positions;
use kassa_source::log::{self, Repaired};

use crate::cli::{Format, Repair};
use crate::warehouse::Held;
use crate::wiring::{Lake, Lock};
use crate::{output, settings};

const HEADER: [&str; 8] = ["topic", "partition", "from", "to", "in_archive", "file", "evidence", "why"];

pub fn repair(args: &Repair) -> anyhow::Result<()> {
    let config = settings::config(&args.place)?;
    let _lock = args.apply.then(|| Lock::take(&config.data_dir)).transpose()?;
    let lake = Lake::of(&config)?;
    let archived = archived(&config, &lake)?;
    let committed = committed(&lake, &archived)?;
    let repaired = log::repair(&config.data_dir, &committed, lake.clock.as_ref(), args.apply);
    let repaired = repaired.context("could not repair the collector's log")?;
    if repaired.is_empty() && args.format == Format::Table {
        return output::print("ok: the collector's log is whole");
    }
    let rows: Vec<Vec<String>> = repaired.iter().map(|lost| cells(lost, &archived)).collect();
    output::table(&HEADER, &rows, args.format)?;
    if !repaired.is_empty() {
        say!("{}", if args.apply { APPLIED } else { NOT_APPLIED });
    }
    Ok(())
}

const NOT_APPLIED: &str =
    "nothing was changed: `kassa repair --apply` keeps the damaged bytes aside and lets the log go on without these records";
const APPLIED: &str = "the log goes on without these records: start kassa again, then `kassa prove` names what no sink has";

/// How far each partition is archived.
fn archived(config: &Config, lake: &Lake) -> anyhow::Result<Positions> {
    let mut archived = Positions::default();
    for stream in &config.streams {
        let topic = stream.topic.as_str().into();
        let held = Archived::open(lake.store.as_ref(), &topic).context("could not read the archive")?;
        held.positions().iter().for_each(|(partition, next)| archived.set(partition.clone(), next));
    }
    Ok(archived)
}

/// The highest position of any sink: no offset before it may be given again.
fn committed(lake: &Lake, archived: &Positions) -> anyhow::Result<Positions> {
    let mut committed = figures::accounted(lake.store.as_ref()).context("could not read the lake")?;
    let warehouse = match &lake.warehouse {
        Some(target) => Held::open(target)?.positions(),
        None => Positions::default(),
    };
    for (partition, next) in archived.iter().chain(warehouse.iter()) {
        committed.advance(partition, next);
    }
    Ok(committed)
}

fn cells(lost: &Repaired, archived: &Positions) -> Vec<String> {
    let held = archived.next(&lost.partition).clamp(lost.from, lost.to) - lost.from;
    vec![
        lost.partition.topic.to_string(),
        lost.partition.number.to_string(),
        lost.from.to_string(),
        lost.to.to_string(),
        held.to_string(),
        lost.file.display().to_string(),
        lost.evidence.as_ref().map(|evidence| evidence.display().to_string()).unwrap_or_default(),
        lost.why.clone(),
    ]
}
