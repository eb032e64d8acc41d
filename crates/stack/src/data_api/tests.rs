use std::time::Instant;

use serde_json::{Value, json};

use super::*;
use crate::postgres::Postgres;

struct Server {
    api: DataApi,
    postgres: Postgres,
    buckets: tempfile::TempDir,
}

fn server() -> Server {
    let (postgres, buckets) = (Postgres::start().unwrap(), tempfile::TempDir::new().unwrap());
    let api = DataApi::start(&postgres.url("postgres", "postgres"), buckets.path()).unwrap();
    Server { api, postgres, buckets }
}

impl Server {
    fn ask(&self, action: &str, request: &Value) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let sent = agent
            .post(self.api.endpoint())
            .header("X-Amz-Target", format!("RedshiftData.{action}"))
            .header("Authorization", "AWS4-HMAC-SHA256 Credential=id/20260101/eu-west-2/redshift-data/aws4_request, Signature=0")
            .send(request.to_string());
        let mut answer = sent.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
    }

    fn batch(&self, sqls: &[&str], token: &str) -> (u16, Value) {
        self.ask("BatchExecuteStatement", &json!({"WorkgroupName": "w", "Database": "d", "Sqls": sqls, "ClientToken": token}))
    }

    /// The final status of a statement, and its error.
    fn end(&self, id: &Value) -> (String, String) {
        let begun = Instant::now();
        loop {
            let (_, described) = self.ask("DescribeStatement", &json!({ "Id": id }));
            let status = described["Status"].as_str().unwrap_or_default().to_owned();
            if !["SUBMITTED", "STARTED"].contains(&status.as_str()) {
                return (status, described["Error"].as_str().unwrap_or_default().to_owned());
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{described}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn ran(&self, sqls: &[&str], token: &str) -> (String, String) {
        let (status, answer) = self.batch(sqls, token);
        assert_eq!(status, 200, "{answer}");
        self.end(&answer["Id"])
    }
}

#[test]
fn a_token_runs_its_statements_once_and_identifies_no_others() {
    let server = server();
    assert_eq!(server.ran(&["CREATE TABLE t (n bigint) DISTSTYLE ALL"], "make").0, "FINISHED");
    let first = server.batch(&["INSERT INTO t VALUES (1)"], "one").1["Id"].clone();
    server.end(&first);
    assert_eq!(server.batch(&["INSERT INTO t VALUES (1)"], "one").1["Id"], first);
    assert_eq!(server.postgres.sql("postgres", "SELECT count(*) FROM t").unwrap().trim(), "1");
    let (status, refused) = server.batch(&["INSERT INTO t VALUES (2)"], "one");
    assert_eq!((status, &refused["__type"]), (400, &json!("ValidationException")));
    server.api.forget_tokens();
    assert_ne!(server.batch(&["INSERT INTO t VALUES (1)"], "one").1["Id"], first);
}

#[test]
fn a_batch_is_one_transaction_and_its_rows_are_paged() {
    let server = server();
    let (status, error) = server.ran(&["CREATE TABLE t (n bigint)", "SELECT 1 / COUNT(*) FROM t"], "a");
    assert_eq!((status.as_str(), error.as_str()), ("FAILED", "ERROR: division by zero"));
    let known = server.postgres.sql("postgres", "SELECT count(*) FROM pg_tables WHERE tablename = 't'").unwrap();
    assert_eq!(known.trim(), "0");
    let id = server.batch(&["SELECT n, NULL AS x FROM generate_series(1, 120) n"], "b").1["Id"].clone();
    server.end(&id);
    let (mut rows, mut next) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let part = format!("{}:1", id.as_str().unwrap());
        let (_, page) = server.ask("GetStatementResult", &json!({"Id": part, "NextToken": next}));
        rows.extend(page["Records"].as_array().unwrap().clone());
        next = page["NextToken"].clone();
    }
    assert_eq!((rows.len(), &next), (120, &Value::Null));
    assert_eq!(rows[119], json!([{"longValue": 120}, {"isNull": true}]));
}

#[test]
fn an_unsigned_or_too_large_request_is_refused() {
    let server = server();
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let answer = agent.post(server.api.endpoint()).header("X-Amz-Target", "RedshiftData.ListStatements").send("{}").unwrap();
    assert_eq!(answer.status().as_u16(), 403);
    assert_eq!(server.batch(&["SELECT 1"; 41], "many").0, 400);
    assert_eq!(server.batch(&["x".repeat(100 * 1024 + 1).as_str()], "long").0, 400);
    assert_eq!(server.batch(&["SELECT 1"], &"t".repeat(65)).0, 400);
    assert_eq!(server.ask("ExecuteStatement", &json!({"Database": "d", "Sql": "SELECT 1"})).0, 400);
    assert_eq!(server.ask("DescribeStatement", &json!({"Id": "none"})).1["__type"], "ResourceNotFoundException");
    assert_eq!(server.ask("ListStatements", &json!({})).1["Statements"], json!([]));
}

#[test]
fn a_cancelled_statement_is_aborted_and_faults_fire_as_often_as_configured() {
    let server = server();
    let slow = server.api.on("BatchExecuteStatement", "CREATE", (1, 1), Fault::Hold);
    let id = server.batch(&["CREATE TABLE t (n bigint)"], "a").1["Id"].clone();
    assert_eq!(server.ask("CancelStatement", &json!({ "Id": id })).1["Status"], true);
    server.api.release();
    assert_eq!(server.end(&id).0, "ABORTED");
    let throttle = server.api.on("ListStatements", "", (2, 1), Fault::Throttle);
    let asked: Vec<u16> = (0..3).map(|_| server.ask("ListStatements", &json!({})).0).collect();
    assert_eq!((asked, slow.fired(), throttle.fired()), (vec![200, 400, 200], 1, 1));
}

#[test]
fn copy_reads_exactly_the_files_of_the_manifest() {
    let server = server();
    let bucket = server.buckets.path().join("b");
    std::fs::create_dir_all(&bucket).unwrap();
    std::fs::write(bucket.join("rows.csv"), "\"a,b\",1\nc,2\n").unwrap();
    let manifest = |bytes: u64, mandatory: bool| {
        let entry = json!({"url": "s3://b/rows.csv", "mandatory": mandatory, "meta": {"content_length": bytes}});
        std::fs::write(bucket.join("m"), json!({ "entries": [entry] }).to_string()).unwrap();
    };
    server.ran(&["CREATE SCHEMA s", "CREATE TABLE s.t (a varchar(8), n bigint)"], "make");
    let copy = "COPY \"s\".\"t\" FROM 's3://b/m' IAM_ROLE default FORMAT AS CSV MANIFEST";
    manifest(11, true);
    assert!(server.ran(&[copy], "size").1.contains("another size"));
    manifest(12, false);
    assert!(server.ran(&[copy], "mandatory").1.contains("not mandatory"));
    manifest(12, true);
    assert_eq!(server.ran(&[copy], "whole"), ("FINISHED".to_owned(), String::new()));
    assert_eq!(server.postgres.sql("postgres", "SELECT a, n FROM s.t ORDER BY n").unwrap().trim(), "a,b|1\nc|2");
    assert!(server.ran(&["COPY t FROM somewhere"], "syntax").1.contains("syntax error"));
}
