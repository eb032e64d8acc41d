use std::time::Duration;

use super::*;
use crate::target::Place;

fn names() -> Names {
    let target = Target {
        place: Place::Workgroup("shop".to_owned()),
        database: "dev".to_owned(),
        secret_arn: None,
        schema: "dwh".to_owned(),
        iam_role: "default".to_owned(),
        region: "eu-west-2".to_owned(),
        endpoint: None,
        lake: "s3://shop-lake/kassa".to_owned(),
        folder: "redshift".to_owned(),
        patience: Duration::from_secs(1),
    };
    Names::new(&target, 7, "00ff")
}

#[test]
fn a_whole_load_is_one_batch_of_the_data_api() {
    let names = names();
    let mut batch = names.begin(7, "00ff", Some(1));
    for table in schema::tables() {
        match schema::origin(table) {
            Some(origin) => batch.push(names.add(table, origin)),
            None => batch.extend(names.replace(table)),
        }
    }
    batch.extend(names.move_positions());
    assert!(batch.len() <= 40, "{} statements", batch.len());
    assert!(names.begin(7, "00ff", None).len() + names.empty().len() <= 40);
    assert!(batch.iter().all(|sql| sql.len() < 100 * 1024));
    assert!(schema::statements("dwh").iter().all(|sql| sql.len() < 100 * 1024));
}

#[test]
fn the_generation_of_a_staging_table_is_in_its_name() {
    assert_eq!(generation_of("stage_fact_sales_7_00ff"), Some(7));
    assert_eq!(generation_of("stage_positions_12_ab"), Some(12));
    assert_eq!(generation_of("positions"), None);
    assert_eq!(generation_of("stage_mine"), None);
}

#[test]
fn a_quote_in_a_name_ends_no_literal() {
    let sql = copy("t", "s3://b/it's", "arn:aws:iam::1:role/r", "CSV");
    assert_eq!(sql, "COPY t FROM 's3://b/it''s' IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT AS CSV MANIFEST");
    assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
}
