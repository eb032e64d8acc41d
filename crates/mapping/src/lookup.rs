//! Reference tables: CSV files in memory, looked up by a key with `lookup('table', key, 'column')`.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::DataType;
use datafusion::common::exec_err;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use kassa_pipeline::csv::Fields;

/// How a reference file's texts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Windows1252,
}

/// Why a reference file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    #[error("could not read")]
    Io(#[from] io::Error),
    #[error("larger than {0} bytes, all of which would have to stay in memory")]
    TooLarge(u64),
    #[error("no column `{0}` in its header")]
    NoColumn(String),
    #[error("line {0} does not have as many fields as the header")]
    Ragged(usize),
}

/// The bound of each table, in bytes of its text.
const BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Default)]
struct Table {
    columns: HashMap<String, usize>,
    rows: HashMap<String, Vec<String>>,
}

/// The reference tables of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Lookups(HashMap<String, Arc<Table>>);

impl Lookups {
    /// Loads a CSV file with a header line: plain, gzip or zstd. The first row of a key counts.
    pub fn load(&mut self, name: &str, path: &Path, key: &str, encoding: Encoding) -> Result<(), LookupError> {
        let text = read(path)?;
        let mut lines = records(&text);
        let header = lines.next().map(|line| line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)).unwrap_or_default();
        let mut fields = Fields::new(b',');
        let decode = |bytes: &[u8]| match encoding {
            Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Encoding::Windows1252 => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        };
        fields.split(header).map_err(|_| LookupError::Ragged(1))?;
        let names: Vec<String> = fields.iter().map(|field| decode(field).trim().to_owned()).collect();
        let at = names.iter().position(|name| name == key).ok_or_else(|| LookupError::NoColumn(key.to_owned()))?;
        let mut table = Table { columns: names.iter().cloned().zip(0..).collect(), rows: HashMap::new() };
        for (line, record) in lines.enumerate() {
            fields.split(record).map_err(|_| LookupError::Ragged(line + 2))?;
            if fields.len() != names.len() {
                return Err(LookupError::Ragged(line + 2));
            }
            let cells: Vec<String> = fields.iter().map(decode).collect();
            table.rows.entry(cells[at].clone()).or_insert(cells);
        }
        self.0.insert(name.to_owned(), Arc::new(table));
        Ok(())
    }

    pub(crate) fn function(&self) -> ScalarUDF {
        let tables = self.clone();
        let text = DataType::Utf8;
        let arguments = vec![text.clone(), text.clone(), text.clone()];
        create_udf(
            "lookup",
            arguments,
            text,
            Volatility::Stable,
            Arc::new(move |arguments: &[ColumnarValue]| tables.call(arguments)),
        )
    }

    fn call(&self, arguments: &[ColumnarValue]) -> DfResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let [tables, keys, columns] = arrays.as_slice() else { return exec_err!("lookup takes a table, a key and a column") };
        let (tables, keys, columns) = (tables.as_string::<i32>(), keys.as_string::<i32>(), columns.as_string::<i32>());
        let mut found: Vec<Option<&str>> = Vec::with_capacity(keys.len());
        for row in 0..keys.len() {
            let Some(table) = self.0.get(tables.value(row)) else {
                return exec_err!("there is no lookup `{}`: name it under [lookups]", tables.value(row));
            };
            let Some(column) = table.columns.get(columns.value(row)) else {
                return exec_err!("the lookup `{}` has no column `{}`", tables.value(row), columns.value(row));
            };
            let cell =
                if keys.is_valid(row) { table.rows.get(keys.value(row)).map(|cells| cells[*column].as_str()) } else { None };
            found.push(cell.filter(|cell| !cell.is_empty()));
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(found)) as ArrayRef))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LookupError> {
    let mut head = [0; 4];
    let count = File::open(path)?.read(&mut head)?;
    let file = BufReader::new(File::open(path)?);
    let reader: Box<dyn Read> = match &head[..count] {
        [0x1F, 0x8B, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xB5, 0x2F, 0xFD] => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    };
    let mut text = Vec::new();
    reader.take(BYTES_MAX + 1).read_to_end(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > BYTES_MAX) {
        return Err(LookupError::TooLarge(BYTES_MAX));
    }
    Ok(text)
}

/// The records of a CSV text, without their line ends; a line break within quotes ends none.
fn records(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while let [b'\n' | b'\r', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() {
            return None;
        }
        let mut quoted = false;
        let ends = |byte: &u8| {
            quoted ^= *byte == b'"';
            !quoted && matches!(byte, b'\n' | b'\r')
        };
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        let (record, tail) = rest.split_at(end);
        rest = tail;
        Some(record)
    })
}
