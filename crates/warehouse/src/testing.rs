//! A real PostgreSQL with migrations, and batches of all contracts for it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64};

use arrow_array::BinaryArray;
use kassa_model::time::Clock;
use kassa_model::{Contract, Currency, Headers, Partition, Records, Shop};
use kassa_pipeline::dedupe::{Index, IndexOptions};
use kassa_pipeline::{Batch, Format, Stage, Stream};
use kassa_stack::postgres::{Options, Postgres};
use serde_json::{Value, json};

use crate::{Patience, Target, WarehouseSink};

/// 2026-01-05 12:00 UTC.
pub(crate) const NOW: i64 = 1_767_614_400_000_000;

#[derive(Debug)]
pub(crate) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> i64 {
        NOW
    }
}

pub(crate) fn shop() -> Shop {
    Shop::new("Suite", "Europe/London", Currency::parse("GBP").unwrap()).unwrap()
}

/// A server with a migrated database `shop`, owned by the superuser.
pub(crate) struct Warehouse {
    pub(crate) server: Postgres,
}

impl Warehouse {
    pub(crate) fn new() -> Self {
        Self::with(&Options::default())
    }

    pub(crate) fn with(options: &Options) -> Self {
        let server = Postgres::start_with(options).unwrap();
        server.sql("postgres", "CREATE DATABASE shop").unwrap();
        let warehouse = Self { server };
        crate::migrate(&warehouse.target("postgres")).unwrap();
        warehouse
    }

    pub(crate) fn target(&self, user: &str) -> Target {
        Target::parse(&self.server.url(user, "shop"), None).unwrap()
    }

    pub(crate) fn sink(&self) -> WarehouseSink {
        WarehouseSink::open(self.target("postgres"), Arc::new(Fixed)).unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        self.server.sql("shop", sql).unwrap()
    }

    pub(crate) fn count(&self, table: &str) -> i64 {
        self.sql(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
    }

    /// Empties everything for the next case, because a new server is expensive.
    pub(crate) fn clear(&self) {
        let tables = self.sql(
            "SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
             WHERE schemaname IN ('dwh', 'ods', 'kassa') AND tablename <> 'migrations'",
        );
        self.sql(&format!("TRUNCATE {tables}"));
    }
}

pub(crate) fn impatient(sink: WarehouseSink) -> WarehouseSink {
    sink.with_patience(Patience { tries: 3, first_wait: std::time::Duration::from_millis(10) })
}

pub(crate) fn partition(topic: &str, number: i64) -> Partition {
    Partition::new(topic, number)
}

/// One topic per contract, with its name.
pub(crate) struct Feed {
    stage: Stage,
}

impl Feed {
    pub(crate) fn new() -> Self {
        let index = Index::new(&IndexOptions { memory_bytes: 1 << 20, dir: None, event_window_us: 86_400_000_000 }).unwrap();
        let streams = Contract::ALL.map(|contract| {
            let name = contract.name();
            (Arc::from(name), Stream::new(name, contract, Format::Json, None, 1 << 20))
        });
        Self { stage: Stage::new(&shop(), kassa_model::key::Keyring::keyed([7; 16]), index, streams) }
    }

    pub(crate) fn batch(&mut self, topic: &str, number: i64, from: i64, values: &[String]) -> Arc<Batch> {
        let next = from + i64::try_from(values.len()).unwrap();
        let records = Records {
            partition: partition(topic, number),
            offsets: (from..next).collect(),
            ingested_at: vec![NOW; values.len()],
            timestamps: vec![None; values.len()],
            keys: None,
            headers: Headers::None,
            values: BinaryArray::from_iter_values(values),
            next,
        };
        Arc::new(self.stage.run(records, from).unwrap())
    }

    pub(crate) fn json(&mut self, topic: &str, from: i64, values: &[Value]) -> Arc<Batch> {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        self.batch(topic, 0, from, &values)
    }
}

pub(crate) fn line(number: i64, offset: i64) -> Value {
    json!({"event_id": format!("e{number}-{offset}"), "occurred_at": "2026-01-05T10:00:00Z", "order_id": format!("o{number}-{offset}"),
        "line_id": "1", "product_id": "lamp", "customer_id": "ann", "quantity": "1", "unit_price": "2.50", "currency": "GBP"})
}

/// A sold line at each offset; each record is decided on its own.
pub(crate) fn sold(number: i64, offsets: Range<i64>) -> Arc<Batch> {
    let values: Vec<String> = offsets.clone().map(|offset| line(number, offset).to_string()).collect();
    Feed::new().batch("order_line", number, offsets.start, &values)
}

/// A record that cannot be parsed at each offset.
pub(crate) fn bad(number: i64, offsets: Range<i64>) -> Arc<Batch> {
    let values: Vec<String> = offsets.clone().map(|_| "{".to_owned()).collect();
    Feed::new().batch("order_line", number, offsets.start, &values)
}

/// A proxy between a client and a server whose address can change. It can be told to lose data.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    upstream: Arc<AtomicU16>,
    losing: Arc<AtomicU8>,
    lost: Arc<AtomicU64>,
}

/// What the proxy loses next, once, together with the connection.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Lose {
    CommitReply = 1,
    Commit = 2,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            upstream: Arc::new(AtomicU16::new(port)),
            losing: Arc::default(),
            lost: Arc::default(),
        };
        let (upstream, losing, lost) = (Arc::clone(&proxy.upstream), Arc::clone(&proxy.losing), Arc::clone(&proxy.lost));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", upstream.load(SeqCst))) else { continue };
                let (losing, lost) = (Arc::clone(&losing), Arc::clone(&lost));
                std::thread::spawn(move || relay(client, server, &losing, &lost));
            }
        });
        proxy
    }

    pub(crate) fn lose(&self, what: Lose) {
        self.losing.store(what as u8, SeqCst);
    }

    /// The number of losses.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(SeqCst)
    }

    pub(crate) fn switch(&self, port: u16) {
        self.upstream.store(port, SeqCst);
    }

    pub(crate) fn target(&self) -> Target {
        Target::parse(&format!("postgres://postgres@127.0.0.1:{}/shop", self.port), None).unwrap()
    }
}

fn relay(mut client: TcpStream, mut server: TcpStream, losing: &AtomicU8, lost: &AtomicU64) {
    let (mut replies, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let is_cut = Arc::new(AtomicBool::new(false));
    let cut = Arc::clone(&is_cut);
    let answers = std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(read) = replies.read(&mut buffer) {
            if read == 0 || cut.load(SeqCst) || back.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        back.shutdown(Shutdown::Both).ok();
    });
    let mut buffer = [0; 65_536];
    while let Ok(read) = client.read(&mut buffer) {
        let is_commit = buffer[..read].windows(7).any(|bytes| bytes == b"COMMIT\0");
        let what = if is_commit { losing.swap(0, SeqCst) } else { 0 };
        if what != 0 {
            lost.fetch_add(1, SeqCst);
            is_cut.store(true, SeqCst);
        }
        if read == 0 || what == Lose::Commit as u8 || server.write_all(&buffer[..read]).is_err() {
            break;
        }
        if what == Lose::CommitReply as u8 {
            // The other thread ends with the server's answer, which it does not pass on.
            answers.join().unwrap();
            server.shutdown(Shutdown::Both).ok();
            return;
        }
    }
    server.shutdown(Shutdown::Both).ok();
    client.shutdown(Shutdown::Both).ok();
}
