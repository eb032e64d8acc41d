//! `make stack`: runs Kafka, a schema registry, PostgreSQL and an S3 server on this machine,
//! without containers, until it is stopped. It puts a synthetic shop into Kafka and writes a
//! configuration of kassa for these servers.
//!
//! `stack [KASSA [FOLDER]]`: KASSA is the program that fills Kafka; the printed commands use it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use kassa_stack::postgres::Postgres;
use kassa_stack::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use kassa_stack::{Kafka, KafkaOptions, Registry};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const TOPICS: [&str; 9] =
    ["events", "orders", "order_lines", "payments", "refunds", "customers", "products", "inventory", "fx_rates"];
const PARTITIONS: u32 = 4;
const BUCKET: &str = "kassa";
const RECORDS: &str = "100000";
/// The roles, created by an administrator, and a login for each user.
const ROLES: &str = include_str!("../../../warehouse/schema/roles.sql");
const LOGINS: &str = "CREATE ROLE kassa LOGIN IN ROLE kassa_migrate, kassa_ingest; CREATE ROLE analyst LOGIN IN ROLE kassa_read;
    ALTER ROLE analyst IN DATABASE kassa SET search_path = dwh, ods";

/// Stops when it is dropped.
struct Servers {
    kafka: Kafka,
    registry: Registry,
    postgres: Postgres,
    s3: S3Server,
}

fn main() -> Result<(), Box<dyn Error>> {
    // From here on a signal only ends the wait, so that the servers are stopped and their folders
    // removed.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let mut arguments = std::env::args().skip(1);
    let kassa = arguments.next().unwrap_or_else(|| "kassa".to_owned());
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "stack".to_owned()));
    eprintln!("==> starting Kafka, a schema registry, PostgreSQL and an S3 server");
    let servers = Servers::start()?;
    eprintln!("==> creating {} topics, a database with its roles, and a bucket", TOPICS.len());
    servers.prepare()?;
    let config = configure(&folder, &servers)?;
    eprintln!("==> sending {RECORDS} records of a synthetic shop to Kafka");
    fill(&kassa, &servers.kafka.plaintext())?;
    say(&kassa, &config, &servers);
    signals.forever().next();
    eprintln!("stopping");
    Ok(())
}

impl Servers {
    fn start() -> Result<Self, Box<dyn Error>> {
        // The two slow servers start in parallel.
        let (kafka, registry) = thread::scope(|scope| {
            let registry = scope.spawn(Registry::start);
            (Kafka::start(&KafkaOptions::default()), registry.join())
        });
        let registry = registry.map_err(|_| "a thread panicked")??;
        Ok(Self { kafka: kafka?, registry, postgres: Postgres::start()?, s3: S3Server::start()? })
    }

    fn prepare(&self) -> Result<(), Box<dyn Error>> {
        thread::scope(|scope| {
            let made: Vec<_> = TOPICS.map(|topic| scope.spawn(|| self.kafka.create_topic(topic, PARTITIONS))).into();
            made.into_iter().try_for_each(|made| made.join().map_err(|_| "a thread panicked")?.map_err(Box::<dyn Error>::from))
        })?;
        self.postgres.sql("postgres", "CREATE DATABASE kassa")?;
        self.postgres.sql("kassa", ROLES)?;
        self.postgres.sql("kassa", LOGINS)?;
        Ok(self.s3.create_bucket(BUCKET)?)
    }
}

/// Writes the folder's configuration. Files of an earlier stack belong to servers that no longer
/// run.
fn configure(folder: &Path, servers: &Servers) -> Result<PathBuf, Box<dyn Error>> {
    let data = folder.join("data");
    if data.is_dir() {
        fs::remove_dir_all(data)?;
    }
    fs::create_dir_all(folder)?;
    let config = folder.join("kassa.toml");
    fs::write(folder.join("s3.id"), ACCESS_KEY_ID)?;
    fs::write(folder.join("s3.key"), SECRET_ACCESS_KEY)?;
    fs::write(&config, configuration(servers))?;
    Ok(config)
}

fn configuration(servers: &Servers) -> String {
    format!(
        "# Written by `make stack`; valid while it runs.\n\
         [shop]\nname = \"Stack\"\n\
         [source]\nurl = \"kafka://{}\"\n\
         [registry]\nurl = \"{}\"\n\
         [lake]\nurl = \"s3://{BUCKET}/lake\"\n\
         [lake.s3]\nendpoint = \"{}\"\npath_style = true\naccess_key_id = \"file:s3.id\"\nsecret_access_key = \"file:s3.key\"\n\
         [warehouse]\nurl = \"{}\"\n",
        servers.kafka.plaintext(),
        servers.registry.url(),
        servers.s3.endpoint(),
        servers.postgres.url("kassa", "kassa")
    )
}

fn fill(kassa: &str, brokers: &str) -> Result<(), Box<dyn Error>> {
    let to = format!("kafka://{brokers}");
    let filled = Command::new(kassa).args(["simulate", "--records", RECORDS, "--to", &to]).stdout(Stdio::null()).status();
    match filled {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{kassa} simulate --to {to}` ended with {status}").into()),
        Err(error) => Err(format!("could not run `{kassa}`, which fills Kafka: {error}").into()),
    }
}

fn say(kassa: &str, config: &Path, servers: &Servers) {
    let (brokers, config) = (servers.kafka.plaintext(), config.display());
    eprintln!("  Kafka        {brokers}");
    eprintln!("  registry     {}", servers.registry.url());
    eprintln!("  PostgreSQL   {}", servers.postgres.url("analyst", "kassa"));
    eprintln!("  S3           {}", servers.s3.endpoint());
    eprintln!("next, in another terminal:");
    eprintln!("  {kassa} run -c {config}");
    eprintln!("and in a third, the figures from PostgreSQL:");
    eprintln!("  {kassa} figures net_sales --by day --from warehouse -c {config}");
    eprintln!("more: {kassa} simulate --seed 2 --to kafka://{brokers} · {kassa} top -c {config} · {kassa} doctor -c {config}");
    eprintln!("Ctrl-C stops and removes all of it");
}
