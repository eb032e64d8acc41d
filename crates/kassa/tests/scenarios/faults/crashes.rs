//! Deaths: at named points, at any moment, with the state, with the index.

use std::time::Duration;

use super::run::{Kind, Run};
use crate::harness::until;

/// Points at the durable boundaries of archive, lake, derived tables, maintenance and warehouse, and how often each may be passed before.
const POINTS: [(&str, usize); 11] = [
    ("lake.after_data_files", 12),
    ("lake.before_log_entry", 12),
    ("lake.after_log_entry", 12),
    ("warehouse.after_positions", 4),
    ("warehouse.before_commit", 4),
    ("warehouse.after_commit", 4),
    ("derived.after_data_files", 2),
    ("derived.after_commit", 2),
    ("maintain.after_merged_file", 2),
    ("maintain.before_checkpoint", 3),
    ("maintain.after_checkpoint", 3),
];

pub(crate) fn at_a_named_point(run: &mut Run<'_>) {
    let (name, most) = POINTS[run.below(POINTS.len())];
    let plan = format!("{name}:{}", 1 + run.below(most));
    run.send(100);
    let mut process = run.start(None, &[("KASSA_CRASH_POINT", &plan)]);
    until(&plan, || {
        run.send(10);
        !process.is_running()
    });
    assert!(process.words().contains(&format!("crash point {name} hit")), "it died of something else:\n{}", process.words());
}

pub(crate) fn at_any_moment(run: &mut Run<'_>) {
    run.send(150);
    let process = run.start(None, &[]);
    let moment = run.below(900);
    std::thread::sleep(Duration::from_millis(moment as u64));
    process.kill();
}

/// Everything that kassa keeps on its own machine is deleted. The lake is in the bucket.
pub(crate) fn state_deleted(run: &mut Run<'_>) {
    run.send(150);
    let process = run.serve();
    run.send(50);
    run.end(process);
    assert!(run.shop.data().join("state").is_dir(), "there was no state");
    std::fs::remove_dir_all(run.shop.data()).expect("deleted");
}

/// One sink is far ahead of the other, the same records come again in other partitions, and the index is deleted: what is read again must
/// be decided on as before, in whatever order the partitions come.
pub(crate) fn index_deleted_between_sinks(run: &mut Run<'_>) {
    let ahead = ["warehouse", "archive,lake"][run.below(2)];
    run.send(150);
    run.ok(&["run", "--sinks", ahead, "--until-caught-up"]);
    let (lake, warehouse) = run.positions();
    assert_ne!(lake, warehouse, "the sinks are equally far");
    run.repeat(100);
    match run.kind {
        Kind::Folder => std::fs::remove_dir_all(run.shop.data().join("state")).expect("deleted"),
        Kind::Bucket | Kind::Avro => std::fs::remove_dir_all(run.shop.data()).expect("deleted"),
    }
    if run.below(2) == 0 {
        run.catch_up();
    }
}
