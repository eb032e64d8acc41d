//! The requests of the Data API and their answers.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;

use serde_json::{Value, json};

use super::run::{self, Cells, Status};
use super::{Fault, Shared, locked};
use crate::http_faults::Head;

/// An error of the API.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) what: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self { status: 400, code, what: what.into() }
    }
}

type Answer = Result<Value, Refusal>;

fn invalid(what: impl Into<String>) -> Refusal {
    Refusal::new("ValidationException", what)
}

/// Rows per page: few, so that clients must request more pages.
const PAGE: usize = 50;

/// Limits: statements of a batch, bytes of a statement, bytes of a token.
const BATCH: usize = 40;
const STATEMENT: usize = 100 * 1024;
const TOKEN: usize = 64;

pub(super) fn signed(head: &Head) -> Result<(), Refusal> {
    let authorization = head.header("authorization").unwrap_or_default();
    if authorization.starts_with("AWS4-HMAC-SHA256 Credential=") && authorization.contains("/redshift-data/aws4_request") {
        return Ok(());
    }
    Err(Refusal {
        status: 403,
        ..Refusal::new("MissingAuthenticationTokenException", "the request is not signed for redshift-data")
    })
}

pub(super) fn answer(shared: &Arc<Shared>, action: &str, body: &str, fault: Option<Fault>) -> Answer {
    let request: Value = serde_json::from_str(body).map_err(|error| invalid(error.to_string()))?;
    match action {
        "ExecuteStatement" => {
            let sql = request["Sql"].as_str().ok_or_else(|| invalid("Sql is missing"))?;
            execute(shared, &request, vec![sql.to_owned()], false, fault)
        }
        "BatchExecuteStatement" => {
            let sqls = request["Sqls"].as_array().ok_or_else(|| invalid("Sqls is missing"))?;
            let sqls: Vec<String> = sqls.iter().filter_map(|sql| Some(sql.as_str()?.to_owned())).collect();
            execute(shared, &request, sqls, true, fault)
        }
        "DescribeStatement" => describe(shared, &request),
        "GetStatementResult" => result(shared, &request),
        "ListStatements" => Ok(list(shared)),
        "CancelStatement" => cancel(shared, &request),
        other => Err(Refusal::new("UnknownOperationException", format!("no operation {other:?}"))),
    }
}

fn execute(shared: &Arc<Shared>, request: &Value, sqls: Vec<String>, is_batch: bool, fault: Option<Fault>) -> Answer {
    let has = |name: &str| request[name].as_str().is_some_and(|text| !text.is_empty());
    if has("WorkgroupName") == has("ClusterIdentifier") {
        return Err(invalid("either WorkgroupName or ClusterIdentifier"));
    }
    if !has("Database") {
        return Err(invalid("Database is missing"));
    }
    if has("ClusterIdentifier") && has("DbUser") && has("SecretArn") {
        return Err(invalid("either DbUser or SecretArn"));
    }
    if sqls.is_empty() || sqls.len() > BATCH || sqls.iter().any(|sql| sql.len() > STATEMENT) {
        return Err(invalid(format!("{} statements; 1 to {BATCH}, each of {STATEMENT} bytes at most", sqls.len())));
    }
    let token = request["ClientToken"].as_str().map(str::to_owned);
    if token.as_ref().is_some_and(|token| token.is_empty() || token.len() > TOKEN) {
        return Err(invalid("ClientToken has 1 to 64 characters"));
    }
    let (id, created) = run::submit(shared, run::Request { token, sqls, is_batch, whole: request.to_string() }, fault)
        .ok_or_else(|| invalid("this ClientToken was used with another request"))?;
    Ok(json!({"Id": id, "CreatedAt": created, "Database": request["Database"]}))
}

/// Finds the statement of an id, which may be a statement within a batch.
fn find<T>(shared: &Shared, request: &Value, take: impl FnOnce(&mut run::Statement, Option<usize>) -> T) -> Result<T, Refusal> {
    let id = request["Id"].as_str().unwrap_or_default();
    let (whole, part) = match id.split_once(':') {
        Some((whole, part)) => (whole, part.parse::<usize>().ok().and_then(|part| part.checked_sub(1))),
        None => (id, None),
    };
    let mut statements = locked(&shared.statements);
    match statements.get_mut(whole).filter(|statement| !statement.is_expired) {
        Some(statement) => Ok(take(statement, part)),
        None => Err(Refusal::new("ResourceNotFoundException", format!("Query does not exist: {id}"))),
    }
}

fn describe(shared: &Shared, request: &Value) -> Answer {
    find(shared, request, |statement, _| {
        let parts: Vec<Value> = statement
            .results
            .iter()
            .enumerate()
            .map(|(at, part)| {
                json!({
                    "Id": format!("{}:{}", statement.id, at + 1), "Status": statement.status.name(), "ResultRows": part.count,
                    "HasResultSet": part.rows.is_some(), "CreatedAt": statement.created,
                })
            })
            .collect();
        let mut answer = json!({
            "Id": statement.id, "Status": statement.status.name(), "CreatedAt": statement.created, "UpdatedAt": run::now(),
            "HasResultSet": statement.results.iter().any(|part| part.rows.is_some()),
            "ResultRows": statement.results.last().map_or(-1, |part| part.count), "RedshiftPid": 1,
        });
        if let Some(error) = &statement.error {
            answer["Error"] = Value::from(error.as_str());
        }
        if statement.is_batch {
            answer["SubStatements"] = Value::from(parts);
        }
        answer
    })
}

fn result(shared: &Shared, request: &Value) -> Answer {
    let from: usize = request["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let found = find(shared, request, |statement, part| {
        let part = statement.results.get(part.unwrap_or(0)).filter(|_| statement.status == Status::Finished);
        part.and_then(|part| part.rows.clone())
    })?;
    let Some(rows) = found else {
        return Err(Refusal::new("ResourceNotFoundException", "Query does not have result. Please check query status."));
    };
    let records: Vec<Value> = rows.iter().skip(from).take(PAGE).map(|row| record(row)).collect();
    let mut answer = json!({"Records": records, "ColumnMetadata": [], "TotalNumRows": rows.len()});
    if from + PAGE < rows.len() {
        answer["NextToken"] = Value::from((from + PAGE).to_string());
    }
    Ok(answer)
}

fn record(row: &[Cells]) -> Value {
    let cells = row.iter().map(|cell| match cell {
        Cells::Null => json!({"isNull": true}),
        Cells::Long(value) => json!({"longValue": value}),
        Cells::Text(text) => json!({"stringValue": text}),
    });
    Value::from(cells.collect::<Vec<_>>())
}

fn list(shared: &Shared) -> Value {
    let statements = locked(&shared.statements);
    let known = statements.values().filter(|statement| !statement.is_expired);
    let listed: Vec<Value> = known
        .map(|statement| json!({"Id": statement.id, "Status": statement.status.name(), "CreatedAt": statement.created}))
        .collect();
    json!({ "Statements": listed })
}

fn cancel(shared: &Shared, request: &Value) -> Answer {
    find(shared, request, |statement, _| {
        statement.is_cancelled = true;
        json!({"Status": matches!(statement.status, Status::Submitted | Status::Started)})
    })
}

pub(super) fn write(mut client: &TcpStream, answer: Answer) -> io::Result<()> {
    let (status, code, body) = match answer {
        Ok(body) => (200, "", body),
        Err(refusal) => (refusal.status, refusal.code, json!({"__type": refusal.code, "message": refusal.what})),
    };
    let body = body.to_string();
    let code = if code.is_empty() { String::new() } else { format!("x-amzn-ErrorType: {code}\r\n") };
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/x-amz-json-1.1\r\n{code}Content-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())
}
