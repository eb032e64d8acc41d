use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::*;

/// The words of SQL for a column's type.
fn kind(kind: &DataType) -> String {
    match kind {
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Binary => "BINARY".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Utf8 | DataType::Dictionary(..) => "TEXT".to_owned(),
        other => panic!("{other} has no name here"),
    }
}

fn page() -> String {
    let mut page = format!(
        "# The star's columns\n\nMade from `crates/model/src/star.rs` by `UPDATE_DOCS=1 cargo test -p kassa-model`. Lake, `kassa sql`, PostgreSQL and Redshift have the same columns; where a column \
         was added to an existing table of PostgreSQL or Redshift, it stands last there. [How the schema grows](../decisions/0019-a-schema-that-grows.md).\n\n\
         Schema {SCHEMA}. Times are UTC, with microseconds. A column in *italics* may be null.\n"
    );
    for table in Table::ALL {
        let schema = table.schema();
        let own = schema.fields().len() - if table.has_lineage() { LINEAGE.len() } else { 0 };
        let columns = schema.fields().iter().take(own).map(|field| {
            let mark = if field.is_nullable() { "*" } else { "" };
            format!("{mark}{}{mark} {}", field.name(), kind(field.data_type()))
        });
        let lineage = if table.has_lineage() { "; lineage" } else { "" };
        writeln!(page, "\n**{}**: {}{lineage}", table.name(), columns.collect::<Vec<_>>().join(", ")).unwrap();
    }
    let lineage = lineage().into_iter().map(|field| {
        let mark = if field.is_nullable() { "*" } else { "" };
        format!("{mark}{}{mark} {}", field.name(), kind(field.data_type()))
    });
    writeln!(page, "\n**lineage**: {}", lineage.collect::<Vec<_>>().join(", ")).unwrap();
    page
}

#[test]
fn every_change_of_columns_raises_the_schemas_number_and_is_on_the_page() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/star.md");
    let (held, page) = (fs::read_to_string(&file).unwrap_or_default(), page());
    let has_this_number = held.contains(&format!("\nSchema {SCHEMA}."));
    assert!(held == page || !has_this_number, "the columns have changed: raise star::SCHEMA, then UPDATE_DOCS=1 writes the page");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it");
}

#[test]
fn a_retired_column_is_no_column() {
    for table in Table::ALL {
        for name in table.retired() {
            assert!(table.schema().field_with_name(name).is_err(), "{}.{name} is retired and written", table.name());
        }
    }
}
