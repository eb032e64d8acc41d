use std::fmt::Write;
use std::fs;
use std::path::Path;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int32Type, TimestampMicrosecondType};

use super::*;
use crate::{Amount, Key};

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

fn listed<'c>(page: &mut String, columns: impl Iterator<Item = &'c Column>) {
    page.push_str("\n| column | type | null | meaning |\n|---|---|---|---|\n");
    for column in columns {
        let null = if column.is_nullable { "yes" } else { "" };
        writeln!(page, "| {} | {} | {null} | {} |", column.name, kind(&column.kind.data_type()), column.meaning()).unwrap();
    }
}

fn page() -> String {
    let mut page = format!(
        "# The star's columns\n\nMade from the declarations in `crates/model/src/star/` by `UPDATE_DOCS=1 cargo test -p kassa-model`. Lake, `kassa sql`, PostgreSQL and Redshift have the same columns; where a column \
         was added to an existing table of PostgreSQL or Redshift, it stands last there. [How the schema grows](../decisions/0019-a-schema-that-grows.md).\n\n\
         Schema {SCHEMA}. Times are UTC, with microseconds. Columns that end in `_date_key` are days as numbers, yyyymmdd. Other keys, of type BIGINT, are computed from the natural key, and 0 is unknown.\n"
    );
    for table in Table::ALL {
        write!(page, "\n## {}\n\n{}\n", table.name(), table.meaning()).unwrap();
        listed(&mut page, table.own_columns().iter());
        if table.has_lineage() {
            page.push_str("\nThen the [lineage](#lineage).\n");
        }
    }
    write!(page, "\n## lineage\n\n{}\n", lineage::MEANING.trim()).unwrap();
    listed(&mut page, lineage::COLUMNS.iter());
    write!(page, "\n## archive\n\n{} The folders are `topics/<topic>/`.\n", archive::MEANING.trim()).unwrap();
    listed(&mut page, archive::COLUMNS.iter());
    page
}

/// The page without its words: tables, columns, types and nulls.
fn shape(page: &str) -> Vec<String> {
    let lines = page.lines().filter(|line| line.starts_with("## ") || line.starts_with("| ") || line.starts_with("Then"));
    lines.map(|line| line.split('|').take(4).collect()).collect()
}

#[test]
fn every_change_of_columns_raises_the_schemas_number_and_is_on_the_page() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/star.md");
    let (held, page) = (fs::read_to_string(&file).unwrap_or_default(), page());
    let has_this_number = held.contains(&format!("\nSchema {SCHEMA}."));
    assert!(
        shape(&held) == shape(&page) || !has_this_number,
        "the columns have changed: raise star::SCHEMA, then UPDATE_DOCS=1 writes the page"
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap_or_default(), page, "UPDATE_DOCS=1 writes it");
}

#[test]
fn every_column_has_a_meaning_of_its_own_and_a_name_that_its_table_has_once() {
    for table in Table::ALL {
        let columns: Vec<&Column> = table.columns().collect();
        for (at, column) in columns.iter().enumerate() {
            let place = format!("{}.{}", table.name(), column.name);
            assert!(column.meaning().ends_with('.') && !column.meaning().contains(['|', '\n']), "{place}: {}", column.meaning());
            assert!(columns[..at].iter().all(|before| before.name != column.name), "{place} is declared twice");
        }
        assert!(table.meaning().ends_with('.'), "{}", table.name());
    }
    assert_eq!(fact_event::r#type.name(), "type");
    assert_eq!(LINEAGE[3], "source_index");
}

fn origin(index: i32) -> lineage::Row<'static> {
    lineage::Row {
        source_topic: "t",
        source_partition: 1,
        source_offset: 2,
        source_index: index,
        event_id: "e",
        source: None,
        store_id: "",
        content_hash: 3,
        ingested_at: 4,
    }
}

#[test]
fn a_cell_lands_in_the_column_of_its_field() {
    let row = dim_product::Row {
        product_key: crate::key::Keyring::unkeyed([0; 16]).key("product", &["", "", "p"]),
        product_id: "p",
        variant_id: None,
        sku: Some("s"),
        name: None,
        brand: Some("b"),
        category_key: Key::UNKNOWN,
        price: Some(Amount::from_units(-7)),
        cost: None,
        currency: None,
        status: Some(""),
        valid_from: 9,
        is_placeholder: true,
        extra: None,
        lineage: origin(0),
    };
    let mut rows = dim_product::Builder::sized(2);
    rows.push(&row);
    let (brand, price, cost) = (None, None, Some(Amount::from_units(8)));
    rows.push(&dim_product::Row { brand, price, cost, is_placeholder: false, lineage: origin(5), ..row });
    rows.push(&row);
    assert_eq!(rows.len(), 3);
    let batch = rows.finish().unwrap();
    assert_eq!(batch.schema(), Table::DimProduct.schema());
    let shown = |column: &str| {
        let array = batch.column_by_name(column).unwrap();
        let cell = |row| match array.is_valid(row).then_some(array.data_type()) {
            None => "null".to_owned(),
            Some(DataType::Utf8) => array.as_string::<i32>().value(row).to_owned(),
            Some(DataType::Boolean) => array.as_boolean().value(row).to_string(),
            Some(DataType::Int32) => array.as_primitive::<Int32Type>().value(row).to_string(),
            Some(DataType::Decimal128(..)) => array.as_primitive::<Decimal128Type>().value(row).to_string(),
            Some(DataType::Timestamp(..)) => array.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
            Some(DataType::Dictionary(..)) => {
                let coded = array.as_dictionary::<Int32Type>();
                let values = coded.values().as_string::<i32>();
                values.value(usize::try_from(coded.keys().value(row)).unwrap()).to_owned()
            }
            Some(other) => panic!("{other}"),
        };
        (0..3).map(cell).collect::<Vec<_>>().join(",")
    };
    let expected = [
        ("product_id", "p,p,p"),
        ("variant_id", "null,null,null"),
        ("sku", "s,s,s"),
        ("brand", "b,null,b"),
        ("price", "-7,null,-7"),
        ("cost", "null,8,null"),
        ("currency", "null,null,null"),
        ("status", ",,"),
        ("valid_from", "9,9,9"),
        ("is_placeholder", "true,false,true"),
        ("source_index", "0,5,0"),
        ("source", "null,null,null"),
        ("ingested_at", "4,4,4"),
    ];
    for (column, cells) in expected {
        assert_eq!(shown(column), cells, "{column}");
    }
}

#[test]
fn a_set_of_rows_has_the_tables_that_got_any() {
    let mut rows = RowSet::sized(Table::FactSales, 10);
    rows.add(&dim_channel::Row { channel_key: Key::UNKNOWN, name: "web", lineage: origin(1) });
    rows.add(&dim_time::Row { time_key: 0, hour: 0, minute: 0, quarter_hour: 0 });
    let tables: Vec<(Table, usize)> = rows.finish().unwrap().iter().map(|(table, rows)| (*table, rows.num_rows())).collect();
    assert_eq!(tables, [(Table::DimChannel, 1), (Table::DimTime, 1)]);
}

/// The schema of every table, each column with its type and whether it may be null.
#[test]
fn the_schema_is_that_of_the_declaration() {
    for table in Table::ALL {
        let schema = table.schema();
        assert_eq!(schema.fields().len(), table.columns().count());
        for (field, column) in schema.fields().iter().zip(table.columns()) {
            let declared = (column.name, &column.kind.data_type(), column.is_nullable);
            assert_eq!((field.name().as_str(), field.data_type(), field.is_nullable()), declared);
        }
        assert_eq!(table.schema().fields().last().unwrap().name() == "ingested_at", table.has_lineage(), "{}", table.name());
    }
}

#[test]
fn a_retired_column_is_no_column() {
    for table in Table::ALL {
        for name in table.retired() {
            assert!(table.schema().field_with_name(name).is_err(), "{}.{name} is retired and written", table.name());
        }
    }
}
