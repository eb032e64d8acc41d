use std::time::{Duration, Instant};

use kassa_kafka::{Outgoing, Producer, ProducerOptions, Profile, Start, Turn};

use crate::support::{LONG, connect, new_topic, options, plaintext, unique};

/// This process's CPU seconds: user and system time of all threads.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Prints the rate; the limit is far below what an idle machine reaches.
fn produce(topic: &str, records: u32) {
    let producer = Producer::connect(&ProducerOptions::new(plaintext())).unwrap();
    let (started, cpu) = (Instant::now(), cpu_seconds());
    let mut value = [b'v'; 113];
    for number in 0..records {
        let key = number.to_be_bytes();
        value[..4].copy_from_slice(&key);
        producer.send(&Outgoing { topic, key: Some(&key), value: Some(&value), ..Outgoing::default() }).unwrap();
    }
    producer.flush(LONG).unwrap();
    assert_eq!(producer.delivered(), u64::from(records));
    let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "produced {records} records of 113 B: {:.0}/s, {:.0} per CPU-second",
        f64::from(records) / wall,
        f64::from(records) / cpu
    );
}

#[test]
#[ignore = "a measurement: run it alone, in release"]
fn rates() {
    let records = 2_000_000_u32;
    let topic = new_topic("speed", 4);
    produce(&topic, records);
    let mut options = options(&unique("group"), &topic);
    options.profile = Profile::CatchUp;
    for _ in 0..3 {
        // Resets the peak.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        options.group = unique("group");
        let mut source = connect(&options);
        let (mut read, mut turns, mut started, mut cpu) = (0, 0, Instant::now(), 0.0);
        while read < records as usize {
            match source.poll(Duration::from_millis(100)).unwrap() {
                Turn::Records { records, .. } => {
                    read += records.len();
                    turns += 1;
                }
                Turn::Assigned(partitions) => {
                    (started, cpu) = (Instant::now(), cpu_seconds());
                    let starts = partitions.into_iter().map(|partition| Start::at(partition, None)).collect::<Vec<_>>();
                    source.begin(&starts).unwrap();
                    if std::env::var_os("FULL_QUEUE").is_some() {
                        std::thread::sleep(Duration::from_secs(6));
                    }
                }
                Turn::Idle => {}
                turn => panic!("{turn:?}"),
            }
        }
        let (wall, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let rate = f64::from(records);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        println!("{peak}; read {read} in {turns} runs: {:.0}/s, {:.0} per CPU-second", rate / wall, rate / cpu);
    }
}
