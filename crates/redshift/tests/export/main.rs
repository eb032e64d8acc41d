//! The export against a stand-in for Redshift: a small lake of one dimension, one fact and spans,
//! in the folder of a bucket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod lake;
mod schema;

use std::time::Duration;

use kassa_model::Table;
use kassa_redshift::{Credentials, ExportError, Exporter, Place, Report, Target};
use kassa_stack::data_api::{DataApi, Status};
use kassa_stack::postgres::Postgres;
use lake::SmallLake;

/// Redshift, as far as PostgreSQL can replace it, and a lake.
pub(crate) struct World {
    pub(crate) api: DataApi,
    pub(crate) postgres: Postgres,
    pub(crate) lake: SmallLake,
}

impl World {
    pub(crate) fn new() -> Self {
        let (postgres, lake) = (Postgres::start().unwrap(), SmallLake::new());
        let api = DataApi::start(&postgres.url("postgres", "postgres"), lake.buckets()).unwrap();
        Self { api, postgres, lake }
    }

    pub(crate) fn target(&self) -> Target {
        Target {
            place: Place::Workgroup("shop".to_owned()),
            database: "dev".to_owned(),
            secret_arn: None,
            schema: "dwh".to_owned(),
            iam_role: "arn:aws:iam::123456789012:role/copy".to_owned(),
            region: "eu-west-2".to_owned(),
            endpoint: Some(self.api.endpoint()),
            lake: "s3://shop-lake/kassa".to_owned(),
            folder: "redshift".to_owned(),
            patience: Duration::from_secs(5),
        }
    }

    pub(crate) fn export_as(&self, run: &str, target: Target) -> Result<Report, ExportError> {
        let credentials =
            || Ok(Credentials { access_key_id: "id".to_owned(), secret_access_key: "secret".to_owned(), session_token: None });
        Exporter::new(&self.lake, target, run, credentials).unwrap().export()
    }

    pub(crate) fn export(&self, run: &str) -> Report {
        self.export_as(run, self.target()).unwrap_or_else(|error| panic!("{run}: {error}"))
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.postgres.sql("postgres", sql).unwrap().trim().to_owned()
    }

    /// Checks that Redshift has each of the lake's rows before its positions once.
    #[track_caller]
    pub(crate) fn is_equal(&self) {
        for table in [Table::DimChannel, Table::FactFxRate] {
            let sql = format!(
                "SELECT source_topic, source_partition, source_offset, source_index FROM dwh.{} ORDER BY 1, 2, 3, 4",
                table.name()
            );
            let held: Vec<String> = self.sql(&sql).lines().map(str::to_owned).collect();
            assert_eq!(held, self.lake.rows(table), "{}", table.name());
        }
        let held = self.sql("SELECT topic, partition, next_offset FROM dwh_kassa.positions ORDER BY 1, 2");
        assert_eq!(held.lines().collect::<Vec<_>>(), self.lake.positions());
        let left = self.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'dwh_kassa' AND tablename LIKE 'stage%'");
        assert_eq!(left, "0", "staging tables are left");
    }
}

#[test]
fn what_is_new_is_added_and_nothing_twice() {
    let world = World::new();
    world.lake.append("orders", 0, 0..30);
    let first = world.export("a");
    assert!(first.is_changed && first.generation == 1, "{first:?}");
    world.is_equal();
    let again = world.export("b");
    assert!(!again.is_changed && again.generation == 1, "{again:?}");
    world.is_equal();
    world.lake.append("orders", 0, 30..45);
    world.lake.append("orders", 1, 0..10);
    world.lake.append("it's, \"odd\"", 0, 0..5);
    let more = world.export("c");
    assert_eq!(more.rows.iter().find(|(table, _)| *table == Table::DimChannel).map(|(_, rows)| *rows), Some(Some(30)));
    world.is_equal();
    assert_eq!(world.sql("SELECT min(ingested_at AT TIME ZONE 'UTC') FROM dwh.dim_channel"), "2026-03-28 10:15:00");
    assert_eq!(world.sql("SELECT rate FROM dwh.fact_fx_rate ORDER BY source_topic, source_offset LIMIT 1"), "1.170000000");
}

#[test]
fn compaction_doubles_nothing_and_rows_beyond_the_positions_wait() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.export("a");
    world.lake.compact();
    assert!(!world.export("b").is_changed, "a compaction is nothing new");
    world.lake.append("orders", 0, 10..20);
    // Rows that no span accounts for yet.
    world.lake.append_unaccounted("orders", 0, 20..25);
    world.lake.compact();
    assert!(world.export("c").is_changed);
    world.is_equal();
    world.lake.account("orders", 0, 20..25);
    world.lake.compact();
    world.export("d");
    world.is_equal();
    assert_eq!(world.sql("SELECT count(*) FROM dwh.dim_channel"), "25");
}

/// A running pipeline is always a little ahead of its spans.
#[test]
fn a_file_that_is_ahead_of_the_spans_is_staged_twice_and_no_more() {
    let world = World::new();
    let staged = |run: &str| {
        let before = world.api.taken().len();
        world.export(run);
        world.is_equal();
        let counted = |sql: &String| {
            sql.strip_prefix("SELECT 1 / CASE WHEN COUNT(*) = ")
                .filter(|sql| sql.contains("stage_dim_channel"))
                .map(str::to_owned)
        };
        let counts = world.api.taken().into_iter().skip(before).flat_map(|taken| taken.sqls).filter_map(|sql| counted(&sql));
        counts.map(|rest| rest.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>().join(" ")
    };
    world.lake.append("orders", 0, 0..10);
    assert_eq!(staged("a"), "10");
    world.lake.append_unaccounted("orders", 0, 10..20);
    world.lake.account("orders", 0, 10..15);
    assert_eq!(staged("b"), "10");
    world.lake.append_unaccounted("orders", 0, 20..30);
    world.lake.account("orders", 0, 15..20);
    assert_eq!(staged("c"), "20");
    world.lake.append_unaccounted("orders", 0, 30..40);
    world.lake.account("orders", 0, 20..30);
    assert_eq!(staged("d"), "20");
    world.lake.account("orders", 0, 30..40);
    assert_eq!(staged("e"), "10");
}

/// As `kassa dead-letters replay` adds them.
#[test]
fn rows_that_come_late_below_the_positions_are_added_once() {
    let world = World::new();
    world.lake.append("orders", 0, 0..5);
    world.lake.append("orders", 0, 6..10);
    world.export("a");
    world.lake.append_late("orders", 0, 5..6);
    assert!(world.export("b").is_changed);
    world.is_equal();
    world.lake.compact();
    world.lake.append("orders", 0, 10..12);
    world.export("c");
    world.is_equal();
}

#[test]
fn what_is_remembered_beside_the_rows_saves_work_and_decides_nothing() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.export("a");
    world.lake.append("orders", 0, 10..12);
    world.lake.forget("redshift");
    world.export("b");
    world.is_equal();
    world.api.forget_tokens();
    world.lake.forget("redshift");
    world.export("c");
    world.is_equal();
}

#[test]
fn a_rebuilt_star_replaces_all_rows_and_is_loaded_once() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.lake.append("orders", 1, 0..4);
    world.export("a");
    // Partition 1 has no rows any more, and partition 0 fewer.
    world.lake.rebuild(7, "orders", 0, 3..10);
    let report = world.export("b");
    assert!(report.is_changed && report.generation == 3, "{report:?}");
    world.is_equal();
    assert_eq!(world.sql("SELECT count(*) FROM dwh.dim_channel"), "7");
    assert_eq!(world.sql("SELECT rebuild FROM dwh_kassa.state"), "7");
    assert!(!world.export("c").is_changed);
    world.lake.append("orders", 0, 10..12);
    assert_eq!(world.export("d").generation, 4);
    world.is_equal();
}

#[test]
fn the_first_export_of_a_rebuilt_star_deletes_nothing() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.lake.rebuild(7, "orders", 0, 3..10);
    assert_eq!(world.export("a").generation, 1);
    world.is_equal();
}

#[test]
fn a_redshift_that_an_earlier_version_loaded_learns_of_rebuilds() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.export("a");
    world.sql("ALTER TABLE dwh_kassa.state DROP COLUMN rebuild");
    assert!(!world.export("b").is_changed, "a star that was never rebuilt is as it was");
    world.sql("ALTER TABLE dwh_kassa.state DROP COLUMN rebuild");
    world.lake.rebuild(7, "orders", 0, 3..10);
    assert!(world.export("c").is_changed);
    world.is_equal();
}

#[test]
fn a_replaced_table_is_replaced() {
    let world = World::new();
    world.lake.append("orders", 0, 0..3);
    world.lake.replace_times(60);
    world.export("a");
    assert_eq!(world.sql("SELECT count(*), max(time_key) FROM dwh.dim_time"), "60|59");
    world.lake.replace_times(90);
    assert!(world.export("b").is_changed);
    assert_eq!(world.sql("SELECT count(*), max(time_key) FROM dwh.dim_time"), "90|89");
    assert!(!world.export("c").is_changed);
}

#[test]
fn a_column_that_the_model_has_got_since_is_added_and_older_files_lack_it() {
    let world = World::new();
    world.lake.append("orders", 0, 0..3);
    world.export("a");
    world.sql("ALTER TABLE dwh.dim_channel DROP COLUMN source");
    world.lake.without("source").append("orders", 0, 3..6);
    world.lake.append("orders", 0, 6..8);
    world.export("b");
    world.is_equal();
    assert_eq!(world.sql("SELECT count(*), count(source) FROM dwh.dim_channel"), "8|2");
}

#[test]
fn a_column_of_older_files_that_the_model_has_no_more_is_left_out() {
    let world = World::new();
    world.lake.with(Some("retired")).append("orders", 0, 0..3);
    world.lake.with(None).append("orders", 0, 3..6);
    world.export("a");
    world.is_equal();
    world.lake.with(Some("retired")).append("orders", 0, 6..8);
    world.export("b");
    world.is_equal();
    assert_eq!(world.sql("SELECT count(*) FROM information_schema.columns WHERE column_name = 'retired'"), "0");
}

#[test]
fn a_text_that_redshift_cannot_hold_is_said_to_be_too_long_there() {
    let world = World::new();
    world.lake.append_inventory("orders", &[70_000, 65_535, 3]);
    world.export("a");
    let held = world.sql("SELECT source_offset, length(extra), left(extra, 24) FROM dwh.fact_inventory ORDER BY 1");
    let held: Vec<&str> = held.lines().collect();
    assert_eq!(held[0], "0|24|{\"kassa_too_long\":70000}");
    assert!(held[1].starts_with("1|65535|xxx") && held[2] == "2|3|xxx", "{held:?}");
}

#[test]
fn another_lake_or_one_that_went_back_is_refused() {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.export("a");
    let refused = |target: Target| match world.export_as("b", target) {
        Err(ExportError::Refused { what, fix }) => format!("{what}; {fix}"),
        other => panic!("{other:?}"),
    };
    let words = refused(Target { lake: "s3://another/lake".to_owned(), ..world.target() });
    assert!(words.contains("holds the lake at s3://shop-lake/kassa") && words.contains("redshift.schema"), "{words}");
    world.lake.go_back("orders", 0, 4);
    let words = refused(world.target());
    assert!(words.contains("orders/0 up to 10, and the lake only up to 4"), "{words}");
}

#[test]
fn a_request_names_a_cluster_and_its_user_and_has_a_token() {
    let world = World::new();
    world.lake.append("orders", 0, 0..3);
    let place = Place::Cluster { id: "dwh".to_owned(), db_user: Some("kassa".to_owned()) };
    world.export_as("a", Target { place, iam_role: "default".to_owned(), ..world.target() }).unwrap();
    let taken = world.api.taken();
    assert!(taken.iter().all(|taken| taken.token.as_ref().is_some_and(|token| token.len() <= 64)));
    assert!(taken.iter().all(|taken| taken.status == Status::Finished));
    assert!(taken.iter().any(|taken| taken.sqls.iter().any(|sql| sql.contains("IAM_ROLE default FORMAT AS PARQUET MANIFEST"))));
}
