//! No query and no file that a user names takes more than it may: each ends with words, within its time and memory.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Shop, said, until};

const CONFIG: &str = "[streams.sales]\nformat = \"csv\"\ncontract = \"order_line\"\n";
const LINES: &str =
    "order_id,line_id,product_id,quantity,unit_price,currency,occurred_at\n1001,1,A-1,2,4.50,GBP,2026-03-28T10:15:00Z\n";

const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 100000000000) AS a WHERE a.value % 7 <> 3";

fn shop() -> Shop {
    let shop = Shop::new(CONFIG);
    fs::write(shop.dir.path().join("export.csv"), LINES).expect("written");
    shop.ok(&["replay", "--stream", "sales", "export.csv"]);
    shop
}

/// The processes that this one has started.
fn started_by(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The most memory that a process had, in KiB; 0 when it is gone.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// Waits for the end of a query; its exit code, its words, its time, and its peak in MiB.
fn watched(mut child: Child) -> (Option<i32>, String, Duration, u64) {
    let (began, mut most) = (Instant::now(), 0);
    while child.try_wait().expect("waited").is_none() {
        most = started_by(child.id()).into_iter().map(peak).fold(most, u64::max);
        assert!(began.elapsed() < Duration::from_secs(120), "it does not end");
        std::thread::sleep(Duration::from_millis(3));
    }
    let took = began.elapsed();
    let output = child.wait_with_output().expect("its words");
    (output.status.code(), said(&output), took, most >> 10)
}

#[test]
fn every_query_ends_within_its_time_and_memory_and_says_why() {
    let shop = shop();
    let ctes: Vec<String> = (1..60).map(|nth| format!("t{nth} AS (SELECT a.x FROM t{0} AS a, t{0} AS b)", nth - 1)).collect();
    let doubled = format!("WITH t0 AS (SELECT 1 AS x), {} SELECT * FROM t59", ctes.join(", "));
    let brackets = format!("SELECT {}1{}", "(".repeat(3_000), ")".repeat(3_000));
    let (memory, time, deep) = ("`--memory 1GiB` allows more", "`--timeout 40s` allows more", "fewer expressions and subqueries");
    for (query, hints) in [
        ("SELECT repeat('x', 2000000000)", &[memory][..]),
        ("SELECT array_length(range(1, 1000000000))", &[memory]),
        ("SELECT array_length(array_repeat('x', 1000000000))", &[memory]),
        ("SELECT array_agg(value) FROM generate_series(1, 200000000)", &[memory, time]),
        ("SELECT string_agg(CAST(value AS VARCHAR), ',') FROM generate_series(1, 100000000)", &[memory, time]),
        ("SELECT max(length(repeat('x', 100000000 + value))) FROM generate_series(1, 20)", &[memory, time]),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", &[time, memory]),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT * FROM t", &[time, memory]),
        ("SELECT a.value FROM generate_series(1, 10000000) AS a CROSS JOIN generate_series(1, 10000000) AS b", &[time, memory]),
        (ENDLESS, &[time]),
        (&doubled, &[time, memory]),
        (&brackets, &[deep]),
        (&format!("SELECT {}", vec!["1"; 20_000].join("+")), &[deep]),
    ] {
        let mut command = shop.command(&["sql", query, "--format", "csv", "--timeout", "4s"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        let (code, words, took, peak) = watched(child);
        let short: String = query.chars().take(100).collect();
        assert_eq!(code, Some(1), "{short}: {words}");
        assert!(words.contains("error[K033]") && hints.iter().any(|hint| words.contains(hint)), "{short}: {words}");
        assert!(took < Duration::from_secs(14), "{short}: {took:?}");
        assert!(peak <= 512, "{short}: {peak} MiB");
    }
    let left = fs::read_dir(shop.data().join("tmp")).expect("a folder").count();
    assert_eq!(left, 0, "folders for spilled rows");
}

#[test]
fn the_limits_are_given_by_flag_and_configuration() {
    let shop = Shop::new(&format!("{CONFIG}[limits]\nquery_time = \"300ms\"\nquery_memory = \"256MiB\"\n"));
    let output = shop.run(&["sql", ENDLESS]);
    assert!(said(&output).contains("the query did not end within 300ms"), "{}", said(&output));
    let output = shop.run(&["sql", ENDLESS, "--timeout", "500ms"]);
    assert!(said(&output).contains("the query did not end within 500ms"), "{}", said(&output));
    let output = shop.run(&["sql", "SELECT repeat('x', 2000000000)", "--timeout", "30s"]);
    assert!(said(&output).contains("the query needs more memory than it may use, 256 MiB"), "{}", said(&output));
    let output = shop.run(&["sql", "SELECT 1", "--memory", "1MiB"]);
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    assert!(said(&output).contains("--memory"), "{}", said(&output));
}

#[test]
fn rows_are_printed_as_they_come_and_a_closed_reader_ends_the_query() {
    let shop = shop();
    let mut command = shop.command(&["sql", "SELECT value FROM generate_series(1, 100000000000)", "--format", "csv"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    assert_eq!(lines.next().expect("a header").expect("a line"), "value");
    for number in 1..=100_000 {
        assert_eq!(lines.next().expect("a row").expect("a line"), number.to_string());
    }
    drop(lines);
    let (code, words, took, _) = watched(child);
    assert_eq!((code, words.as_str()), (Some(0), ""));
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// A reader that has stopped to look at the first rows does not lose the query.
#[test]
fn time_stands_still_while_the_output_waits_for_its_reader() {
    let shop = shop();
    let query = "SELECT value FROM generate_series(1, 200000)";
    let mut command = shop.command(&["sql", query, "--format", "csv", "--timeout", "8s"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    std::thread::sleep(Duration::from_secs(20));
    assert!(child.try_wait().expect("waited").is_none(), "200,000 rows do not fit into a pipe");
    let mut text = String::new();
    child.stdout.take().expect("its output").read_to_string(&mut text).expect("read");
    let (code, words, ..) = watched(child);
    assert_eq!((code, words.as_str(), text.lines().count()), (Some(0), "", 200_001));
}

#[test]
fn a_signal_ends_the_query_with_its_process() {
    let shop = shop();
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::TERM, Some(143)), (Signal::KILL, None)] {
        let mut command = shop.command(&["sql", ENDLESS]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        let process = child.id();
        until("the query's process", || !started_by(process).is_empty());
        // It is bounded before it reads anything.
        std::thread::sleep(Duration::from_millis(1_500));
        let query = started_by(process);
        kill_process(Pid::from_child(&child), signal).expect("sent");
        let (found, words, took, _) = watched(child);
        assert_eq!((found, words.as_str()), (code, ""), "{signal:?}");
        assert!(took < Duration::from_secs(10), "{signal:?}: {took:?}");
        until("the end of the query's process", || query.iter().all(|query| peak(*query) == 0));
    }
}

#[test]
fn no_file_argument_is_read_without_end() {
    let shop = shop();
    let place = |name: &str| shop.dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (pipe, large, folder) = (place("pipe"), place("large"), place("data"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("started").success());
    File::create(&large).expect("made").set_len(10 << 30).expect("long");
    for (file, why) in [
        ("/dev/zero", "not a regular file"),
        (pipe.as_str(), "not a regular file"),
        (&folder, "a folder"),
        (&large, "larger than 4 MiB"),
    ] {
        let output = shop.run(&["figures", "net_sales", "--at", file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(said(&output).contains("error[K015]") && said(&output).contains(why), "{file}: {}", said(&output));
        for (config, code) in [
            (
                format!(
                    "[source]\nurl = \"kafka://localhost:9\"\nsecurity = \"sasl-tls\"\nmechanism = \"SCRAM-SHA-512\"\nuser = \"u\"\npassword = \"file:{file}\"\n"
                ),
                "C025",
            ),
            (format!("[source]\nurl = \"kafka://localhost:9\"\nsecurity = \"tls\"\nca = \"{file}\"\n"), "C016"),
            (format!("[streams.orders]\nmap_file = \"{file}\"\n"), "C016"),
        ] {
            let other = Shop::new(&config);
            let output = other.run(&["check"]);
            assert!(said(&output).contains(&format!("error[{code}]")), "{file} {code}: {}", said(&output));
        }
        let output = std::process::Command::new(crate::harness::KASSA).args(["check", "-c", file]).output().expect("started");
        assert_eq!(output.status.code(), Some(78), "{file}: {}", said(&output));
        if file != large {
            let output = shop.run(&["replay", "--stream", "sales", file]);
            assert!(said(&output).contains("error[K006]") && said(&output).contains(why), "{file}: {}", said(&output));
            let other = Shop::new(&format!("[lookups.a]\nfile = \"{file}\"\nkey = \"id\"\n"));
            let output = other.run(&["check"]);
            assert!(said(&output).contains("error[C016]") && said(&output).contains(why), "{file}: {}", said(&output));
        }
    }
}
