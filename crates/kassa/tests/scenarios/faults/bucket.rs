//! Faults of an S3 server and of the connection to it.

use std::time::Duration;

use kassa_stack::http_faults::Fault;

use super::run::Run;
use crate::harness::until;

/// Requests, and their possible outcomes.
const PUTS: [Fault; 7] = [
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(500, "InternalError"),
    Fault::Answer(429, "TooManyRequests"),
    Fault::Answer(409, "ConditionalRequestConflict"),
    Fault::Answer(412, "PreconditionFailed"),
    Fault::DropRequest,
    Fault::DropReply,
];
const GETS: [Fault; 5] = [
    Fault::Answer(503, "SlowDown"),
    Fault::Answer(429, "TooManyRequests"),
    Fault::DropRequest,
    Fault::Truncate(1),
    Fault::Truncate(100),
];

/// Sends and commits until the fault has fired, and goes on.
fn met(run: &mut Run<'_>, method: &'static str, part: &str, fault: Fault) {
    let (nth, times) = (1 + run.below(5) as u64, 1 + run.below(3) as u64);
    let rule = run.servers.to_s3.on(method, part, (nth, times), fault);
    run.send(100);
    let process = run.start(None, &[]);
    until(&format!("{fault:?} of a {method} of {part}"), || {
        run.send(10);
        rule.fired() > 0
    });
    run.until_all_is_there();
    run.end(process);
    run.servers.to_s3.clear();
}

/// A log entry is put, and its answer is lost, or is 503, 409, 412 or nothing at all.
pub(crate) fn log_put(run: &mut Run<'_>) {
    let fault = PUTS[run.below(PUTS.len())];
    met(run, "PUT", "_delta_log", fault);
}

pub(crate) fn log_put_reply_lost(run: &mut Run<'_>) {
    met(run, "PUT", "_delta_log", Fault::DropReply);
}

pub(crate) fn data_put(run: &mut Run<'_>) {
    let fault = [PUTS[0], PUTS[1], PUTS[2], PUTS[5], PUTS[6]][run.below(5)];
    met(run, "PUT", ".parquet", fault);
}

/// Half of an object, or nothing of it, is given for the whole.
pub(crate) fn get(run: &mut Run<'_>) {
    // The objects that it reads at its start must exist.
    run.send(100);
    run.catch_up();
    let fault = GETS[run.below(GETS.len())];
    let part = ["_delta_log", ".parquet"][run.below(2)];
    met(run, "GET", part, fault);
}

/// The right to write is taken away: it stops, says which right, and goes on when it is given back.
pub(crate) fn forbidden(run: &mut Run<'_>) {
    run.send(100);
    let mut process = run.serve();
    let part = ["_delta_log", ".parquet"][run.below(2)];
    let rule = run.servers.to_s3.on("PUT", part, (1, 1_000_000), Fault::Answer(403, "AccessDenied"));
    until("a process that stops", || {
        run.send(10);
        !process.is_running()
    });
    let status = process.until_ended(Duration::ZERO).expect("ended");
    let words = process.words();
    assert!(!status.success() && words.contains("s3:PutObject"), "it ended with {status:?}:\n{words}");
    assert!(rule.fired() > 0, "nothing was forbidden");
    run.servers.to_s3.clear();
}
