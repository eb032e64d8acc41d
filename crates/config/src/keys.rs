//! The one table of keys. What is not here is a mistake in a configuration; the JSON schema, `config/default.toml` and
//! `docs/reference/configuration.md` are made from it, so that none of them can drift.

use crate::kind::Kind;

/// One key, or with `*` for a name that the user chooses, one key of each stream or lookup.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// As it would be given. `None`: required, optional, or derived as `doc` says.
    pub(crate) default: Option<&'static str>,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

/// A table of the file. The first has no header.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "", doc: "" },
    Section { name: "shop", doc: "The shop whose days and money the figures are in." },
    Section { name: "source", doc: "Where records come from." },
    Section {
        name: "registry",
        doc: "The schema registry of Avro streams: any that speaks Confluent's REST API. Not asked where no stream is Avro.",
    },
    Section {
        name: "streams.*",
        doc: "A named input with a contract. Where the file names no stream, the nine contracts' own exist: events, orders, \
              order_lines, payments, refunds, customers, products, inventory, fx_rates.",
    },
    Section { name: "lookups.*", doc: "A reference table for mappings: `lookup('NAME', key, 'column')`." },
    Section { name: "log", doc: "The collector's log: what was answered 202, on disk." },
    Section { name: "collector", doc: "What `POST /v1/{stream}` takes; more is answered 413." },
    Section { name: "lake", doc: "The star schema, dead letters and spans, as Delta tables." },
    Section {
        name: "lake.s3",
        doc: "The S3 server of a lake at `s3://BUCKET/PREFIX`: Amazon's, or any that keeps conditional PUT. Without keys here the usual ones are \
              taken: AWS_ACCESS_KEY_ID and its like, web identity, container and instance roles.",
    },
    Section { name: "warehouse", doc: "The star schema and the current state in PostgreSQL. Without `url` there is none." },
    Section {
        name: "redshift",
        doc: "Amazon Redshift, to which `kassa job run redshift` exports a lake in a bucket, through the Data API and by the keys of [lake.s3]. \
              Without `workgroup` or `cluster` there is none.",
    },
    Section { name: "archive", doc: "Every record's bytes, in the lake's folder." },
    Section { name: "proof", doc: "The proof that a running pipeline makes of itself, as `kassa prove` does." },
    Section { name: "live", doc: "The figures that are pushed to the dashboard." },
    Section { name: "server", doc: "The one listener: collector, API and dashboard." },
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const HOUR: u64 = 3600 * 1000;
const DAY: u64 = 24 * HOUR;

const fn key(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default: Some(default), required: false, doc }
}

const fn without_default(path: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { path, kind, default: None, required: false, doc }
}

const fn required(path: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { path, kind, default: None, required: true, doc }
}

const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Bytes { min, max }
}

const fn count(min: u64, max: u64) -> Kind {
    Kind::Count { min, max }
}

/// Bounds in milliseconds.
const fn duration(min: u64, max: u64) -> Kind {
    Kind::Duration { min, max }
}

pub(crate) const CONTRACTS: Kind =
    Kind::OneOf(&["event", "order", "order_line", "payment", "refund", "customer", "product", "inventory", "fx_rate"]);
pub(crate) const FORMATS: Kind = Kind::OneOf(&["json", "csv", "avro", "debezium-json", "parquet"]);
pub(crate) const SECURITIES: Kind = Kind::OneOf(&["plaintext", "tls", "sasl-plaintext", "sasl-tls"]);
pub(crate) const MECHANISMS: Kind = Kind::OneOf(&["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]);
pub(crate) const ENCODINGS: Kind = Kind::OneOf(&["utf-8", "windows-1252"]);

pub(crate) const KEYS: &[Key] = &[
    key("data_dir", Kind::Folder, "./data", "All that kassa writes lies below it. Relative to the configuration file's folder."),
    key("shop.name", Kind::Text, "Shop", "The name on the dashboard."),
    key("shop.time_zone", Kind::TimeZone, "Europe/London", "An IANA zone. Its midnights part the days of every figure."),
    key("shop.currency", Kind::Currency, "GBP", "The reporting currency, an ISO 4217 code."),
    key(
        "shop.country",
        Kind::Country,
        "none",
        "The country whose public holidays `dim_date` has, an ISO 3166-1 code. `none`: no holidays.",
    ),
    key(
        "source.url",
        Kind::SourceUrl,
        "log:log",
        "`log:FOLDER`: the collector's log, relative to data_dir. `kafka://HOST:PORT`: Kafka, several brokers with commas; the collector \
         then produces to it too.",
    ),
    key("source.group", Kind::Text, "kassa", "Of Kafka: the consumer group. Processes of one group share the partitions."),
    without_default(
        "source.instance",
        Kind::Text,
        "Of Kafka: a name that outlives restarts, another for each process: it gets its partitions back without a rebalance.",
    ),
    key(
        "source.security",
        SECURITIES,
        "plaintext",
        "Of Kafka: how connections are protected. `tls` with `certificate` and `key` is mutual; `sasl-tls` takes `user` and `password`.",
    ),
    key("source.mechanism", MECHANISMS, "SCRAM-SHA-512", "Of Kafka, with SASL."),
    without_default("source.user", Kind::Text, "Of Kafka, with SASL."),
    without_default("source.password", Kind::Secret, "Of Kafka, with SASL: `env:NAME` or `file:PATH`."),
    without_default("source.ca", Kind::File, "Of Kafka, with TLS: the authorities to trust, PEM. Default: the system's."),
    without_default("source.certificate", Kind::File, "Of Kafka, with TLS: this client's certificate, PEM. With it goes `key`."),
    without_default("source.key", Kind::File, "Of Kafka, with TLS: its key, PEM."),
    without_default(
        "source.properties",
        Kind::Text,
        "Of Kafka: further properties of librdkafka, `client.rack=a, session.timeout.ms=6000`, but for those that promises stand on.",
    ),
    without_default("registry.url", Kind::RegistryUrl, "Where it is, with the path where it has one."),
    without_default("registry.user", Kind::Text, "With `password`: basic authentication."),
    without_default("registry.password", Kind::Secret, "`env:NAME` or `file:PATH`."),
    without_default("registry.token", Kind::Secret, "A bearer token instead: `env:NAME` or `file:PATH`."),
    without_default("registry.ca", Kind::File, "The authorities to trust, PEM. Default: the system's."),
    without_default(
        "streams.*.topic",
        Kind::Topics,
        "The topic that it is read from; several with commas. Of Kafka `orders-*` stands for all that match, those too that come later. \
         Default: the stream's name.",
    ),
    key(
        "streams.*.format",
        FORMATS,
        "json",
        "How records are written. `avro`: in a schema registry's framing. `debezium-json`: change events of a database. In files \
         `json` is NDJSON; CSV has a header line.",
    ),
    without_default(
        "streams.*.contract",
        CONTRACTS,
        "What a record is. Required, unless the stream is named like its contract (`order`, `orders`).",
    ),
    without_default("streams.*.map", Kind::Sql, "The mapping into the contract: one SQL `SELECT … FROM input`."),
    without_default(
        "streams.*.map_file",
        Kind::File,
        "A file with the mapping, instead of `map`. Relative to the configuration file's folder.",
    ),
    key("streams.*.encoding", ENCODINGS, "utf-8", "The encoding of CSV files."),
    key("streams.*.delimiter", Kind::Delimiter, ",", "The character between CSV fields: one ASCII character, `\\t` for a tab."),
    without_default(
        "streams.*.columns",
        Kind::Text,
        "The columns of CSV records that come without a header line, as from Kafka: their names, written as the header would be. One \
         record is one row.",
    ),
    key(
        "streams.*.dedupe_window",
        duration(60_000, 400 * DAY),
        "7d",
        "How long the ids of behaviour events are remembered, by ingest time. Orders, lines, payments and refunds: for good.",
    ),
    key("streams.*.max_record", bytes(KIB, 64 * MIB), "1MiB", "A larger record is a dead letter (`too_large`)."),
    required(
        "lookups.*.file",
        Kind::File,
        "A CSV file with a header line, plain, .gz or .zst. Relative to the configuration file's folder.",
    ),
    required("lookups.*.key", Kind::Text, "The column that is looked up; each value of it once."),
    key("lookups.*.encoding", ENCODINGS, "utf-8", "The encoding of the file."),
    key("lookups.*.delimiter", Kind::Delimiter, ",", "The character between fields: one ASCII character, `\\t` for a tab."),
    key("log.segment_bytes", bytes(64 * KIB, GIB), "64MiB", "A segment file of this size is closed and the next one begun."),
    key(
        "log.retention",
        duration(60_000, 4000 * DAY),
        "7d",
        "A closed segment this old is deleted once every sink has committed it.",
    ),
    key("log.capacity", bytes(MIB, 1 << 50), "16GiB", "When the log is this large, the collector answers 429 until segments go."),
    key("collector.max_body", bytes(KIB, GIB), "64MiB", "The largest request body."),
    key("collector.max_record", bytes(KIB, 64 * MIB), "1MiB", "The largest record in it."),
    key("collector.max_records", count(1, 10_000_000), "1000000", "The most records in one request."),
    key(
        "lake.url",
        Kind::LakeUrl,
        "file:lake",
        "`file:FOLDER`: a local folder, relative to data_dir. `s3://BUCKET/PREFIX`: a bucket.",
    ),
    key(
        "lake.commit_interval",
        duration(10, HOUR),
        "2s",
        "Rows are committed at least this often: fresher, or fewer and larger files.",
    ),
    key(
        "lake.commit_rows",
        count(1, 10_000_000),
        "200000",
        "And as soon as this many records wait, or 48 MiB of them; batches of up to 8192 are not split.",
    ),
    key("lake.compact_after_files", count(2, 100_000), "32", "A table is compacted when it has more small files than this."),
    key("lake.checkpoint_interval", count(1, 100_000), "50", "Commits of a table between two checkpoints of its Delta log."),
    key(
        "lake.log_retention",
        duration(60_000, 400 * DAY),
        "10m",
        "How long files that compaction replaced stay for readers of older versions, but at most 48 a table.",
    ),
    key("lake.zstd_level", count(1, 19), "1", "The compression of Parquet files: higher is smaller and slower."),
    without_default(
        "lake.s3.endpoint",
        Kind::Endpoint,
        "The server's URL, `https://HOST:PORT`. Default: Amazon's of the region.",
    ),
    without_default("lake.s3.region", Kind::Text, "The bucket's region. Default: AWS_REGION, else `us-east-1`."),
    key(
        "lake.s3.path_style",
        Kind::Switch,
        "false",
        "Whether the bucket stands in the path (`https://HOST/BUCKET`), as most servers but Amazon's want it, or in the host's name.",
    ),
    key(
        "lake.s3.allow_http",
        Kind::Switch,
        "false",
        "Whether an endpoint beyond this machine may be `http://`: everybody on the way then reads the shop's data.",
    ),
    without_default("lake.s3.access_key_id", Kind::Secret, "`env:NAME` or `file:PATH`. With it goes `secret_access_key`."),
    without_default("lake.s3.secret_access_key", Kind::Secret, "`env:NAME` or `file:PATH`."),
    without_default("lake.s3.session_token", Kind::Secret, "`env:NAME` or `file:PATH`: of temporary keys."),
    without_default(
        "warehouse.url",
        Kind::WarehouseUrl,
        "`postgres://USER@HOST:PORT/DATABASE`. Other hosts than this one are spoken to by TLS, the host's name checked: \
         `?sslrootcert=`, `sslcert`, `sslkey`; `?sslmode=disable` does without.",
    ),
    without_default("warehouse.password", Kind::Secret, "`env:NAME` or `file:PATH`."),
    key("warehouse.commit_interval", duration(10, HOUR), "1s", "Rows are committed at least this often."),
    without_default(
        "warehouse.retention",
        duration(31 * DAY, 40_000 * DAY),
        "Facts whose day is older are dropped, a partition at a time; at least 31 days. Without it all are kept. Current state and sums by day stay.",
    ),
    without_default("redshift.workgroup", Kind::Text, "The workgroup of Redshift Serverless."),
    without_default("redshift.cluster", Kind::Text, "Or the identifier of a provisioned cluster."),
    key("redshift.database", Kind::Text, "dev", "The database."),
    without_default(
        "redshift.db_user",
        Kind::Text,
        "Of a cluster: the database's user. Default: the one of the caller's own identity.",
    ),
    without_default(
        "redshift.secret_arn",
        Kind::Text,
        "The ARN of a secret in Secrets Manager with user and password, instead of temporary credentials.",
    ),
    without_default(
        "redshift.iam_role",
        Kind::Text,
        "The ARN of the role by which Redshift reads the bucket; `default`: the one that it has as such. Required.",
    ),
    key(
        "redshift.schema",
        Kind::Text,
        "dwh",
        "The schema of the star, of one lake alone. Positions and staging tables are in another, of this name and `_kassa`.",
    ),
    without_default(
        "redshift.region",
        Kind::Text,
        "The region, which must be the bucket's. Default: lake.s3.region, else AWS_REGION.",
    ),
    without_default(
        "redshift.endpoint",
        Kind::Endpoint,
        "The Data API's URL, as of a VPC endpoint. Default: Amazon's of the region.",
    ),
    key(
        "redshift.folder",
        Kind::Text,
        "redshift",
        "The folder in the lake's bucket for manifests, and for what is remembered of loads.",
    ),
    key("archive.zstd_level", count(1, 19), "1", "The same, of the raw records."),
    key("proof.delay", duration(100, HOUR), "30s", "The first is made so long after the start."),
    key("proof.interval", duration(100, 400 * DAY), "1h", "The next begins so long after the last has ended."),
    key("live.push_interval", duration(10, 60_000), "50ms", "Changes are pushed to all viewers at most this often."),
    key(
        "server.listen",
        Kind::Address,
        "127.0.0.1:8080",
        "Address and port. Only this machine's own (loopback), as kassa has no users and tokens yet. Port 0: any free one.",
    ),
];

/// The key of a path as given: `streams.orders.topic` is an instance of `streams.*.topic`.
pub(crate) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        let (mut given, mut known) = (path.split('.'), key.path.split('.'));
        loop {
            match (given.next(), known.next()) {
                (None, None) => return true,
                (Some(_), Some("*")) => {}
                (Some(part), Some(word)) if part == word => {}
                _ => return false,
            }
        }
    })
}

/// The keys of a section by their last words: of `streams.*`: `topic`, `format`, …
pub(crate) fn of_section(section: &str) -> impl Iterator<Item = (&'static str, &'static Key)> {
    KEYS.iter().filter_map(move |key| {
        let (parent, word) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        (parent == section).then_some((word, key))
    })
}

/// The first words of sections: `shop`, `streams`, …
pub(crate) fn section_words() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().skip(1).map(|section| section.name.trim_end_matches(".*")).filter(|name| !name.contains('.'))
}

/// Whether there is a section of this name: `lake`, `lake.s3`, `streams.*`.
pub(crate) fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}

/// The sections in a section, by their last words: of `lake`: `s3`.
pub(crate) fn in_section(outer: &str) -> impl Iterator<Item = (&'static str, &'static Section)> {
    SECTIONS.iter().filter_map(move |section| {
        let (parent, word) = section.name.rsplit_once('.')?;
        (parent == outer && word != "*").then_some((word, section))
    })
}

/// Whether the section's members are named by the user: `streams`, `lookups`.
pub(crate) fn is_named(word: &str) -> bool {
    SECTIONS.iter().any(|section| section.name.strip_suffix(".*") == Some(word))
}
