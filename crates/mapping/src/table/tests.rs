use std::io::Write;

use super::*;

/// A table of this file with the key `id`.
fn load(bytes: &[u8], encoding: Encoding, delimiter: u8) -> Result<Table, TableError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Table::load(TableFile { path: file.path(), key: "id", encoding, delimiter })
}

fn utf8(text: &str) -> Result<Table, TableError> {
    load(text.as_bytes(), Encoding::Utf8, b',')
}

#[track_caller]
fn refused(text: &str, want: &str) {
    assert_eq!(utf8(text).map(|_| ()).unwrap_err().to_string(), want, "\n{text}");
}

#[test]
fn a_row_is_found_by_its_key_with_any_line_ends_and_quotes() {
    for text in
        ["id,name\n1,Ann\n2,\"Lee, Bo\"\n", "id,name\r\n1,Ann\r\n\r\n2,\"Lee, Bo\"", "\u{feff} id , name\n1,Ann\n2,\"Lee, Bo\"\n"]
    {
        let table = utf8(text).unwrap();
        assert_eq!((table.cell("1", "name"), table.cell("2", "name")), (Some("Ann"), Some("Lee, Bo")), "{text:?}");
        assert_eq!(table.columns(), ["id", "name"]);
    }
}

#[test]
fn a_missing_key_column_or_cell_is_none() {
    let table = utf8("id,name\n1,\n,nobody\n").unwrap();
    for (key, column) in [("1", "name"), ("", "name"), ("7", "name"), ("1", "size")] {
        assert_eq!(table.cell(key, column), None, "{key} {column}");
    }
    assert!(table.has("name") && !table.has("size"));
}

#[test]
fn a_file_may_be_compressed_or_have_another_encoding_or_delimiter() {
    let text = "id;name\n1;Müller\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    let zstd = zstd::encode_all(text.as_bytes(), 1).unwrap();
    for bytes in [text.as_bytes().to_vec(), gzip.finish().unwrap(), zstd] {
        assert_eq!(load(&bytes, Encoding::Utf8, b';').unwrap().cell("1", "name"), Some("Müller"));
    }
    let latin = b"id;name\n1;M\xFCller\n";
    assert_eq!(load(latin, Encoding::Windows1252, b';').unwrap().cell("1", "name"), Some("Müller"));
    let refused = load(latin, Encoding::Utf8, b';').unwrap_err().to_string();
    assert_eq!(refused, "row 1 is not UTF-8: set the lookup's encoding");
}

#[test]
fn a_file_that_would_give_wrong_answers_is_refused() {
    refused("", "its header has no column `id` (valid here: nothing)");
    refused("nr,name\n1,Ann\n", "its header has no column `id` (valid here: `nr` and `name`)");
    refused("ids,name\n1,Ann\n", "its header has no column `id` (did you mean `ids`?)");
    refused("id;name\n1;Ann\n", "its header has no column `id` (valid here: `id;name`)");
    refused("id,name,name\n1,Ann,Bo\n", "its header has the column `name` twice");
    refused("id,name\n1,Ann\n2,Bo,Lee\n", "row 2 has 3 fields, but the header has 2");
    refused("id,name\n1,Ann\n2,Bo\n1,Cy\n", "row 3 has the same key as an earlier row: `1`");
}

#[test]
fn a_missing_file_is_an_error() {
    let missing =
        Table::load(TableFile { path: Path::new("/nowhere.csv"), key: "id", encoding: Encoding::Utf8, delimiter: b',' });
    assert_eq!(missing.unwrap_err().to_string(), "it cannot be read: No such file or directory (os error 2)");
}

#[test]
fn what_has_no_end_is_not_read() {
    for path in ["/dev/zero", "/dev", "/dev/urandom"] {
        let file = TableFile { path: Path::new(path), key: "id", encoding: Encoding::Utf8, delimiter: b',' };
        let said = Table::load(file).map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, "it cannot be read: it is not a regular file", "{path}");
    }
}
