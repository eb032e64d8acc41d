//! The process of one query: confined, and with the rows on its stdout.

use std::any::Any;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use kassa_config::Config;
use kassa_lake::store::Measured;
use kassa_model::Code;
use kassa_query::{Pool, Room, STACK_BYTES, Session, SqlError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limits;
use crate::cli::Sql;
use crate::failure::{self, Failure};
use crate::output;
use crate::wiring::Lake;

const WORKERS: usize = 2;
/// Threads that read files for the workers.
const READERS: usize = 8;
/// The stack of workers and readers, which run a plan that the main thread made.
const WORKER_STACK_BYTES: usize = 16 << 20;

pub(super) fn run(args: &Sql, config: &Config, limits: &Limits, spill: &Path) -> anyhow::Result<()> {
    confine(limits).context("could not bound the memory of the query")?;
    // A panic becomes the error below.
    std::panic::set_hook(Box::new(|_| ()));
    let room = Room { pool: Pool::new(limits.pool_bytes()), spill: spill.to_owned(), spill_bytes: limits.spill_bytes() };
    thread::scope(|scope| {
        let query = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, || query(args, config, limits, &room))?;
        query.join().unwrap_or_else(|panic| Err(broken(panic.as_ref(), limits).into()))
    })
}

/// A single allocation beyond the limit fails before it is used; the watch sees those that grow. No dump of the memory is written, and the query
/// ends with the process that watches it.
fn confine(limits: &Limits) -> io::Result<()> {
    let stacks = STACK_BYTES + (WORKERS + READERS) * WORKER_STACK_BYTES;
    let bytes = u64::try_from(limits.resident_bytes() + stacks).unwrap_or(u64::MAX);
    for (resource, most) in [(Resource::Data, bytes), (Resource::Core, 0)] {
        // A lower bound of the system stays.
        let most = getrlimit(resource).maximum.map_or(most, |held| held.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    Ok(())
}

fn query(args: &Sql, config: &Config, limits: &Limits, room: &Room) -> anyhow::Result<()> {
    let lake = Lake::of(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(READERS)
        .thread_stack_size(WORKER_STACK_BYTES)
        .enable_all()
        .build()?;
    let store = Measured::new(Arc::clone(&lake.store));
    let rebuilt = lake.rebuilt()?;
    let refused = |error| told(error, limits);
    let scanned = runtime.block_on(async {
        let session = Session::open_in(room, &store, &config.shop, &args.query).await.map_err(refused)?;
        let mut rows = session.stream(&args.query).await.map_err(refused)?;
        let mut printed = output::Rows::new(io::stdout().lock(), rows.schema(), args.format);
        while let Some(batch) = rows.next().await {
            printed.push(&batch.map_err(refused)?)?;
        }
        printed.finish()?;
        anyhow::Ok(rows.scanned())
    });
    runtime.shutdown_background();
    let scanned = match scanned {
        // The process that watches knows that nobody reads.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => {
            return Ok(());
        }
        scanned => scanned?,
    };
    lake.refuse_rebuilt(rebuilt)?;
    if args.verbose {
        // Figures are read by the store, tables by the query engine.
        output::bytes_read(lake.store.as_ref(), scanned + store.read())?;
    }
    Ok(())
}

fn told(error: SqlError, limits: &Limits) -> anyhow::Error {
    match error {
        SqlError::Refused(why) => {
            // A disk or a store that fails while rows are read is no mistake in the query.
            if let Some((code, fix)) = failure::of_system(&why) {
                let failure = Failure::new(code, why);
                return fix.into_iter().fold(failure, Failure::hint).into();
            }
            let hint = "kassa sql reads only; `SHOW TABLES` lists tables and views";
            Failure::new(Code::SqlRefused, why).hint(hint).into()
        }
        SqlError::Memory(why) => {
            limits.memory(why.within(format!("the query needs more memory than it may use, {}", limits.memory_words()))).into()
        }
        SqlError::Nesting(why) => {
            Failure::new(Code::QueryLimit, why).hint("write it with fewer expressions and subqueries inside each other").into()
        }
        SqlError::Lake(error) => error.into(),
    }
}

/// The engine gave up: mostly over a length that no array can have.
fn broken(panic: &(dyn Any + Send), limits: &Limits) -> Failure {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let words = words.unwrap_or("it panicked");
    if ["capacity overflow", "offset overflow", "Cannot allocate memory", "temporarily unavailable"]
        .iter()
        .any(|part| words.contains(part))
    {
        return limits.memory(format!("the query needs more memory than it may use, {}: {words}", limits.memory_words()));
    }
    Failure::new(Code::SqlRefused, format!("the query engine cannot run it: {words}"))
}
