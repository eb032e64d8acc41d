//! The servers of all runs: started once, with proxies before those that are to misbehave.

use std::net::SocketAddr;

use kassa_kafka::{Admin, Connection};
use kassa_stack::http_faults::HttpFaults;
use kassa_stack::postgres::Postgres;
use kassa_stack::proxy::{HttpProxy, TcpProxy};
use kassa_stack::s3::S3Server;
use kassa_stack::{Kafka, KafkaOptions, Registry};
use kassa_warehouse::Target;

use crate::s3;

/// A migrated warehouse that each run's is copied from.
const TEMPLATE: &str = "template_of_runs";

pub(crate) struct Servers {
    pub(crate) kafka: Kafka,
    pub(crate) admin: Admin,
    pub(crate) postgres: Postgres,
    pub(crate) to_postgres: TcpProxy,
    pub(crate) s3: S3Server,
    pub(crate) to_s3: HttpFaults,
    /// With the first run that needs it: it takes ten seconds.
    registry: Option<(Registry, HttpProxy)>,
}

impl Servers {
    pub(crate) fn start() -> Self {
        let kafka = Kafka::start(&KafkaOptions::default()).expect("Kafka");
        let postgres = Postgres::start().expect("PostgreSQL");
        postgres.sql("postgres", &format!("CREATE DATABASE {TEMPLATE}")).expect("a database");
        let target = Target::parse(&postgres.url("postgres", TEMPLATE), None).expect("a target");
        kassa_warehouse::migrate(&target).expect("migrated");
        let to_postgres = TcpProxy::to(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).expect("a proxy");
        let s3 = s3::server();
        let to_s3 = HttpFaults::start(s3.address()).expect("a proxy");
        let admin = Admin::connect(&connection(&kafka)).expect("an administrator");
        Self { kafka, admin, postgres, to_postgres, s3, to_s3, registry: None }
    }

    pub(crate) fn connection(&self) -> Connection {
        connection(&self.kafka)
    }

    /// The registry's URL by way of its proxy, and by itself.
    pub(crate) fn registry(&mut self) -> (String, String) {
        let (registry, proxy) = self.registry.get_or_insert_with(|| {
            let registry = Registry::start().expect("a registry");
            let proxy = HttpProxy::to(registry.address().parse().expect("an address")).expect("a proxy");
            (registry, proxy)
        });
        (registry.url().replace(&registry.address(), &proxy.address().to_string()), registry.url())
    }

    pub(crate) fn to_registry(&self) -> &HttpProxy {
        &self.registry.as_ref().expect("a run with a registry").1
    }

    pub(crate) fn create_database(&self, name: &str) {
        self.postgres.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).expect("a database");
    }

    /// A connection of the test's own, not by way of the proxy.
    pub(crate) fn client(&self, database: &str) -> postgres::Client {
        let parameters = format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.postgres.port());
        postgres::Client::connect(&parameters, postgres::NoTls).expect("a connection")
    }

    /// Drops the database of a run.
    pub(crate) fn drop_database(&self, name: &str) {
        self.postgres.sql("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).expect("dropped");
    }

    /// A standby becomes the server, and the one that there was is gone.
    pub(crate) fn replace_postgres(&mut self, standby: Postgres) {
        self.to_postgres.retarget(SocketAddr::from(([127, 0, 0, 1], standby.port())));
        self.to_postgres.cut();
        self.postgres = standby;
    }
}

fn connection(kafka: &Kafka) -> Connection {
    Connection { brokers: kafka.plaintext(), ..Connection::default() }
}
