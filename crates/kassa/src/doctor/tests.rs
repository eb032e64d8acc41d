use std::path::Path;

use kassa_config::LoadOptions;
use kassa_model::time::SystemClock;
use kassa_stack::postgres::Postgres;
use kassa_stack::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};

use super::*;

const MINUTE: i64 = 60_000_000;

#[test]
fn a_clock_difference_is_reported_with_its_size_and_direction() {
    let check = |theirs: i64| clock::check("lake", "there", 0, theirs);
    assert_eq!(check(4_000_000).verdict, Verdict::Ok);
    assert_eq!((check(-3 * MINUTE).verdict, check(20 * MINUTE).verdict), (Verdict::Warning, Verdict::Wrong));
    assert_eq!(check(-3 * MINUTE).found, "the server's clock is 3m behind this machine's");
    assert_eq!(check(20 * MINUTE).found, "the server's clock is 20m ahead of this machine's");
}

#[test]
fn a_version_that_is_too_old_is_wrong() {
    assert_eq!(warehouse::version(130_000, "there").verdict, Verdict::Ok);
    let old = warehouse::version(120_019, "there");
    assert_eq!((old.verdict, old.found.as_str()), (Verdict::Wrong, "PostgreSQL 12.19 is too old"));
}

#[test]
fn a_disk_with_little_space_is_reported_and_one_that_the_log_may_fill() {
    let verdict = |free_gib: u64, log: Option<u64>| machine::space("/srv", free_gib << 30, log.map(|gib| gib << 30)).verdict;
    assert_eq!((verdict(1, None), verdict(3, None)), (Verdict::Warning, Verdict::Ok));
    assert_eq!((verdict(30, Some(64)), verdict(65, Some(64))), (Verdict::Warning, Verdict::Ok));
}

#[test]
fn a_folder_is_tested_and_no_file_is_left_in_it() {
    let dir = tempfile::TempDir::new().unwrap();
    let check = |path: &Path| machine::folder("machine", "data_dir", path);
    assert_eq!(check(dir.path()).verdict, Verdict::Ok);
    assert!(check(&dir.path().join("not/there")).found.starts_with("will be created at the first start, below "));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    // Nobody can create a file there.
    assert_eq!(check(Path::new("/proc/kassa")).verdict, Verdict::Wrong);
}

/// This machine's clock with an offset in µs.
#[derive(Debug)]
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> i64 {
        SystemClock.now() + self.0
    }
}

fn config(dir: &Path, text: &str) -> Config {
    let file = dir.join("kassa.toml");
    std::fs::write(&file, text).unwrap();
    let options = LoadOptions { path: Some(file), working_dir: dir.to_owned(), env: Vec::new(), overrides: Vec::new() };
    Config::load(&options).unwrap().0
}

#[test]
fn the_clocks_of_real_servers_are_compared_with_ours() {
    let (postgres, s3, dir) = (Postgres::start().unwrap(), S3Server::start().unwrap(), tempfile::TempDir::new().unwrap());
    s3.create_bucket("lake").unwrap();
    std::fs::write(dir.path().join("id"), ACCESS_KEY_ID).unwrap();
    std::fs::write(dir.path().join("key"), SECRET_ACCESS_KEY).unwrap();
    let text = format!(
        "[streams.orders]\n[lake]\nurl = \"s3://lake\"\n[lake.s3]\nendpoint = \"{}\"\npath_style = true\naccess_key_id = \"file:id\"\n\
         secret_access_key = \"file:key\"\n[warehouse]\nurl = \"{}\"\n",
        s3.endpoint(),
        postgres.url("postgres", "postgres")
    );
    let config = config(dir.path(), &text);
    for (off, verdict) in [(0, Verdict::Ok), (MINUTE, Verdict::Warning), (-20 * MINUTE, Verdict::Wrong)] {
        let clock: Arc<dyn Clock> = Arc::new(Off(off));
        let report = examine(&config, &clock);
        let clocks: Vec<_> = report.checks.iter().filter(|check| check.check == "clock").collect();
        assert_eq!(
            clocks.iter().map(|check| (check.system, check.verdict)).collect::<Vec<_>>(),
            [("lake", verdict), ("warehouse", verdict)]
        );
    }
}
