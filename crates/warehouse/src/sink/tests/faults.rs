//! What PostgreSQL and the network can do to a commit. Each case checks that the fault occurred.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use kassa_pipeline::{Sink, SinkError};
use kassa_stack::postgres::Options;
use postgres::Client;
use serde_json::json;

use crate::testing::{Feed, Fixed, Lose, Proxy, Warehouse, impatient, line, partition, sold};
use crate::{Target, WarehouseError, WarehouseSink};

fn admin(warehouse: &Warehouse) -> Client {
    let mut client = crate::connect(&warehouse.target("postgres")).unwrap();
    client.batch_execute("SET application_name = 'opponent'").unwrap();
    client
}

/// The process of the sink's connection, once it waits for a lock.
fn waiting(client: &mut Client) -> i32 {
    let since = Instant::now();
    loop {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = 'kassa' AND wait_event_type = 'Lock'";
        if let Some(row) = client.query_opt(sql, &[]).unwrap() {
            return row.get(0);
        }
        assert!(since.elapsed() < Duration::from_secs(20), "the sink never waited");
        sleep(Duration::from_millis(5));
    }
}

fn holds(warehouse: &Warehouse, rows: i64) {
    assert_eq!(warehouse.count("dwh.fact_sales"), rows);
    let proof = crate::prove::prove(&warehouse.target("postgres")).unwrap();
    assert!(proof.is_ok(), "{:?}", proof.findings);
}

#[test]
fn a_terminated_backend_is_followed_by_the_whole_transaction_again() {
    let warehouse = Warehouse::new();
    let (mut sink, mut opponent, mut witness) = (warehouse.sink(), admin(&warehouse), admin(&warehouse));
    let mut lock = opponent.transaction().unwrap();
    lock.batch_execute("LOCK TABLE kassa.spans IN ACCESS EXCLUSIVE MODE").unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| sink.commit(&[sold(0, 0..5)]));
        let pid = waiting(&mut witness);
        let killed: bool = witness.query_one("SELECT pg_terminate_backend($1)", &[&pid]).unwrap().get(0);
        assert!(killed);
        lock.rollback().unwrap();
        commit.join().unwrap().unwrap();
    });
    assert!(warehouse.server.log().contains("terminating connection due to administrator command"));
    assert_eq!((sink.counts().retries, sink.counts().connections), (1, 2));
    holds(&warehouse, 5);
}

#[test]
fn a_worker_that_stopped_in_the_midst_of_a_copy_holds_up_nobody_for_long() {
    let warehouse = Warehouse::new();
    let target = Target { statement_timeout: Duration::from_secs(1), ..warehouse.target("postgres") };
    let mut sink = WarehouseSink::open(target.clone(), Arc::new(Fixed)).unwrap();
    sink.commit(&[sold(0, 0..5)]).unwrap();
    // What the first commit does, and later ones do not.
    let mut zombie = crate::connect(&target).unwrap();
    let mut begun = zombie.transaction().unwrap();
    begun.execute("UPDATE kassa.positions SET next = next", &[]).unwrap();
    let stopped = begun.copy_in("COPY kassa.dropped FROM STDIN BINARY").unwrap();
    let since = Instant::now();
    sink.commit(&[sold(0, 5..9)]).unwrap();
    assert!(sink.counts().retries > 0 && since.elapsed() >= Duration::from_secs(1), "nobody stood in its way");
    assert!(warehouse.server.log().contains("terminating connection due to administrator command"));
    std::mem::forget(stopped);
    std::mem::forget(begun);
    holds(&warehouse, 9);
}

#[test]
fn the_victim_of_a_deadlock_tries_again() {
    let warehouse = Warehouse::new();
    let (mut sink, mut opponent, mut witness) = (warehouse.sink(), admin(&warehouse), admin(&warehouse));
    sink.commit(&[sold(0, 0..1)]).unwrap();
    // The sink locks the position, then the spans; here in the opposite order and with a longer
    // timeout.
    opponent.batch_execute("SET deadlock_timeout = '60s'").unwrap();
    let mut reversed = opponent.transaction().unwrap();
    reversed.batch_execute("LOCK TABLE kassa.spans IN ACCESS EXCLUSIVE MODE").unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| sink.commit(&[sold(0, 1..5)]));
        waiting(&mut witness);
        reversed.batch_execute("UPDATE kassa.positions SET moved_at = now()").unwrap();
        reversed.commit().unwrap();
        commit.join().unwrap().unwrap();
    });
    assert!(warehouse.server.log().contains("deadlock detected"));
    assert_eq!(sink.counts().retries, 1);
    holds(&warehouse, 5);
}

#[test]
fn a_serialization_failure_is_tried_again() {
    let warehouse = Warehouse::new();
    warehouse.sql("ALTER DATABASE shop SET default_transaction_isolation = 'repeatable read'");
    let (mut sink, mut opponent, mut witness) = (warehouse.sink(), admin(&warehouse), admin(&warehouse));
    sink.commit(&[sold(0, 0..1)]).unwrap();
    let mut other = opponent.transaction().unwrap();
    other.batch_execute("UPDATE kassa.positions SET moved_at = now()").unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| sink.commit(&[sold(0, 1..5)]));
        waiting(&mut witness);
        other.commit().unwrap();
        commit.join().unwrap().unwrap();
    });
    assert!(warehouse.server.log().contains("could not serialize access"));
    assert_eq!(sink.counts().retries, 1);
    holds(&warehouse, 5);
}

#[test]
fn a_restart_is_waited_for_and_a_server_that_stays_away_is_reported() {
    let mut warehouse = Warehouse::new();
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..2)]).unwrap();
    warehouse.server.stop().unwrap();
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| sink.commit(&[sold(0, 2..5)]));
        sleep(Duration::from_millis(300));
        warehouse.server.resume().unwrap();
        commit.join().unwrap().unwrap();
    });
    assert!(sink.counts().retries > 0 && sink.counts().connections > 1, "{:?}", sink.counts());
    holds(&warehouse, 5);
    warehouse.server.kill().unwrap();
    let mut sink = impatient(sink);
    let refused = sink.commit(&[sold(0, 5..7)]);
    assert!(matches!(&refused, Err(SinkError::Unavailable(why)) if why.contains("127.0.0.1")), "{refused:?}");
    warehouse.server.resume().unwrap();
    sink.commit(&[sold(0, 5..7)]).unwrap();
    holds(&warehouse, 7);
}

#[test]
fn a_lost_answer_to_commit_is_read_back() {
    let warehouse = Warehouse::new();
    let proxy = Proxy::to(warehouse.server.port());
    let mut sink = WarehouseSink::open(proxy.target(), Arc::new(Fixed)).unwrap();
    sink.commit(&[sold(0, 0..2)]).unwrap();
    for (nth, what) in [Lose::CommitReply, Lose::Commit, Lose::CommitReply].into_iter().enumerate() {
        let at = 2 + 3 * i64::try_from(nth).unwrap();
        proxy.lose(what);
        sink.commit(&[sold(0, at..at + 3)]).unwrap();
        assert_eq!(proxy.lost(), nth as u64 + 1, "the fault did not fire");
        holds(&warehouse, at + 3);
    }
    let counts = sink.counts();
    assert_eq!((counts.settled, counts.retries, counts.commits), (2, 1, 2), "two were there, one had to be sent again");
    assert_eq!(sink.positions().next(&partition("order_line", 0)), 11);
}

#[test]
fn a_standby_that_lost_acknowledged_commits_rewinds_the_sink() {
    let mut warehouse = Warehouse::new();
    let proxy = Proxy::to(warehouse.server.port());
    let mut sink = impatient(WarehouseSink::open(proxy.target(), Arc::new(Fixed)).unwrap());
    sink.commit(&[sold(0, 0..4), sold(1, 0..2)]).unwrap();
    let mut standby = warehouse.server.standby().unwrap();
    standby.stop().unwrap();
    sink.commit(&[sold(0, 4..9)]).unwrap();
    warehouse.server.kill().unwrap();
    standby.resume().unwrap();
    standby.promote().unwrap();
    proxy.switch(standby.port());
    let refused = sink.commit(&[sold(0, 9..12), sold(1, 2..3)]);
    assert!(matches!(refused, Err(SinkError::Rewound(_))), "{refused:?}");
    assert_eq!(sink.positions().next(&partition("order_line", 0)), 4, "it did not learn how far the new primary is");
    sink.commit(&[sold(0, 4..12), sold(1, 2..3)]).unwrap();
    let moved = Warehouse { server: standby };
    holds(&moved, 15);
}

/// The new primary receives a commit whose answer is lost; the rows that it had lost before are of
/// another partition.
#[test]
fn what_a_new_primary_lacks_of_other_partitions_rewinds_the_sink_too() {
    let warehouse = Warehouse::new();
    let proxy = Proxy::to(warehouse.server.port());
    let mut sink = WarehouseSink::open(proxy.target(), Arc::new(Fixed)).unwrap();
    sink.commit(&[sold(0, 0..4), sold(1, 0..2)]).unwrap();
    warehouse.sql(
        "DELETE FROM ods.order_details WHERE order_key IN (SELECT order_key FROM dwh.fact_sales WHERE source_partition = 0);
         DELETE FROM dwh.fact_sales WHERE source_partition = 0;
         DELETE FROM kassa.spans WHERE partition = 0; DELETE FROM kassa.positions WHERE partition = 0",
    );
    proxy.lose(Lose::CommitReply);
    let refused = sink.commit(&[sold(1, 2..3)]);
    assert_eq!(proxy.lost(), 1, "the fault did not fire");
    assert!(matches!(refused, Err(SinkError::Rewound(_))), "{refused:?}");
    assert_eq!(sink.positions().next(&partition("order_line", 0)), 0, "it did not learn how far the new primary is");
    sink.commit(&[sold(0, 0..6), sold(1, 0..4)]).unwrap();
    assert_eq!(warehouse.count("dwh.fact_sales"), 10);
}

#[test]
fn a_standby_that_is_none_yet_is_waited_for() {
    let warehouse = Warehouse::new();
    let standby = warehouse.server.standby().unwrap();
    let proxy = Proxy::to(warehouse.server.port());
    let mut sink = impatient(WarehouseSink::open(proxy.target(), Arc::new(Fixed)).unwrap());
    proxy.switch(standby.port());
    warehouse.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kassa'");
    let refused = sink.commit(&[sold(0, 0..1)]);
    assert!(matches!(&refused, Err(SinkError::Unavailable(why)) if why.contains("25006")), "{refused:?}");
    standby.promote().unwrap();
    sink.commit(&[sold(0, 0..1)]).unwrap();
    assert_eq!(Warehouse { server: standby }.count("dwh.fact_sales"), 1);
}

#[test]
fn a_refusal_for_the_operator_names_the_fix() {
    let options = Options { access: vec!["host all kassa 127.0.0.1/32 scram-sha-256".to_owned()], ..Options::default() };
    let warehouse = Warehouse::with(&options);
    warehouse.sql("CREATE ROLE kassa LOGIN PASSWORD 'right'");
    warehouse.sql("CREATE DATABASE bare");
    let open = |url: String, password: Option<&str>| {
        let target = Target::parse(&url, password.map(|password| kassa_model::Secret::new("env:PASSWORD", password))).unwrap();
        WarehouseSink::open(target, Arc::new(Fixed)).map(drop)
    };
    let cases = [
        (warehouse.server.url("kassa", "shop"), Some("wrong"), "28P01", "Check user and password"),
        (warehouse.server.url("kassa", "shop"), None, "password missing", "Give the password"),
        (warehouse.server.url("postgres", "nowhere"), None, "3D000", "Create the database"),
        (warehouse.server.url("postgres", "bare"), None, "42P01", "migrate the warehouse first"),
        (warehouse.server.url("kassa", "shop"), Some("right"), "42501", "kassa_ingest"),
    ];
    for (url, password, state, fix) in cases {
        let refused = open(url, password);
        let Err(WarehouseError::Invalid(words)) = &refused else { panic!("{state}: {refused:?}") };
        assert!(words.contains(state) && words.contains(fix) && !words.contains("wrong"), "{words}");
    }
}

#[test]
fn rights_taken_away_stop_it_and_given_back_let_it_go_on() {
    let warehouse = Warehouse::new();
    warehouse.sql(crate::ROLES);
    warehouse.sql(crate::GRANTS);
    warehouse.sql("CREATE ROLE kassa LOGIN IN ROLE kassa_ingest");
    let mut sink = WarehouseSink::open(warehouse.target("kassa"), Arc::new(Fixed)).unwrap();
    sink.commit(&[sold(0, 0..2)]).unwrap();
    warehouse.sql("REVOKE INSERT ON dwh.fact_sales FROM kassa_ingest");
    let refused = sink.commit(&[sold(0, 2..3)]);
    assert!(matches!(&refused, Err(SinkError::Invalid(words)) if words.contains("42501")), "{refused:?}");
    warehouse.sql("GRANT INSERT ON dwh.fact_sales TO kassa_ingest");
    sink.commit(&[sold(0, 2..3)]).unwrap();
    holds(&warehouse, 3);
}

#[test]
fn too_many_connections_are_waited_for() {
    let warehouse = Warehouse::new();
    warehouse.sql(crate::ROLES);
    warehouse.sql(crate::GRANTS);
    warehouse.sql("CREATE ROLE kassa LOGIN CONNECTION LIMIT 1 IN ROLE kassa_ingest");
    let mut sink = WarehouseSink::open(warehouse.target("kassa"), Arc::new(Fixed)).unwrap();
    let second = WarehouseSink::open(warehouse.target("kassa"), Arc::new(Fixed));
    assert!(matches!(&second, Err(WarehouseError::Unavailable(why)) if why.contains("53300")), "{second:?}");
    sink.commit(&[sold(0, 0..1)]).unwrap();
    drop(sink);
    let since = Instant::now();
    while WarehouseSink::open(warehouse.target("kassa"), Arc::new(Fixed)).is_err() {
        assert!(since.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_money_key_that_is_there_already_stops_it_loudly() {
    let warehouse = Warehouse::new();
    let mut sink = warehouse.sink();
    let later = |mut record: serde_json::Value| {
        record["occurred_at"] = json!("2026-01-06T10:00:00Z");
        record["event_id"] = json!("another");
        record
    };
    let order = json!({"event_id": "o", "occurred_at": "2026-01-05T10:00:00Z", "order_id": "77", "revision": 1, "currency": "GBP",
        "placed_at": "2026-01-05T10:00:00Z"});
    let payment = json!({"event_id": "p", "occurred_at": "2026-01-05T10:00:00Z", "payment_id": "pay-1", "order_id": "77", "kind": "capture",
        "amount": "5", "currency": "GBP"});
    for (topic, record, key) in
        [("order_line", line(0, 0), "line_id"), ("order", order, "revision"), ("payment", payment, "pay-1")]
    {
        // Each stage starts without memory, like those of two workers.
        let first = Feed::new().batch(topic, 0, 0, &[record.to_string()]);
        let second = Feed::new().batch(topic, 1, 0, &[later(record).to_string()]);
        sink.commit(&[first]).unwrap();
        let before = warehouse.sql("SELECT count(*) FROM kassa.spans");
        let refused = sink.commit(&[second]);
        let Err(SinkError::Corrupt(words)) = &refused else { panic!("{topic}: {refused:?}") };
        assert!(words.text().contains("23505") && words.text().contains(key), "{words}");
        assert_eq!(warehouse.sql("SELECT count(*) FROM kassa.spans"), before, "a part of it was kept");
        assert_eq!(sink.counts().retries, 0, "a contradiction was tried again");
    }
}

/// States that a test cannot cause on every machine (a full disk, for example), raised by the
/// server inside the transaction.
#[test]
fn every_class_of_refusal_is_answered_as_it_asks() {
    let warehouse = Warehouse::new();
    let mut sink = impatient(warehouse.sink());
    warehouse.sql(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = current_setting('kassa.refusal'); END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON kassa.spans FOR EACH STATEMENT EXECUTE FUNCTION public.refuse()",
    );
    let states = [
        ("53100", "unavailable"),
        ("53200", "unavailable"),
        ("53300", "unavailable"),
        ("40001", "unavailable"),
        ("40P01", "unavailable"),
        ("57014", "unavailable"),
        ("57P01", "unavailable"),
        ("57P03", "unavailable"),
        ("58030", "unavailable"),
        ("08006", "unavailable"),
        ("55P03", "unavailable"),
        ("42501", "invalid"),
        ("42P01", "invalid"),
        ("42703", "invalid"),
        ("22003", "corrupt"),
        ("23505", "corrupt"),
        ("XX001", "corrupt"),
    ];
    for (state, expected) in states {
        warehouse.sql(&format!("ALTER DATABASE shop SET kassa.refusal = '{state}'"));
        sink.disconnect();
        let retries = sink.counts().retries;
        let refused = sink.commit(&[sold(0, 0..2)]);
        let (answer, words) = match &refused {
            Err(SinkError::Unavailable(words)) => ("unavailable", words.as_str()),
            Err(SinkError::Invalid(words)) => ("invalid", words.as_str()),
            Err(SinkError::Corrupt(cause)) => ("corrupt", cause.text()),
            other => panic!("{state}: {other:?}"),
        };
        assert_eq!(answer, expected, "{state}: {words}");
        assert!(words.contains(state), "{words}");
        let tried = sink.counts().retries - retries;
        assert_eq!(tried, if expected == "unavailable" { 2 } else { 0 }, "{state} was tried again {tried} times");
        assert_eq!(warehouse.count("dwh.fact_sales"), 0, "{state}: a part of it was kept");
    }
    warehouse.sql("DROP TRIGGER refuse ON kassa.spans");
    sink.commit(&[sold(0, 0..2)]).unwrap();
    holds(&warehouse, 2);
}

#[test]
fn workers_of_other_partitions_share_customers_orders_and_sums() {
    const WORKERS: i64 = 4;
    const COMMITS: i64 = 12;
    let warehouse = Warehouse::new();
    // The same orders and customers from all sides, in different orders.
    let record = |worker: i64, nth: i64| {
        let of = if worker % 2 == 0 { nth } else { 5 - nth };
        let mut record = line(worker, nth);
        record["order_id"] = json!(format!("shared-{}", of.rem_euclid(6)));
        record["line_id"] = json!(format!("{worker}-{nth}"));
        record["customer_id"] = json!(format!("c{}", of.rem_euclid(6)));
        record.to_string()
    };
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let mut sink = warehouse.sink();
            scope.spawn(move || {
                let mut feed = Feed::new();
                for commit in 0..COMMITS {
                    let values: Vec<String> = (commit * 6..commit * 6 + 6).map(|nth| record(worker, nth)).collect();
                    sink.commit(&[feed.batch("order_line", worker, commit * 6, &values)]).unwrap();
                }
            });
        }
    });
    holds(&warehouse, WORKERS * COMMITS * 6);
    assert_eq!(warehouse.sql("SELECT count(*), sum(lines) FROM dwh.agg_sales_daily"), "1|288");
    assert_eq!((warehouse.count("ods.orders"), warehouse.count("ods.customers")), (6, 6));
}

/// The server is killed at any moment and restarted: acknowledged rows exist exactly once.
#[test]
fn a_server_that_is_killed_at_work_loses_and_doubles_nothing() {
    const END: i64 = 240;
    let mut warehouse = Warehouse::new();
    let mut sink = warehouse.sink();
    let mut kills = 0;
    std::thread::scope(|scope| {
        let worker = scope.spawn(move || {
            let mut at = 0;
            while at < END {
                match sink.commit(&[sold(0, at..at + 3), sold(1, at..at + 3)]) {
                    Ok(()) => at += 3,
                    Err(SinkError::Unavailable(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            sink.counts()
        });
        while !worker.is_finished() && kills < 4 {
            sleep(Duration::from_millis(150 + 110 * kills));
            warehouse.server.kill().unwrap();
            kills += 1;
            warehouse.server.resume().unwrap();
        }
        let counts = worker.join().unwrap();
        assert!(kills > 0 && counts.connections > kills, "{kills} kills, {counts:?}");
    });
    holds(&warehouse, 2 * END);
}

/// The answer is lost, and the server is away longer than the sink's time limit: the unknown
/// outcome is resolved by the next call, whichever it is.
#[test]
fn a_commit_in_doubt_is_settled_when_the_server_is_back() {
    let warehouse = Warehouse::new();
    let proxy = Proxy::to(warehouse.server.port());
    let mut sink = impatient(WarehouseSink::open(proxy.target(), Arc::new(Fixed)).unwrap());
    for (nth, what) in [Lose::CommitReply, Lose::Commit].into_iter().enumerate() {
        let at = 10 * i64::try_from(nth).unwrap();
        sink.commit(&[sold(0, at..at + 2)]).unwrap();
        proxy.lose(what);
        proxy.switch(0);
        let refused = sink.commit(&[sold(0, at + 2..at + 5)]);
        assert!(matches!(refused, Err(SinkError::Unavailable(_))), "{refused:?}");
        assert_eq!(proxy.lost(), nth as u64 + 1, "the fault did not fire");
        let made = warehouse.count("dwh.fact_sales");
        assert_eq!(made, if nth == 0 { 5 } else { 22 }, "made or not, as the fault would have it");
        proxy.switch(warehouse.server.port());
        // More rows have arrived meanwhile and are committed with it.
        sink.commit(&[sold(0, at + 2..at + 5), sold(0, at + 5..at + 10), sold(1, at..at + 10)]).unwrap();
        assert_eq!(warehouse.count("dwh.fact_sales"), 2 * at + 20);
    }
    assert_eq!(sink.counts().settled, 1);
    let mut zombie = warehouse.sink();
    sink.commit(&[sold(0, 20..21)]).unwrap();
    let refused = zombie.commit(&[sold(0, 20..22)]);
    assert!(matches!(refused, Err(SinkError::Fenced(_))), "without a doubt, it is another worker: {refused:?}");
}
