//! The command line: names, flags, help. What they do is in `command/`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Real-time e-commerce data pipeline: figures that are right, provably.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the synthetic shop through the whole of kassa, with the dashboard.
    #[command(after_help = "Example: kassa demo --for 20s --rate 5000")]
    Demo(Demo),
    /// Run the pipeline: collector, archive, lake, live figures, dashboard.
    #[command(after_help = "Example: kassa run -c kassa.toml")]
    Run(Run),
    /// Read files into a stream, or the archive into sinks that lack what it has. Doing it again changes nothing.
    #[command(
        after_help = "Examples: kassa replay -c examples/online-retail.toml --stream sales by-day/*.csv\n          kassa replay --from archive --sinks warehouse"
    )]
    Replay(Replay),
    /// Make the star again from the archive, as after a changed mapping, and show how every figure changes.
    #[command(after_help = "Examples: kassa rebuild\n          kassa rebuild --apply")]
    Rebuild(Rebuild),
    /// Print a figure, by what the lake holds.
    #[command(after_help = "Example: kassa figures net_sales --by month --basis order\nWithout NAME: the catalogue.")]
    Figures(Figures),
    /// Ask the lake in SQL, read-only.
    #[command(after_help = "Example: kassa sql \"SELECT top_category, SUM(net_amount_reporting) FROM sales_flat GROUP BY 1\"")]
    Sql(Sql),
    /// Recount everything from its own contents; exit 0 only if nothing is lost, doubled or changed.
    #[command(after_help = "Example: kassa prove --format json\n         kassa prove --since 2026-01-31")]
    Prove(Prove),
    /// List, show and replay the records that were set aside.
    #[command(subcommand, name = "dead-letters")]
    DeadLetters(DeadLetters),
    /// The synthetic shop alone, with its truth.json: to files, to a running collector or to Kafka.
    #[command(
        after_help = "Example: kassa simulate --records 1000000 --to ./shop\n         kassa simulate --to kafka://localhost:9092 --format avro --registry http://localhost:8081 --rate 2000"
    )]
    Simulate(Simulate),
    /// Bring the warehouse's schema up to date, as the user of its URL; `kassa run` does so too where that user may.
    #[command(after_help = "Example: kassa migrate --roles | psql -d shop\n         kassa migrate -c kassa.toml")]
    Migrate(Migrate),
    /// Jobs that are run now and then, by hand or by a scheduler: each may be repeated.
    #[command(subcommand)]
    Job(JobCommand),
    /// Check the configuration and its mappings; all mistakes at once.
    #[command(after_help = "Example: kassa check -c kassa.toml")]
    Check(Check),
    /// Connect to everything that is configured, and say what is wrong and how to mend it; exit 0 only if nothing is.
    #[command(after_help = "Example: kassa doctor -c kassa.toml")]
    Doctor(Doctor),
    /// Watch a running kassa: rates, lag, commits, memory, dead letters, figures of today.
    #[command(after_help = "Example: kassa top --url http://127.0.0.1:8080")]
    Top(Top),
    /// Show the configuration in force, or its JSON schema.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where the configuration is, for every command that takes it.
#[derive(Debug, Args, Clone, Default)]
pub struct Place {
    /// The configuration [default: kassa.toml where there is one]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// All that kassa writes lies below it [default: as configured]
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
    /// Events a second
    #[arg(long, value_name = "EVENTS_PER_S", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub rate: u64,
    /// Where the dashboard listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Stop after this long, catch up, compare every figure with the truth
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub duration: Option<Duration>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub place: Place,
    /// Where the collector and the dashboard listen
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
    /// The sinks to run: archive, lake, live [default: all]
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
    /// Read what the archive has, of all topics, instead of files; `kassa run` may be at work meanwhile with other sinks
    #[arg(long, value_name = "PLACE", requires = "sinks", conflicts_with_all = ["stream", "files"])]
    pub from: Option<Origin>,
    /// The sinks that are to take it: `lake`, `warehouse`
    #[arg(long, value_name = "LIST", value_delimiter = ',', requires = "from")]
    pub sinks: Vec<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    pub place: Place,
    /// Exchange the star's tables for the new ones, and fill the warehouse again; without it nothing is changed
    #[arg(long)]
    pub apply: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Where a replay reads.
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
    /// total, hour, quarter_hour, day, week, month, category, product, country, customer, channel, …
    #[arg(long)]
    pub by: Option<String>,
    /// The first day. Or by whose rows: `lake` (the default) or `warehouse`; both may be given
    #[arg(long, value_name = "DAY|STORE")]
    pub from: Vec<String>,
    /// The last day
    #[arg(long, value_name = "DAY")]
    pub to: Option<String>,
    /// movement: returns count on the day they happen; order: on the day of their order
    #[arg(long)]
    pub basis: Option<String>,
    /// Only what lies before these positions, as an answer in JSON has them, in this file: two stores asked at the same ones agree
    #[arg(long, value_name = "FILE")]
    pub at: Option<PathBuf>,
    /// Say on stderr how many bytes of the lake's tables were read
    #[arg(long)]
    pub verbose: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Sql {
    pub query: String,
    #[command(flatten)]
    pub place: Place,
    /// Say on stderr how many bytes of the lake's tables were read
    #[arg(long)]
    pub verbose: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Prove {
    #[command(flatten)]
    pub place: Place,
    /// Prove only what was ingested from this day on: YYYY-MM-DD, in UTC
    #[arg(long, value_name = "DAY", value_parser = day)]
    pub since: Option<String>,
    /// Leave out what Kafka still has: the rest is proven where it does not answer, too
    #[arg(long)]
    pub without_kafka: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Subcommand)]
pub enum DeadLetters {
    /// The records that were set aside, grouped by reason or one by one.
    #[command(after_help = "Example: kassa dead-letters list --reason unknown_currency")]
    List(DeadLettersList),
    /// One record: what is wrong with it, and its bytes as they came.
    #[command(after_help = "Example: kassa dead-letters show order_lines/0/771")]
    Show(DeadLettersShow),
    /// Send the records through the pipeline as it is now. What is good now is added, once.
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
    /// At most so many
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
    /// Show what would be added, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// A folder for files, http://HOST:PORT of a running kassa, or kafka://HOST:PORT, whose topics are named like the streams
    #[arg(long, value_name = "DIR|URL")]
    pub to: String,
    #[arg(long, default_value_t = 100_000)]
    pub records: u64,
    /// Records on a simulated day
    #[arg(long, default_value_t = 60_000)]
    pub per_day: u64,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Records a second [default: as fast as they go]
    #[arg(long, value_name = "RECORDS_PER_S", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: Option<u64>,
    /// How records for Kafka are written. mixed: those of one half of the keys in JSON, of the other in Avro to the topic TOPIC_avro
    #[arg(long, value_enum, default_value_t = Written::Json)]
    pub format: Written,
    /// The schema registry that Avro's schemas are registered with, under TOPIC-value
    #[arg(long, value_name = "URL", required_if_eq_any = [("format", "avro"), ("format", "mixed")])]
    pub registry: Option<String>,
}

/// The form of the records that the synthetic shop sends to Kafka.
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
    /// Print the SQL that makes the roles instead, for an administrator to run once
    #[arg(long)]
    pub roles: bool,
}

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// The jobs there are.
    #[command(after_help = "Example: kassa job list --format json")]
    List(JobList),
    /// Run a job to its end.
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
    /// The job: `kassa job list` names them
    pub name: String,
    #[command(flatten)]
    pub place: Place,
    /// The day that a scheduler runs it for. A job that takes the lake as it is says so, and runs the same for any day
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
    /// Where it is [default: http:// and server.listen]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Print what there is now, and end; as it does without a terminal
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
    /// Every key and its value.
    #[command(after_help = "Example: kassa config show --origin")]
    Show(ConfigShow),
    /// The JSON schema of kassa.toml.
    Schema,
}

#[derive(Debug, Args)]
pub struct ConfigShow {
    #[command(flatten)]
    pub place: Place,
    /// And where each value comes from
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
