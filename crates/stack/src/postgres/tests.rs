use super::*;

#[test]
fn committed_rows_survive_a_kill() {
    let mut server = Postgres::start().unwrap();
    server.sql("postgres", "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").unwrap();
    server.kill().unwrap();
    assert!(server.sql("postgres", "SELECT n FROM t").is_err(), "it answered after it was killed");
    server.resume().unwrap();
    assert_eq!(server.sql("postgres", "SELECT n FROM t").unwrap(), "7");
    assert!(server.log().contains("not properly shut down"), "the kill left no trace: {}", server.log());
}

#[test]
fn a_standby_that_was_down_lacks_later_commits() {
    let mut primary = Postgres::start().unwrap();
    primary.sql("postgres", "CREATE TABLE t (n int); INSERT INTO t VALUES (1)").unwrap();
    let mut standby = primary.standby().unwrap();
    assert!(standby.sql("postgres", "INSERT INTO t VALUES (9)").is_err(), "a standby accepted a row");
    standby.stop().unwrap();
    primary.sql("postgres", "INSERT INTO t VALUES (2)").unwrap();
    primary.kill().unwrap();
    standby.resume().unwrap();
    standby.promote().unwrap();
    assert_eq!(standby.sql("postgres", "INSERT INTO t VALUES (3); SELECT string_agg(n::text, ',') FROM t").unwrap(), "1,3");
}

#[test]
fn neither_process_nor_folder_is_left_behind() {
    let server = Postgres::start().unwrap();
    let (pid, folder) = (server.pid().unwrap(), server.dir.path().to_owned());
    assert!(Path::new(&format!("/proc/{pid}")).exists() && folder.exists());
    drop(server);
    assert!(!Path::new(&format!("/proc/{pid}")).exists() && !folder.exists());
}
