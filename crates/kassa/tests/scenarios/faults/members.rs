//! Faults between several workers of one group.

use std::time::Duration;

use rustix::process::Signal;

use super::run::Run;
use crate::harness::until;

/// A worker is stopped for longer than its session, another takes its partitions, and it wakes up.
pub(crate) fn zombie(run: &mut Run<'_>) {
    run.send(100);
    let zombie = run.serve();
    run.until_more_than(0);
    // At any point of its work.
    run.send(100);
    let moment = run.below(200);
    std::thread::sleep(Duration::from_millis(moment as u64));
    zombie.signal(Signal::STOP);
    let before = run.lines_in_warehouse();
    let mut second = run.start(Some("second"), &[]);
    run.send(100);
    until("the second worker's commits", || run.lines_in_warehouse() > before);
    run.until_all_is_there();
    second.until_it_listens();
    zombie.signal(Signal::CONT);
    run.send(100);
    run.until_all_is_there();
    run.end(zombie);
    run.end(second);
}

/// Workers join and leave, cleanly or not, while records come.
pub(crate) fn rebalance_storm(run: &mut Run<'_>) {
    run.send(100);
    let steady = run.serve();
    let mut joined = 0;
    for nth in 0..3 {
        let mut other = run.start(Some(["second", "third"][nth % 2]), &[]);
        other.until_it_listens();
        let words = || other.words();
        assert!(!words().contains("error["), "it could not join:\n{}", words());
        joined += 1;
        run.send(60);
        let moment = run.below(1_200);
        std::thread::sleep(Duration::from_millis(moment as u64));
        run.end(other);
    }
    assert_eq!(joined, 3);
    run.send(60);
    run.until_all_is_there();
    run.end(steady);
}
