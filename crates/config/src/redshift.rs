//! Redshift, the target for the export of a lake in a bucket.

use kassa_model::Code;

use crate::bucket::is_open_to_others;
use crate::config::{LakePlace, Redshift, RedshiftPlace};
use crate::reader::Reader;
use crate::servers::has_no_effect;

pub(crate) fn redshift(reader: &mut Reader, lake: &LakePlace) -> Option<Redshift> {
    let [workgroup, cluster, db_user, secret_arn, iam_role, region, endpoint] =
        ["workgroup", "cluster", "db_user", "secret_arn", "iam_role", "region", "endpoint"]
            .map(|word| reader.text(&format!("redshift.{word}")));
    let (database, schema, folder) = (reader.text("redshift.database"), schema(reader), folder(reader));
    let place = match (workgroup, cluster) {
        (None, None) => {
            let because = "neither `redshift.workgroup` nor `redshift.cluster` is given";
            has_no_effect(reader, "redshift", "redshift.workgroup", because, "the workgroup");
            return None;
        }
        (Some(_), Some(_)) => {
            let help = ["a workgroup is Redshift Serverless, a cluster is provisioned: keep the one that you use"];
            reader.contradiction("redshift.cluster", "redshift.workgroup", "both a workgroup and a cluster are given", help);
            return None;
        }
        (Some(name), None) => {
            if db_user.is_some() {
                let what =
                    "`redshift.db_user` has no effect: the user of a workgroup comes from the caller's identity".to_owned();
                reader.report("redshift.db_user", Code::NoEffect, what, &["remove it, or give `secret_arn`"]);
            }
            RedshiftPlace::Workgroup(name)
        }
        (None, Some(id)) => {
            if db_user.is_some() && secret_arn.is_some() {
                let help = ["the secret contains a user: keep one of the two"];
                reader.contradiction(
                    "redshift.db_user",
                    "redshift.secret_arn",
                    "both a user and a secret with a user are given",
                    help,
                );
            }
            RedshiftPlace::Cluster { id, db_user }
        }
    };
    if secret_arn.as_deref().is_some_and(|arn| !arn.starts_with("arn:")) {
        // It may be the secret itself, so the mistake does not repeat it.
        let what = "`redshift.secret_arn` is not the ARN of a secret".to_owned();
        reader.report(
            "redshift.secret_arn",
            Code::BadSecret,
            what,
            &["write `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`"],
        );
    }
    let secret_arn = secret_arn.filter(|arn| arn.starts_with("arn:"));
    sound(reader, lake, endpoint.as_deref(), iam_role.as_deref());
    let iam_role = iam_role?;
    Some(Redshift { place, database: database?, secret_arn, iam_role, schema, region, endpoint, folder })
}

/// Records settings that cannot work as an export target.
fn sound(reader: &mut Reader, lake: &LakePlace, endpoint: Option<&str>, iam_role: Option<&str>) {
    let is_given = if reader.given("redshift.cluster").is_some() { "redshift.cluster" } else { "redshift.workgroup" };
    if let LakePlace::Folder(_) = lake {
        let what = "Redshift copies from S3, but the lake is a local folder".to_owned();
        reader.report(
            is_given,
            Code::Contradiction,
            what,
            &["write `url = \"s3://BUCKET/PREFIX\"` in [lake], or remove [redshift]"],
        );
    }
    match iam_role {
        None => {
            let what = "Redshift needs `redshift.iam_role`".to_owned();
            let help = ["give the ARN of a role that may read the bucket, or `iam_role = \"default\"`"];
            reader.report(is_given, Code::MissingKey, what, &help);
        }
        Some(role) if role != "default" && (!role.starts_with("arn:") || role.contains(['\'', ' '])) => {
            let what = format!("`redshift.iam_role` is not a role: \"{role}\"");
            reader.report(
                "redshift.iam_role",
                Code::BadName,
                what,
                &["write for example `arn:aws:iam::123456789012:role/kassa-copy`, or `default`"],
            );
        }
        Some(_) => {}
    }
    if endpoint.is_some_and(is_open_to_others) {
        let what = "`redshift.endpoint` is neither `https://` nor on this machine".to_owned();
        reader.report(
            "redshift.endpoint",
            Code::BadUrl,
            what,
            &["anybody on the network could read the shop's data: write `https://`"],
        );
    }
}

/// A name that needs no quotes in any SQL dialect.
fn schema(reader: &mut Reader) -> String {
    let name = reader.text("redshift.schema").unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.is_empty() && (name.len() > 64 || !name.bytes().all(legal) || name.starts_with(|first: char| first.is_ascii_digit()))
    {
        let what = format!("`redshift.schema` cannot be \"{name}\"");
        reader.report("redshift.schema", Code::BadName, what, &["use a–z, 0–9 and `_`, a letter first, at most 64 characters"]);
    }
    name
}

/// A folder next to those of the lake.
fn folder(reader: &mut Reader) -> String {
    let name = reader.text("redshift.folder").unwrap_or_default().trim_matches('/').to_owned();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let is_taken = ["DWH", "topics", "_kassa"].contains(&name.split('/').next().unwrap_or_default());
    if !name.bytes().all(legal) || is_taken || name.split('/').any(|part| part.starts_with('.')) {
        let what = format!("`redshift.folder` cannot be \"{name}\"");
        reader.report(
            "redshift.folder",
            Code::BadName,
            what,
            &["use letters, digits, `-`, `_` and `/`, and not a folder of the lake"],
        );
    }
    name
}
