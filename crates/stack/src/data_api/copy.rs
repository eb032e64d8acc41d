//! COPY with a manifest, of Parquet and CSV, with Redshift's rules: files of exactly the stated
//! size, columns by position, matching types, texts that fit their column in bytes, all or nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use postgres::Transaction;
use serde_json::Value;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Copy {
    schema: String,
    table: String,
    /// Empty: all columns, in the table's order.
    columns: Vec<String>,
    manifest: String,
    is_csv: bool,
}

/// `COPY "schema"."table" ("column", …) FROM 's3://…' IAM_ROLE 'arn:…'|default FORMAT AS
/// PARQUET|CSV MANIFEST`; `None` for another statement.
pub(super) fn parse(sql: &str) -> Option<Result<Copy, String>> {
    let rest = sql.strip_prefix("COPY ")?;
    Some(parts(rest).ok_or_else(|| format!("ERROR: syntax error in {sql}")))
}

fn parts(rest: &str) -> Option<Copy> {
    let (into, rest) = rest.split_once(" FROM '")?;
    let (manifest, rest) = rest.split_once("' IAM_ROLE ")?;
    let (role, rest) = rest.split_once(" FORMAT AS ")?;
    let is_role = role == "default" || role.starts_with("'arn:") && role.ends_with('\'');
    let is_csv = match rest {
        "PARQUET MANIFEST" => false,
        "CSV MANIFEST" => true,
        _ => return None,
    };
    let (table, columns) = match into.split_once(" (") {
        Some((table, columns)) => (table, columns.strip_suffix(')')?.split(", ").map(bare).collect::<Option<Vec<_>>>()?),
        None => (into, Vec::new()),
    };
    let (schema, table) = table.split_once('.')?;
    is_role.then_some(Copy { schema: bare(schema)?, table: bare(table)?, columns, manifest: manifest.replace("''", "'"), is_csv })
}

fn bare(name: &str) -> Option<String> {
    Some(name.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

fn words(error: &dyn std::fmt::Display) -> String {
    error.to_string()
}

/// A target column.
struct Column {
    name: String,
    kind: String,
    most_bytes: Option<usize>,
}

/// Copies; returns the number of rows.
pub(super) fn carry_out(copy: &Copy, buckets: &Path, transaction: &mut Transaction<'_>) -> Result<i64, String> {
    let columns = columns(copy, transaction)?;
    let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    let format = if copy.is_csv { "CSV" } else { "text" };
    let sql = format!("COPY \"{}\".\"{}\" ({}) FROM STDIN (FORMAT {format})", copy.schema, copy.table, names.join(", "));
    let files = files(copy, buckets)?;
    let mut writer = transaction.copy_in(&sql).map_err(|error| words(&error))?;
    for file in files {
        if copy.is_csv {
            let bytes = fs::read(&file).map_err(|error| words(&error))?;
            writer.write_all(&bytes).map_err(|error| words(&error))?;
        } else {
            parquet(&file, &columns, &mut writer)?;
        }
    }
    writer.finish().map(|rows| i64::try_from(rows).unwrap_or(-1)).map_err(|error| words(&error))
}

fn columns(copy: &Copy, transaction: &mut Transaction<'_>) -> Result<Vec<Column>, String> {
    let sql = "SELECT column_name::text, data_type::text, character_maximum_length::int FROM information_schema.columns \
               WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position";
    let rows = transaction.query(sql, &[&copy.schema, &copy.table]).map_err(|error| words(&error))?;
    let known: Vec<Column> = rows
        .iter()
        .map(|row| Column {
            name: row.get(0),
            kind: row.get(1),
            most_bytes: row.get::<_, Option<i32>>(2).and_then(|bytes| usize::try_from(bytes).ok()),
        })
        .collect();
    if known.is_empty() {
        return Err(format!("ERROR: relation \"{}.{}\" does not exist", copy.schema, copy.table));
    }
    if copy.columns.is_empty() {
        return Ok(known);
    }
    let mut known: Vec<Option<Column>> = known.into_iter().map(Some).collect();
    let named = copy.columns.iter().map(|name| {
        let found = known.iter_mut().find(|column| column.as_ref().is_some_and(|column| column.name == *name));
        found.and_then(Option::take).ok_or_else(|| format!("ERROR: column \"{name}\" does not exist"))
    });
    named.collect()
}

/// The file of an object in the S3 server.
fn object(buckets: &Path, url: &str) -> Result<PathBuf, String> {
    let path = url.strip_prefix("s3://").ok_or_else(|| format!("ERROR: not an S3 URL: {url}"))?;
    Ok(buckets.join(path))
}

fn files(copy: &Copy, buckets: &Path) -> Result<Vec<PathBuf>, String> {
    let path = object(buckets, &copy.manifest)?;
    let bytes = fs::read(&path).map_err(|_| format!("ERROR: Problem reading manifest file - {}", copy.manifest))?;
    let manifest: Value = serde_json::from_slice(&bytes).map_err(|error| format!("ERROR: the manifest is not JSON: {error}"))?;
    let entries = manifest["entries"].as_array().ok_or("ERROR: the manifest has no entries")?;
    entries.iter().map(|entry| file(copy, buckets, entry)).collect()
}

fn file(copy: &Copy, buckets: &Path, entry: &Value) -> Result<PathBuf, String> {
    let url = entry["url"].as_str().ok_or("ERROR: an entry of the manifest has no url")?;
    if entry["mandatory"] != true {
        return Err(format!("ERROR: {url} is not mandatory: a missing file would go unnoticed"));
    }
    let path = object(buckets, url)?;
    let size = fs::metadata(&path).map_err(|_| format!("ERROR: The specified S3 key does not exist: {url}"))?.len();
    let stated = entry["meta"]["content_length"].as_u64();
    if stated.is_none() && !copy.is_csv {
        return Err(format!("ERROR: the manifest states no content_length of {url}, which Parquet needs"));
    }
    if stated.is_some_and(|stated| stated != size) {
        return Err(format!("ERROR: {url} has {size} bytes, but the manifest states another size"));
    }
    Ok(path)
}

fn parquet(path: &Path, columns: &[Column], to: &mut impl Write) -> Result<(), String> {
    let file = File::open(path).map_err(|error| words(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| words(&error))?;
    let schema = builder.schema().clone();
    if schema.fields().len() != columns.len() {
        return Err(format!(
            "ERROR: Unmatched number of columns between table and file: {} and {}",
            columns.len(),
            schema.fields().len()
        ));
    }
    for (field, column) in schema.fields().iter().zip(columns) {
        if type_of(field.data_type()) != column.kind {
            return Err(format!(
                "ERROR: Spectrum Scan Error: incompatible Parquet schema for column {}: {} is no {}",
                column.name,
                field.data_type(),
                column.kind
            ));
        }
    }
    for rows in builder.build().map_err(|error| words(&error))? {
        write_rows(&rows.map_err(|error| words(&error))?, columns, to)?;
    }
    Ok(())
}

/// The column type that accepts a Parquet type. No column type accepts a time with a zone.
fn type_of(kind: &DataType) -> &'static str {
    match kind {
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Decimal128(..) => "numeric",
        DataType::Timestamp(..) => "timestamp without time zone",
        DataType::Utf8 => "character varying",
        _ => "nothing",
    }
}

fn write_rows(rows: &RecordBatch, columns: &[Column], to: &mut impl Write) -> Result<(), String> {
    let options = FormatOptions::default();
    let cells: Vec<ArrayFormatter<'_>> = rows
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options).map_err(|error| words(&error)))
        .collect::<Result<_, _>>()?;
    let mut line = String::new();
    for row in 0..rows.num_rows() {
        line.clear();
        for (at, column) in columns.iter().enumerate() {
            line.push_str(if at == 0 { "" } else { "\t" });
            if rows.column(at).is_null(row) {
                line.push_str("\\N");
                continue;
            }
            let text = cells[at].value(row).to_string();
            if column.most_bytes.is_some_and(|most| text.len() > most) {
                return Err(format!(
                    "ERROR: the length of the data column {} is longer than the length defined in the table",
                    column.name
                ));
            }
            escape(&text, &mut line);
        }
        line.push('\n');
        to.write_all(line.as_bytes()).map_err(|error| words(&error))?;
    }
    Ok(())
}

/// Escapes for COPY's text format.
fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '\\' => into.push_str("\\\\"),
            '\t' => into.push_str("\\t"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            letter => into.push(letter),
        }
    }
}
