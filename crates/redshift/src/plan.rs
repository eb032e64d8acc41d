//! The contents of one load: the files of each table, and the positions from and to.

use kassa_model::{Partition, Positions, Table};
use serde_json::json;
use xxhash_rust::xxh3::xxh3_128;

use crate::error::ExportError;
use crate::held::Held;
use crate::port::{Column, DataFile, Extent, Lake};
use crate::schema;

/// The files of one table to stage.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) table: Table,
    pub(crate) files: Vec<DataFile>,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) generation: i64,
    /// Each partition's position in Redshift, and the new one.
    pub(crate) positions: Vec<(Partition, i64, i64)>,
    pub(crate) loads: Vec<Load>,
    /// The last rebuild of the star that the files are of.
    pub(crate) rebuild: Option<i64>,
    /// Equal plans have equal ids.
    pub(crate) id: String,
}

impl Plan {
    pub(crate) fn new(generation: i64, from: &Positions, extent: &Extent, held: &Held) -> Self {
        let positions: Vec<_> =
            extent.positions.iter().map(|(partition, to)| (partition.clone(), from.next(partition), to)).collect();
        let mut loads = Vec::new();
        for table in schema::tables() {
            let Some(known) = extent.tables.iter().find(|known| known.table == table) else { continue };
            let files: Vec<DataFile> = if schema::origin(table).is_none() {
                if held.has_all_files(known) {
                    continue;
                }
                known.files.clone()
            } else if held.has_rows(known) {
                continue;
            } else {
                known.files.iter().filter(|file| !held.has_file(table, &file.path)).cloned().collect()
            };
            if !files.is_empty() || schema::origin(table).is_none() {
                loads.push(Load { table, files });
            }
        }
        Self { generation, positions, loads, rebuild: extent.rebuild, id: String::new() }.identified()
    }

    /// Before the first load of a rebuilt star: loads nothing.
    pub(crate) fn of_nothing(generation: i64, rebuild: Option<i64>) -> Self {
        Self { generation, positions: Vec::new(), loads: Vec::new(), rebuild, id: String::new() }.identified()
    }

    fn identified(mut self) -> Self {
        self.id = format!("{:016x}", xxh3_128(self.words().as_bytes()) as u64);
        self
    }

    /// A text that identifies the plan.
    fn words(&self) -> String {
        let mut words = format!("{} {:?}\n", self.generation, self.rebuild);
        for (partition, from, to) in &self.positions {
            words += &format!("{:?} {} {from} {to}\n", partition.topic, partition.number);
        }
        for load in &self.loads {
            words += &format!("{}\n", load.table.name());
            load.files.iter().for_each(|file| words += &format!("{} {}\n", file.path, file.rows));
        }
        words
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.loads.is_empty() && self.positions.iter().all(|(_, from, to)| from == to)
    }

    /// The positions as a CSV file for COPY: topic, partition, from, to.
    pub(crate) fn positions_csv(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |(partition, from, to): &(Partition, i64, i64)| {
            format!("{},{},{from},{to}\n", quoted(&partition.topic), partition.number)
        };
        self.positions.iter().map(line).collect()
    }
}

/// A manifest for COPY: each file must exist and have exactly this size.
pub(crate) fn manifest<'f>(lake: &dyn Lake, files: impl Iterator<Item = &'f DataFile>) -> Result<Vec<u8>, ExportError> {
    let entries: Vec<_> = files
        .map(|file| json!({"url": lake.url(&file.path), "mandatory": true, "meta": {"content_length": file.bytes}}))
        .collect();
    Ok(serde_json::to_vec_pretty(&json!({ "entries": entries }))?)
}

/// Files with the same columns, for one COPY, which matches columns by position.
pub(crate) type Alike = (Vec<String>, Vec<DataFile>);

/// Groups a table's files by their columns. A file is rewritten in the load's folder if it has a
/// text that is too long for Redshift, or a column that the table no longer has: COPY of Parquet
/// cannot skip a column.
pub(crate) fn alike(lake: &dyn Lake, load: &Load, folder: &str) -> Result<Vec<Alike>, ExportError> {
    let mut groups: Vec<Alike> = Vec::new();
    for file in &load.files {
        let columns = lake.columns(file)?;
        let schema = load.table.schema();
        let (file, names) = match shortened(lake, load.table, file, &columns, folder)? {
            Some(made) => (made, schema.fields().iter().map(|field| field.name().clone()).collect()),
            None => (file.clone(), columns.into_iter().map(|column| column.name).collect::<Vec<_>>()),
        };
        match groups.iter_mut().find(|(known, _)| *known == names) {
            Some((_, files)) => files.push(file),
            None => groups.push((names, vec![file])),
        }
    }
    Ok(groups)
}

/// Replaces a text that is too long for Redshift; the lake has the full text.
fn too_long(bytes: u64) -> String {
    json!({ "kassa_too_long": bytes }).to_string()
}

/// The file to copy instead of a file; `None` if Redshift accepts the original.
fn shortened(
    lake: &dyn Lake,
    table: Table,
    file: &DataFile,
    columns: &[Column],
    folder: &str,
) -> Result<Option<DataFile>, ExportError> {
    let limit = u64::from(schema::LONGEST);
    let may_be_long = |column: &&Column| schema::is_unbounded(&column.name) && column.most_bytes > limit;
    let suspects: Vec<String> = columns.iter().filter(may_be_long).map(|column| column.name.clone()).collect();
    let schema = table.schema();
    let has_others = columns.iter().any(|column| schema.field_with_name(&column.name).is_err());
    let is_long = !suspects.is_empty() && lake.longest(table, file, &suspects)?.iter().any(|longest| *longest > limit);
    if !has_others && !is_long {
        return Ok(None);
    }
    let name = file.path.rsplit('/').next().unwrap_or_default();
    Ok(Some(lake.shortened(table, file, &suspects, limit, too_long, &format!("{folder}/{}-{name}", table.name()))?))
}
