//! The export to Redshift.

use std::time::Duration;

use anyhow::Context;
use kassa_config::{Config, LakePlace, RedshiftPlace};
use kassa_model::Code;
use kassa_redshift::{Credentials, Exporter, LakeError, Place, Report, Target};
use serde_json::{Value, json};

use super::Done;
use super::shelf::Shelf;
use crate::failure::Failure;
use crate::wiring::Lake;

/// How long a Data API without an answer is retried.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn export(config: &Config) -> anyhow::Result<Done> {
    let missing = || {
        let failure = Failure::new(Code::BadParameter, "the configuration has no Redshift");
        failure.hint("give [redshift] its `workgroup` and `iam_role`: see docs/how-to/redshift.md")
    };
    let target = target(config).ok_or_else(missing)?;
    let lake = Lake::of(config)?;
    let bucket = lake.bucket.clone().ok_or_else(missing)?;
    let credentials = move || -> Result<Credentials, LakeError> {
        let keys = bucket.keys()?;
        Ok(Credentials {
            access_key_id: keys.access_key_id.expose().to_owned(),
            secret_access_key: keys.secret_access_key.expose().to_owned(),
            session_token: keys.session_token.map(|token| token.expose().to_owned()),
        })
    };
    let run = format!("{}-{}", lake.clock.now(), std::process::id());
    let shelf = Shelf::new(&lake, config);
    let exporter = Exporter::new(&shelf, target, &run, credentials).context("could not export to Redshift")?;
    Ok(done(&exporter.export().context("could not export to Redshift")?))
}

fn target(config: &Config) -> Option<Target> {
    let redshift = config.redshift.as_ref()?;
    let LakePlace::S3(s3) = &config.lake.place else { return None };
    let place = match &redshift.place {
        RedshiftPlace::Workgroup(name) => Place::Workgroup(name.clone()),
        RedshiftPlace::Cluster { id, db_user } => Place::Cluster { id: id.clone(), db_user: db_user.clone() },
    };
    let of_environment = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| std::env::var(name).ok());
    let region = redshift.region.clone().or_else(|| s3.region.clone()).or_else(of_environment);
    Some(Target {
        place,
        database: redshift.database.clone(),
        secret_arn: redshift.secret_arn.clone(),
        schema: redshift.schema.clone(),
        iam_role: redshift.iam_role.clone(),
        region: region.unwrap_or_else(|| "us-east-1".to_owned()),
        endpoint: redshift.endpoint.clone(),
        lake: config.lake.place.to_string(),
        folder: redshift.folder.clone(),
        patience: PATIENCE,
    })
}

fn done(report: &Report) -> Done {
    let of = |rows: Option<u64>| rows.map_or(Value::Null, |rows| Value::from(rows.to_string()));
    let tables: serde_json::Map<String, Value> =
        report.rows.iter().map(|(table, rows)| (table.name().to_owned(), of(*rows))).collect();
    let positions: Vec<Value> = report
        .positions
        .iter()
        .map(|(partition, next)| {
            json!({"topic": partition.topic.as_ref(), "partition": partition.number.to_string(), "next": next.to_string()})
        })
        .collect();
    let words = if report.is_changed {
        let rows: u64 = report.rows.iter().filter_map(|(_, rows)| *rows).sum();
        format!("load {}: {rows} rows in {} tables", report.generation, report.rows.len())
    } else {
        format!("Redshift is up to date since load {}", report.generation)
    };
    let detail = json!({"load": report.generation.to_string(), "rows": tables, "positions": positions});
    Done { is_changed: report.is_changed, words, detail }
}
