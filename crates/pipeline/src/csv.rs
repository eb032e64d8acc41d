//! Splits one CSV record into its fields, by the header that the file's records share.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use kassa_model::{DeadLetter, Reason};

/// What a file says of its CSV: `headers` of its records, as the file source writes them.
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
    bytes: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Fields {
    pub fn new(delimiter: u8) -> Self {
        Self { reader: ReaderBuilder::new().delimiter(delimiter).build(), bytes: vec![0; 1024], ends: vec![0; 64], count: 0 }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn split(record: &str) -> Vec<String> {
        let mut fields = Fields::new(b',');
        fields.split(record.as_bytes()).expect("a record");
        fields.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
    }

    #[test]
    fn quotes_and_empty_fields_are_read_as_rfc_4180_has_them() {
        assert_eq!(split("a,b,c"), ["a", "b", "c"]);
        assert_eq!(
            split(r#"1,"RECORD FRAME 7"" SINGLE, SIZE ",,x"#),
            ["1", "RECORD FRAME 7\" SINGLE, SIZE ", "", "x"].map(str::to_owned).to_vec()
        );
        assert_eq!(split("\"two\nlines\",b"), ["two\nlines", "b"]);
        assert_eq!(split(&"x,".repeat(500)).len(), 501);
    }

    #[test]
    fn a_dialect_is_read_from_the_headers_of_a_file() {
        let dialect = Dialect::from_headers(
            r#"[["file","a.csv"],["csv_header","id;name"],["csv_delimiter",";"],["encoding","windows-1252"]]"#,
        );
        assert_eq!(dialect, Some(Dialect { header: vec!["id".into(), "name".into()], delimiter: b';', windows_1252: true }));
    }
}
