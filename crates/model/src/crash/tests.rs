use std::process::{Command, Output};

use super::{VARIABLE, parse, point};

/// The tests below run this in a separate process; it is harmless by itself.
#[test]
fn passes_three_points() {
    for _ in 0..3 {
        point("test.point");
    }
    eprintln!("passed all");
}

fn child(plan: &str) -> Output {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "crash::tests::passes_three_points", "--nocapture"]).env(VARIABLE, plan).output().unwrap()
}

#[test]
fn exits_at_the_planned_hit_and_reports_it() {
    let output = child("test.point:3");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{words}");
    assert!(words.contains("crash point test.point hit 3\n"), "{words}");
    assert!(!words.contains("passed all"), "{words}");
}

#[test]
fn other_points_and_later_hits_do_not_fire() {
    for plan in ["test.point:4", "test.other:1"] {
        let output = child(plan);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stderr).contains("passed all"));
    }
}

#[test]
fn a_plan_is_a_name_and_a_positive_number() {
    assert!(parse("log.after_write:1").is_some_and(|plan| plan.name == "log.after_write" && plan.at == 1));
    for text in ["", "log.after_write", "log.after_write:", "log.after_write:0", "log.after_write:x"] {
        assert!(parse(text).is_none(), "{text}");
    }
}
