//! `kassa sql`: a read-only query of the lake's star schema, views and figures.
//!
//! The query runs in a process of its own, which this one watches. Whatever a function of SQL allocates, however long it computes without a
//! pause and however deep its plan is: it ends within the limits, and its end has words.

mod contained;
mod pump;
mod watch;

use std::fs;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use kassa_config::{Config, Override};
use kassa_model::Code;
use kassa_query::STACK_BYTES;
use rustix::process::Signal;
use tempfile::TempDir;

use self::pump::Pump;
use self::watch::{End, watch};
use crate::cli::Sql;
use crate::failure::{Exit, Failure};
use crate::settings;

/// What the query's process may say at most.
const WORDS_BYTES_MAX: u64 = 64 << 10;

pub fn sql(args: &Sql) -> anyhow::Result<()> {
    let config = config(args)?;
    let limits = Limits::of(&config);
    if let Some(spill) = &args.contained {
        return contained::run(args, &config, &limits, spill);
    }
    settings::note_missing_lake(&config);
    let spill = spill(&config)?;
    let mut child = start(&spill).context("could not start the query")?;
    let pump = Pump::start(child.stdout.take().context("the query has no output")?);
    let words = listen(&mut child)?;
    let end = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(watch(&mut child, &pump, &limits));
    if !matches!(end, Ok(End::Ended(_))) {
        // It may have ended just now.
        child.kill().unwrap_or_default();
        child.wait().context("could not end the query")?;
    }
    match end.context("could not watch the query")? {
        End::Ended(status) => ended(status, &words.join().unwrap_or_default(), pump, &limits),
        End::Unread => pump.result(),
        End::Late => Err(limits.late().into()),
        End::Memory => {
            Err(limits.memory(format!("the query needs more memory than it may use, {}", limits.memory_words())).into())
        }
        End::Signal(number) => Err(Exit(128 + number).into()),
    }
}

/// The configuration, with the limits that the command line gives.
fn config(args: &Sql) -> anyhow::Result<Config> {
    let given = [("limits.query_memory", "--memory", &args.memory), ("limits.query_time", "--timeout", &args.timeout)];
    let given = given
        .into_iter()
        .filter_map(|(key, flag, value)| Some(Override { key: key.to_owned(), value: value.clone()?, flag: flag.to_owned() }));
    settings::load(&args.place, given.collect()).map(|(config, _)| config)
}

/// The bounds of one query.
#[derive(Debug, Clone, Copy)]
struct Limits {
    memory_bytes: usize,
    time: Duration,
}

impl Limits {
    fn of(config: &Config) -> Self {
        Self { memory_bytes: config.limits.query_memory_bytes, time: config.limits.query_time }
    }

    /// What joins, sorts and groups may hold.
    fn pool_bytes(&self) -> usize {
        self.memory_bytes / 8 * 3
    }

    /// Spilled rows on disk.
    fn spill_bytes(&self) -> u64 {
        u64::try_from(self.memory_bytes).unwrap_or(u64::MAX).saturating_mul(4)
    }

    /// Resident memory at which the process is ended. The rest is for what it allocates until that is noticed.
    fn resident_bytes(&self) -> usize {
        self.memory_bytes / 8 * 7
    }

    fn memory_words(&self) -> String {
        format!("{} MiB", self.memory_bytes >> 20)
    }

    fn memory(&self, what: impl Into<kassa_model::Cause>) -> Failure {
        let hint = format!(
            "`--memory {}GiB` allows more, for all queries `limits.query_memory`; a condition on a date key, or fewer columns, needs less",
            (self.memory_bytes >> 29).max(1)
        );
        Failure::new(Code::QueryLimit, what).hint(hint)
    }

    fn late(&self) -> Failure {
        let what = format!("the query did not end within {}", humantime::format_duration(self.time));
        let hint = format!(
            "`--timeout {}` allows more, for all queries `limits.query_time`; a condition on a date key reads fewer files",
            humantime::format_duration(self.time * 10)
        );
        Failure::new(Code::QueryLimit, what).hint(hint)
    }
}

/// A folder for spilled rows, which is removed with whatever an ended query leaves in it.
fn spill(config: &Config) -> anyhow::Result<TempDir> {
    let near = config.data_dir.join("tmp");
    if config.data_dir.is_dir()
        && fs::create_dir_all(&near).is_ok()
        && let Ok(folder) = tempfile::Builder::new().prefix("sql-").tempdir_in(&near)
    {
        return Ok(folder);
    }
    tempfile::tempdir().context("could not make a folder for spilled rows")
}

/// Starts the same command in a process of its own.
fn start(spill: &TempDir) -> io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["sql", "--contained"]).arg(spill.path()).args(std::env::args_os().skip(2));
    // Memory that the query gives back is given back to the system, so that what is resident is what it uses.
    command.env("MALLOC_CONF", "retain:false,narenas:4,dirty_decay_ms:200,muzzy_decay_ms:0");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// What the query's process says, to be printed unless its end needs other words.
fn listen(child: &mut Child) -> anyhow::Result<JoinHandle<String>> {
    let mut from = child.stderr.take().context("the query has no voice")?;
    Ok(thread::spawn(move || {
        let mut words = Vec::new();
        let heard = from.by_ref().take(WORDS_BYTES_MAX).read_to_end(&mut words);
        // The rest is read, so that the process does not wait to say it.
        heard.and_then(|_| io::copy(&mut from, &mut io::sink())).unwrap_or_default();
        String::from_utf8_lossy(&words).into_owned()
    }))
}

/// The query's process has ended by itself, or was ended by its limits.
fn ended(status: ExitStatus, words: &str, pump: Pump, limits: &Limits) -> anyhow::Result<()> {
    let Some(signal) = status.signal() else {
        pump.result()?;
        if !words.is_empty() {
            say!("{}", words.trim_end());
        }
        return match status.code() {
            Some(0) => Ok(()),
            code => Err(Exit(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)).into()),
        };
    };
    // A terminal sends Ctrl-C to both processes.
    if let Some(asked) = [Signal::INT, Signal::TERM].iter().find(|asked| asked.as_raw() == signal) {
        return Err(Exit(128 + u8::try_from(asked.as_raw()).unwrap_or(0)).into());
    }
    Err(if words.contains("memory allocation of") {
        limits.memory(format!("the query needs more memory than it may use, {}", limits.memory_words()))
    } else if words.contains("has overflowed its stack") {
        let what = format!("the query nests too deeply for its stack of {} MiB", STACK_BYTES >> 20);
        Failure::new(Code::QueryLimit, what).hint("write it with fewer expressions and subqueries inside each other")
    } else if signal == Signal::KILL.as_raw() {
        limits.memory(format!("the system ended the query (signal {signal}), as it does when memory is short"))
    } else {
        Failure::new(Code::Defect, format!("the query's process ended by signal {signal}: {}", words.trim()))
    }
    .into())
}
