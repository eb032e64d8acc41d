//! What clients and a small disk cannot do to the collector.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use crate::harness::{KASSA, Shop, http, until};

fn events(from: usize, count: usize, padding: usize) -> Vec<u8> {
    let event = |id: usize| {
        json!({"event_id": format!("e{id}"), "occurred_at": "2026-01-05T10:00:00Z", "type": "page_viewed",
            "session_id": format!("s{id}"), "anonymous_id": format!("a{id}"), "search_query": "q".repeat(padding)})
    };
    Value::from_iter((from..from + count).map(event)).to_string().into_bytes()
}

/// The bytes of all files; those that vanish meanwhile have none.
fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.map(|path| if path.is_dir() { bytes_in(&path) } else { std::fs::metadata(&path).map_or(0, |file| file.len()) }).sum()
}

#[test]
fn the_log_stays_within_its_capacity_and_takes_records_again_as_soon_as_sinks_have_read() {
    const CAPACITY: u64 = 1 << 20;
    let shop = Shop::new("[lake]\ncommit_interval = \"200ms\"\n[log]\ncapacity = \"1MiB\"\nsegment_bytes = \"64KiB\"\n");
    let server = shop.serve();
    let (mut refused, log) = (0, shop.data().join("log"));
    for turn in 0..60 {
        let body = events(turn * 100, 100, 2_000);
        let began = Instant::now();
        until("the log has room", || {
            let (status, answer) = server.post("events", &body).expect("an answer");
            assert!(status == 202 || status == 429, "{status}: {answer}");
            assert!(bytes_in(&log) <= CAPACITY, "{} bytes", bytes_in(&log));
            refused += usize::from(status == 429);
            status == 202
        });
        // Sinks settle by themselves every 30 s: a log without room must not wait for that.
        assert!(began.elapsed() < Duration::from_secs(15), "refused for {:?}", began.elapsed());
    }
    assert!(refused > 0, "the capacity was never reached");
    server.until_committed();
    server.stop();
    let proof = shop.json(&["prove"]);
    assert_eq!((&proof["ok"], proof["accepted"].to_string().trim_matches('"')), (&json!(true), "6000"), "{proof}");
}

/// Killed when dropped.
struct Limited(Child, String);

impl Drop for Limited {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// `kassa run` with this many file descriptors.
fn serve_with_descriptors(shop: &Shop, descriptors: u32) -> Limited {
    let script = format!("ulimit -n {descriptors}; exec \"$0\" run --listen 127.0.0.1:0 -c \"$1\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, KASSA]).arg(&shop.config).current_dir(shop.dir.path()).env("NO_COLOR", "1");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
    let mut words = BufReader::new(child.stderr.take().expect("piped")).lines().map(|line| line.expect("stderr"));
    let address = words.find_map(|line| Some(line.trim().strip_prefix("collector  http://")?.split('/').next()?.to_owned()));
    let limited = Limited(child, address.expect("it listens"));
    // Its pipe must not fill up.
    std::thread::spawn(move || words.count());
    limited
}

#[test]
fn idle_connections_beyond_the_descriptors_take_nothing_from_the_log() {
    const DESCRIPTORS: u32 = 400;
    let own = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: own.maximum, ..own }).expect("this process holds the other ends");
    let shop = Shop::new("[lake]\ncommit_interval = \"200ms\"\n");
    let mut server = serve_with_descriptors(&shop, DESCRIPTORS);
    let address = server.1.clone();
    let post = |stream: &str, body: &[u8]| http(&address, "POST", &format!("/v1/{stream}"), body).map(|(status, _)| status);
    assert_eq!(post("events", &events(0, 1, 0)), Some(202));
    let idle: Vec<TcpStream> = (0..700).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    let order = json!({"event_id": "x", "occurred_at": "2026-01-05T10:00:00Z", "order_id": "o1", "currency": "GBP"});
    assert_eq!(post("orders", order.to_string().as_bytes()), Some(202), "a stream that has no file yet");
    assert_eq!(post("events", &events(1, 1, 0)), Some(202));
    assert_eq!(http(&address, "GET", "/livez", b"").map(|(status, _)| status), Some(200));
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.0.id())).expect("its descriptors").count();
    assert!(open < 300, "{open} descriptors are open: too few are left for the log and the lake");
    drop(idle);
    until("it is ready", || http(&address, "GET", "/readyz", b"").is_some_and(|(status, _)| status == 200));
    assert_eq!(post("events", &events(2, 1, 0)), Some(202));
    until("everything is committed", || {
        let Some((200, pipeline)) = http(&address, "GET", "/api/v1/pipeline", b"") else { return false };
        let pipeline: Value = serde_json::from_slice(&pipeline).expect("JSON");
        let partitions = pipeline["partitions"].as_array().expect("partitions");
        let has_records = partitions.iter().filter(|partition| partition["log_end"] != "0");
        has_records.clone().count() == 2
            && has_records.clone().all(|partition| ["archive", "lake"].iter().all(|sink| partition[sink] == partition["log_end"]))
    });
    assert_eq!(server.0.try_wait().expect("its state"), None);
    drop(server);
    shop.ok(&["prove"]);
}
