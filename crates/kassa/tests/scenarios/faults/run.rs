//! One run: a topic, a warehouse and a lake of its own, the records that were sent, and what must be held of them in the end.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use kassa_kafka::registry::{RegistryClient, RegistryOptions};
use kassa_kafka::{Outgoing, Producer, ProducerOptions};

use super::count::amount_of;
use super::disk::Disk;
use super::process::Process;
use super::servers::Servers;
use crate::harness::{Rng, Shop};

/// The format of a run's records, and the place of its lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON, into a bucket.
    Bucket,
    /// Avro by a registry, into a bucket.
    Avro,
    /// JSON, into a folder of this machine.
    Folder,
}

/// A group notices within a second or two what takes it ten elsewhere.
const KAFKA: &str = "session.timeout.ms=2000,heartbeat.interval.ms=300,topic.metadata.refresh.interval.ms=500";

pub(crate) struct Run<'s> {
    pub(crate) servers: &'s mut Servers,
    pub(crate) rng: Rng,
    pub(crate) kind: Kind,
    pub(crate) shop: Shop,
    pub(crate) topic: String,
    pub(crate) database: String,
    pub(crate) partitions: i32,
    producer: Producer,
    next: u64,
    /// The sent records that the source has not lost: partition and number.
    sent: Vec<(i32, u64)>,
    /// Duplicates may cross partitions only where one process decides on all.
    pub(crate) may_cross: bool,
    /// Records that the source has lost, which must be in a gap.
    pub(crate) lost: i64,
    schema: u32,
    processes: u32,
    /// Of a run whose lake is in a folder.
    pub(crate) disk: Option<Disk>,
}

impl<'s> Run<'s> {
    pub(crate) fn begin(servers: &'s mut Servers, seed: u64, kind: Kind, may_cross: bool) -> Self {
        let (topic, database) = (format!("lines-{seed}"), format!("run_{seed}"));
        let mut rng = Rng(seed);
        let partitions = 2 + i32::try_from(rng.below(3)).expect("small");
        servers.to_s3.clear();
        servers.admin.create_topic(&topic, partitions, 1, &[]).expect("a topic");
        servers.create_database(&database);
        let schema = if kind == Kind::Avro { register(servers, &topic) } else { 0 };
        // A member with a name comes back to its partitions at once; where several come and go, they leave and join as they do elsewhere.
        let instance = if may_cross { "instance = \"one\"\n" } else { "" };
        let format = if kind == Kind::Avro { "avro" } else { "json" };
        let registry =
            if kind == Kind::Avro { format!("[registry]\nurl = \"{}\"\n", servers.registry().0) } else { String::new() };
        let lake = match kind {
            Kind::Folder => String::new(),
            Kind::Bucket | Kind::Avro => format!(
                "url = \"s3://{}/{database}\"\n[lake.s3]\nendpoint = \"{}\"\npath_style = true\naccess_key_id = \"env:S3_ID\"\nsecret_access_key = \"env:S3_KEY\"\n",
                crate::s3::BUCKET,
                servers.to_s3.endpoint()
            ),
        };
        let shop = Shop::new(&format!(
            "[shop]\nname = \"Faults\"\n[source]\nurl = \"kafka://{}\"\ngroup = \"{database}\"\n{instance}{registry}\
             [streams.order_lines]\ntopic = \"{topic}\"\nformat = \"{format}\"\n\
             [warehouse]\nurl = \"postgres://postgres@{}/{database}\"\ncommit_interval = \"80ms\"\n\
             [lake]\ncommit_interval = \"100ms\"\ncompact_after_files = 4\ncheckpoint_interval = 5\n{lake}",
            servers.kafka.plaintext(),
            servers.to_postgres.address(),
        ));
        let producer = producer(servers);
        let disk = (kind == Kind::Folder).then(|| Disk::over(&shop.data()));
        Self {
            servers,
            rng,
            kind,
            shop,
            topic,
            database,
            partitions,
            producer,
            next: 0,
            sent: Vec::new(),
            may_cross,
            lost: 0,
            schema,
            processes: 0,
            disk,
        }
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.rng.below(limit as u64)).expect("small")
    }

    /// Sends this many records to any partitions, some of them again.
    pub(crate) fn send(&mut self, count: usize) {
        for _ in 0..count {
            let fresh = i32::try_from(self.rng.below(u64::try_from(self.partitions).expect("some"))).expect("small");
            let again = self.rng.below(8) == 0 && !self.sent.is_empty();
            let (partition, number) = if again {
                let nth = self.below(self.sent.len());
                let (first, number) = self.sent[nth];
                (if self.may_cross { fresh } else { first }, number)
            } else {
                self.next += 1;
                (fresh, self.next)
            };
            self.put(partition, number);
            self.sent.push((partition, number));
        }
        self.flush();
    }

    /// Sends the newest records once more, in any partitions if they may.
    pub(crate) fn repeat(&mut self, count: usize) {
        let newest = self.sent[self.sent.len().saturating_sub(count)..].to_vec();
        for (first, number) in newest {
            let any = i32::try_from(self.rng.below(u64::try_from(self.partitions).expect("some"))).expect("small");
            let partition = if self.may_cross { any } else { first };
            self.put(partition, number);
            self.sent.push((partition, number));
        }
        self.flush();
    }

    /// Sends fresh records to one partition; their numbers.
    pub(crate) fn send_to(&mut self, partition: i32, count: usize) -> Vec<u64> {
        let numbers: Vec<u64> = (0..count)
            .map(|_| {
                self.next += 1;
                self.next
            })
            .collect();
        numbers.iter().for_each(|number| self.put(partition, *number));
        self.flush();
        self.sent.extend(numbers.iter().map(|number| (partition, *number)));
        numbers
    }

    fn put(&mut self, partition: i32, number: u64) {
        // One in fifty is none that could be read.
        let value = if number % 50 == 49 { b"{".to_vec() } else { self.value(number) };
        let key = number.to_string();
        let record = Outgoing {
            topic: &self.topic,
            key: Some(key.as_bytes()),
            value: Some(&value),
            partition: Some(partition),
            ..Outgoing::default()
        };
        self.producer.send(&record).expect("sent");
    }

    fn flush(&self) {
        self.producer.flush(Duration::from_secs(60)).expect("delivered");
    }

    /// Later records have a schema that was never requested.
    pub(crate) fn change_schema(&mut self) {
        self.schema = register(self.servers, &format!("{}-{}", self.topic, self.next));
    }

    /// A producer that knows the topic as it is now.
    pub(crate) fn reconnect(&mut self) {
        self.producer = producer(self.servers);
    }

    pub(crate) fn value(&self, number: u64) -> Vec<u8> {
        let (quantity, price) = amount_of(number);
        let fields = [
            ("event_id", format!("l{number}")),
            ("occurred_at", format!("2026-03-{:02}T{:02}:30:00Z", 1 + number % 28, number % 24)),
            ("order_id", format!("o{}", number / 3)),
            ("line_id", number.to_string()),
            ("product_id", format!("p{}", number % 17)),
            ("customer_id", format!("c{}", number % 40)),
            ("quantity", quantity.to_string()),
            ("unit_price", format!("{}.{:02}", price / 100, price % 100)),
            ("currency", "GBP".to_owned()),
        ];
        if self.kind != Kind::Avro {
            let fields = fields.iter().map(|(name, value)| (name.to_string(), value.clone().into()));
            return serde_json::Value::Object(fields.collect()).to_string().into_bytes();
        }
        let mut bytes = vec![0];
        bytes.extend(self.schema.to_be_bytes());
        for (_, value) in fields {
            // All are shorter than 64 bytes: the length, zigzag, is one.
            bytes.push(u8::try_from(value.len() * 2).expect("short"));
            bytes.extend(value.as_bytes());
        }
        bytes
    }

    /// Records that the source lost before anybody had read them.
    pub(crate) fn lose(&mut self, numbers: &BTreeSet<u64>) {
        self.lost += i64::try_from(numbers.len()).expect("some");
        self.sent.retain(|(_, number)| !numbers.contains(number));
    }

    /// The numbers of the lines that must be held, each once.
    pub(crate) fn truth(&self) -> BTreeSet<u64> {
        self.sent.iter().map(|(_, number)| *number).filter(|number| number % 50 != 49).collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.shop.command(args);
        command.env("KASSA__SOURCE__PROPERTIES", KAFKA);
        command.env("S3_ID", kassa_stack::s3::ACCESS_KEY_ID).env("S3_KEY", kassa_stack::s3::SECRET_ACCESS_KEY);
        command
    }

    /// Starts `kassa run`, with a data folder of its own where it has a name.
    pub(crate) fn start(&mut self, name: Option<&str>, env: &[(&str, &str)]) -> Process {
        let mut args = vec!["run", "--listen", "127.0.0.1:0"];
        args.extend(name.iter().flat_map(|name| ["--data-dir", *name]));
        let mut command = self.command(&args);
        command.envs(env.iter().copied());
        self.processes += 1;
        Process::start(command, self.shop.dir.path().join(format!("words-{}", self.processes)))
    }

    /// The same, and waits until it serves.
    pub(crate) fn serve(&mut self) -> Process {
        let mut process = self.start(None, &[]);
        process.until_it_listens();
        process
    }

    /// Ends a process one way or the other.
    pub(crate) fn end(&mut self, process: Process) {
        if self.rng.below(2) == 0 { process.stop() } else { process.kill() }
    }

    /// Runs a command to its end and expects success; its stdout.
    pub(crate) fn ok(&mut self, args: &[&str]) -> String {
        self.processes += 1;
        let words = self.shop.dir.path().join(format!("words-{}", self.processes));
        let file = std::fs::File::create(&words).expect("a file");
        let output = self.command(args).stderr(file).output().expect("started");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = || std::fs::read_to_string(&words).unwrap_or_default();
        assert!(output.status.success(), "kassa {args:?} exited {:?}\n{}\n{stdout}", output.status.code(), said());
        stdout
    }

    pub(crate) fn catch_up(&mut self) {
        self.ok(&["run", "--until-caught-up"]);
    }

    pub(crate) fn forget(self) {
        self.servers.to_s3.clear();
        self.servers.drop_database(&self.database);
        self.servers.admin.delete_topic(&self.topic).expect("deleted");
        if self.kind != Kind::Folder {
            std::fs::remove_dir_all(self.prefix()).expect("removed");
        }
    }
}

fn producer(servers: &Servers) -> Producer {
    Producer::connect(&ProducerOptions::new(servers.connection())).expect("a producer")
}

/// A schema of nine texts; its id.
fn register(servers: &mut Servers, topic: &str) -> u32 {
    let names =
        ["event_id", "occurred_at", "order_id", "line_id", "product_id", "customer_id", "quantity", "unit_price", "currency"];
    let fields: Vec<_> = names.iter().map(|name| serde_json::json!({"name": name, "type": "string"})).collect();
    // A name of its own: the same schema would have the same id in every run.
    let schema = serde_json::json!({"type": "record", "name": topic.replace('-', "_"), "fields": fields});
    let client = RegistryClient::new(RegistryOptions::new(servers.registry().1)).expect("a client");
    client.register(&format!("{topic}-value"), "AVRO", &schema.to_string(), &[]).expect("registered")
}
