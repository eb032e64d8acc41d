use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use datafusion::execution::memory_pool::MemoryConsumer;
use kassa_lake::delta::DeltaTable;
use kassa_lake::delta::table::NewFile;
use kassa_lake::maintain::{Maintainer, Options};
use kassa_lake::{Folder, encode, star};
use kassa_model::star::{fact_fx_rate, lineage, spans};
use kassa_model::time::{Clock, DAY, HOUR, SystemClock};
use kassa_model::{Currency, Rate};
use tempfile::TempDir;

use super::*;

mod figures;
mod limits;

/// A lake whose table of spans has ten files, each with one row.
fn lake() -> (TempDir, Arc<dyn Store>, DeltaTable) {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Folder::new(dir.path()));
    let mut table = DeltaTable::open(Arc::clone(&store), star::table_spec(Table::Spans), Arc::new(SystemClock)).unwrap();
    for number in 0..10 {
        let mut rows = spans::Builder::sized(1);
        rows.push(&spans::Row {
            topic: "orders",
            partition: 0,
            from_offset: number,
            to_offset: number + 1,
            read: 1,
            accepted: 1,
            duplicates: 0,
            dead_letters: 0,
            gap: 0,
            committed_at: number,
        });
        let properties = encode::properties(&Table::Spans.schema(), encode::ZSTD_LEVEL);
        let bytes = encode::parquet(&[rows.finish().unwrap()], &properties).unwrap();
        table.append(vec![NewFile { bytes, rows: 1, partition_values: BTreeMap::new() }], &[]).unwrap();
    }
    (dir, store, table)
}

async fn open(store: &Arc<dyn Store>, sql: &str) -> Result<Session, SqlError> {
    let shop = Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
    Session::open(store.as_ref(), &shop, sql).await
}

async fn rows(store: &Arc<dyn Store>, sql: &str) -> Result<usize, SqlError> {
    Ok(open(store, sql).await?.run(sql).await?.iter().map(RecordBatch::num_rows).sum())
}

#[tokio::test]
async fn a_session_has_what_its_query_names() {
    let (_dir, store, _table) = lake();
    for (sql, expected) in [
        ("SELECT * FROM spans", 10),
        ("SELECT * FROM Spans AS s JOIN public.spans AS t ON s.from_offset = t.from_offset", 10),
        ("WITH some AS (SELECT * FROM spans LIMIT 3) SELECT * FROM some WHERE EXISTS (SELECT 1 FROM rejected) OR true", 3),
        ("SELECT * FROM sales_flat", 0),
        ("SELECT * FROM net_sales WHERE \"by\" = 'total' AND basis = 'order'", 1),
        ("SELECT count(*) AS units FROM fact_order_current", 1),
        (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
            Table::ALL.len() + VIEWS.len() + catalogue().len(),
        ),
        ("SHOW COLUMNS FROM spans", Table::Spans.schema().fields().len()),
        ("DESCRIBE spans", Table::Spans.schema().fields().len()),
    ] {
        assert_eq!(rows(&store, sql).await.unwrap(), expected, "{sql}");
    }
    assert!(rows(&store, "SHOW TABLES").await.unwrap() > Table::ALL.len());
    let refused = |error: SqlError| matches!(error, SqlError::Refused(_));
    for sql in [
        "SELECT * FROM spam",
        "SELEC 1",
        "DROP TABLE spans",
        "CREATE VIEW v AS SELECT 1",
        "INSERT INTO spans SELECT * FROM spans",
    ] {
        assert!(rows(&store, sql).await.is_err_and(refused), "{sql}");
    }
}

#[tokio::test]
async fn what_a_session_reads_stays_until_it_is_done() {
    let (_dir, store, mut table) = lake();
    let sql = "SELECT * FROM spans";
    let session = open(&store, sql).await.unwrap();
    let mut maintainer =
        Maintainer::new(Options { small_files: 8, retention: 0, kept_files: 0, lease: HOUR, ..Options::default() });
    let now = SystemClock.now();
    let merged = maintainer.maintain(&mut table, now).unwrap();
    assert_eq!((merged.merged, merged.deleted), (10, 0));
    assert_eq!(session.run(sql).await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
    drop(session);
    assert_eq!(maintainer.maintain(&mut table, now).unwrap().deleted, 10);
    assert_eq!(rows(&store, sql).await.unwrap(), 10);
}

/// A lake whose table of rates has one file per day.
fn rates() -> (TempDir, Arc<dyn Store>) {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(Folder::new(dir.path()));
    let mut table = DeltaTable::open(Arc::clone(&store), star::table_spec(Table::FactFxRate), Arc::new(SystemClock)).unwrap();
    for day in 1..=20 {
        let mut rows = fact_fx_rate::Builder::sized(50);
        for nth in 0..50 {
            let at = (i64::from(day) - 1) * DAY + i64::from(nth);
            rows.push(&fact_fx_rate::Row {
                base: "EUR",
                quote: "GBP",
                rate_date_key: 20_260_100 + day,
                rate: Rate::from_units(i64::from(nth)),
                occurred_at: at,
                lineage: lineage::Row {
                    source_topic: "fx",
                    source_partition: 0,
                    source_offset: i64::from(nth),
                    source_index: nth,
                    event_id: "e",
                    source: None,
                    store_id: "s",
                    content_hash: 0,
                    ingested_at: at,
                },
            });
        }
        let properties = encode::properties(&Table::FactFxRate.schema(), encode::ZSTD_LEVEL);
        let bytes = encode::parquet(&[rows.finish().unwrap()], &properties).unwrap();
        table.append(vec![NewFile { bytes, rows: 50, partition_values: BTreeMap::new() }], &[]).unwrap();
    }
    (dir, store)
}

#[tokio::test]
async fn a_query_about_days_or_times_scans_the_files_of_those_alone() {
    let (_dir, store) = rates();
    let select = "SELECT * FROM fact_fx_rate";
    let (_, whole) = open(&store, select).await.unwrap().run_measured(select).await.unwrap();
    for (filter, rows, files) in [
        ("rate_date_key = 20260107", 50, 1),
        ("rate_date_key BETWEEN 20260107 AND 20260109 AND base = 'EUR'", 150, 3),
        ("rate_date_key IN (20260101, 20260120)", 100, 2),
        ("rate_date_key > 20260118 OR rate_date_key < 20260102", 150, 3),
        ("occurred_at >= TIMESTAMP '1970-01-20T00:00:00Z'", 50, 1),
        ("occurred_at < '1970-01-02T00:00:00Z' AND source_index < 10", 10, 1),
        ("rate_date_key = 20270101", 0, 0),
        ("base = 'EUR'", 1_000, 20),
        ("rate_date_key % 2 = 0", 500, 20),
    ] {
        let sql = format!("{select} WHERE {filter}");
        let session = open(&store, &sql).await.unwrap();
        let (found, scanned) = session.run_measured(&sql).await.unwrap();
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), rows, "{filter}");
        assert!(scanned <= whole * files / 20 + whole / 100, "{filter}: {scanned} of {whole} bytes");
        assert!(files < 20 || scanned > whole / 2, "{filter}: {scanned} of {whole} bytes: nothing was measured");
    }
}

/// The answer of a query on [`rates`] that may use this memory.
async fn answer(pool: &Pool, store: &Arc<dyn Store>, sql: &str) -> Result<i64, SqlError> {
    let shop = Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
    let rows = Session::open_within(pool, store.as_ref(), &shop, sql).await?.run(sql).await?;
    Ok(rows[0].column(0).as_primitive::<Int64Type>().value(0))
}

fn is_exhausted(error: &SqlError) -> bool {
    matches!(error, SqlError::Memory(_)) && error.to_string().contains("Resources exhausted")
}

/// A join holds one of its sides, and cannot spill it.
const JOIN: &str = "SELECT count(*) FROM fact_fx_rate AS a JOIN fact_fx_rate AS b ON a.occurred_at = b.occurred_at";

#[tokio::test]
async fn a_query_beyond_the_pool_is_refused_by_name_and_gives_back_what_it_had() {
    let (_dir, store) = rates();
    for (bytes, is_enough) in [(1 << 10, false), (64 << 20, true)] {
        let pool = Pool::new(bytes);
        match answer(&pool, &store, JOIN).await {
            Ok(count) => assert_eq!((count, is_enough), (1_000, true)),
            Err(error) => assert!(is_exhausted(&error) && !is_enough, "{error}"),
        }
        assert_eq!(pool.reserved(), 0);
    }
}

#[tokio::test]
async fn queries_share_the_pool() {
    let (_dir, store) = rates();
    let pool = Pool::new(16 << 20);
    let other = MemoryConsumer::new("another query").register(&pool.0);
    other.try_grow((16 << 20) - 100).unwrap();
    assert_eq!(pool.reserved(), (16 << 20) - 100);
    let error = answer(&pool, &store, JOIN).await.unwrap_err();
    assert!(is_exhausted(&error), "{error}");
    drop(other);
    assert_eq!(answer(&pool, &store, JOIN).await.unwrap(), 1_000);
}

/// 200,000 pairs take more than 16 bytes each.
#[tokio::test]
async fn a_query_that_can_spill_has_the_right_answer_or_is_refused() {
    let (_dir, store) = rates();
    let pairs = "SELECT DISTINCT a.occurred_at AS x, b.occurred_at AS y FROM fact_fx_rate AS a CROSS JOIN fact_fx_rate AS b";
    let sql = format!("SELECT count(*) FROM ({pairs} WHERE b.rate_date_key <= 20260104)");
    let pool = Pool::new(3 << 20);
    match answer(&pool, &store, &sql).await {
        Ok(count) => assert_eq!(count, 200_000),
        Err(error) => assert!(is_exhausted(&error), "{error}"),
    }
    assert_eq!(pool.reserved(), 0);
}
