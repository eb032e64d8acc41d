//! `kassa dead-letters`: lists dead letters with their reasons, and replays them through the
//! current pipeline.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use kassa_analytics::{Figures, Query, Rates};
use kassa_config::Config;
use kassa_lake::letters::{self, Letter};
use kassa_lake::{LogError, recover};
use kassa_model::nearest::nearest;
use kassa_model::printable::printable;
use kassa_model::star::read::Columns;
use kassa_model::star::rejected;
use kassa_model::{Code, Fate, Partition, Reason, Table, time};
use kassa_pipeline::decode::avro;
use kassa_pipeline::stage::Decided;
use kassa_pipeline::{Batch, Stage};
use serde_json::json;

use crate::cli::{Chosen, DeadLettersList, DeadLettersReplay, DeadLettersShow, Format};
use crate::failure::Failure;
use crate::wiring::{self, Durable, Lake, Lock};
use crate::{output, settings, sinks, warehouse};

/// The maximum bytes of dead letters in memory.
const REPLAY_BYTES: usize = 64 << 20;

fn wanted(letter: &Letter, chosen: &Chosen) -> bool {
    let is = |wanted: &Option<String>, held: &str| wanted.as_deref().is_none_or(|wanted| wanted == held);
    is(&chosen.reason, &letter.reason) && is(&chosen.stream, &letter.stream)
}

/// Refuses an unknown reason or stream, which would match nothing and look as if there were no dead
/// letters.
fn known(config: &Config, chosen: &Chosen) -> anyhow::Result<()> {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    if let Some(reason) = chosen.reason.as_deref().filter(|reason| !reasons.contains(reason)) {
        let failure = Failure::new(Code::BadParameter, format!("there is no reason `{reason}`"));
        let nearest = nearest(reason, reasons.iter().copied());
        return Err(failure.hint(nearest.map_or_else(|| format!("reasons: {}", reasons.join(", ")), did_you_mean)).into());
    }
    if let Some(stream) = &chosen.stream {
        settings::stream(config, stream)?;
    }
    Ok(())
}

fn did_you_mean(nearest: &str) -> String {
    format!("did you mean `{nearest}`?")
}

fn id(letter: &Letter) -> String {
    let (topic, partition, offset) = &letter.position;
    format!("{topic}/{partition}/{offset}")
}

pub fn list(args: &DeadLettersList) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    known(&config, &args.chosen)?;
    let lake = Lake::of(&config)?;
    let (mut rows, mut reasons, mut all) = (Vec::new(), BTreeMap::<String, usize>::new(), 0_usize);
    letters::each(lake.store.as_ref(), &mut |letter| {
        if wanted(&letter, &args.chosen) {
            all += 1;
            *reasons.entry(letter.reason.clone()).or_default() += 1;
            if rows.len() < args.limit {
                let (topic, partition, offset) = letter.position.clone();
                let at = time::format(letter.rejected_at);
                let place = [topic.to_string(), partition.to_string(), offset.to_string()];
                rows.push([place.to_vec(), vec![letter.stream, letter.reason, letter.field, letter.detail, at]].concat());
            }
        }
        true
    })?;
    output::table(&["topic", "partition", "offset", "stream", "reason", "field", "detail", "rejected_at"], &rows, args.format)?;
    if args.format == Format::Table {
        for (reason, count) in &reasons {
            say!("{count:>8}  {reason}  (docs/errors/{reason}.md)");
        }
        if all > rows.len() {
            say!("{} of {all} shown; --limit shows more", rows.len());
        }
    }
    Ok(())
}

pub fn show(args: &DeadLettersShow) -> anyhow::Result<()> {
    let config = settings::reading(&args.place)?;
    let lake = Lake::of(&config)?;
    let mut found = None;
    letters::each(lake.store.as_ref(), &mut |letter| {
        if id(&letter) == args.id {
            found = Some(letter);
        }
        found.is_none()
    })?;
    let Some(letter) = found else {
        let failure = Failure::new(Code::BadParameter, format!("there is no dead letter {}", args.id));
        return Err(failure.hint("`kassa dead-letters list` shows the topic, partition and offset of each").into());
    };
    let text = std::str::from_utf8(&letter.value).ok();
    let hex = || hex(&letter.value);
    let key = letter.key.as_deref().map(|key| std::str::from_utf8(key).map_or_else(|_| self::hex(key), str::to_owned));
    let is_avro = config.streams.iter().any(|stream| stream.name == letter.stream && stream.format == kassa_config::Format::Avro);
    let schema_id = avro::schema_id(&letter.value).filter(|_| is_avro).map(|id| id.to_string());
    if args.format == Format::Json {
        return output::json(&json!({
            "topic": letter.position.0.as_ref(), "partition": letter.position.1.to_string(), "offset": letter.position.2.to_string(),
            "stream": letter.stream, "contract": letter.contract, "reason": letter.reason, "field": letter.field, "detail": letter.detail,
            "rejected_at": time::format(letter.rejected_at), "key": key, "headers": letter.headers, "schema_id": schema_id, "value": text,
            "value_hex": text.is_none().then(hex),
        }));
    }
    let field = if letter.field.is_empty() { "the whole record" } else { &letter.field };
    output::print(&format!(
        "{}\nstream     {} ({})\nreason     {}: docs/errors/{}.md\nfield      {}\ndetail     {}\nrejected   {}\nkey        {}\nheaders    {}\nschema id  {}\n\n{}",
        printable(&args.id),
        printable(&letter.stream),
        printable(&letter.contract),
        printable(&letter.reason),
        printable(&letter.reason),
        printable(field),
        printable(&letter.detail),
        time::format(letter.rejected_at),
        printable(key.as_deref().unwrap_or("none")),
        printable(letter.headers.as_deref().unwrap_or("none")),
        schema_id.as_deref().unwrap_or("none"),
        text.map_or_else(hex, str::to_owned),
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The result of a replay for one dead letter.
struct Outcome {
    id: String,
    was: String,
    now: String,
}

/// The results of a replay.
struct Replayed {
    outcomes: Vec<Outcome>,
    accepted: usize,
    /// Rows by table.
    added: BTreeMap<&'static str, usize>,
    /// The net sales of the replayed rows, at the rates in the lake and in the replayed rows.
    net_sales: Query,
    figures: Figures,
}

impl Replayed {
    fn new(config: &Config, lake: &Lake) -> anyhow::Result<Self> {
        let net_sales = Query::parse("net_sales", None, None, None, None)?;
        let mut figures = Figures::asked(&config.shop, &net_sales);
        recover::scan(lake.store.as_ref(), Table::FactFxRate, Rates::COLUMNS, &mut |rows| {
            figures.apply(Table::FactFxRate, &rows).map_err(LogError::corrupt)
        })?;
        Ok(Self { outcomes: Vec::new(), accepted: 0, added: BTreeMap::new(), net_sales, figures })
    }

    fn net(&self) -> anyhow::Result<Option<String>> {
        Ok(self.figures.answer(&self.net_sales)?.rows.into_iter().next().and_then(|row| row.value))
    }
}

pub fn replay(args: &DeadLettersReplay) -> anyhow::Result<()> {
    let config = settings::config(&args.place)?;
    known(&config, &args.chosen)?;
    let _lock = Lock::take(&config.data_dir)?;
    let lake = Lake::of(&config)?;
    let mut stage = lake.stage(&config, Durable::ALL, &wiring::index_dir(&config))?.stage;
    // These records were refused; they get a new decision.
    stage.decided = Decided::default();
    // The warehouse comes first: dead letters that the lake has marked as replayed are not read
    // again.
    let mut warehouse = match &lake.warehouse {
        Some(target) if !args.dry_run => Some(sinks::patiently(|| warehouse::sink(target, &lake.clock))?),
        _ => None,
    };
    let mut done = Replayed::new(&config, &lake)?;
    // The number of processed dead letters that still exist; they come first in the next read.
    let mut behind = 0;
    loop {
        let letters = some(&lake, &args.chosen, behind)?;
        if letters.is_empty() {
            break;
        }
        let (rows, good) = judge(&mut stage, &letters, &mut done)?;
        let gone = if args.dry_run || good.is_empty() { 0 } else { good.len() };
        if gone > 0 {
            if let Some(warehouse) = &mut warehouse {
                let rows: Vec<_> = rows.iter().flat_map(|(table, held)| held.iter().map(|rows| (*table, rows.clone()))).collect();
                let places: Vec<_> = good.iter().map(|letter| place(letter)).collect();
                warehouse.replay(&rows, &places)?;
            }
            letters::commit(&lake.store, &lake.clock, rows, &good)?;
        }
        behind += letters.len() - gone;
    }
    if !args.dry_run && done.accepted > 0 {
        lake.derive(&config)?;
    }
    show_replay(args, &done)
}

fn place(letter: &Letter) -> (Partition, i64) {
    let (topic, number, offset) = &letter.position;
    (Partition::new(Arc::clone(topic), *number), *offset)
}

/// The next matching dead letters, as many as fit in one pass, except the first `behind`.
fn some(lake: &Lake, chosen: &Chosen, mut behind: usize) -> anyhow::Result<Vec<Letter>> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    letters::each(lake.store.as_ref(), &mut |letter| {
        if wanted(&letter, chosen) {
            if behind > 0 {
                behind -= 1;
            } else {
                bytes += letter.value.len();
                some.push(letter);
            }
        }
        bytes < REPLAY_BYTES
    })?;
    Ok(some)
}

type Rows = HashMap<Table, Vec<RecordBatch>>;

/// Sends dead letters through the stage; returns their rows and the accepted ones.
fn judge<'l>(stage: &mut Stage, letters: &'l [Letter], done: &mut Replayed) -> anyhow::Result<(Rows, Vec<&'l Letter>)> {
    let known: HashMap<&letters::Position, &Letter> = letters.iter().map(|letter| (&letter.position, letter)).collect();
    let (mut rows, mut good) = (Rows::new(), Vec::new());
    for records in letters::records(letters) {
        let from = records.offsets.first().copied().unwrap_or(0);
        let batch = stage.run(records, from)?;
        let why = still(&batch);
        for (at, offset) in batch.records().offsets.iter().enumerate() {
            let partition = &batch.records().partition;
            let position = (partition.topic.clone(), partition.number, *offset);
            let Some(letter) = known.get(&position) else { continue };
            let now = match batch.fates()[at] {
                Fate::Accepted => "accepted".to_owned(),
                Fate::Duplicate => "duplicate".to_owned(),
                Fate::DeadLetter => why.get(offset).cloned().unwrap_or_default(),
            };
            if batch.fates()[at] == Fate::Accepted {
                good.push(*letter);
            }
            done.outcomes.push(Outcome { id: id(letter), was: letter.reason.clone(), now });
        }
        for (table, held) in batch.tables().iter().filter(|(table, _)| *table != Table::Rejected) {
            *done.added.entry(table.name()).or_default() += held.num_rows();
            if matches!(table, Table::FactFxRate | Table::FactSales) {
                done.figures.apply(*table, held)?;
            }
            rows.entry(*table).or_default().push(held.clone());
        }
    }
    done.accepted += good.len();
    Ok((rows, good))
}

/// The records of a batch that are still dead letters: offset → reason and field.
fn still(batch: &Batch) -> HashMap<i64, String> {
    let Some((_, rows)) = batch.tables().iter().find(|(table, _)| *table == Table::Rejected) else { return HashMap::new() };
    let columns = Columns { table: Table::Rejected, rows };
    let (Ok(offsets), Ok(reasons), Ok(fields)) =
        (columns.get(rejected::offset), columns.get(rejected::reason), columns.get(rejected::field))
    else {
        return HashMap::new();
    };
    let word = |row: usize| match fields.value(row) {
        "" => reasons.value(row).to_owned(),
        field => format!("{} at {field}", reasons.value(row)),
    };
    (0..rows.num_rows()).map(|row| (offsets.value(row), word(row))).collect()
}

fn show_replay(args: &DeadLettersReplay, done: &Replayed) -> anyhow::Result<()> {
    let Replayed { outcomes, accepted, added, .. } = done;
    let net = done.net()?.unwrap_or_default();
    if args.format == Format::Json {
        let records: Vec<_> = outcomes.iter().map(|o| json!({"id": o.id, "was": o.was, "now": o.now})).collect();
        return output::json(&json!({
            "dry_run": args.dry_run, "replayed": outcomes.len(), "accepted": accepted, "rows": added, "net_sales": net, "records": records,
        }));
    }
    let rows: Vec<Vec<String>> = outcomes.iter().map(|o| vec![o.id.clone(), o.was.clone(), o.now.clone()]).collect();
    output::table(&["record", "was", "now"], &rows, args.format)?;
    let verb = if args.dry_run { "would be" } else { "are" };
    say!("{accepted} of {} records {verb} accepted; net sales {net}", outcomes.len());
    for (table, count) in added {
        say!("  + {count} rows in {table}");
    }
    Ok(())
}
