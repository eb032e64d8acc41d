//! Faults of a schema registry.

use std::time::Duration;

use kassa_stack::proxy::HttpFault;

use super::run::Run;
use crate::harness::until;

/// Slow, down or busy: the records wait for it.
pub(crate) fn unavailable(run: &mut Run<'_>) {
    let fault = match run.below(3) {
        0 => HttpFault::Slow(Duration::from_millis(400)),
        1 => HttpFault::Refused,
        _ => HttpFault::status(503, "{}"),
    };
    run.change_schema();
    let proxy = run.servers.to_registry();
    let before = proxy.fired();
    let mut times = 2;
    proxy.set_rule(move |_| {
        times -= 1;
        (times >= 0).then(|| fault.clone())
    });
    run.send(100);
    let process = run.serve();
    until("a request that met the fault", || run.servers.to_registry().fired() > before);
    run.until_all_is_there();
    run.servers.to_registry().clear();
    run.end(process);
}

/// It answers that it has no such schema: its records are dead letters, and replayed when it has.
pub(crate) fn unknown_id(run: &mut Run<'_>) {
    let before = run.servers.to_registry().fired();
    run.servers.to_registry().set_rule(|_| Some(HttpFault::status(404, r#"{"error_code":40403,"message":"Schema not found"}"#)));
    run.send(60);
    run.catch_up();
    assert!(run.servers.to_registry().fired() > before, "nobody asked");
    assert_eq!(run.lines_in_warehouse(), 0, "records of an unknown schema were read");
    run.servers.to_registry().clear();
    run.ok(&["dead-letters", "replay"]);
    run.until_all_is_there();
}
