//! Faults between an export and Redshift, each with a proof that it fired.

use std::thread;
use std::time::{Duration, Instant};

use kassa_redshift::ExportError;
use kassa_stack::data_api::{Fault, Rule, Status};

use crate::World;

const BATCH: &str = "BatchExecuteStatement";
/// Matches only the transaction that applies a load.
const LOADING: &str = "kassa: loading";
const STAGING: &str = "kassa: staging dim_channel";

/// Waits until the export has come to a fault.
fn until_fired(rule: &Rule) {
    let since = Instant::now();
    while rule.fired() == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "the fault never fired");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A world with ten loaded records and ten more to load.
fn begun() -> World {
    let world = World::new();
    world.lake.append("orders", 0, 0..10);
    world.export("begin");
    world.lake.append("orders", 0, 10..20);
    world
}

#[test]
fn a_fault_that_passes_is_passed_by_and_nothing_is_doubled() {
    let world = begun();
    let mut held = 1;
    for (action, part, times, fault) in [
        (BATCH, LOADING, 1, Fault::LoseReply),
        (BATCH, STAGING, 2, Fault::LoseReply),
        (BATCH, LOADING, 2, Fault::Throttle),
        (BATCH, STAGING, 3, Fault::TooMany),
        ("DescribeStatement", "", 3, Fault::LoseReply),
        ("DescribeStatement", "", 3, Fault::Throttle),
        ("GetStatementResult", "", 1, Fault::LoseReply),
        (BATCH, LOADING, 1, Fault::SayFailed),
        (BATCH, LOADING, 1, Fault::Expire),
        (BATCH, STAGING, 1, Fault::Expire),
        (BATCH, LOADING, 1, Fault::Slow(Duration::from_millis(300))),
        (BATCH, STAGING, 1, Fault::Slow(Duration::from_millis(300))),
    ] {
        world.lake.append("orders", 0, held * 20..(held + 1) * 20);
        let rule = world.api.on(action, part, (1, times), fault);
        let report = world.export(&format!("more {held}"));
        held += 1;
        assert_eq!(rule.fired(), times, "{action} {part} {fault:?}");
        assert_eq!(report.generation, held, "{action} {part} {fault:?}");
        world.api.clear();
        world.is_equal();
    }
    assert!(!world.export("again").is_changed);
}

/// The first transaction deletes the old rows, the second one loads the new ones.
#[test]
fn a_fault_while_a_rebuilt_star_is_loaded_leaves_no_old_row() {
    let faults = [Fault::LoseReply, Fault::SayFailed, Fault::Expire, Fault::FailAt(5)];
    for (fault, nth) in faults.into_iter().flat_map(|fault| [(fault, 1), (fault, 2)]) {
        let world = begun();
        world.export("more");
        world.lake.rebuild(7, "orders", 0, 15..20);
        let rule = world.api.on(BATCH, LOADING, (nth, 1), fault);
        let first = world.export_as("rebuilt", world.target());
        assert_eq!(rule.fired(), 1, "{fault:?} {nth}");
        world.api.clear();
        assert_eq!(first.is_err(), matches!(fault, Fault::FailAt(_)), "{fault:?} {nth}: {first:?}");
        world.export("again");
        world.is_equal();
        assert_eq!(world.sql("SELECT count(*) FROM dwh.dim_channel"), "5", "{fault:?} {nth}");
    }
}

#[test]
fn a_lost_reply_runs_its_statements_once() {
    let world = begun();
    let rule = world.api.on(BATCH, LOADING, (1, 1), Fault::LoseReply);
    world.export("more");
    assert_eq!(rule.fired(), 1);
    let loads = world.api.taken().into_iter().filter(|taken| taken.sqls.iter().any(|sql| sql.starts_with("UPDATE"))).count();
    assert_eq!(loads, 2, "one of each export: the second request was the first statement");
}

#[test]
fn what_fails_midway_leaves_nothing_and_the_next_run_does_it() {
    let world = begun();
    for (nth_load, (part, nth)) in [(LOADING, 1), (LOADING, 3), (LOADING, 5), (STAGING, 1), (STAGING, 3)].into_iter().enumerate()
    {
        let rule = world.api.on(BATCH, part, (1, 1), Fault::FailAt(nth));
        let before = world.sql("SELECT count(*) FROM dwh.dim_channel");
        let error = world.export_as(&format!("more {nth_load}"), world.target()).expect_err("it cannot");
        assert!(matches!(&error, ExportError::Statement { why, .. } if why.contains("a fault for a test")), "{error}");
        assert_eq!((rule.fired(), world.sql("SELECT count(*) FROM dwh.dim_channel")), (1, before));
        assert_eq!(world.sql("SELECT generation FROM dwh_kassa.state"), (nth_load + 1).to_string());
        // The Data API remembers the failure by its token for hours: the next run skips it.
        world.export(&format!("next {nth_load}"));
        world.is_equal();
        let from = 100 + 10 * i64::try_from(nth_load).unwrap();
        world.lake.append("orders", 0, from..from + 10);
    }
}

#[test]
fn a_staging_file_that_is_gone_or_changed_fails_the_load_as_a_whole() {
    let world = begun();
    let rule = world.api.on(BATCH, STAGING, (1, 1), Fault::Hold);
    let failed = thread::scope(|scope| {
        let path = world.lake.buckets().join("shop-lake/kassa/DWH/dim_channel");
        let (rule, api) = (&rule, &world.api);
        scope.spawn(move || {
            // The manifest is written, and COPY has not begun.
            until_fired(rule);
            for entry in std::fs::read_dir(&path).unwrap() {
                let file = entry.unwrap().path();
                std::fs::rename(&file, file.with_extension("moved")).unwrap();
            }
            api.release();
        });
        world.export_as("more", world.target())
    });
    assert!(matches!(&failed, Err(ExportError::Statement { why, .. }) if why.contains("does not exist")), "{failed:?}");
    assert_eq!((rule.fired(), world.sql("SELECT count(*) FROM dwh.dim_channel")), (1, "10".to_owned()));
}

#[test]
fn what_the_api_refuses_is_said_with_its_fix() {
    let world = begun();
    let rule = world.api.on(BATCH, "", (1, 1), Fault::Deny);
    match world.export_as("more", world.target()) {
        Err(ExportError::Refused { what, fix }) => {
            assert!(what.contains("AccessDeniedException") && fix.contains("docs/how-to/redshift.md"), "{what}: {fix}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(rule.fired(), 1);
    let mut target = world.target();
    target.endpoint = Some("http://127.0.0.1:9".to_owned());
    target.patience = Duration::from_millis(100);
    let error = world.export_as("away", target).expect_err("nobody is there");
    assert!(matches!(error, ExportError::Unavailable { .. }), "{error}");
}

/// For the same lake and load, both exporters have the same tokens, so the statements run once.
#[test]
fn two_exporters_of_the_same_load_do_it_once() {
    let world = begun();
    let slow = world.api.on(BATCH, STAGING, (1, 2), Fault::Slow(Duration::from_millis(200)));
    let reports = together(&world);
    assert!(reports.iter().all(|report| report.as_ref().is_ok_and(|report| report.generation == 2)), "{reports:?}");
    assert_eq!(slow.fired(), 2);
    world.is_equal();
}

/// After the tokens have expired, as after eight hours, each exporter runs its own statements: the
/// second finds another generation.
#[test]
fn a_load_that_another_overtook_is_fenced_and_begun_anew() {
    let world = begun();
    // The first exporter is held when it applies its load; meanwhile another one applies it, and
    // more.
    let slow = world.api.on(BATCH, LOADING, (1, 1), Fault::Hold);
    let late = thread::scope(|scope| {
        let target = world.target();
        let late = scope.spawn(|| world.export_as("late", target));
        until_fired(&slow);
        world.lake.append("orders", 0, 20..25);
        world.api.forget_tokens();
        world.export("quick");
        world.api.release();
        late.join().unwrap()
    });
    let late = late.expect("it begins anew");
    assert_eq!(late.generation, 2, "it found that all it knew of was there: {late:?}");
    let fenced = world.api.taken().into_iter().filter(|taken| taken.status == Status::Failed);
    assert_eq!(fenced.filter(|taken| taken.error.as_deref() == Some("ERROR: division by zero")).count(), 1);
    world.is_equal();
}

fn together(world: &World) -> Vec<Result<kassa_redshift::Report, ExportError>> {
    thread::scope(|scope| {
        let twins = ["one", "two"].map(|run| scope.spawn(move || world.export_as(run, world.target())));
        twins.into_iter().map(|twin| twin.join().unwrap()).collect()
    })
}
