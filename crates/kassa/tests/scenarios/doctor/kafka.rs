//! Kafka: brokers, users, topics, and how far the sinks are in them.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use kassa_kafka::{Admin, Connection, Outgoing, Producer, ProducerOptions};
use kassa_model::time::{Clock, SystemClock};
use kassa_stack::{Kafka, KafkaOptions};

use super::{told, told_with};
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

/// Who asks, over SASL in the clear.
fn as_user(user: &str) -> String {
    format!(
        "security = \"sasl-plaintext\"\nmechanism = \"SCRAM-SHA-512\"\nuser = \"{user}\"\npassword = \"env:KAFKA_PASSWORD\"\n"
    )
}

const ORDERS: &str = "[streams.orders]\n";

/// An address of this machine that is not in the broker's certificate, in front of a listener.
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
fn who_is_not_let_in_and_what_is_not_there_is_told() {
    told(&shop("127.0.0.1:1", "", ORDERS)).says(("wrong", "kafka"), "could not reach Kafka at 127.0.0.1:1", "source.url");
    let kafka = broker();
    let admin = Admin::connect(&Connection { brokers: kafka.plaintext(), ..Connection::default() }).expect("an administrator");
    admin.create_topic("orders", 2, 1, &[("retention.ms", "86400000")]).expect("a topic");
    admin.create_topic("clicks", 1, 1, &[("cleanup.policy", "compact"), ("max.message.bytes", "9000000")]).expect("a topic");
    kafka.allow("bob", &["--operation", "Read", "--topic", "orders"]).expect("allowed");
    let tls = format!("security = \"tls\"\nca = \"{}\"\n", kafka.ca().display());
    thread::scope(|scope| {
        scope.spawn(|| {
            told(&shop(&kafka.tls(), "security = \"tls\"\n", ORDERS)).says(("wrong", "kafka"), "no TLS with Kafka", "source.ca");
            told(&shop(&another_name(&kafka.tls()), &tls, ORDERS)).says(
                ("wrong", "kafka"),
                "no TLS with Kafka",
                "the host as the certificate has it",
            );
            told(&shop(&kafka.tls(), &tls, ORDERS)).is_well("kafka").says(
                ("ok", "kafka"),
                "2 partitions, 0 offsets, kept for 1day",
                "",
            );
            let plain = told(&shop(&kafka.tls(), "", ORDERS));
            plain.says(("wrong", "kafka"), "could not reach Kafka", "listener in `source.url`");
        });
        scope.spawn(|| {
            let asked = |user: &str, password: &str| {
                told_with(&shop(&kafka.sasl_plaintext(), &as_user(user), ORDERS), &[("KAFKA_PASSWORD", password)])
            };
            asked("alice", "wrong-secret").says(("wrong", "kafka"), "refused User:alice", "source.password");
            asked("alice", "alice-secret").is_well("kafka");
            asked("mallory", "mallory-secret").says(("wrong", "kafka"), "User:mallory", "kafka-acls --add");
            let bob = asked("bob", "bob-secret");
            bob.says(("wrong", "kafka"), "read as the group kassa", "--operation Read --group kassa");
            bob.says(("ok", "kafka"), "2 partitions", "").says(
                ("warning", "kafka"),
                "its retention cannot be seen",
                "DESCRIBE_CONFIGS",
            );
        });
    });
    let streams = "[streams.orders]\ntopic = \"order\"\n[streams.clicks]\ncontract = \"event\"\n[streams.payments]\n";
    let report = told(&shop(&kafka.plaintext(), "", streams));
    report.says(
        ("wrong", "kafka"),
        "there is no such topic",
        "did you mean `orders`? Then write `topic = \"orders\"` in [streams.orders]",
    );
    report.says(("wrong", "kafka"), "there is no such topic", "--create --topic payments --partitions 4");
    report.says(("warning", "kafka"), "is compacted", "cleanup.policy=delete").says(
        ("warning", "kafka"),
        "9000000 bytes",
        "streams.clicks.max_record",
    );
}

fn order(number: i64) -> String {
    format!(r#"{{"event_id":"e{number}","occurred_at":"2026-01-05T10:00:00Z","order_id":"{number}"}}"#)
}

#[test]
fn what_the_sinks_have_not_read_and_kafka_has_not_kept_is_told() {
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
    told(&shop).is_well("kafka").is_well("positions");
    shop.ok(&["run", "--until-caught-up"]);
    told(&shop).is_well("positions").says(("ok", "positions"), "0 offsets unread, all still there", "");
    // Fifty minutes of sixty have gone by; what came was deleted; a topic is another.
    send("old", 3, 50 * 60);
    (3..6).for_each(|number| send("gone", number, 0));
    admin.delete_records("gone", 0, 4).expect("deleted");
    admin.delete_topic("anew").expect("deleted");
    admin.create_topic("anew", 1, 1, &[]).expect("a topic");
    send("well", 3, 0);
    let report = told(&shop);
    report.says(("ok", "positions"), "1 offsets unread, all still there", "");
    report.says(("warning", "positions"), "older than three quarters of the 1h", "lengthen retention.ms of old");
    report.says(("wrong", "positions"), "gone/0: 2 to 4", "lengthen retention.ms of gone");
    report.says(("warning", "positions"), "was deleted and made anew", "if it was meant");
    // Without the id that it had, a log that ends too early is told by its end.
    let ids = shop.data().join("lake/_kassa/kafka/anew.id");
    std::fs::remove_file(ids).expect("removed");
    told(&shop).says(("wrong", "positions"), "anew/0: 2 read, the log ends at 0", "names the same cluster");
}
