//! Kafka, a schema registry, PostgreSQL and S3, all real and all at once, and the shops that run between them.

use std::process::{Command, Stdio};
use std::thread;

use kassa_kafka::registry::{RegistryClient, RegistryOptions};
use kassa_kafka::{Admin, Connection, Producer, ProducerOptions};
use kassa_stack::postgres::Postgres;
use kassa_stack::s3::S3Server;
use kassa_stack::{Kafka, KafkaOptions, Registry};
use serde_json::Value;

use crate::harness::{KASSA, Shop};
use crate::s3;

/// The database of the warehouse.
pub(crate) const DATABASE: &str = "shop";

pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    pub(crate) registry: Registry,
    pub(crate) postgres: Postgres,
    pub(crate) s3: S3Server,
}

impl Servers {
    /// Starts all, at the same time: each takes seconds.
    pub(crate) fn start() -> Self {
        let (kafka, registry, postgres) = thread::scope(|scope| {
            let kafka = scope.spawn(|| Kafka::start(&KafkaOptions::default()).expect("Kafka"));
            let registry = scope.spawn(|| Registry::start().expect("a schema registry"));
            let postgres = scope.spawn(|| Postgres::start().expect("PostgreSQL"));
            (kafka.join().expect("Kafka"), registry.join().expect("a registry"), postgres.join().expect("PostgreSQL"))
        });
        postgres.sql("postgres", &format!("CREATE DATABASE {DATABASE}")).expect("a database");
        Self { kafka, registry, postgres, s3: s3::server() }
    }

    fn connection(&self) -> Connection {
        Connection { brokers: self.kafka.plaintext(), ..Connection::default() }
    }

    pub(crate) fn create_topics<'t>(&self, topics: impl IntoIterator<Item = &'t str>, partitions: i32) {
        let admin = Admin::connect(&self.connection()).expect("an administrator");
        topics.into_iter().for_each(|topic| admin.create_topic(topic, partitions, 1, &[]).expect("a topic"));
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer::connect(&ProducerOptions::new(self.connection())).expect("a producer")
    }

    pub(crate) fn register(&self, subject: &str, schema: &str) -> u32 {
        let client = RegistryClient::new(RegistryOptions::new(self.registry.url())).expect("a client");
        client.register(subject, "AVRO", schema, &[]).expect("an id")
    }

    /// A configuration's sections that name the servers but S3.
    pub(crate) fn sections(&self) -> String {
        format!(
            "[source]\nurl = \"kafka://{}\"\n[registry]\nurl = \"{}\"\n[warehouse]\nurl = \"{}\"\n",
            self.kafka.plaintext(),
            self.registry.url(),
            self.postgres.url("postgres", DATABASE)
        )
    }

    /// A shop whose lake is in a folder.
    pub(crate) fn shop_in_folder(&self, config: &str) -> Shop {
        Shop::new(&format!("{config}\n{}", self.sections()))
    }

    /// A shop whose lake is in the bucket.
    pub(crate) fn shop_in_bucket(&self, config: &str) -> Shop {
        s3::shop(&self.s3, &format!("{config}\n{}", self.sections()))
    }

    /// Starts to send the synthetic shop's records; stdout will have their truth.
    pub(crate) fn simulate(&self, args: &[&str]) -> std::process::Child {
        let (to, registry) = (format!("kafka://{}", self.kafka.plaintext()), self.registry.url());
        let mut command = Command::new(KASSA);
        command.args(["simulate", "--to", &to, "--registry", &registry]).args(args);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("started")
    }

    /// A statement's rows as `psql` prints them.
    pub(crate) fn psql(&self, sql: &str) -> Vec<Vec<String>> {
        let printed = self.postgres.sql(DATABASE, sql).expect("rows");
        printed.lines().map(|line| line.split('|').map(str::to_owned).collect()).collect()
    }
}

/// The truth that a simulation prints at its end.
pub(crate) fn truth_of(simulation: std::process::Child) -> Value {
    let output = simulation.wait_with_output().expect("ended");
    assert!(output.status.success(), "kassa simulate ended with {}", output.status);
    serde_json::from_slice(&output.stdout).expect("the truth")
}
