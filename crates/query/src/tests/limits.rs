//! What a query may not do, and what it may not use.

use super::*;

fn room(memory_bytes: usize, spill: &TempDir) -> Room {
    Room { pool: Pool::new(memory_bytes), spill: spill.path().to_owned(), spill_bytes: 4 << 20 }
}

async fn within(room: &Room, store: &Arc<dyn Store>, sql: &str) -> Result<usize, SqlError> {
    let shop = Shop::new("Test", "Europe/London", Currency::parse("GBP").unwrap()).unwrap();
    let session = Session::open_in(room, store.as_ref(), &shop, sql).await?;
    Ok(session.run(sql).await?.iter().map(RecordBatch::num_rows).sum())
}

#[tokio::test]
async fn whatever_is_no_query_is_refused_by_name() {
    let (_dir, store, _table) = lake();
    let out = tempfile::tempdir().unwrap();
    let target = out.path().join("out");
    let target = target.display();
    for (sql, name) in [
        (format!("COPY (SELECT 1) TO '{target}.csv'"), "`COPY` is not a query"),
        (format!("EXPLAIN COPY (SELECT 1) TO '{target}.csv'"), "`COPY` is not a query"),
        (format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}.parquet' STORED AS PARQUET"), "`COPY` is not a query"),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'".to_owned(), "`CREATE` is not a query"),
        ("EXPLAIN ANALYZE INSERT INTO spans SELECT * FROM spans".to_owned(), "`INSERT` is not a query"),
        ("SET datafusion.execution.target_partitions = 500".to_owned(), "`SET` is not a query"),
        ("RESET datafusion.execution.target_partitions".to_owned(), "`RESET` is not a query"),
        ("PREPARE p AS SELECT 1".to_owned(), "`PREPARE` is not a query"),
        ("UPDATE spans SET read = 2".to_owned(), "`UPDATE` is not a query"),
        ("TRUNCATE TABLE spans".to_owned(), "`TRUNCATE` is not a query"),
        ("START TRANSACTION".to_owned(), "is not a query"),
        ("SELECT 1; SELECT 2".to_owned(), ""),
        ("SELECT * FROM '/etc/passwd'".to_owned(), ""),
        ("SELECT * FROM \"/etc/passwd\"".to_owned(), ""),
        ("SELECT * FROM read_csv('/etc/passwd')".to_owned(), ""),
        ("SELECT * FROM parquet_metadata('/etc/passwd')".to_owned(), ""),
        ("SELECT * INTO t FROM spans".to_owned(), ""),
    ] {
        let error = rows(&store, &sql).await.unwrap_err();
        assert!(matches!(error, SqlError::Refused(_)) && error.to_string().contains(name), "{sql}: {error}");
    }
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_text_that_is_too_long_or_too_deep_is_refused_before_it_is_parsed() {
    let (_dir, store, _table) = lake();
    let brackets = |count: usize| format!("SELECT {}1{}", "(".repeat(count), ")".repeat(count));
    let ctes = |count: usize| {
        let parts: Vec<String> = (1..=count).map(|nth| format!("t{nth} AS (SELECT * FROM t{})", nth - 1)).collect();
        format!("WITH t0 AS (SELECT 1), {} SELECT * FROM t{count}", parts.join(", "))
    };
    for sql in [
        brackets(100),
        brackets(3_000),
        format!("SELECT {}", vec!["1"; 20_000].join("+")),
        format!("SELECT {}", vec!["1"; 5_000].join("||")),
        format!("SELECT {}true", "NOT ".repeat(3_000)),
        format!("SELECT 1{}", "::INT".repeat(3_000)),
        format!("SELECT {}1{}", "abs(".repeat(3_000), ")".repeat(3_000)),
        format!("SELECT {}1{}", "[".repeat(3_000), "]".repeat(3_000)),
        format!("SELECT * FROM spans{}", ", spans".repeat(3_000)),
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(3_000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(300), ")".repeat(300)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(3_000), " END".repeat(3_000)),
        ctes(300),
        format!("SELECT '{}'", "x".repeat(70_000)),
    ] {
        let error = rows(&store, &sql).await.unwrap_err();
        assert!(matches!(error, SqlError::Nesting(_)), "{error}");
        assert!(error.to_string().contains("limit"), "{error}");
    }
}

/// Whatever passes the check must be planned and run by a thread with the stack that is stated for it.
#[test]
fn the_deepest_text_that_is_allowed_has_room_on_its_stack() {
    let deepest = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_dir, store, _table) = lake();
        for (sql, count) in [
            (format!("SELECT from_offset{} FROM spans", "+from_offset".repeat(480)), 10),
            (format!("SELECT 1 FROM spans WHERE {}true", "from_offset = 1 OR ".repeat(300)), 10),
            (format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(98)), 99),
        ] {
            assert_eq!(runtime.block_on(rows(&store, &sql)).unwrap(), count);
        }
    };
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(deepest).unwrap().join().unwrap();
}

#[tokio::test]
async fn what_a_query_holds_is_bounded_whatever_holds_it() {
    let (_dir, store, _table) = lake();
    let spill = tempfile::tempdir().unwrap();
    let room = room(8 << 20, &spill);
    for sql in [
        "SELECT array_agg(value) FROM generate_series(1, 20000000)",
        "SELECT string_agg(CAST(value AS VARCHAR), ',') FROM generate_series(1, 20000000)",
        "SELECT count(*) FROM (SELECT value FROM generate_series(1, 20000000) GROUP BY value)",
        "SELECT count(*) FROM generate_series(1, 20000000) AS a JOIN generate_series(1, 20000000) AS b ON a.value = b.value",
        "SELECT value, row_number() OVER (ORDER BY -value) FROM generate_series(1, 5000000) ORDER BY 2 LIMIT 5",
    ] {
        match within(&room, &store, sql).await {
            Err(error) => assert!(matches!(error, SqlError::Memory(_)), "{sql}: {error}"),
            // Groups and sorted rows may fit into the room on disk.
            Ok(rows) => assert!(sql.contains(" BY ") && rows > 0, "{sql}: {rows} rows"),
        }
        // Its tasks end when they are polled next.
        for _ in 0..500 {
            if room.pool.reserved() == 0 && std::fs::read_dir(spill.path()).unwrap().count() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!((room.pool.reserved(), std::fs::read_dir(spill.path()).unwrap().count()), (0, 0), "{sql}");
    }
}

/// The first of 10^11 rows comes at once, and a dropped query is over.
#[tokio::test]
async fn rows_come_as_they_are_computed() {
    let (_dir, store, _table) = lake();
    for sql in [
        "SELECT value FROM generate_series(1, 100000000000)",
        "SELECT value * 2 FROM generate_series(1, 100000000000) WHERE value % 2 = 0",
    ] {
        let session = open(&store, sql).await.unwrap();
        let mut stream = session.stream(sql).await.unwrap();
        let mut count = 0;
        while count < 20_000 {
            count += stream.next().await.unwrap().unwrap().num_rows();
        }
        assert!(count < 100_000, "{sql}: {count}");
    }
}
