use std::process::Command;

use super::*;

const CHILD: &str = "KASSA_TEST_DESCRIPTORS";

#[test]
fn connections_leave_descriptors_to_the_rest() {
    for (limit, want) in
        [(None, 2032), (Some(1 << 20), 2032), (Some(2000), 1744), (Some(1024), 768), (Some(300), 150), (Some(0), 0)]
    {
        assert_eq!(connections(limit, 2032), want, "{limit:?}");
    }
}

/// In a process of its own, because the limit is that of all threads.
#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    if std::env::var_os(CHILD).is_none() {
        let name = "descriptors::tests::the_soft_limit_is_raised_to_the_hard_one";
        let run = Command::new(std::env::current_exe().unwrap()).args(["--exact", name]).env(CHILD, "1").output().unwrap();
        let words = String::from_utf8_lossy(&run.stdout).into_owned();
        assert!(run.status.success() && words.contains("1 passed"), "{words}");
        return;
    }
    let lowered = Rlimit { current: Some(100), maximum: Some(200) };
    setrlimit(Resource::Nofile, lowered).unwrap();
    assert_eq!(raise_descriptors(), Some(200));
    assert_eq!(getrlimit(Resource::Nofile).current, Some(200));
}
