//! Several workers of one group: the work divides, every dashboard shows the whole shop, and nothing is lost or doubled while members
//! come and go.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kassa_kafka::{KafkaSource, SourceOptions, Subscription, Turn};
use serde_json::Value;

use crate::harness::{KASSA, Server, until_ok};
use crate::others_read::STREAMS;
use crate::whole_way::{Between, millionths};

/// Of each topic.
const PARTITIONS: i32 = 8;
const TOPICS: usize = 9;

/// The shop, and its workers, each with a data folder of its own over one lake.
struct Workers {
    between: Between,
    at: usize,
}

impl Workers {
    fn start() -> Self {
        let between = Between::of(PARTITIONS);
        let lake = between.shop.dir.path().join("lake");
        let text = std::fs::read_to_string(&between.shop.config).expect("the configuration");
        let lake = format!("{text}\n[lake]\nurl = \"file:{}\"\ncommit_interval = \"500ms\"\n", lake.display());
        std::fs::write(&between.shop.config, lake).expect("written");
        Self { between, at: 0 }
    }

    /// One worker more.
    fn join(&mut self) -> Server {
        self.at += 1;
        let data = self.between.shop.dir.path().join(format!("worker-{}", self.at));
        self.between.shop.serve_in(&data)
    }

    fn produce(&self, records: u32) -> Child {
        let url = format!("kafka://{}", self.between.kafka.plaintext());
        let mut command = Command::new(KASSA);
        command.args(["simulate", "--seed", "11", "--records", &records.to_string(), "--to", &url]);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("started")
    }
}

/// The partitions that a worker says are its own.
fn owned(worker: &Server) -> BTreeSet<(String, String)> {
    let pipeline = worker.get("/api/v1/pipeline");
    let partitions = pipeline["partitions"].as_array().expect("partitions").iter();
    partitions
        .map(|partition| (partition["topic"].as_str().expect("a topic").to_owned(), partition["partition"].to_string()))
        .collect()
}

/// Waits until all partitions are divided among these workers, each of whom has a share.
fn until_divided(workers: &[&Server]) {
    let all = TOPICS * usize::try_from(PARTITIONS).expect("small");
    until_ok("a fair division of the partitions", || {
        let shares: Vec<_> = workers.iter().map(|worker| owned(worker)).collect();
        let sum: usize = shares.iter().map(BTreeSet::len).sum();
        let together: BTreeSet<_> = shares.iter().flatten().collect();
        let fair = all / workers.len() / 2;
        let is_fair = sum == all && together.len() == all && shares.iter().all(|share| share.len() >= fair);
        is_fair.then_some(()).ok_or_else(|| shares.iter().map(BTreeSet::len).collect::<Vec<_>>())
    });
}

/// Waits until a worker's own dashboard shows the truth: what it read itself and what the others did.
fn until_shown(worker: &Server, truth: &Value) {
    let wanted = millionths(truth["figures"]["net_sales"].as_str().expect("a figure"));
    until_ok(&format!("net sales {wanted} of {} records", truth["produced"]), || {
        let answer = worker.get("/api/v1/figures/net_sales");
        let shown = answer["rows"][0]["value"].as_str().map_or(0, millionths);
        let counts = worker.get("/api/v1/pipeline")["records"].clone();
        let read = counts["read"].as_str().and_then(|text| text.parse::<i64>().ok()).or_else(|| counts["read"].as_i64());
        if shown == wanted && read == truth["produced"].as_i64() { Ok(()) } else { Err((shown, counts)) }
    });
}

#[test]
fn one_worker_two_and_four_share_the_work_and_the_numbers_stay_right() {
    let mut workers = Workers::start();
    let first = workers.join();
    until_divided(&[&first]);
    let mut producing = workers.produce(60_000);
    let second = workers.join();
    until_divided(&[&first, &second]);
    let (third, fourth) = (workers.join(), workers.join());
    until_divided(&[&first, &second, &third, &fourth]);
    // One leaves cleanly, one is killed: the others take over their partitions.
    third.stop();
    second.kill();
    until_divided(&[&first, &fourth]);
    assert!(producing.wait().expect("ended").success());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut producing.stdout.take().expect("piped"), &mut said).expect("words");
    let truth: Value = serde_json::from_str(&said).expect("the truth");
    until_shown(&first, &truth);
    until_shown(&fourth, &truth);
    first.stop();
    fourth.stop();
    workers.between.shop.ok(&["run", "--until-caught-up"]);
    workers.between.equals(&truth);
}

/// Takes a member's place in the group, as a process that was given the same instance id does; then it is gone.
fn take_the_place(between: &Between, instance: &str) {
    let topics = STREAMS.iter().map(|topic| Subscription::parse(topic)).collect();
    let mut options = SourceOptions::new(between.connection(), "kassa".to_owned(), topics);
    options.instance = Some(instance.to_owned());
    let mut other = KafkaSource::connect(&options).expect("a source");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !matches!(other.poll(Duration::from_millis(100)).expect("a turn"), Turn::Assigned(_)) {
        assert!(Instant::now() < deadline, "the group gave it nothing");
    }
}

#[test]
fn a_member_whose_place_was_taken_joins_anew_once_and_then_says_why_not() {
    let between = Between::of(1);
    let text = std::fs::read_to_string(&between.shop.config).expect("the configuration");
    std::fs::write(&between.shop.config, text.replace("[source]\n", "[source]\ninstance = \"till\"\n")).expect("written");
    let mut worker = between.shop.serve();
    worker.until(|pipeline| pipeline["partitions"].as_array().is_some_and(|partitions| partitions.len() == TOPICS));
    take_the_place(&between, "till");
    // It learns of it with its next heartbeat, and reads on until then.
    worker.until_said("joining it anew");
    let truth = between.simulate("20000", "1");
    until_shown(&worker, &truth);
    take_the_place(&between, "till");
    let status = until_ok("the worker's end", || worker.child.try_wait().expect("a process").ok_or("it runs"));
    let words = worker.words();
    assert!(!status.success() && words.contains("give each process its own"), "{status}: {words}");
    between.shop.ok(&["run", "--until-caught-up"]);
    between.equals(&truth);
}
