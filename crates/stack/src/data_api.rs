//! A stand-in for Amazon Redshift and its Data API, because we have no Redshift to test with: the
//! API's protocol over HTTP, with the statements on a real PostgreSQL.
//!
//! ```text
//!  AWS JSON 1.1 ─► signed? target? limits? ─► token known? ── the same request ─► the statement that it is
//!                                                  │ no       another request ─► ValidationException
//!                                                  ▼
//!                           SUBMITTED ─► STARTED ─► one transaction in PostgreSQL ─► FINISHED | FAILED | ABORTED
//!                                                   COPY runs here: manifest, sizes, columns by position
//! ```
//!
//! It tests how a client handles the API's answers, tokens and failures, and that its statements
//! have the intended effect. It does not emulate Redshift's locking, isolation, speed, Parquet
//! encodings, or SQL beyond what PostgreSQL has.

mod copy;
mod protocol;
mod run;
mod sql;

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::http_faults;
use crate::schedule::Schedule;

pub use run::Status;

/// A fault in the handling of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is carried out, and the connection is cut before the answer.
    LoseReply,
    /// HTTP 400 with ThrottlingException; nothing is done.
    Throttle,
    /// HTTP 429 without any code; nothing is done.
    TooMany,
    /// AccessDeniedException.
    Deny,
    /// The n-th statement of the batch, from 1, fails; everything is rolled back.
    FailAt(usize),
    /// The batch is committed but reported as failed.
    SayFailed,
    /// The statement starts after this delay.
    Slow(Duration),
    /// The statement starts when it is released.
    Hold,
    /// The statement is done, but its id is unknown afterwards.
    Expire,
}

/// When a fault is due, and how often it has fired.
#[derive(Debug)]
pub struct Rule {
    action: &'static str,
    part: String,
    schedule: Schedule,
    fault: Fault,
}

impl Rule {
    /// How often it has fired. A test whose fault never fired proves nothing.
    pub fn fired(&self) -> u64 {
        self.schedule.fired()
    }

    fn is_due(&self, action: &str, body: &str) -> bool {
        self.action == action && body.contains(&self.part) && self.schedule.is_due()
    }
}

/// A statement or batch that was accepted.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: String,
    pub token: Option<String>,
    pub sqls: Vec<String>,
    pub status: Status,
    pub error: Option<String>,
}

#[derive(Debug)]
struct Shared {
    /// The connection string of the PostgreSQL database.
    postgres: String,
    /// A folder with one folder per bucket, as the S3 server stores them.
    buckets: PathBuf,
    rules: Mutex<Vec<Arc<Rule>>>,
    statements: Mutex<HashMap<String, run::Statement>>,
    next: AtomicU64,
    released: AtomicBool,
    stopped: AtomicBool,
}

/// A running stand-in. It stops accepting connections when dropped.
#[derive(Debug)]
pub struct DataApi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DataApi {
    /// Uses a database of a PostgreSQL server, `postgres://…`, and the folder of the S3 server's
    /// buckets.
    pub fn start(postgres: &str, buckets: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let shared = Arc::new(Shared {
            postgres: postgres.to_owned(),
            buckets: buckets.to_owned(),
            rules: Mutex::default(),
            statements: Mutex::default(),
            next: AtomicU64::new(1),
            released: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
        });
        let server = Self { address: listener.local_addr()?, shared: Arc::clone(&shared) };
        thread::Builder::new().name("data api".to_owned()).spawn(move || {
            for client in listener.incoming().map_while(Result::ok).take_while(|_| !shared.stopped.load(Ordering::SeqCst)) {
                let shared = Arc::clone(&shared);
                // A broken connection is an expected outcome here.
                thread::spawn(move || serve(client, &shared).unwrap_or_default());
            }
        })?;
        Ok(server)
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a fault for requests of an action whose body contains `part`: from the `nth` (from 1),
    /// `times` times.
    pub fn on(&self, action: &'static str, part: &str, (nth, times): (u64, u64), fault: Fault) -> Arc<Rule> {
        let rule = Arc::new(Rule { action, part: part.to_owned(), schedule: Schedule::new(nth, times), fault });
        locked(&self.shared.rules).push(Arc::clone(&rule));
        rule
    }

    /// Removes all faults.
    pub fn clear(&self) {
        locked(&self.shared.rules).clear();
    }

    /// Starts held statements.
    pub fn release(&self) {
        self.shared.released.store(true, Ordering::SeqCst);
    }

    /// All accepted statements, in order.
    pub fn taken(&self) -> Vec<Taken> {
        let statements = locked(&self.shared.statements);
        let mut taken: Vec<Taken> = statements.values().map(run::Statement::taken).collect();
        taken.sort_by(|a, b| a.id.cmp(&b.id));
        taken
    }

    /// Drops all tokens, as the API does after eight hours.
    pub fn forget_tokens(&self) {
        locked(&self.shared.statements).values_mut().for_each(run::Statement::forget_token);
    }
}

impl Drop for DataApi {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // The listener only notices the stop with the next connection.
        TcpStream::connect(self.address).map(|_| ()).unwrap_or_default();
    }
}

fn serve(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let mut requests = BufReader::new(client.try_clone()?);
    while let Some(head) = http_faults::head(&mut requests)? {
        let body = String::from_utf8_lossy(&http_faults::body(&mut requests, &head)?).into_owned();
        let action = head.header("x-amz-target").unwrap_or_default();
        let action = action.strip_prefix("RedshiftData.").unwrap_or_default();
        let due = locked(&shared.rules).iter().find(|rule| rule.is_due(action, &body)).map(|rule| rule.fault);
        let answer = match due {
            Some(Fault::Throttle) => Err(protocol::Refusal::new("ThrottlingException", "a fault for a test")),
            Some(Fault::TooMany) => Err(protocol::Refusal { status: 429, ..protocol::Refusal::new("", "a fault for a test") }),
            Some(Fault::Deny) => Err(protocol::Refusal::new("AccessDeniedException", "a fault for a test")),
            _ => protocol::signed(&head).and_then(|()| protocol::answer(shared, action, &body, due)),
        };
        if due == Some(Fault::LoseReply) {
            return client.shutdown(Shutdown::Both);
        }
        protocol::write(&client, answer)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
