//! Statements: accepted once per token, each run as one transaction on its own thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use postgres::types::Type;
use postgres::{Client, NoTls, SimpleQueryMessage, Transaction};

use super::{Fault, Shared, Taken, copy, locked, sql};

/// A statement that is never released starts after this time, so that its test ends.
const HELD: Duration = Duration::from_secs(300);

/// The progress of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Submitted,
    Started,
    Finished,
    Failed,
    Aborted,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::Submitted => "SUBMITTED",
            Status::Started => "STARTED",
            Status::Finished => "FINISHED",
            Status::Failed => "FAILED",
            Status::Aborted => "ABORTED",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cells {
    Null,
    Long(i64),
    Text(String),
}

/// The result of one statement of a batch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Rows returned or changed.
    pub(super) count: i64,
    pub(super) rows: Option<Vec<Vec<Cells>>>,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) token: Option<String>,
    pub(super) sqls: Vec<String>,
    pub(super) is_batch: bool,
    /// The original request, which a token identifies.
    pub(super) whole: String,
}

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) id: String,
    request: Request,
    pub(super) is_batch: bool,
    pub(super) status: Status,
    pub(super) error: Option<String>,
    pub(super) results: Vec<Part>,
    /// Seconds since 1970.
    pub(super) created: f64,
    pub(super) is_expired: bool,
    pub(super) is_cancelled: bool,
}

impl Statement {
    pub(super) fn taken(&self) -> Taken {
        Taken {
            id: self.id.clone(),
            token: self.request.token.clone(),
            sqls: self.request.sqls.clone(),
            status: self.status,
            error: self.error.clone(),
        }
    }

    pub(super) fn forget_token(&mut self) {
        self.request.token = None;
    }
}

/// The server's own time, as the API states it.
#[expect(clippy::disallowed_methods, reason = "a server has its own clock")]
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The statement of a request, and its creation time; `None` if its token belongs to another
/// request.
pub(super) fn submit(shared: &Arc<Shared>, request: Request, fault: Option<Fault>) -> Option<(String, f64)> {
    let mut statements = locked(&shared.statements);
    if let Some(token) = &request.token
        && let Some(known) = statements.values().find(|known| known.request.token.as_ref() == Some(token))
    {
        return (known.request.whole == request.whole).then(|| (known.id.clone(), known.created));
    }
    let id = format!("00000000-0000-4000-8000-{:012x}", shared.next.fetch_add(1, Ordering::SeqCst));
    let (sqls, created) = (request.sqls.clone(), now());
    let statement = Statement {
        id: id.clone(),
        is_batch: request.is_batch,
        request,
        status: Status::Submitted,
        error: None,
        results: Vec::new(),
        created,
        is_expired: false,
        is_cancelled: false,
    };
    statements.insert(id.clone(), statement);
    let (shared, own) = (Arc::clone(shared), id.clone());
    thread::spawn(move || run(&shared, &own, &sqls, fault));
    Some((id, created))
}

fn run(shared: &Shared, id: &str, sqls: &[String], fault: Option<Fault>) {
    let pause = if let Some(Fault::Slow(pause)) = fault { pause } else { Duration::from_millis(2) };
    let with = |change: &dyn Fn(&mut Statement)| {
        if let Some(statement) = locked(&shared.statements).get_mut(id) {
            change(statement);
        }
    };
    with(&|statement| statement.status = Status::Started);
    thread::sleep(pause);
    let until = Instant::now() + HELD;
    while fault == Some(Fault::Hold) && !shared.released.load(Ordering::SeqCst) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    let is_cancelled = || locked(&shared.statements).get(id).is_some_and(|statement| statement.is_cancelled);
    let done = if is_cancelled() { Ok(None) } else { transaction(shared, sqls, fault, &is_cancelled) };
    with(&|statement| {
        statement.is_expired = fault == Some(Fault::Expire);
        match &done {
            Ok(Some(_)) if fault == Some(Fault::SayFailed) => {
                (statement.status, statement.error) = (Status::Failed, Some("a fault for a test: it was committed".to_owned()));
            }
            Ok(Some(results)) => (statement.status, statement.results) = (Status::Finished, results.clone()),
            Ok(None) => (statement.status, statement.error) = (Status::Aborted, Some("Query cancelled".to_owned())),
            Err(error) => (statement.status, statement.error) = (Status::Failed, Some(error.clone())),
        }
    });
}

/// Runs all statements or none. `None`: it was cancelled.
fn transaction(
    shared: &Shared,
    sqls: &[String],
    fault: Option<Fault>,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Option<Vec<Part>>, String> {
    let said = |error: postgres::Error| match error.as_db_error() {
        Some(error) => format!("ERROR: {}", error.message()),
        None => error.to_string(),
    };
    let mut client = Client::connect(&shared.postgres, NoTls).map_err(said)?;
    let mut transaction = client.transaction().map_err(said)?;
    let mut results = Vec::new();
    for (nth, text) in sqls.iter().enumerate() {
        if fault == Some(Fault::FailAt(nth + 1)) {
            return Err("ERROR: a fault for a test".to_owned());
        }
        if is_cancelled() {
            return Ok(None);
        }
        results.push(match copy::parse(text) {
            Some(copy) => {
                let count = copy::carry_out(&copy?, &shared.buckets, &mut transaction)?;
                Part { count, rows: None }
            }
            None => statement(&mut transaction, &sql::to_postgres(text)).map_err(said)?,
        });
    }
    transaction.commit().map_err(said)?;
    Ok(Some(results))
}

fn statement(transaction: &mut Transaction<'_>, sql: &str) -> Result<Part, postgres::Error> {
    let types: Vec<Type> = transaction.prepare(sql)?.columns().iter().map(|column| column.type_().clone()).collect();
    let mut part = Part { count: 0, rows: (!types.is_empty()).then(Vec::new) };
    for message in transaction.simple_query(sql)? {
        match message {
            SimpleQueryMessage::Row(row) => {
                let cells = types.iter().enumerate().map(|(at, kind)| cell(kind, row.get(at)));
                part.rows.get_or_insert_default().push(cells.collect());
            }
            SimpleQueryMessage::CommandComplete(count) => part.count = i64::try_from(count).unwrap_or(-1),
            _ => {}
        }
    }
    Ok(part)
}

fn cell(kind: &Type, text: Option<&str>) -> Cells {
    let Some(text) = text else { return Cells::Null };
    match text.parse() {
        Ok(value) if [Type::INT2, Type::INT4, Type::INT8].contains(kind) => Cells::Long(value),
        _ => Cells::Text(text.to_owned()),
    }
}
