use std::fs;

use arrow_schema::DataType;

use super::*;
use crate::{Encoding, TableFile};

mod limits;

fn lookups() -> Lookups {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orders.csv");
    fs::write(&path, "order_id,order_date,customer_id\n1,2026-01-31,17\n").unwrap();
    let mut lookups = Lookups::default();
    lookups.load("orders", TableFile { path: &path, key: "order_id", encoding: Encoding::Utf8, delimiter: b',' }).unwrap();
    lookups
}

/// A mapping of a product, which needs an id and a time.
fn product(columns: &str) -> String {
    format!("SELECT id AS product_id, at AS occurred_at, {columns} FROM input")
}

fn compile(sql: &str) -> Result<Mapping, Vec<MappingError>> {
    Mapping::compile(sql, Contract::Product, &lookups())
}

/// `line:column message` of each mistake, and its hint after `=`.
#[track_caller]
fn refused(sql: &str, want: &[&str]) {
    let said = match compile(sql) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(show).collect(),
    };
    assert_eq!(said, want, "\n{sql}");
}

fn show(error: &MappingError) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(" = {hint}")).unwrap_or_default();
    format!("{}:{} {}{hint}", error.line, error.column, error.message)
}

#[track_caller]
fn compiles(columns: &str) -> Mapping {
    compile(&product(columns)).unwrap_or_else(|errors| panic!("{columns}: {:?}", errors.iter().map(show).collect::<Vec<_>>()))
}

fn kind(columns: &str) -> DataType {
    let mapping = compiles(columns);
    mapping.outputs[2].1.data_type(&mapping.schema).unwrap()
}

#[test]
fn inputs_are_the_columns_in_the_sql_once_each_with_their_case() {
    let mapping = compiles("input.Price AS price, \"Unit of sale\" AS sku, concat(_file, _topic, id, sale.vendor.name) AS name");
    assert_eq!(mapping.inputs(), ["id", "at", "Price", "Unit of sale", "sale.vendor.name"]);
}

#[test]
fn columns_are_texts_and_casts_are_exact() {
    assert_eq!(kind("price"), DataType::Utf8);
    assert_eq!(kind("CAST(price AS DECIMAL(18, 6)) AS price"), DataType::Decimal128(18, 6));
    assert!(matches!(kind("CAST(cents AS DECIMAL(18, 2)) * 0.01 AS price"), DataType::Decimal128(..)));
    assert!(matches!(kind("CAST(cents AS DECIMAL(18, 2)) / 100 AS price"), DataType::Decimal128(..)));
    assert!(matches!(kind("round(CAST(price AS DECIMAL(18, 9)), 2) AS price"), DataType::Decimal128(..)));
    assert_eq!(kind("lookup('orders', id, 'order_date') AS sku"), DataType::Utf8);
    assert_eq!(kind("NULL AS sku"), DataType::Null);
}

#[test]
fn common_expressions_on_texts_and_times_compile() {
    compiles("CASE WHEN id LIKE 'C%' THEN 'old' ELSE 'new' END AS status");
    compiles("regexp_replace(sku, '\\.0$', '') AS sku, trim(name) || ' ' || brand AS name");
    compiles("coalesce(price, list_price) AS price, nullif(sku, '-') AS sku");
    compiles("CAST(to_timestamp(day, '%m/%d/%Y %H:%M') AS VARCHAR) AS sent_at");
    compiles("CASE WHEN CAST(stock AS BIGINT) > 0 THEN 'active' ELSE 'sold out' END AS status");
    compiles("lookup('orders', lookup('orders', id, 'customer_id'), 'order_date') AS sku");
    compiles("LOOKUP('orders', CAST(_row AS VARCHAR), 'order_date') AS sku");
}

#[test]
fn keyword_case_comments_and_a_final_semicolon_are_accepted() {
    let sql = "select id as product_id, -- the id\n  at AS occurred_at /* a day */\nfrom input;\n";
    assert_eq!(compile(sql).unwrap().inputs(), ["id", "at"]);
}

#[test]
fn a_syntax_error_has_its_position() {
    refused("SELECT id AS product_id,\n  at AS FROM input", &["2:14 not SQL: Expected: end of statement, found: input"]);
    refused("SELEC id", &["1:1 not SQL: Expected: an SQL statement, found: SELEC"]);
}

#[test]
fn a_mapping_is_one_select_of_columns_from_input() {
    let one = "1:1 a mapping is one SELECT … FROM input";
    refused("", &[one]);
    refused("DELETE FROM input", &[one]);
    refused("SELECT id AS product_id FROM input; SELECT 1", &[one]);
    refused("SELECT id FROM input UNION ALL SELECT id FROM input", &[one]);
    let plain = format!("{one} = no DISTINCT, GROUP BY, ORDER BY, LIMIT or similar: each record becomes one row");
    for tail in ["ORDER BY id", "LIMIT 5", "GROUP BY id", "GROUP BY id HAVING count(*) > 1"] {
        refused(&format!("{} {tail}", product("sku")), &[&plain]);
    }
    refused("SELECT DISTINCT id AS product_id, at AS occurred_at FROM input", &[&plain]);
}

#[test]
fn a_mapping_reads_only_the_input_and_all_of_it() {
    let only_input = "a mapping reads only FROM input = lookup('table', key, 'column') reads reference tables";
    refused("SELECT id AS product_id FROM orders", &[&format!("1:30 {only_input}")]);
    refused("SELECT id AS product_id FROM input JOIN orders ON true", &[&format!("1:30 {only_input}")]);
    refused("SELECT 1 AS product_id", &[&format!("1:1 {only_input}")]);
    refused("WITH x AS (SELECT 1) SELECT id AS product_id FROM input", &[&format!("1:51 {only_input}")]);
    refused(&product("(SELECT max(id) FROM input) AS sku"), &[&format!("1:46 {only_input}")]);
    let why = "every record must be accounted for: give unwanted rows their own movement, or filter at the source";
    refused(&format!("{}\nWHERE id <> ''", product("sku")), &[&format!("2:7 a mapping has no WHERE = {why}")]);
}

#[test]
fn every_column_has_the_name_of_a_field() {
    let fields = Contract::Product.columns().join(", ");
    refused(&product("Price AS prise"), &["1:45 `prise` is not a field of the contract product = did you mean `price`?"]);
    refused(&product("Colour"), &[&format!("1:45 `Colour` is not a field of the contract product = fields: {fields}")]);
    refused(&product("trim(Name)"), &["1:50 `TRIM(Name)` has no name = write `… AS field`, with a field of the contract"]);
    let all = "1:8 a mapping has no `*` = name the columns: unnamed columns are kept in `extra`";
    refused("SELECT * FROM input", &[all]);
    refused(&product("a AS sku, b AS sku"), &["1:55 `sku` is selected twice"]);
}

#[test]
fn every_required_field_is_selected() {
    refused("SELECT a AS sku FROM input", &["1:1 the contract product also needs: occurred_at, product_id"]);
}

#[test]
fn all_mistakes_are_reported_at_once_with_positions() {
    let sql = "SELECT\n  a AS sku,\n  b AS nam,\n  lookup('order', c, 'd') AS brand,\n  uper(d) AS status\nFROM input";
    refused(
        sql,
        &[
            "3:3 `nam` is not a field of the contract product = did you mean `name`?",
            "4:10 there is no lookup `order` = did you mean `orders`?",
            "5:3 Invalid function 'uper'. Did you mean 'upper'?",
            "1:1 the contract product also needs: occurred_at, product_id",
        ],
    );
}

#[test]
fn a_lookup_names_an_existing_table_and_column() {
    let form = "1:45 a lookup is lookup('table', key, 'column')";
    refused(&product("lookup('orders', id) AS sku"), &[form]);
    refused(&product("lookup() AS sku"), &[form]);
    let literal = format!("{form} = put table and column in single quotes, so that they can be checked before the first record");
    refused(&product("lookup(kind, id, 'order_date') AS sku"), &[&literal]);
    refused(&product("lookup('orders', id, \"order_date\") AS sku"), &[&literal]);
    refused(
        &product("upper(lookup('orders', id, 'order_dat')) AS sku"),
        &["1:72 the lookup `orders` has no column `order_dat` = did you mean `order_date`?"],
    );
    refused(
        &product("lookup('orders', id, 'total') AS sku"),
        &["1:66 the lookup `orders` has no column `total` = valid here: `order_id`, `order_date` and `customer_id`"],
    );
    let none = Mapping::compile(&product("lookup('orders', id, 'total') AS sku"), Contract::Product, &Lookups::default());
    let said: Vec<String> = none.unwrap_err().iter().map(show).collect();
    assert_eq!(said, ["1:52 there is no lookup `orders` = add [lookups.orders] with its file and key"]);
}

#[test]
fn a_column_has_a_type_that_fits_its_field() {
    let cast =
        |at: u8, field: &str, kind: &str, to: &str| format!("1:{at} `{field}` cannot be of the type {kind} = CAST it to {to}");
    refused(&product("CAST(day AS DATE) AS sku"), &[&cast(50, "sku", "Date32", "VARCHAR")]);
    refused(&product("to_timestamp(day) AS sent_at"), &[&cast(45, "sent_at", "Timestamp(ns)", "VARCHAR")]);
    refused(&product("id = 'x' AS price"), &[&cast(45, "price", "Boolean", "DECIMAL(18, 6)")]);
    refused(&product("_row AS currency"), &[&cast(45, "currency", "Int64", "VARCHAR")]);
    refused(&product("CAST(a AS DECIMAL(9, 2)) AS is_test"), &[&cast(50, "is_test", "Decimal128(9, 2)", "BOOLEAN")]);
    refused(&product("_ingested_at AS name"), &[&cast(45, "name", "Timestamp(µs, \"UTC\")", "VARCHAR")]);
    compiles("_row AS sku, id = 'x' AS is_test, _ingested_at AS sent_at, CAST(a AS BIGINT) AS price");
}

#[test]
fn an_amount_must_not_pass_through_a_float() {
    let float = |at: u8| format!("1:{at} `price` would pass through a float = CAST to DECIMAL(18, 6) before computing");
    refused(&product("CAST(a AS DOUBLE) AS price"), &[&float(50)]);
    refused(&product("CAST(CAST(a AS DOUBLE) * 2 AS DECIMAL(18, 6)) AS price"), &[&float(55)]);
    refused(&product("sqrt(CAST(a AS DECIMAL(18, 6))) AS price"), &[&float(45)]);
    compiles("CASE WHEN CAST(a AS DOUBLE) > 0.5 THEN 'much' ELSE 'little' END AS status");
}

#[test]
fn a_mapping_depends_only_on_its_record_and_is_deterministic() {
    let more = "1:45 `sku` reads more than its own record = no aggregates, windows or UNNEST: each record becomes one row";
    refused(&product("max(a) AS sku"), &[more]);
    refused(&product("CAST(row_number() OVER () AS VARCHAR) AS sku"), &[&more.replace("1:45", "1:50")]);
    let again = "a record must map to the same row whenever it is read again; `_ingested_at` is its ingest time";
    refused(&product("now() AS sent_at"), &[&format!("1:45 `now` gives a different value each time = {again}")]);
    refused(&product("uuid() AS sku"), &[&format!("1:45 `uuid` gives a different value each time = {again}")]);
}

#[test]
fn a_text_is_not_rounded_to_the_places_of_a_compared_decimal() {
    for (condition, shown) in [
        ("a > 9.5", "a > 9.5"),
        ("CAST(b AS DECIMAL(9, 2)) = a", "b = a"),
        ("a IN ('1', 2.5)", "a IN 1, 2.5"),
        ("a BETWEEN 1.5 AND 5.5", "a BETWEEN 1.5 AND 5.5"),
        ("CASE a WHEN 1.5 THEN true END", "CASE a WHEN 1.5 THEN true END"),
    ] {
        let errors = compile(&product(&format!("CASE WHEN {condition} THEN 'x' END AS sku"))).map(|_| ()).unwrap_err();
        let said: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(said, [format!("`{shown}` would round a text to the decimal's places")], "{condition}");
        assert_eq!(errors[0].hint.as_deref(), Some("CAST the text to DECIMAL(18, 6) first"));
    }
    compiles("CASE WHEN a > '9' AND CAST(a AS DECIMAL(9, 2)) > 9.5 AND a > 9 AND _row = 1 THEN a || _row END AS sku");
}

#[test]
fn texts_need_a_cast_before_arithmetic() {
    refused(
        &product("price * 2 AS price"),
        &[
            "1:45 Cannot coerce arithmetic expression Utf8 * Int64 to valid types = CAST the texts to DECIMAL(18, 6) or BIGINT first",
        ],
    );
}

#[test]
fn a_column_that_always_fails_is_refused() {
    refused(&product("CAST('two' AS BIGINT) AS price"), &["1:50 Cast error: Cannot cast string 'two' to value of Int64 type"]);
}
