//! Kafka: brokers, users, topics, and the sinks' positions.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions};
use kassa_model::time::{Clock, SystemClock};
use kassa_stack::{Kafka, KafkaOptions};

use super::{diagnose, diagnose_with};
use crate::harness::Shop;

const USERS: [(&str, &str); 3] = [("alice", "alice-secret"), ("bob", "bob-secret"), ("mallory", "mallory-secret")];

fn broker() -> Kafka {
    let users = USERS.map(|(user, password)| (user.to_owned(), password.to_owned())).to_vec();
    Kafka::start(&KafkaOptions { security: true, users, superusers: vec!["alice".to_owned()], ..KafkaOptions::default() })
        .expect("Kafka")
}

fn shop(brokers: &str, source: &str, streams: &str) -> Shop {
    Shop::new(&format!("[source]\nurl = \"kafka://{brokers}\"\n{source}{streams}"))
}

/// SASL over plaintext as this user.
fn as_user(user: &str) -> String {
    format!(
        "security = \"sasl-plaintext\"\nmechanism = \"SCRAM-SHA-512\"\nuser = \"{user}\"\npassword = \"env:KAFKA_PASSWORD\"\n"
    )
}

const ORDERS: &str = "[streams.orders]\n";

/// An address of this machine that is not in the broker's certificate, as a proxy for a listener.
fn another_name(listener: &str) -> String {
    let target = listener.replace("localhost", "127.0.0.1");
    let front = TcpListener::bind("127.0.0.2:0").expect("a port");
    let address = front.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for client in front.incoming().flatten() {
            let Ok(server) = TcpStream::connect(&target) else { continue };
            for (mut from, mut to) in
                [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))].map(|(a, b)| (a.expect("a"), b.expect("b")))
            {
                thread::spawn(move || {
                    std::io::copy(&mut from, &mut to).unwrap_or_default();
                    to.shutdown(Shutdown::Both).unwrap_or_default();
                });
            }
        }
    });
    address
}

#[test]
fn refused_users_and_missing_topics_are_reported() {
    diagnose(&shop("127.0.0.1:1", "", ORDERS)).reports(("wrong", "kafka"), "could not reach Kafka at 127.0.0.1:1", "source.url");
    let kafka = broker();
    let admin = Admin::connect(&Connection { brokers: kafka.plaintext(), ..Connection::default() }).expect("an administrator");
    admin.create_topic("orders", 2, 1, &[("retention.ms", "86400000")]).expect("a topic");
    admin.create_topic("clicks", 1, 1, &[("cleanup.policy", "compact"), ("max.message.bytes", "9000000")]).expect("a topic");
    kafka.allow("bob", &["--operation", "Read", "--topic", "orders"]).expect("allowed");
    let tls = format!("security = \"tls\"\nca = \"{}\"\n", kafka.ca().display());
    thread::scope(|scope| {
        scope.spawn(|| {
            diagnose(&shop(&kafka.tls(), "security = \"tls\"\n", ORDERS)).reports(
                ("wrong", "kafka"),
                "no TLS with Kafka",
                "source.ca",
            );
            diagnose(&shop(&another_name(&kafka.tls()), &tls, ORDERS)).reports(
                ("wrong", "kafka"),
                "no TLS with Kafka",
                "the host name in the certificate",
            );
            diagnose(&shop(&kafka.tls(), &tls, ORDERS)).is_well("kafka").reports(
                ("ok", "kafka"),
                "2 partitions, 0 offsets, kept for 1day",
                "",
            );
            let plain = diagnose(&shop(&kafka.tls(), "", ORDERS));
            plain.reports(("wrong", "kafka"), "could not reach Kafka", "listener in `source.url`");
        });
        scope.spawn(|| {
            let asked = |user: &str, password: &str| {
                diagnose_with(&shop(&kafka.sasl_plaintext(), &as_user(user), ORDERS), &[("KAFKA_PASSWORD", password)])
            };
            asked("alice", "wrong-secret").reports(("wrong", "kafka"), "refused User:alice", "source.password");
            asked("alice", "alice-secret").is_well("kafka");
            asked("mallory", "mallory-secret").reports(("wrong", "kafka"), "User:mallory", "kafka-acls --add");
            let bob = asked("bob", "bob-secret");
            bob.reports(("wrong", "kafka"), "read as the group kassa", "--operation Read --group kassa");
            bob.reports(("ok", "kafka"), "2 partitions", "").reports(
                ("warning", "kafka"),
                "its retention is not visible",
                "DESCRIBE_CONFIGS",
            );
        });
    });
    let streams = "[streams.orders]\ntopic = \"order\"\n[streams.clicks]\ncontract = \"event\"\n[streams.payments]\n";
    let report = diagnose(&shop(&kafka.plaintext(), "", streams));
    report.reports(
        ("wrong", "kafka"),
        "the topic does not exist",
        "did you mean `orders`? Then write `topic = \"orders\"` in [streams.orders]",
    );
    report.reports(("wrong", "kafka"), "the topic does not exist", "--create --topic payments --partitions 4");
    report.reports(("warning", "kafka"), "is compacted", "cleanup.policy=delete").reports(
        ("warning", "kafka"),
        "9000000 bytes",
        "streams.clicks.max_record",
    );
}

fn order(number: i64) -> String {
    format!(r#"{{"event_id":"e{number}","occurred_at":"2026-01-05T10:00:00Z","order_id":"{number}"}}"#)
}

#[test]
fn records_deleted_before_the_sinks_read_them_are_reported() {
    let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
    let connection = Connection { brokers: kafka.plaintext(), ..Connection::default() };
    let admin = Admin::connect(&connection).expect("an administrator");
    let producer = Producer::connect(&ProducerOptions::new(connection)).expect("a producer");
    let send = |topic: &str, number: i64, age_s: i64| {
        let (value, timestamp_ms) = (order(number), Some(SystemClock.now() / 1_000 - age_s * 1_000));
        let record = Outgoing { topic, value: Some(value.as_bytes()), timestamp_ms, ..Outgoing::default() };
        producer.send(&record).expect("sent");
        producer.flush(std::time::Duration::from_secs(30)).expect("delivered");
    };
    let topics = ["well", "old", "gone", "anew"];
    for topic in topics {
        admin.create_topic(topic, 1, 1, &[("retention.ms", "3600000")]).expect("a topic");
        send(topic, 1, 0);
        send(topic, 2, 0);
    }
    let streams: String = topics.iter().map(|topic| format!("[streams.{topic}]\ncontract = \"order\"\n")).collect();
    let shop = shop(&kafka.plaintext(), "", &streams);
    diagnose(&shop).is_well("kafka").is_well("positions");
    shop.ok(&["run", "--until-caught-up"]);
    diagnose(&shop).is_well("positions").reports(("ok", "positions"), "0 offsets unread, all still exist", "");
    // Fifty of sixty minutes have passed; newer records were deleted; a topic was recreated.
    send("old", 3, 50 * 60);
    (3..6).for_each(|number| send("gone", number, 0));
    admin.delete_records("gone", 0, 4).expect("deleted");
    admin.delete_topic("anew").expect("deleted");
    admin.create_topic("anew", 1, 1, &[]).expect("a topic");
    send("well", 3, 0);
    let report = diagnose(&shop);
    report.reports(("ok", "positions"), "1 offsets unread, all still exist", "");
    report.reports(
        ("warning", "positions"),
        "older than three quarters of the topic's retention of 1h",
        "lengthen retention.ms of old",
    );
    report.reports(("wrong", "positions"), "gone/0: 2 to 4", "lengthen retention.ms of gone");
    report.reports(("warning", "positions"), "was deleted and recreated", "if this was intended");
    // Without the topic's old id, a log that ends too early is detected by its end.
    let ids = shop.data().join("lake/_kassa/kafka/anew.id");
    std::fs::remove_file(ids).expect("removed");
    diagnose(&shop).reports(("wrong", "positions"), "anew/0: 2 read, the log ends at 0", "names the same cluster");
}
