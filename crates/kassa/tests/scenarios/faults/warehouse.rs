//! Faults of PostgreSQL and of the connection to it.

use std::time::Duration;

use kassa_stack::proxy::LostReply;

use super::run::Run;
use crate::harness::until;

/// The COMMIT is made, and its answer never comes.
pub(crate) fn commit_reply_lost(run: &mut Run<'_>) {
    run.send(100);
    let process = run.serve();
    let before = run.servers.to_postgres.fired();
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    run.servers
        .to_postgres
        .lose_reply(LostReply::when(move |sent| has(sent, b"COMMIT\0")).answered(move |reply| has(reply, b"COMMIT\0")));
    until("a lost answer", || {
        run.send(10);
        run.servers.to_postgres.fired() > before
    });
    run.until_all_is_there();
    run.end(process);
}

/// The sink's backend is terminated in the midst of its transaction.
pub(crate) fn backend_terminated(run: &mut Run<'_>) {
    run.send(60);
    let process = run.serve();
    run.until_more_than(0);
    let (mut opponent, mut witness) = (run.servers.client(&run.database), run.servers.client(&run.database));
    let mut lock = opponent.transaction().expect("a transaction");
    lock.batch_execute("LOCK TABLE kassa.spans IN ACCESS EXCLUSIVE MODE").expect("locked");
    run.send(60);
    let pid = waiting(&mut witness, &run.database);
    let row = witness.query_one("SELECT pg_terminate_backend($1)", &[&pid]).expect("an answer");
    assert!(row.get::<_, bool>(0), "nothing was terminated");
    lock.rollback().expect("unlocked");
    run.until_all_is_there();
    run.end(process);
}

/// The process of the sink's connection, once it waits for a lock.
fn waiting(client: &mut postgres::Client, database: &str) -> i32 {
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND application_name = 'kassa' AND wait_event_type = 'Lock'";
    let mut pid = None;
    until("a sink that waits for a lock", || {
        pid = client.query_opt(sql, &[&database]).expect("rows").map(|row| row.get(0));
        pid.is_some()
    });
    pid.expect("a process")
}

/// The sink takes the position, then wants the spans; another the other way round, and with more patience.
pub(crate) fn deadlock(run: &mut Run<'_>) {
    run.send(60);
    let process = run.serve();
    run.until_more_than(0);
    let (mut opponent, mut witness) = (run.servers.client(&run.database), run.servers.client(&run.database));
    opponent.batch_execute("SET deadlock_timeout = '60s'").expect("set");
    let mut reversed = opponent.transaction().expect("a transaction");
    reversed.batch_execute("LOCK TABLE kassa.spans IN ACCESS EXCLUSIVE MODE").expect("locked");
    let told = |run: &Run<'_>| run.servers.postgres.log().matches("deadlock detected").count();
    let before = told(run);
    run.send(60);
    waiting(&mut witness, &run.database);
    reversed.batch_execute("UPDATE kassa.positions SET moved_at = now()").expect("the other is the victim");
    reversed.commit().expect("committed");
    assert!(told(run) > before, "there was no deadlock");
    run.until_all_is_there();
    run.end(process);
}

/// Stopped as an administrator does, or killed; back after a while.
pub(crate) fn restart(run: &mut Run<'_>) {
    run.send(60);
    let process = run.serve();
    run.until_more_than(0);
    if run.below(2) == 0 { run.servers.postgres.stop() } else { run.servers.postgres.kill() }.expect("stopped");
    run.send(80);
    until("a process that notices", || process.words().contains("again"));
    let while_it_is_away = run.below(500);
    std::thread::sleep(Duration::from_millis(while_it_is_away as u64));
    run.servers.postgres.resume().expect("resumed");
    run.until_all_is_there();
    run.end(process);
}

/// The server dies, and a standby takes over that has not received some acknowledged commits.
pub(crate) fn fail_over_that_loses_commits(run: &mut Run<'_>) {
    run.send(60);
    let process = run.serve();
    run.until_all_is_there();
    let mut standby = run.servers.postgres.standby().expect("a standby");
    standby.stop().expect("stopped");
    let behind = run.lines_in_warehouse();
    run.send(120);
    run.until_more_than(behind);
    let acknowledged = run.lines_in_warehouse();
    run.servers.postgres.kill().expect("killed");
    standby.resume().expect("resumed");
    standby.promote().expect("promoted");
    run.servers.replace_postgres(standby);
    // Before the first commit that is made there: what it has is what the standby had.
    assert!(behind < acknowledged, "nothing was lost");
    run.send(60);
    run.until_all_is_there();
    run.end(process);
}
