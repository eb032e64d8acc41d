use std::path::Path;

use super::*;

#[test]
fn the_schema_is_as_its_file_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.sql");
    let head = "-- Made from the model's schema by `UPDATE_DOCS=1 cargo test -p kassa-redshift`: what `kassa job run redshift` creates where it is missing.\n";
    let made = format!("{head}\n{};\n", statements("dwh").join(";\n\n"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &made).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made, "UPDATE_DOCS=1 writes it anew");
}

#[test]
fn every_exported_column_has_a_type_of_redshifts() {
    for table in tables() {
        for field in table.schema().fields() {
            assert!(type_of(field).is_some(), "{}.{}", table.name(), field.name());
            if let DataType::Decimal128(precision, _) = field.data_type() {
                assert!(*precision <= 38);
            }
        }
    }
}

#[test]
fn distribution_and_sort_keys_are_columns() {
    for table in tables() {
        let schema = table.schema();
        if let Spread::Key(key) = spread(table) {
            assert!(schema.field_with_name(key).is_ok(), "{}.{key}", table.name());
        }
        for name in sorted_by(table).iter().chain(origin(table).iter().flatten()) {
            assert!(schema.field_with_name(name).is_ok(), "{}.{name}", table.name());
        }
    }
}
