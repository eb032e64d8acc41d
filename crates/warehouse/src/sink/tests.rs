//! The contract of a sink, as `kassa-sim` tests it for the others, and PostgreSQL's faults.

mod contents;
mod faults;
mod speed;

use kassa_pipeline::{Sink, SinkError};

use crate::WarehouseSink;
use crate::testing::{Warehouse, bad, partition, sold};

fn next(sink: &mut WarehouseSink, number: i64) -> i64 {
    sink.settle().unwrap();
    sink.positions().next(&partition("order_line", number))
}

#[test]
fn holds_the_contract_of_a_sink() {
    let warehouse = Warehouse::new();
    for case in [
        begins_with_nothing,
        keeps_each_record_once,
        takes_of_an_overlap_only_the_rest,
        refuses_a_hole_and_changes_nothing,
        refuses_a_hole_within_a_commit,
        keeps_partitions_apart,
        moves_on_over_dead_letters,
    ] {
        case(&warehouse);
        let proof = crate::prove::prove(&warehouse.target("postgres")).unwrap();
        assert!(proof.is_ok(), "{:?}", proof.findings);
        warehouse.clear();
    }
    for seed in 0..8 {
        ends_equal_however_it_is_cut(&warehouse, seed);
        let proof = crate::prove::prove(&warehouse.target("postgres")).unwrap();
        assert!(proof.is_ok(), "seed {seed}: {:?}", proof.findings);
        warehouse.clear();
    }
}

fn accepted(warehouse: &Warehouse) -> i64 {
    warehouse.count("dwh.fact_sales")
}

fn begins_with_nothing(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    assert!(sink.positions().iter().next().is_none(), "an empty store has positions");
    sink.commit(&[]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (0, 0));
}

fn keeps_each_record_once(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..5)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (5, 5));
    sink.commit(&[sold(0, 0..5)]).unwrap();
    sink.commit(&[sold(0, 0..5), sold(0, 5..7)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (7, 7), "a repeated batch was kept again");
    drop(sink);
    let mut sink = warehouse.sink();
    assert_eq!(next(&mut sink, 0), 7, "positions did not outlive the process");
    sink.commit(&[sold(0, 5..7), sold(0, 7..8)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (8, 8));
}

fn takes_of_an_overlap_only_the_rest(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..10)]).unwrap();
    sink.commit(&[sold(0, 5..15)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (15, 15));
}

fn refuses_a_hole_and_changes_nothing(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..3)]).unwrap();
    let refused = sink.commit(&[sold(0, 4..6)]);
    assert!(matches!(refused, Err(SinkError::Corrupt(_))), "{refused:?}");
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (3, 3));
    drop(sink);
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 3..6)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse)), (6, 6));
}

fn refuses_a_hole_within_a_commit(warehouse: &Warehouse) {
    let refused = warehouse.sink().commit(&[sold(0, 0..3), sold(0, 4..6)]);
    assert!(matches!(refused, Err(SinkError::Corrupt(_))), "{refused:?}");
    assert_eq!(next(&mut warehouse.sink(), 0), accepted(warehouse), "rows and positions parted");
}

fn keeps_partitions_apart(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..3), sold(7, 0..2), sold(0, 3..4)]).unwrap();
    assert_eq!((next(&mut sink, 0), next(&mut sink, 7), accepted(warehouse)), (4, 2, 6));
    drop(sink);
    let mut sink = warehouse.sink();
    assert_eq!((next(&mut sink, 0), next(&mut sink, 7), next(&mut sink, 8)), (4, 2, 0));
}

fn moves_on_over_dead_letters(warehouse: &Warehouse) {
    let mut sink = warehouse.sink();
    sink.commit(&[sold(0, 0..2), bad(0, 2..5)]).unwrap();
    assert_eq!((next(&mut sink, 0), accepted(warehouse), warehouse.count("dwh.rejected")), (5, 2, 3));
    assert_eq!(next(&mut warehouse.sink(), 0), 5);
}

/// However records are split into batches and commits, repeated and interrupted, the result is the
/// same.
fn ends_equal_however_it_is_cut(warehouse: &Warehouse, seed: u64) {
    const END: i64 = 40;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |limit: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).unwrap() % limit
    };
    let mut sink = warehouse.sink();
    while next(&mut sink, 0) < END || next(&mut sink, 1) < END {
        let number = below(2);
        let at = next(&mut sink, number);
        let from = (at - below(6)).max(0);
        let middle = (at.max(from) + below(5)).min(END);
        let to = (middle + below(9)).min(END);
        sink.commit(&[sold(number, from..middle), sold(number, middle..to)]).unwrap();
        if below(4) == 0 {
            sink = warehouse.sink();
        }
    }
    assert_eq!(accepted(warehouse), 2 * END, "seed {seed}");
}

#[test]
fn a_worker_that_lost_its_place_is_fenced() {
    let warehouse = Warehouse::new();
    let (mut owner, mut zombie) = (warehouse.sink(), warehouse.sink());
    owner.commit(&[sold(0, 0..4)]).unwrap();
    let refused = zombie.commit(&[sold(0, 0..3)]);
    assert!(matches!(refused, Err(SinkError::Fenced(_))), "{refused:?}");
    assert_eq!(zombie.positions().next(&partition("order_line", 0)), 4, "it did not learn where its place is");
    let (mut owner, mut zombie) = (owner, warehouse.sink());
    owner.commit(&[sold(0, 4..6), sold(1, 0..1)]).unwrap();
    let refused = zombie.commit(&[sold(0, 4..6), sold(1, 0..1)]);
    assert!(matches!(refused, Err(SinkError::Fenced(_))), "the same batch: {refused:?}");
    assert_eq!(accepted(&warehouse), 7);
    zombie.commit(&[sold(1, 1..3)]).unwrap();
    assert_eq!(accepted(&warehouse), 9, "what it owns, it goes on with");
}

/// Two workers on one partition at once, many times: each range is committed once.
#[test]
fn of_two_workers_at_once_one_is_fenced() {
    let warehouse = Warehouse::new();
    for round in 0..20_i64 {
        let sinks = [warehouse.sink(), warehouse.sink()];
        let at = round * 3;
        let outcomes: Vec<Result<(), SinkError>> = std::thread::scope(|scope| {
            let threads = sinks.map(|mut sink| scope.spawn(move || sink.commit(&[sold(0, at..at + 3)])));
            threads.map(|thread| thread.join().unwrap()).into_iter().collect()
        });
        let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let fenced = outcomes.iter().filter(|outcome| matches!(outcome, Err(SinkError::Fenced(_)))).count();
        assert_eq!((done, fenced), (1, 1), "{outcomes:?}");
        assert_eq!(accepted(&warehouse), at + 3);
    }
}
