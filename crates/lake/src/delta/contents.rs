//! The contents that a data file states, so that readers can skip it: the positions of its rows as
//! a tag of its `add` action, and the bounds of its days and times as Delta statistics.

use std::collections::BTreeMap;
use std::ops::Range;

use kassa_model::Partition;
use kassa_model::time::{self, in_range};
use parquet::basic::{ConvertedType, Type};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescriptor;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::action::Add;

/// Half-open offset ranges.
pub type Ranges = BTreeMap<Partition, Range<i64>>;

pub(crate) type Tags = BTreeMap<String, Option<String>>;

/// The value of the tag is JSON such as `{"orders:0":[120,180]}`: the file contains rows of these
/// partitions and offsets only.
const POSITIONS: &str = "kassa.positions";

/// The tags of a file that contains rows of these ranges only; empty if the ranges are unknown.
pub(crate) fn tags(ranges: &Ranges) -> Option<Tags> {
    if ranges.is_empty() {
        return None;
    }
    let range = |(partition, range): (&Partition, &Range<i64>)| {
        (format!("{}:{}", partition.topic, partition.number), json!([range.start, range.end]))
    };
    let text = Value::Object(ranges.iter().map(range).collect()).to_string();
    Some(BTreeMap::from([(POSITIONS.to_owned(), Some(text))]))
}

/// The tags of a file with the rows of all these files.
pub(crate) fn merged_tags(files: &[Add]) -> Option<Tags> {
    let mut all = Ranges::new();
    for file in files {
        for (partition, range) in file.positions()? {
            match all.get_mut(&partition) {
                Some(held) => *held = held.start.min(range.start)..held.end.max(range.end),
                None => drop(all.insert(partition, range)),
            }
        }
    }
    tags(&all)
}

fn parsed(tag: &str) -> Option<Ranges> {
    let stated: BTreeMap<String, (i64, i64)> = serde_json::from_str(tag).ok()?;
    let range = |(name, (start, end)): (String, (i64, i64))| {
        // A topic may contain a colon.
        let (topic, number) = name.rsplit_once(':')?;
        Some((Partition::new(topic, number.parse().ok()?), start..end))
    };
    stated.into_iter().map(range).collect()
}

impl Add {
    /// The range of offsets of each partition that the file may contain. `None`: not stated; it may
    /// contain any row.
    pub fn positions(&self) -> Option<Ranges> {
        parsed(self.tags.as_ref()?.get(POSITIONS)?.as_deref()?)
    }

    /// The number of rows, from the statistics.
    pub fn rows(&self) -> Option<i64> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Rows {
            num_records: Option<i64>,
        }
        serde_json::from_str::<Rows>(self.stats.as_deref()?).ok()?.num_records
    }

    /// The stated bounds of the columns.
    pub fn bounds(&self) -> Bounds {
        self.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or_default()
    }
}

/// The smallest and largest values of a file's columns, from its statistics.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bounds {
    num_records: Option<i64>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

/// The bounds of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Not stated: the column may contain any value.
    Unknown,
    /// All values are null.
    Empty,
    /// All values lie between these two, which need not occur themselves. Days as yyyymmdd, times
    /// in µs.
    Within(i64, i64),
}

impl Extent {
    /// Whether a value in this range may occur.
    pub fn meets(self, from: i64, to: i64) -> bool {
        match self {
            Extent::Unknown => true,
            Extent::Empty => false,
            Extent::Within(least, most) => least <= to && from <= most,
        }
    }
}

/// Delta statistics keep times in ms. Some writers also truncate the largest value.
const MILLI: i64 = 1_000;

impl Bounds {
    pub fn rows(&self) -> Option<i64> {
        self.num_records
    }

    /// The number of null values of a column.
    pub fn nulls(&self, column: &str) -> Option<i64> {
        self.null_count.get(column)?.as_i64()
    }

    pub fn of(&self, column: &str) -> Extent {
        let value = |values: &Map<String, Value>, rest: i64| match values.get(column)? {
            Value::String(text) => Some(time::instant(text)? + rest),
            number => number.as_i64(),
        };
        match value(&self.min_values, 0).zip(value(&self.max_values, MILLI - 1)) {
            Some((least, most)) => Extent::Within(least, most),
            None if self.num_records.is_some() && self.nulls(column) == self.num_records => Extent::Empty,
            None => Extent::Unknown,
        }
    }
}

/// Delta statistics for a file with this number of rows: the bounds that the Parquet file states
/// for its days and times.
pub(crate) fn stats(rows: usize, parquet: &ParquetMetaData) -> String {
    let mut bounds = Bounds { num_records: i64::try_from(rows).ok(), ..Bounds::default() };
    for (at, column) in parquet.file_metadata().schema_descr().columns().iter().enumerate() {
        let Some(state) = stated(column) else { continue };
        let chunks: Option<Vec<Chunk>> = parquet.row_groups().iter().map(|group| Chunk::of(group.column(at))).collect();
        let Some(chunks) = chunks else { continue };
        let name = || column.name().to_owned();
        bounds.null_count.insert(name(), chunks.iter().map(|chunk| chunk.nulls).sum::<u64>().into());
        let extremes = || chunks.iter().filter_map(|chunk| chunk.extremes);
        let (least, most) = (extremes().map(|(least, _)| least).min(), extremes().map(|(_, most)| most).max());
        if let Some((least, most)) = least.zip(most).and_then(|(least, most)| state(least, most)) {
            bounds.min_values.insert(name(), least);
            bounds.max_values.insert(name(), most);
        }
    }
    serde_json::to_string(&bounds).unwrap_or_default()
}

type State = fn(i64, i64) -> Option<(Value, Value)>;

/// How the bounds of a column are written; `None` if no reader uses them.
fn stated(column: &ColumnDescriptor) -> Option<State> {
    match column.converted_type() {
        ConvertedType::TIMESTAMP_MICROS => Some(|least, most| Some((instant(least)?, instant(most + MILLI - 1)?))),
        _ if column.name().ends_with("_date_key") && column.physical_type() == Type::INT32 => {
            Some(|least, most| Some((least.into(), most.into())))
        }
        _ => None,
    }
}

/// A time truncated to ms.
fn instant(micros: i64) -> Option<Value> {
    let micros = in_range(micros).ok()?;
    let seconds = time::format(micros);
    let millis = micros.rem_euclid(time::SECOND) / MILLI;
    Some(format!("{}.{millis:03}Z", seconds.get(..SECONDS)?).into())
}

/// Characters of `2026-01-31T09:30:00`.
const SECONDS: usize = 19;

/// The bounds of a column in a row group.
struct Chunk {
    /// `None`: all values are null.
    extremes: Option<(i64, i64)>,
    nulls: u64,
}

impl Chunk {
    fn of(chunk: &ColumnChunkMetaData) -> Option<Self> {
        let stated = chunk.statistics()?;
        let extremes = match stated {
            Statistics::Int32(of) => of.min_opt().zip(of.max_opt()).map(|(least, most)| (i64::from(*least), i64::from(*most))),
            Statistics::Int64(of) => of.min_opt().zip(of.max_opt()).map(|(least, most)| (*least, *most)),
            _ => None,
        };
        let nulls = stated.null_count_opt()?;
        let is_empty = i64::try_from(nulls) == Ok(chunk.num_values());
        (extremes.is_some() || is_empty).then_some(Self { extremes, nulls })
    }
}

#[cfg(test)]
mod tests;
