//! The command line: names, flags, help. `command/` implements the commands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Real-time e-commerce data pipeline: live figures that you can prove
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the synthetic shop through the whole pipeline, with the dashboard
    #[command(after_help = "Example: kassa demo --for 20s --rate 5000")]
    Demo(Demo),
    /// Run the pipeline: collector, archive, lake, live figures, dashboard
    #[command(
        after_help = "It listens before its stores answer; /readyz names what is missing. SIGTERM or Ctrl-C stops it\nwithin server.stop_within (20s), a second signal at once; exit 1: a sink lacks records, which the\nnext start reads again.\n\nExample: kassa run -c kassa.toml"
    )]
    Run(Run),
    /// Read files into a stream, or the archive into sinks that lack its records. Repeating it
    /// changes nothing
    #[command(
        after_help = "Examples: kassa replay -c examples/online-retail.toml --stream sales by-day/*.csv\n          kassa replay --from archive --sinks warehouse"
    )]
    Replay(Replay),
    /// Rebuild the star schema from the archive, for example after a mapping changed, and show how
    /// every figure changes
    #[command(after_help = "Examples: kassa rebuild\n          kassa rebuild --apply")]
    Rebuild(Rebuild),
    /// Print a figure from the lake or the warehouse
    #[command(after_help = "Example: kassa figures net_sales --by month --basis order\nWithout NAME: the catalogue.")]
    Figures(Figures),
    /// Query the lake in SQL, read-only
    #[command(after_help = "Example: kassa sql \"SELECT top_category, SUM(net_amount_reporting) FROM sales_flat GROUP BY 1\"")]
    Sql(Sql),
    /// Recount everything from the stored records; exit 0 only if nothing is lost, doubled or
    /// changed, and 3 if a system could not be compared
    #[command(after_help = "Example: kassa prove --format json\n         kassa prove --since 2026-01-31")]
    Prove(Prove),
    /// Show what is damaged in the collector's log; let the log go on without it
    #[command(after_help = "Example: kassa repair\n         kassa repair --apply")]
    Repair(Repair),
    /// List, show and replay dead letters
    #[command(subcommand, name = "dead-letters")]
    DeadLetters(DeadLetters),
    /// Run only the synthetic shop and write its truth.json: to files, to a running collector or to
    /// Kafka
    #[command(
        after_help = "Example: kassa simulate --records 1000000 --to ./shop\n         kassa simulate --to kafka://localhost:9092 --format avro --registry http://localhost:8081 --rate 2000"
    )]
    Simulate(Simulate),
    /// Bring the warehouse's schema up to date, as the user of its URL; `kassa run` also does this
    /// if the user has the right
    #[command(after_help = "Example: kassa migrate --roles | psql -d shop\n         kassa migrate -c kassa.toml")]
    Migrate(Migrate),
    /// List and run jobs, by hand or by a scheduler; each job may be repeated
    #[command(subcommand)]
    Job(JobCommand),
    /// Check the configuration and its mappings; report all mistakes at once
    #[command(after_help = "Example: kassa check -c kassa.toml")]
    Check(Check),
    /// Connect to everything in the configuration; report problems and fixes; exit 0 only if there
    /// are none
    #[command(after_help = "Example: kassa doctor -c kassa.toml")]
    Doctor(Doctor),
    /// Watch a running kassa: rates, lag, commits, memory, dead letters, today's figures
    #[command(after_help = "Example: kassa top --url http://127.0.0.1:8080")]
    Top(Top),
    /// Show the effective configuration, or its JSON schema
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// The configuration, for every command that needs it.
#[derive(Debug, Args, Clone, Default)]
pub struct Place {
    /// The configuration [default: kassa.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder for everything that kassa writes [default: as configured]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    Csv,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// The folder for everything the demo writes
    #[arg(long, value_name = "DIR", default_value = "kassa-demo")]
    pub dir: PathBuf,
    /// Events per second
    #[arg(long, value_name = "EVENTS_PER_S", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
    /// The address of the dashboard
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Stop after this time, catch up, and compare every figure with the expected value
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub place: Place,
    /// The address of the collector and the dashboard
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The sinks to run: archive, lake, warehouse, live [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub sinks: Vec<String>,
    /// Stop when the log has been read to its end
    #[arg(long)]
    pub until_caught_up: bool,
}

#[derive(Debug, Args)]
pub struct Replay {
    #[command(flatten)]
    pub place: Place,
    /// The stream that the files belong to
    #[arg(long, value_name = "NAME", required_unless_present = "from")]
    pub stream: Option<String>,
    #[arg(required_unless_present = "from", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Read all topics of the archive instead of files; `kassa run` may run meanwhile with other
    /// sinks
    #[arg(long, value_name = "PLACE", requires = "sinks", conflicts_with_all = ["stream", "files"])]
    pub from: Option<Origin>,
    /// The sinks to fill: `lake`, `warehouse`
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "from")]
    pub sinks: Vec<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub place: Place,
    /// Replace the star's tables with the new ones and refill the warehouse; without this, nothing
    /// changes
    #[arg(long)]
    pub apply: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The input of a replay.
#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Origin {
    Archive,
}

#[derive(Debug, Args)]
pub struct Figures {
    /// The figure; without it, the catalogue
    pub name: Option<String>,
    #[command(flatten)]
    pub place: Place,
    /// total, hour, quarter_hour, day, week, month, category, product, country, customer, channel,
    /// …
    #[arg(long)]
    pub by: Option<String>,
    /// The first day, or the store: `lake` (default) or `warehouse`; may be given twice
    #[arg(long, value_name = "DAY|STORE")]
    pub from: Vec<String>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// movement: returns count on the day they happen; order: on the day of their order
    #[arg(long)]
    pub basis: Option<String>,
    /// Use only records before the positions in this file, as in a JSON answer: two stores give the
    /// same answer at the same positions
    #[arg(long, value_name = "FILE")]
    pub at: Option<PathBuf>,
    /// Print the figure's query over all days instead of its answer: for `kassa sql`, or for Spark
    /// over the tables of the lake
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["from", "to", "at", "verbose", "format"])]
    pub query: Option<Engine>,
    /// Print on stderr how many bytes of the lake's tables were read
    #[arg(long)]
    pub verbose: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The SQL dialect of a query.
#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Engine {
    Lake,
    Spark,
}

#[derive(Debug, Args)]
pub struct Sql {
    pub query: String,
    #[command(flatten)]
    pub place: Place,
    /// The memory of the query [default: limits.query_memory, 512MiB]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// End the query after this time, without that in which its output waits for a reader [default:
    /// limits.query_time, 60s]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// Print on stderr how many bytes of the lake's tables were read
    #[arg(long)]
    pub verbose: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// The process that watches the query gives this: run it here, and spill to the folder
    #[arg(long, value_name = "DIR", hide = true)]
    pub contained: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Prove {
    #[command(flatten)]
    pub place: Place,
    /// Prove only records ingested on or after this day: YYYY-MM-DD, in UTC
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub since: Option<String>,
    /// Skip the comparison with Kafka; the rest is proven even if Kafka does not answer
    #[arg(long)]
    pub without_kafka: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Repair {
    #[command(flatten)]
    pub place: Place,
    /// Keep the damaged bytes in a file beside the segment, record which records are lost, and let
    /// the log go on after them; without this, nothing changes
    #[arg(long)]
    pub apply: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// List dead letters, grouped by reason or one by one
    #[command(after_help = "Example: kassa dead-letters list --reason unknown_currency")]
    List(DeadLettersList),
    /// Show one dead letter: the problem and the original bytes
    #[command(after_help = "Example: kassa dead-letters show order_lines/0/771")]
    Show(DeadLettersShow),
    /// Send dead letters through the current pipeline; each accepted record is added once
    #[command(after_help = "Example: kassa dead-letters replay --reason mapping_failed --dry-run")]
    Replay(DeadLettersReplay),
}

#[derive(Debug, Args, Clone, Default)]
pub struct Chosen {
    /// Only this reason
    #[arg(long)]
    pub reason: Option<String>,
    /// Only this stream
    #[arg(long)]
    pub stream: Option<String>,
}

#[derive(Debug, Args)]
pub struct DeadLettersList {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub chosen: Chosen,
    /// The maximum number of rows
    #[arg(long, default_value_t = 1_000)]
    pub limit: usize,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeadLettersShow {
    /// TOPIC/PARTITION/OFFSET
    pub id: String,
    #[command(flatten)]
    pub place: Place,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct DeadLettersReplay {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub chosen: Chosen,
    /// Show what would be added, but change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// A folder for files, http://HOST:PORT of a running kassa, or kafka://HOST:PORT; topics have
    /// the names of the streams
    #[arg(long, value_name = "DIR|URL")]
    pub to: String,
    #[arg(long, default_value_t = 100_000)]
    pub records: u64,
    /// Records per simulated day
    #[arg(long, default_value_t = 60_000)]
    pub per_day: u64,
    /// Customers that the shop begins with; the records of all of them are sent on the first day
    /// [default: 0.5 % of --per-day, each sent with the first visit]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub customers: Option<u32>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Records per second [default: as fast as possible]
    #[arg(long, value_name = "RECORDS_PER_S", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: Option<u64>,
    /// The format of records for Kafka. mixed: half of the keys in JSON, the other half in Avro to
    /// the topic TOPIC_avro
    #[arg(long, value_enum, default_value_t = Written::Json)]
    pub format: Written,
    /// The schema registry; schemas are registered as TOPIC-value
    #[arg(long, value_name = "URL", required_if_eq_any = [("format", "avro"), ("format", "mixed")])]
    pub registry: Option<String>,
}

/// The format of the records that the synthetic shop sends to Kafka.
#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Written {
    Json,
    Avro,
    Mixed,
}

#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    pub place: Place,
    /// Print the SQL that creates the roles instead; an administrator runs it once
    #[arg(long)]
    pub roles: bool,
}

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// List the jobs
    #[command(after_help = "Example: kassa job list --format json")]
    List(JobList),
    /// Run a job to completion
    #[command(after_help = "Example: kassa job run redshift -c kassa.toml")]
    Run(JobRun),
}

#[derive(Debug, Args)]
pub struct JobList {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct JobRun {
    /// The job; `kassa job list` lists all of them
    pub name: String,
    #[command(flatten)]
    pub place: Place,
    /// The day for which a scheduler runs it. A job that works on the current lake does the same
    /// for every day and prints a note
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub place: Place,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub place: Place,
    #[arg(long, value_enum, default_value_t = Shown::Table)]
    pub format: Shown,
}

#[derive(Debug, Args)]
pub struct Top {
    #[command(flatten)]
    pub place: Place,
    /// The URL of kassa [default: http:// and server.listen]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print the current state and exit; the default without a terminal
    #[arg(long)]
    pub once: bool,
    #[arg(long, value_enum, default_value_t = Shown::Table)]
    pub format: Shown,
}

/// For people, or for programs.
#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Shown {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print every key and its value
    #[command(after_help = "Example: kassa config show --origin")]
    Show(ConfigShow),
    /// Print the JSON schema of kassa.toml
    Schema,
}

#[derive(Debug, Args)]
pub struct ConfigShow {
    #[command(flatten)]
    pub place: Place,
    /// Also print the origin of each value
    #[arg(long)]
    pub origin: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

fn day(text: &str) -> Result<String, String> {
    let is_day = kassa_model::time::parse_day(text).is_some();
    if is_day { Ok(text.to_owned()) } else { Err("not a day such as 2026-01-31".to_owned()) }
}

fn duration(text: &str) -> Result<Duration, humantime::DurationError> {
    humantime::parse_duration(text)
}
