//! The one table of keys. Any other key is a mistake. The JSON schema, `config/default.toml` and
//! `docs/reference/configuration.md` are generated from it, so they cannot differ.

use kassa_model::Format;

use crate::kind::Kind;

/// One key. `*` is the name of a stream or lookup: the key exists for each of them.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    /// As written in a file. `None`: required, optional, or derived as `doc` says.
    pub(crate) default: Option<&'static str>,
    pub(crate) required: bool,
    pub(crate) doc: &'static str,
}

/// A section of the file. The first has no header.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
}

pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "", doc: "" },
    Section { name: "shop", doc: "The shop. Its time zone and currency apply to all figures." },
    Section { name: "source", doc: "The source of records." },
    Section {
        name: "registry",
        doc: "The schema registry of Avro streams, with Confluent's REST API. Unused if no stream is Avro.",
    },
    Section {
        name: "streams.*",
        doc: "A named input with a contract. If the file names no stream, there is one for each contract: events, orders, \
              order_lines, payments, refunds, customers, products, inventory, fx_rates.",
    },
    Section { name: "lookups.*", doc: "A reference table for mappings: `lookup('NAME', key, 'column')`." },
    Section { name: "log", doc: "The collector's log on disk: records that were answered with 202." },
    Section { name: "collector", doc: "Limits of `POST /v1/{stream}`; larger requests get a 413." },
    Section { name: "lake", doc: "The star schema, dead letters and spans, as Delta tables." },
    Section {
        name: "lake.s3",
        doc: "The S3 server of a lake at `s3://BUCKET/PREFIX`: Amazon's, or any with conditional PUT. Without keys here, kassa uses the usual ones: \
              AWS_ACCESS_KEY_ID and related variables, web identity, container and instance roles.",
    },
    Section {
        name: "warehouse",
        doc: "The star schema and the current state in PostgreSQL. Without `url` there is no warehouse.",
    },
    Section {
        name: "redshift",
        doc: "Amazon Redshift. `kassa job run redshift` exports a lake in a bucket to it, through the Data API and with the keys of [lake.s3]. \
              Without `workgroup` or `cluster` there is no export.",
    },
    Section { name: "archive", doc: "The bytes of every record, in the lake's folder." },
    Section { name: "proof", doc: "The regular proof in a running pipeline; the same as `kassa prove`." },
    Section { name: "live", doc: "The live stream of figures to the dashboard." },
    Section { name: "server", doc: "The one listener: collector, API and dashboard." },
    Section { name: "limits", doc: "Bounds of what kassa uses." },
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
pub(crate) const FORMATS: Kind = Kind::OneOf(Format::NAMES);
pub(crate) const SECURITIES: Kind = Kind::OneOf(&["plaintext", "tls", "sasl-plaintext", "sasl-tls"]);
pub(crate) const MECHANISMS: Kind = Kind::OneOf(&["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"]);
pub(crate) const ENCODINGS: Kind = Kind::OneOf(&["utf-8", "windows-1252"]);

pub(crate) const KEYS: &[Key] = &[
    key(
        "data_dir",
        Kind::Folder,
        "./data",
        "The folder for everything that kassa writes. Relative to the configuration file's folder.",
    ),
    key("shop.name", Kind::Text, "Shop", "The name on the dashboard."),
    key("shop.time_zone", Kind::TimeZone, "Europe/London", "An IANA zone. Its midnights separate the days of every figure."),
    key("shop.currency", Kind::Currency, "GBP", "The reporting currency, an ISO 4217 code."),
    key(
        "shop.country",
        Kind::Country,
        "none",
        "The country whose public holidays `dim_date` contains, an ISO 3166-1 code. `none`: no holidays.",
    ),
    key(
        "source.url",
        Kind::SourceUrl,
        "log:log",
        "`log:FOLDER`: the collector's log, relative to data_dir. `kafka://HOST:PORT`: Kafka, several brokers with commas; the collector \
         then produces to it too.",
    ),
    key("source.group", Kind::Text, "kassa", "Kafka: the consumer group. Processes of one group share the partitions."),
    without_default(
        "source.instance",
        Kind::Text,
        "Kafka: a permanent name, unique per process. After a restart, the process gets its partitions back without a rebalance.",
    ),
    key(
        "source.security",
        SECURITIES,
        "plaintext",
        "Kafka: protection of connections. `tls` with `certificate` and `key` is mutual; `sasl-tls` needs `user` and `password`.",
    ),
    key("source.mechanism", MECHANISMS, "SCRAM-SHA-512", "Kafka with SASL."),
    without_default("source.user", Kind::Text, "Kafka with SASL."),
    without_default("source.password", Kind::Secret, "Kafka with SASL: `env:NAME` or `file:PATH`."),
    without_default("source.ca", Kind::File, "Kafka with TLS: the trusted authorities, PEM. Default: the system's."),
    without_default("source.certificate", Kind::File, "Kafka with TLS: this client's certificate, PEM. Requires `key`."),
    without_default("source.key", Kind::File, "Kafka with TLS: the key of `certificate`, PEM."),
    without_default(
        "source.properties",
        Kind::Properties,
        "Kafka: more properties of librdkafka, `client.rack=a, session.timeout.ms=6000`. A secret is a reference: `ssl.key.password=env:NAME`. Refused: \
         those that kassa's guarantees depend on.",
    ),
    without_default("registry.url", Kind::RegistryUrl, "The registry's URL, including its path."),
    without_default("registry.user", Kind::Text, "For basic authentication, together with `password`."),
    without_default("registry.password", Kind::Secret, "`env:NAME` or `file:PATH`."),
    without_default("registry.token", Kind::Secret, "A bearer token instead: `env:NAME` or `file:PATH`."),
    without_default("registry.ca", Kind::File, "The trusted authorities, PEM. Default: the system's."),
    without_default(
        "streams.*.topic",
        Kind::Topics,
        "The topic to read; several are separated by commas. With Kafka, `orders-*` reads all matching topics, including new ones. \
         Default: the stream's name.",
    ),
    key(
        "streams.*.format",
        FORMATS,
        "json",
        "The format of records. `avro`: in a schema registry's framing. `debezium-json`: change events of a database. In files \
         `json` is NDJSON; CSV has a header line.",
    ),
    without_default(
        "streams.*.contract",
        CONTRACTS,
        "The contract of its records. Required, unless the stream has the name of its contract (`order`, `orders`).",
    ),
    without_default("streams.*.map", Kind::Sql, "The mapping to the contract: one SQL `SELECT … FROM input`."),
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
        "The column names of CSV records without a header line, as from Kafka, written like a header line. One \
         record is one row.",
    ),
    key(
        "streams.*.dedupe_window",
        duration(60_000, 400 * DAY),
        "7d",
        "How long kassa remembers the ids of behaviour events, by ingest time. Of streams with one contract, the longest \
         window counts. Ids of orders, lines, payments and refunds are kept forever.",
    ),
    key("streams.*.max_record", bytes(KIB, 64 * MIB), "1MiB", "A larger record is a dead letter (`too_large`)."),
    required(
        "lookups.*.file",
        Kind::File,
        "A CSV file with a header line, plain, .gz or .zst. Relative to the configuration file's folder.",
    ),
    required("lookups.*.key", Kind::Text, "The key column. Its values must be unique."),
    key("lookups.*.encoding", ENCODINGS, "utf-8", "The encoding of the file."),
    key("lookups.*.delimiter", Kind::Delimiter, ",", "The character between fields: one ASCII character, `\\t` for a tab."),
    key(
        "log.segment_bytes",
        bytes(64 * KIB, GIB),
        "64MiB",
        "The size at which a segment file is closed and the next one begins.",
    ),
    key(
        "log.retention",
        duration(60_000, 4000 * DAY),
        "7d",
        "A closed segment this old is deleted once every sink has committed it; earlier if its room is needed.",
    ),
    key(
        "log.capacity",
        bytes(MIB, 1 << 50),
        "16GiB",
        "The most disk space that the log takes. Without room for a request, the collector answers 429.",
    ),
    key("collector.max_body", bytes(KIB, GIB), "64MiB", "The largest request body."),
    key("collector.max_record", bytes(KIB, 64 * MIB), "1MiB", "The largest record in a request."),
    key("collector.max_records", count(1, 10_000_000), "1000000", "The maximum number of records in a request."),
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
        "The longest time between commits. Shorter: fresher data. Longer: fewer and larger files.",
    ),
    key(
        "lake.commit_rows",
        count(1, 10_000_000),
        "200000",
        "kassa also commits when this many records, or 48 MiB of them (less where `limits.memory` is below 512 MiB), are waiting. Batches of \
         up to 8192 are not split.",
    ),
    key("lake.compact_after_files", count(2, 100_000), "32", "The number of small files above which a table is compacted."),
    key("lake.checkpoint_interval", count(1, 100_000), "50", "Commits of a table between two checkpoints of its Delta log."),
    key(
        "lake.log_retention",
        duration(60_000, 400 * DAY),
        "10m",
        "How long files replaced by compaction stay for readers of older versions; at most 48 per table.",
    ),
    key("lake.zstd_level", count(1, 19), "1", "The compression of Parquet files: higher is smaller and slower."),
    without_default(
        "lake.s3.endpoint",
        Kind::Endpoint,
        "The server's URL, `https://HOST:PORT`. Default: Amazon's in the region.",
    ),
    without_default("lake.s3.region", Kind::Text, "The bucket's region. Default: AWS_REGION, or else `us-east-1`."),
    key(
        "lake.s3.path_style",
        Kind::Switch,
        "false",
        "Whether the bucket is in the path (`https://HOST/BUCKET`), as most servers except Amazon's require, or in the host's name.",
    ),
    key(
        "lake.s3.allow_http",
        Kind::Switch,
        "false",
        "Whether an endpoint on another machine may be `http://`. The shop's data is then readable on the network.",
    ),
    without_default("lake.s3.access_key_id", Kind::Secret, "`env:NAME` or `file:PATH`. Requires `secret_access_key`."),
    without_default("lake.s3.secret_access_key", Kind::Secret, "`env:NAME` or `file:PATH`."),
    without_default("lake.s3.session_token", Kind::Secret, "`env:NAME` or `file:PATH`, for temporary keys."),
    without_default(
        "warehouse.url",
        Kind::WarehouseUrl,
        "`postgres://USER@HOST:PORT/DATABASE`. Connections to other hosts use TLS with a check of the host's name: \
         `?sslrootcert=`, `sslcert`, `sslkey`; `?sslmode=disable` does without.",
    ),
    without_default("warehouse.password", Kind::Secret, "`env:NAME` or `file:PATH`."),
    key("warehouse.commit_interval", duration(10, HOUR), "1s", "The longest time between commits."),
    without_default(
        "warehouse.retention",
        duration(31 * DAY, 40_000 * DAY),
        "How long facts are kept, at least 31 days. Older daily partitions are dropped; current state and daily sums stay. Default: all are kept.",
    ),
    without_default("redshift.workgroup", Kind::Text, "The workgroup of Redshift Serverless."),
    without_default("redshift.cluster", Kind::Text, "Or the identifier of a provisioned cluster, instead of `workgroup`."),
    key("redshift.database", Kind::Text, "dev", "The database."),
    without_default(
        "redshift.db_user",
        Kind::Text,
        "For a cluster: the database's user. Default: the user of the caller's identity.",
    ),
    without_default(
        "redshift.secret_arn",
        Kind::Text,
        "The ARN of a secret in Secrets Manager with user and password, instead of temporary credentials.",
    ),
    without_default(
        "redshift.iam_role",
        Kind::Text,
        "The ARN of the role with which Redshift reads the bucket; `default`: Redshift's default role. Required.",
    ),
    key(
        "redshift.schema",
        Kind::Text,
        "dwh",
        "The schema of the star schema, for one lake only. Positions and staging tables are in a second schema, this name plus `_kassa`.",
    ),
    without_default(
        "redshift.region",
        Kind::Text,
        "The region; it must be the bucket's. Default: lake.s3.region, or else AWS_REGION.",
    ),
    without_default(
        "redshift.endpoint",
        Kind::Endpoint,
        "The Data API's URL, for example of a VPC endpoint. Default: Amazon's in the region.",
    ),
    key("redshift.folder", Kind::Text, "redshift", "The folder in the lake's bucket for manifests and the state of loads."),
    key("archive.zstd_level", count(1, 19), "1", "The compression of the raw records, as `lake.zstd_level`."),
    key("proof.delay", duration(100, HOUR), "30s", "The time from the start to the first proof."),
    key("proof.interval", duration(100, 400 * DAY), "1h", "The time from the end of a proof to the next one."),
    key("live.push_interval", duration(10, 60_000), "50ms", "The shortest time between updates to the viewers."),
    key(
        "server.listen",
        Kind::Address,
        "127.0.0.1:8080",
        "Address and port. Only loopback addresses, because kassa has no users or tokens yet. Port 0: any free port.",
    ),
    key(
        "server.stop_within",
        duration(1_000, HOUR),
        "20s",
        "How long a stop (SIGTERM, Ctrl-C) may take, whatever a store does. Then kassa ends with exit code 1 and says which records are not \
         committed; the next start reads them again. A second signal ends it at once.",
    ),
    key(
        "limits.memory",
        bytes(128 * MIB, 1024 * GIB),
        "512MiB",
        "The memory that `kassa run` is meant to stay within. The tables of the dedupe index may use an eighth of it, and so may all queries of \
         the API; a sink gathers 3/32 of it before a commit, at most 48 MiB; 1/16, at most 32 MiB, may wait to be written to the collector's \
         log. `/metrics` and `kassa top` show what each part uses.",
    ),
    key(
        "limits.query_memory",
        bytes(128 * MIB, 1024 * GIB),
        "512MiB",
        "The memory of a query of `kassa sql`. Joins, sorts and groups may hold three eighths of it; beyond that they spill to files where they \
         can, up to four times it. A query that needs more is ended.",
    ),
    key(
        "limits.query_time",
        duration(100, DAY),
        "60s",
        "How long a query of `kassa sql` may take. Time in which its output waits for a reader does not count.",
    ),
];

/// Finds the key of a concrete path: `streams.orders.topic` is an instance of `streams.*.topic`.
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

/// The keys of a section with their last words: for `streams.*`: `topic`, `format`, …
pub(crate) fn of_section(section: &str) -> impl Iterator<Item = (&'static str, &'static Key)> {
    KEYS.iter().filter_map(move |key| {
        let (parent, word) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        (parent == section).then_some((word, key))
    })
}

/// The first words of all sections: `shop`, `streams`, …
pub(crate) fn section_words() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().skip(1).map(|section| section.name.trim_end_matches(".*")).filter(|name| !name.contains('.'))
}

/// Whether this section exists: `lake`, `lake.s3`, `streams.*`.
pub(crate) fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}

/// The sections inside a section with their last words: for `lake`: `s3`.
pub(crate) fn in_section(outer: &str) -> impl Iterator<Item = (&'static str, &'static Section)> {
    SECTIONS.iter().filter_map(move |section| {
        let (parent, word) = section.name.rsplit_once('.')?;
        (parent == outer && word != "*").then_some((word, section))
    })
}

/// Whether the user names the section's members: `streams`, `lookups`.
pub(crate) fn is_named(word: &str) -> bool {
    SECTIONS.iter().any(|section| section.name.strip_suffix(".*") == Some(word))
}
