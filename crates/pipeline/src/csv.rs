//! Splits one CSV record into its fields, by the header of its file.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use kassa_model::{DeadLetter, Reason};

/// How CSV records are written: from the `headers` of records, as the file source writes them, or from the configuration of a
/// stream whose records come without a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    pub header: Vec<String>,
    pub delimiter: u8,
    pub windows_1252: bool,
}

impl Dialect {
    /// Reads the `[name, value]` pairs of a record's headers. `None` if they do not state a CSV header.
    pub fn from_headers(json: &str) -> Option<Self> {
        let pairs: Vec<(String, String)> = serde_json::from_str(json).ok()?;
        let value = |name: &str| pairs.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str());
        let delimiter = value("csv_delimiter").and_then(|text| text.bytes().next()).unwrap_or(b',');
        let mut fields = Fields::new(delimiter);
        fields.split(value("csv_header")?.as_bytes()).ok()?;
        let header = fields.iter().map(|field| String::from_utf8_lossy(field).trim().to_owned()).collect();
        Some(Self { header, delimiter, windows_1252: value("encoding") == Some("windows-1252") })
    }
}

/// The fields of one record, in buffers that are reused.
#[derive(Debug)]
pub struct Fields {
    reader: Reader,
    delimiter: u8,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    pub fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, delimiter, bytes: vec![0; 1024], ends: vec![0; 64], count: 0 }
    }

    /// Splits a record without its line end.
    pub fn split(&mut self, record: &[u8]) -> Result<(), DeadLetter> {
        self.reader.reset();
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            // The empty input after the record tells the parser that the record ends here.
            let (result, nin, nout, nend) =
                self.reader.read_record(&record[read..], &mut self.bytes[written..], &mut self.ends[ended..]);
            read += nin;
            written += nout;
            ended += nend;
            match result {
                ReadRecordResult::InputEmpty if read >= record.len() => {}
                ReadRecordResult::OutputFull => self.bytes.resize(self.bytes.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
                ReadRecordResult::InputEmpty => {}
            }
        }
        self.count = ended;
        if is_open(record, self.delimiter) {
            return Err(DeadLetter::new(Reason::NotCsv, "", "a quote that opens a field never closes"));
        }
        if read < record.len() {
            return Err(DeadLetter::new(Reason::NotCsv, "", "more than one line where a record should end"));
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.count).map(|index| self.get(index))
    }
}

/// Whether the record ends inside quotes. The parser accepts that, but such a field would contain the rest of the file.
fn is_open(record: &[u8], delimiter: u8) -> bool {
    if memchr::memchr(b'"', record).is_none() {
        return false;
    }
    let (mut starts, mut quoted) = (true, false);
    let mut bytes = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record).iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted => quoted = bytes.next_if_eq(&b'"').is_some(),
            b'"' if starts => quoted = true,
            _ => {}
        }
        starts = !quoted && (byte == delimiter || matches!(byte, b'\n' | b'\r'));
    }
    quoted
}

#[cfg(test)]
mod tests;
