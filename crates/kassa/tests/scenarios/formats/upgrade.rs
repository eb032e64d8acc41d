//! An upgrade under load: this version starts on what a released one has left, records arrive meanwhile, and it is killed. And workers of two
//! versions on one lake, in both orders.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::warehouse::loaded;
use super::{Fixture, LINE, agrees, append, collects, fixtures};
use crate::harness::{Rng, Shop, http};
use crate::others_read::STREAMS;

/// Points in the first commits, in the first refresh of the derived tables, and in the first checkpoint after an upgrade.
const POINTS: [&str; 6] = [
    "lake.after_data_files:2",
    "lake.before_log_entry:3",
    "lake.after_log_entry:5",
    "derived.after_data_files:1",
    "derived.after_commit:1",
    "checkpoint.before_manifest:1",
];

/// The fixture's further records, in the order in which it has replayed them: stream and bytes.
fn further(shop: &Shop) -> Vec<(&'static str, Vec<u8>)> {
    let mut records = Vec::new();
    for stream in STREAMS {
        let text = fs::read(shop.dir.path().join("more").join(format!("{stream}.ndjson"))).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        records.extend(lines.map(|line| (stream, line.to_vec())));
    }
    assert!(records.len() > 400, "{} records", records.len());
    records
}

/// A collector at an address that is known before it listens.
struct Upgrade<'s> {
    shop: &'s Shop,
    address: String,
    records: Vec<(&'static str, Vec<u8>)>,
    /// How many of the records were answered.
    answered: usize,
}

impl<'s> Upgrade<'s> {
    fn new(shop: &'s Shop) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        Self { shop, address: free.to_string(), records: further(shop), answered: 0 }
    }

    fn start(&self, words: &Path, crash_point: Option<&str>) -> Child {
        let mut command = self.shop.command(&["run", "--listen", &self.address]);
        if let Some(point) = crash_point {
            command.env("KASSA_CRASH_POINT", point);
        }
        command.stdout(Stdio::null()).stderr(File::create(words).expect("a file")).spawn().expect("started")
    }

    /// Sends records one after the other, each until it is answered, up to `until` or until the collector has ended.
    fn send(&mut self, until: usize, ended: &AtomicBool) {
        while self.answered < until && !ended.load(Ordering::Relaxed) {
            let (stream, record) = &self.records[self.answered];
            match http(&self.address, "POST", &format!("/v1/{stream}"), record) {
                Some((202, _)) => self.answered += 1,
                Some((status @ 400..=499, body)) => panic!("{status}: {}", String::from_utf8_lossy(&body)),
                // It does not listen yet, or no more. What it has stored without an answer is a duplicate when it is sent again.
                _ => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Starts it, sends up to a number of records, and waits until it is dead. `after`: how long until it is killed.
    fn killed(&mut self, until: usize, crash_point: Option<&str>, after: Duration) {
        let words = self.shop.dir.path().join("words");
        let mut child = self.start(&words, crash_point);
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.send(until, &ended));
            let end = Instant::now() + after;
            while child.try_wait().expect("a child").is_none() {
                if Instant::now() >= end {
                    child.kill().expect("killed");
                }
                thread::sleep(Duration::from_millis(1));
            }
            ended.store(true, Ordering::Relaxed);
        });
        let words = fs::read_to_string(&words).expect("words");
        if let Some(point) = crash_point {
            let name = point.split(':').next().unwrap_or_default();
            assert!(words.contains(&format!("crash point {name} hit")), "{point} never fired\n{words}");
        } else {
            assert!(!words.contains("error["), "it failed before it was killed: {words}");
        }
    }

    /// Sends the other records and lets every sink commit them.
    fn complete(mut self) {
        let words = self.shop.dir.path().join("words");
        let (mut child, ended) = (self.start(&words, None), AtomicBool::new(false));
        let records = self.records.len();
        thread::scope(|scope| {
            let sending = scope.spawn(|| self.send(records, &ended));
            while !sending.is_finished() && child.try_wait().expect("a child").is_none() {
                thread::sleep(Duration::from_millis(1));
            }
            ended.store(true, Ordering::Relaxed);
        });
        assert_eq!(self.answered, self.records.len(), "{}", fs::read_to_string(&words).expect("words"));
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
        assert!(child.wait().expect("ended").success(), "{}", fs::read_to_string(&words).expect("words"));
        self.shop.ok(&["run", "--until-caught-up"]);
    }
}

/// Upgrades a fixture, killed at these points and at as many moments that the seed draws.
fn upgraded(fixture: &Fixture, section: &str, points: &[&str], seed: u64) -> Shop {
    let shop = fixture.shop(section);
    let mut upgrade = Upgrade::new(&shop);
    let (mut rng, share) = (Rng(seed), upgrade.records.len() / (2 * points.len() + 1));
    for (nth, point) in points.iter().enumerate() {
        // The first one dies while it opens what the old version has left, before it listens or shortly after.
        upgrade.killed((2 * nth + 1) * share, None, Duration::from_millis(rng.below(if nth == 0 { 300 } else { 1_500 })));
        upgrade.killed((2 * nth + 2) * share, Some(point), Duration::from_secs(300));
    }
    upgrade.complete();
    shop
}

#[test]
fn an_old_lake_is_upgraded_under_load_and_by_kills_nothing_is_lost_or_doubled() {
    for fixture in fixtures() {
        for (seed, points) in (1..).zip(POINTS.chunks(2)) {
            let shop = upgraded(&fixture, "", points, seed);
            shop.ok(&["prove"]);
            agrees(&shop, &fixture.answers("figures-after.json"), &[]);
        }
    }
}

#[test]
fn an_old_warehouse_is_upgraded_under_load_with_its_lake() {
    for fixture in fixtures() {
        let (postgres, section) = loaded(&fixture);
        let points = ["warehouse.before_commit:1", "warehouse.after_commit:1"];
        let shop = upgraded(&fixture, &section, &points, 7);
        shop.ok(&["prove"]);
        let expected = fixture.answers("figures-after.json");
        agrees(&shop, &expected, &[]);
        agrees(&shop, &expected, &["--from", "warehouse"]);
        let migrations = postgres.sql("shop", "SELECT count(*) = max(version) FROM kassa.migrations").expect("rows");
        assert_eq!(migrations.trim(), "t");
    }
}

/// The old worker comes back after the new one, with its own memory, which knows nothing of what the new one has committed.
#[test]
fn the_state_of_an_old_worker_beside_a_lake_that_a_new_one_has_upgraded_is_completed() {
    for fixture in fixtures() {
        let shop = fixture.shop("");
        let (state, kept) = (shop.data().join("state"), shop.dir.path().join("state-of-old"));
        assert!(state.is_dir(), "the fixture has no state");
        let copied = Command::new("cp").arg("-a").arg(&state).arg(&kept).status();
        assert!(copied.expect("cp").success());
        append(&shop);
        fs::remove_dir_all(&state).expect("removed");
        fs::rename(&kept, &state).expect("renamed");
        // Everything that was appended is known, whatever that memory says.
        append(&shop);
        collects(&fixture, &shop);
    }
}

/// This version is the older one here: a table gets a format that it does not know, while it is at work.
#[test]
fn a_worker_stops_when_a_newer_version_upgrades_the_lake_beside_it() {
    for fixture in fixtures() {
        let shop = fixture.shop("");
        let mut server = shop.serve();
        server.until_committed();
        let log = shop.data().join("lake/DWH/fact_sales/_delta_log");
        let entry = |version: u64| log.join(format!("{version:020}.json"));
        let newest = || {
            let entries = fs::read_dir(&log).expect("a log").map(|entry| entry.expect("an entry").file_name());
            let version = |name: OsString| name.to_str()?.strip_suffix(".json")?.parse::<u64>().ok();
            entries.filter_map(version).max().expect("entries")
        };
        let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["changeDataFeed"]}}"#;
        // Written as a writer does: only if the version does not exist yet.
        let ours = loop {
            let version = newest() + 1;
            let made = shop.dir.path().join("entry");
            fs::write(&made, format!("{protocol}\n")).expect("written");
            if fs::hard_link(&made, entry(version)).is_ok() {
                break version;
            }
        };
        assert_eq!(server.post("order_lines", LINE).expect("an answer").0, 202);
        let words = server.words();
        assert_eq!(server.child.wait().expect("ended").code(), Some(1), "{words}");
        assert!(
            words.contains("error[K026]") && words.contains("the table DWH/fact_sales has Delta writer version 7"),
            "{words}"
        );
        assert_eq!(newest(), ours, "it has committed to a table of a newer version");
        // Its answered records are not lost: a version that may write the table commits them.
        fs::remove_file(entry(ours)).expect("removed");
        shop.ok(&["run", "--until-caught-up"]);
        shop.ok(&["prove"]);
        let late = shop.json(&["sql", "SELECT count(*) AS n FROM fact_sales WHERE order_id = 'late'"]);
        assert_eq!(late[0]["n"], "1");
    }
}
