//! `make stack`: Kafka, a schema registry, PostgreSQL and an S3 server on this machine, without containers, for as long as it runs; and
//! a configuration of kassa's between them.

use std::error::Error;
use std::fs;

use std::path::PathBuf;
use std::thread;

use kassa_stack::postgres::Postgres;
use kassa_stack::s3::{ACCESS_KEY_ID, S3Server, SECRET_ACCESS_KEY};
use kassa_stack::{Kafka, KafkaOptions, Registry};

const TOPICS: [&str; 9] =
    ["events", "orders", "order_lines", "payments", "refunds", "customers", "products", "inventory", "fx_rates"];
const PARTITIONS: u32 = 4;
const BUCKET: &str = "kassa";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "stack".to_owned()));
    fs::create_dir_all(&folder)?;
    eprintln!("==> starting Kafka, a schema registry, PostgreSQL and an S3 server");
    let kafka = Kafka::start(&KafkaOptions::default())?;
    let registry = Registry::start()?;
    let postgres = Postgres::start()?;
    let s3 = S3Server::start()?;
    eprintln!("==> creating {} topics, a database and a bucket", TOPICS.len());
    thread::scope(|scope| {
        let made: Vec<_> = TOPICS.map(|topic| scope.spawn(|| kafka.create_topic(topic, PARTITIONS))).into_iter().collect();
        made.into_iter().try_for_each(|made| made.join().map_err(|_| "a thread panicked")?.map_err(Box::<dyn Error>::from))
    })?;
    postgres.sql("postgres", "CREATE DATABASE kassa")?;
    s3.create_bucket(BUCKET)?;
    let config = folder.join("kassa.toml");
    fs::write(folder.join("s3.id"), ACCESS_KEY_ID)?;
    fs::write(folder.join("s3.key"), SECRET_ACCESS_KEY)?;
    fs::write(&config, configuration(&kafka, &registry, &postgres, &s3))?;
    eprintln!("  Kafka        {}", kafka.plaintext());
    eprintln!("  registry     {}", registry.url());
    eprintln!("  PostgreSQL   {}", postgres.url("postgres", "kassa"));
    eprintln!("  S3           {}", s3.endpoint());
    eprintln!("next, in another terminal: kassa run -c {}", config.display());
    eprintln!("      and a shop to feed it: kassa simulate --to kafka://{}", kafka.plaintext());
    eprintln!("all of it goes with Ctrl-C");

    loop {
        thread::park();
    }
}

fn configuration(kafka: &Kafka, registry: &Registry, postgres: &Postgres, s3: &S3Server) -> String {
    format!(
        "# Made by `make stack`, for as long as it runs.\n\
         [shop]\nname = \"Stack\"\n\
         [source]\nurl = \"kafka://{}\"\n\
         [registry]\nurl = \"{}\"\n\
         [lake]\nurl = \"s3://{BUCKET}/lake\"\n\
         [lake.s3]\nendpoint = \"{}\"\npath_style = true\naccess_key_id = \"file:s3.id\"\nsecret_access_key = \"file:s3.key\"\n\
         [warehouse]\nurl = \"{}\"\n",
        kafka.plaintext(),
        registry.url(),
        s3.endpoint(),
        postgres.url("postgres", "kassa")
    )
}
