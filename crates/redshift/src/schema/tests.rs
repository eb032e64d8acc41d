use super::*;

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
