use std::sync::Arc;

use super::*;

fn spec(fields: Vec<Field>, retired: &'static [&'static str]) -> TableSpec {
    TableSpec {
        name: "lines".to_owned(),
        folder: "DWH/lines".to_owned(),
        schema: Arc::new(Schema::new(fields)),
        partition_columns: vec!["day".to_owned()],
        retired,
        is_derived: false,
    }
}

fn id() -> Field {
    Field::new("id", DataType::Int64, false)
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

/// The metadata of a table with these columns, written by a program with this schema number (0:
/// none).
fn held(fields: Vec<Field>, version: u32) -> Metadata {
    let configuration = (version > 0).then(|| (VERSION.to_owned(), version.to_string()));
    Metadata {
        id: "an-id".to_owned(),
        name: Some("lines".to_owned()),
        schema_string: to_delta(&Schema::new(fields)),
        partition_columns: vec!["day".to_owned()],
        configuration: configuration.into_iter().chain([("user.key".to_owned(), "kept".to_owned())]).collect(),
        ..Metadata::default()
    }
}

fn names(metadata: &Metadata) -> Vec<(String, bool)> {
    columns("lines", &metadata.schema_string).unwrap().into_iter().map(|column| (column.name, column.nullable)).collect()
}

#[track_caller]
fn evolved(held: &Metadata, spec: &TableSpec) -> Vec<(String, bool)> {
    let evolved = evolve(held, spec).unwrap().expect("a new statement");
    assert_eq!((&evolved.id, &evolved.name, &evolved.partition_columns), (&held.id, &held.name, &held.partition_columns));
    assert_eq!(evolved.configuration["user.key"], "kept");
    assert_eq!(evolved.configuration[VERSION], star::SCHEMA.to_string());
    // Written once, and not repeated.
    assert_eq!(evolve(&evolved, spec).unwrap(), None);
    names(&evolved)
}

fn of(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, nullable)| ((*name).to_owned(), *nullable)).collect()
}

#[test]
fn a_table_with_the_programs_columns_is_unchanged() {
    assert_eq!(evolve(&held(vec![id(), text("a", true)], 0), &spec(vec![id(), text("a", true)], &[])).unwrap(), None);
}

#[test]
fn an_added_column_takes_the_programs_place_and_others_stay_behind() {
    let held = held(vec![id(), text("theirs", true), text("a", true)], 0);
    let columns = evolved(&held, &spec(vec![id(), text("new", true), text("a", true)], &[]));
    assert_eq!(columns, of(&[("id", false), ("new", true), ("a", true), ("theirs", true)]));
}

#[test]
fn a_table_lists_the_columns_that_its_older_rows_lack() {
    let new = spec(vec![id(), text("new", true), text("a", true)], &[]);
    let table = held(vec![id(), text("a", true)], 1);
    assert_eq!(added(&table, &new).unwrap(), ["new"], "before it is stated");
    let table = evolve(&table, &new).unwrap().unwrap();
    assert_eq!(added(&table, &new).unwrap(), ["new"]);
    let newer = spec(vec![id(), text("new", true), text("a", true), text("newer", true)], &[]);
    let table = evolve(&table, &newer).unwrap().unwrap();
    assert_eq!(
        (added(&table, &newer).unwrap(), table.configuration[ADDED].as_str()),
        (vec!["new".to_owned(), "newer".to_owned()], "new,newer")
    );
    let created = held(vec![id(), text("new", true)], star::SCHEMA);
    assert_eq!(added(&created, &spec(vec![id(), text("new", true)], &[])).unwrap(), Vec::<String>::new());
}

#[test]
fn a_retired_column_goes_and_a_required_one_may_be_relaxed_but_not_tightened() {
    let table = held(vec![id(), text("old", false), text("a", false)], 1);
    assert_eq!(evolved(&table, &spec(vec![id(), text("a", true)], &["old"])), of(&[("id", false), ("a", true)]));
    let table = held(vec![id(), text("a", true)], 1);
    assert_eq!(evolve(&table, &spec(vec![id(), text("a", false)], &[])).unwrap(), None);
}

#[test]
fn a_column_of_a_derived_table_may_get_another_type() {
    let amount = |precision, scale| Field::new("amount", DataType::Decimal128(precision, scale), false);
    let table = held(vec![id(), amount(18, 6)], 1);
    let new = spec(vec![id(), amount(38, 15)], &[]);
    assert!(matches!(evolve(&table, &new), Err(LogError::Corrupt(_))));
    let derived = TableSpec { is_derived: true, ..new };
    assert_eq!(evolved(&table, &derived), of(&[("id", false), ("amount", false)]));
    let evolved = evolve(&table, &derived).unwrap().unwrap();
    assert!(evolved.schema_string.contains("decimal(38,15)"), "{}", evolved.schema_string);
}

#[test]
fn what_rows_without_it_would_break_is_refused() {
    let table = held(vec![id()], 1);
    assert!(matches!(evolve(&table, &spec(vec![id(), text("new", false)], &[])), Err(LogError::Encode(_))));
    let table = held(vec![id(), text("theirs", false)], 1);
    let error = evolve(&table, &spec(vec![id()], &[])).unwrap_err();
    assert!(matches!(&error, LogError::Refused(refused) if refused.what.contains("the column theirs")), "{error}");
    let table = held(vec![text("id", false)], 1);
    let error = evolve(&table, &spec(vec![id()], &[])).unwrap_err().to_string();
    assert_eq!(error, "DWH/lines: the column id is string, and kassa writes long");
}

#[test]
fn an_older_program_leaves_a_newer_ones_columns_as_they_are() {
    let newer = star::SCHEMA + 1;
    // The newer program has added one column and retired one that this program still writes.
    let table = held(vec![id(), text("newest", true)], newer);
    assert_eq!(evolve(&table, &spec(vec![id(), text("retired_later", true)], &[])).unwrap(), None);
    let table = held(vec![id(), text("newest", false)], newer);
    let error = evolve(&table, &spec(vec![id()], &[])).unwrap_err();
    assert!(matches!(error, LogError::Newer(_)));
    let expected = format!(
        "the table DWH/lines has schema {newer} with the required column newest; this kassa supports schema {}",
        star::SCHEMA
    );
    assert_eq!(error.to_string(), expected);
    let table = held(vec![text("id", false)], newer);
    assert!(matches!(evolve(&table, &spec(vec![id()], &[])), Err(LogError::Newer(_))));
}

#[test]
fn a_merged_file_has_the_columns_of_the_program_and_those_of_the_table() {
    let table = held(
        vec![
            id(),
            text("old", true),
            Field::new("price", star::kind::Type::Amount.data_type(), true),
            Field::new("n", DataType::Int32, true),
        ],
        1,
    );
    let merged = merged(&table, &spec(vec![id(), text("new", true)], &["old"])).unwrap();
    let fields: Vec<_> = merged.fields().iter().map(|field| (field.name().as_str(), field.data_type().clone())).collect();
    assert_eq!(
        fields,
        [
            ("id", DataType::Int64),
            ("new", DataType::Utf8),
            ("price", star::kind::Type::Amount.data_type()),
            ("n", DataType::Int32)
        ]
    );
}

#[test]
fn every_type_that_kassa_writes_is_read_back_from_deltas_name_for_it() {
    for table in kassa_model::Table::ALL {
        for field in star::stored(&table.schema()).fields() {
            assert_eq!(
                type_of(&name_of(field.data_type())).as_ref(),
                Some(field.data_type()),
                "{}.{}",
                table.name(),
                field.name()
            );
        }
    }
}
